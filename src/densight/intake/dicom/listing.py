"""Which images of DICOM files are assessed: one a projection and exam, by a stated rule; and what the others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.dicom.header import integer, read_header, text
from densight.intake.dicom.identity import conceal_path, read_identity
from densight.intake.dicom.kinds import is_for_processing, is_partial, is_synthetic, why_not_assessed
from densight.intake.dicom.views import what_is_shown
from densight.intake.failures import Failure, LeftOut
from densight.intake.mammogram import Entry
from densight.intake.naming import projection_of
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["DicomListing", "list_dicom"]

_PREFERRED = (
    ("for presentation", is_for_processing),
    ("a whole view", is_partial),
    ("no synthetic image", is_synthetic),
)
"""What the chosen image of a projection is, and what tells that one is not, the more important first."""


@dataclass(frozen=True)
class DicomListing:
    """What DICOM files hold, before their pixels are read.

    Parameters
    ----------
    entries : tuple of Entry
        The images that are assessed, in the order of their paths; some may lack a projection.
    left_out : tuple of LeftOut
        What is no view that is assessed, and repeats of those that are.
    failures : tuple of Failure
        Files that are damaged.
    """

    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class _Candidate:
    """An image that may be assessed."""

    entry: Entry
    uid: str
    faults: tuple[bool, ...]
    taken: str
    number: int

    @property
    def place(self) -> tuple[str, str, object]:
        """What only one image can be chosen for."""
        return self.entry.patient_id, self.entry.exam_id, self.entry.projection or self.entry.path

    @property
    def rank(self) -> tuple[tuple[bool, ...], str, int, str]:
        """The greatest is chosen."""
        return tuple(not fault for fault in self.faults), self.taken, self.number, self.entry.path.as_posix()


def list_dicom(
    paths: Sequence[Path], root: Path, label_of: Callable[[Path], tuple[str | None, str]] = lambda _: (None, "")
) -> DicomListing:
    """Read the headers of DICOM files and choose those that are assessed.

    Of several images of one projection of an exam the one is chosen that is for presentation rather than for
    processing; then a whole rather than a partial view; then an exposure rather than a synthetic image; then the one
    that was taken last, for a repeat is made where the first was not good enough; then that of the greatest instance
    number, and of the last path. The others are left out.

    Parameters
    ----------
    paths : sequence of Path
    root : Path
        Below it, parts of paths that tell who a patient is are concealed.
    label_of : callable, optional
        Gives the reference label and the split of a file.
    """
    candidates: list[_Candidate] = []
    left_out: list[LeftOut] = []
    failures: list[Failure] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for result in pool.map(lambda path: _classify(path, root, label_of), paths):
            if isinstance(result, _Candidate):
                candidates.append(result)
            elif isinstance(result, LeftOut):
                left_out.append(result)
            else:
                failures.append(result)
    chosen, repeats = _choose(candidates)
    return DicomListing(tuple(candidate.entry for candidate in chosen), (*left_out, *repeats), tuple(failures))


def _classify(
    path: Path, root: Path, label_of: Callable[[Path], tuple[str | None, str]]
) -> _Candidate | LeftOut | Failure:
    shown = path
    try:
        dataset = read_header(path)
        shown = conceal_path(path, root, dataset)
        reason = why_not_assessed(dataset)
        what = what_is_shown(dataset)
        if reason or what.excluded:
            return LeftOut(shown, reason or what.excluded)
        known = Projection.of(what.view, what.laterality) if what.view and what.laterality else None
        notes: tuple[str, ...] = ()
        if known is None:
            known, notes = projection_of(path)
            if known is None and text(dataset, "Modality").upper() != "MG":
                return LeftOut(shown, "an image that names no view: a scanned report or a screenshot perhaps")
        return _candidate(dataset, path, shown, known, notes, label_of)
    except DensightError as error:
        return Failure(shown, error.fault, error.remedy or "")


def _candidate(
    dataset: Dataset,
    path: Path,
    shown: Path,
    projection: Projection | None,
    notes: tuple[str, ...],
    label_of: Callable[[Path], tuple[str | None, str]],
) -> _Candidate:
    identity = read_identity(dataset, path)
    label, split = label_of(path)
    entry = Entry(shown, projection, identity.patient_id, identity.exam_id, label, split, (*identity.notes, *notes))
    taken = text(dataset, "AcquisitionDate") or text(dataset, "ContentDate")
    taken += text(dataset, "AcquisitionTime") or text(dataset, "ContentTime")
    faults = tuple(lacks(dataset) for _, lacks in _PREFERRED)
    return _Candidate(entry, text(dataset, "SOPInstanceUID"), faults, taken, integer(dataset, "InstanceNumber") or 0)


def _choose(candidates: Sequence[_Candidate]) -> tuple[list[_Candidate], list[LeftOut]]:
    """One of each projection of an exam, and the others; those of no known projection all stay."""
    best: dict[tuple[str, str, object], _Candidate] = {}
    for one in sorted(candidates, key=lambda one: one.rank):
        best[one.place] = one
    repeats = [
        LeftOut(one.entry.path, f"another {one.entry.projection} of the exam was chosen, {_why(best[one.place], one)}")
        for one in candidates
        if best[one.place] is not one
    ]
    return [one for one in candidates if best[one.place] is one], repeats


def _why(chosen: _Candidate, other: _Candidate) -> str:
    """What the chosen image is that the other one is not."""
    if chosen.uid and chosen.uid == other.uid:
        return "which is the same image"
    for (words, _), fault, others in zip(_PREFERRED, chosen.faults, other.faults, strict=True):
        if others and not fault:
            return words
    if chosen.taken > other.taken:
        return "taken later"
    return "of a greater instance number" if chosen.number > other.number else "of the same time"
