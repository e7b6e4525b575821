"""From stored values to what a display shows: modality LUT, window or VOI LUT, polarity (DICOM PS3.4, annex N.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from densight.intake.dicom.header import integer, number, numbers, sequence, text, words
from densight.intake.dicom.pixels import Stored
from densight.intake.grey import Pixels
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["padding", "render", "stored_range"]

Values = npt.NDArray[np.float64]


def render(stored: Stored, dataset: Dataset) -> tuple[Pixels, tuple[str, ...]]:
    """What a display shows of stored values, brighter where denser.

    The first VOI LUT counts, else the first window, else the full range of the stored values. Padding is black.

    Parameters
    ----------
    stored : ndarray of uint16 or int16, shape (rows, columns)
    dataset : pydicom.Dataset

    Returns
    -------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)
        Presentation values over the whole range of 8 bits for images of up to 8 bits, else of 16.
    notes : tuple of str
        What was done.

    Raises
    ------
    DensightError
        If what the file says of the display is damaged.
    """
    low, high = stored_range(dataset)
    # Every stored value is shown alike wherever it is, so that a table of all of them is enough.
    table, notes = _table(np.arange(low, high + 1), dataset)
    kind: Any = np.uint8 if (integer(dataset, "BitsStored") or 8) <= 8 else np.uint16
    # OpenCV wants a table of all that 16 bits can be.
    whole = np.zeros(1 << 16, kind)
    whole[: table.size] = np.rint(table * np.iinfo(kind).max)
    pixels: Pixels = np.asarray(cv2.LUT(_above(stored, low), whole), kind)
    blank = padding(stored, dataset)
    if blank is not None and blank.any():
        pixels[blank] = 0
        notes = (*notes, "padding shown as black")
    return pixels, notes


def _above(stored: Stored, low: int) -> npt.NDArray[np.uint16]:
    """How much more than the least a pixel's value is."""
    return np.asarray(stored if low == 0 else stored.astype(np.int32) - low, np.uint16)


def stored_range(dataset: Dataset) -> tuple[int, int]:
    """The least and the greatest value that a pixel can have."""
    bits = integer(dataset, "BitsStored") or 8
    low = -(1 << (bits - 1)) if integer(dataset, "PixelRepresentation") == 1 else 0
    return low, low + (1 << bits) - 1


def padding(stored: Stored, dataset: Dataset) -> npt.NDArray[np.bool_] | None:
    """Where pixels were added that the detector never saw; None where the file names none.

    Source: DICOM PS3.3, section C.7.5.1.1.2 (Pixel Padding Value and Range Limit).
    """
    value = integer(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = integer(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high))


def _table(values: npt.NDArray[np.int_], dataset: Dataset) -> tuple[Values, tuple[str, ...]]:
    """Presentation values, 0 to 1, of all stored values."""
    from pydicom.pixels.processing import apply_modality_lut

    try:
        modality = np.asarray(apply_modality_lut(values, dataset), np.float64)
        shown, how = _through_voi(modality, dataset)
    except DensightError:
        raise
    except Exception as error:  # pydicom raises anything on damaged tables
        raise DensightError(
            f"what the file says of its display is damaged ({error})", remedy="export it from the PACS again"
        ) from error
    notes = [*_modality_notes(dataset), how]
    if text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        shown = 1 - shown
        notes.append("MONOCHROME1 inverted")
    return np.clip(shown, 0, 1), tuple(notes)


def _modality_notes(dataset: Dataset) -> Iterator[str]:
    if sequence(dataset, "ModalityLUTSequence"):
        yield "modality LUT"
        return
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if slope not in (None, 1) or intercept not in (None, 0):
        yield f"rescaled: {slope if slope is not None else 1:g} × value {intercept or 0:+g}"


def _through_voi(values: Values, dataset: Dataset) -> tuple[Values, str]:
    """Values of interest spread over 0 to 1, and how."""
    tables = sequence(dataset, "VOILUTSequence")
    if tables:
        return _through_table(values, dataset), f"VOI LUT {_explained(tables[0], 'LUTExplanation')}".strip()
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if centres and widths:
        name = text(dataset, "VOILUTFunction").upper() or "LINEAR"
        window = f"window {centres[0]:g}/{widths[0]:g}, {name.lower().replace('_', ' ')}"
        explained = _explained(dataset, "WindowCenterWidthExplanation")
        return through_window(values, centres[0], widths[0], name), f"{window} {explained}".strip()
    least, most = float(values.min()), float(values.max())
    return (values - least) / (most - least or 1), "no window in the file: the full range of values shown"


def _explained(dataset: Dataset, keyword: str) -> str:
    """The maker's word for a table or window, if it is a plain one: free text may hold a name."""
    word = next(iter(words(dataset, keyword)), "").upper()
    return word if word in ("NORMAL", "HARDER", "SOFTER") else ""


def _through_table(values: Values, dataset: Dataset) -> Values:
    from pydicom.pixels.processing import apply_voi

    looked_up = apply_voi(np.rint(values).astype(np.int64), dataset, index=0)
    descriptor = numbers(sequence(dataset, "VOILUTSequence")[0], "LUTDescriptor")
    return np.asarray(looked_up, np.float64) / ((1 << int(descriptor[2])) - 1)


def through_window(values: Values, centre: float, width: float, function: str) -> Values:
    """Values to 0 to 1 by a window.

    Source: DICOM PS3.3, sections C.11.2.1.2.1 (linear), C.11.2.1.3.1 (sigmoid), C.11.2.1.3.2 (linear exact), with an
    output from 0 to 1.

    Raises
    ------
    DensightError
        If the function is unknown or the width impossible.

    Examples
    --------
    >>> through_window(np.array([0.0, 7.5, 15.0]), 8, 16, "LINEAR").tolist()
    [0.0, 0.5, 1.0]
    >>> through_window(np.array([0.0, 8.0, 16.0]), 8, 16, "LINEAR_EXACT").tolist()
    [0.0, 0.5, 1.0]
    >>> through_window(np.array([8.0, 8.0 + np.log(3) * 4]), 8, 16, "SIGMOID").round(9).tolist()
    [0.5, 0.75]
    """
    least = 1 if function == "LINEAR" else 0
    if not (width >= least and width > 0):
        raise DensightError(f"the window is {width:g} wide", remedy="export the image from the PACS again")
    if function == "LINEAR":
        if width == 1:
            return np.asarray(values > centre - 0.5, np.float64)
        return np.asarray(np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1))
    if function == "LINEAR_EXACT":
        return np.asarray(np.clip((values - centre) / width + 0.5, 0, 1))
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    raise DensightError(
        f"the window's function {function[:20]!r} is not known", remedy="export the image from the PACS again"
    )
