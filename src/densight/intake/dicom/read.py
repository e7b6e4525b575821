"""Read a DICOM mammogram, step by step: pixels, display, orientation, pitch, and what each step did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densight.geometry import set_upright
from densight.intake.dicom.display import render
from densight.intake.dicom.header import read_dataset, text
from densight.intake.dicom.kinds import is_for_processing, is_partial, is_synthetic
from densight.intake.dicom.orientation import Orientation, read_orientation
from densight.intake.dicom.pixels import Stored, decode
from densight.intake.dicom.processing import develop
from densight.intake.dicom.spacing import read_spacing
from densight.intake.dicom.views import Shown, what_is_shown
from densight.intake.grey import Pixels, check_grey
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

__all__ = ["DicomImage", "read_dicom"]


@dataclass(frozen=True, eq=False)
class DicomImage:
    """What was read of a DICOM file, and what it was before each step.

    Parameters
    ----------
    dataset : pydicom.FileDataset
        Everything that the file says.
    stored : ndarray of uint16 or int16, shape (stored rows, stored columns)
        The pixels' values as stored.
    shown : ndarray of uint8 or uint16, shape (stored rows, stored columns)
        What a display shows of them.
    pixels : ndarray of uint8 or uint16, shape (rows, columns)
        The same as mammograms are hung.
    orientation : Orientation
        What lies between ``shown`` and ``pixels``.
    projection : Projection or None
        What the file says, or what the caller did.
    what : Shown
        Where the file says so.
    spacing : tuple of float or None
        Pixel pitch (rows, columns) of ``pixels`` in mm, where the breast is.
    display_notes, pitch_note : tuple of str, str
        What was done for display, and where the pitch comes from.
    notes : tuple of str
        All that was done and assumed, in words.
    """

    dataset: FileDataset
    stored: Stored
    shown: Pixels
    pixels: Pixels
    orientation: Orientation
    projection: Projection | None
    what: Shown
    spacing: tuple[float, float] | None
    display_notes: tuple[str, ...]
    pitch_note: str
    notes: tuple[str, ...]


def read_dicom(path: str | Path, projection: Projection | None = None) -> DicomImage:
    """Read a DICOM file as a mammogram, whatever view it shows.

    Parameters
    ----------
    path : path-like
    projection : Projection, optional
        What it shows, if someone knows better than the file.

    Raises
    ------
    DensightError
        If the file is damaged, holds no single grey image, or pydicom is not installed.
    """
    path = Path(path)
    try:
        return _read(read_dataset(path), path, projection)
    except DensightError as error:
        if error.path is not None:
            raise
        raise DensightError(error.fault, path, error.remedy) from error


def _read(dataset: FileDataset, path: Path, projection: Projection | None) -> DicomImage:
    what = what_is_shown(dataset)
    known = Projection.of(what.view, what.laterality) if what.view and what.laterality else None
    stored, assumed = decode(dataset, path)
    pitch, pitch_note = read_spacing(dataset)
    shown: Pixels
    if is_for_processing(dataset):
        shown, display_notes = develop(stored, dataset, pitch[0] if pitch else None)
    else:
        shown, display_notes = render(stored, dataset)
    check_grey(shown, path)
    orientation = read_orientation(dataset, projection or known)
    pixels = np.ascontiguousarray(set_upright(shown, orientation.turns, orientation.mirrored))
    if pitch and orientation.turns % 2:
        pitch = pitch[::-1]
    notes = (
        *(() if projection not in (None, known) else what.notes),
        *_contradicted(projection, known),
        *assumed,
        *display_notes,
        *filter(None, (orientation.note, pitch_note)),
        *_remarks(dataset),
    )
    return DicomImage(
        dataset, stored, shown, pixels, orientation, projection or known, what, pitch, display_notes, pitch_note, notes
    )


def _contradicted(given: Projection | None, known: Projection | None) -> tuple[str, ...]:
    if given is None or given == known:
        return ()
    return ("projection given, the file states none",) if known is None else (f"contradiction: the file says {known}",)


def _remarks(dataset: FileDataset) -> tuple[str, ...]:
    """What is worth knowing of an image when its result is read."""
    remarks = (
        (is_synthetic(dataset), "a synthetic image, computed from tomosynthesis"),
        (is_partial(dataset), "a partial view, the breast being larger than the detector"),
        (text(dataset, "BurnedInAnnotation").upper() == "YES", "words are burnt into the image, as the file says"),
        (text(dataset, "LossyImageCompression") == "01", "compressed with loss"),
    )
    return tuple(words for holds, words in remarks if holds)
