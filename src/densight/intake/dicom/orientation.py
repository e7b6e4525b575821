"""How an image lies against the body, and how it is brought to the way in which mammograms are hung.

Source: DICOM PS3.3, section C.7.6.1.1.1 (Patient Orientation: the directions in which rows and columns run).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densight.intake.dicom.header import words
from densight.vocabulary import Laterality, Projection, View

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Orientation", "read_orientation"]

_OPPOSITE = {"A": "P", "P": "A", "R": "L", "L": "R", "H": "F", "F": "H"}


@dataclass(frozen=True)
class Orientation:
    """What brings a file's image to the way in which mammograms are hung, as `densight.geometry.set_upright` does it.

    Hung, the chest wall of a right breast is at the right and that of a left one at the left; lateral is up in
    cranio-caudal views and the head in oblique ones.

    Parameters
    ----------
    turns : int
        Quarter turns against the clock.
    mirrored : bool
        Whether the turned image is then mirrored left to right.
    note : str
        In words.
    """

    turns: int = 0
    mirrored: bool = False
    note: str = ""


def read_orientation(dataset: Dataset, projection: Projection | None) -> Orientation:
    """What a file's PatientOrientation asks for.

    Parameters
    ----------
    dataset : pydicom.Dataset
    projection : Projection or None
        What the image shows; it stays as it is where that is not known.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> dataset = Dataset()
    >>> dataset.PatientOrientation = ["P", "L"]
    >>> read_orientation(dataset, Projection.CC_R)
    Orientation(turns=0, mirrored=False, note='')
    >>> read_orientation(dataset, Projection.CC_L).note
    'turned by 180°, as its patient orientation P, L asks for'
    """
    directions = [re.sub(r"[^APRLHF].*", "", word.upper())[:1] for word in words(dataset, "PatientOrientation")]
    if projection is None:
        return Orientation()
    wanted = ("P" if projection.laterality == Laterality.R else "A", _downwards(projection))
    if len(directions) != 2 or not all(directions):
        return Orientation(note="no patient orientation in the file: taken as hung")
    for turns in range(4):
        for mirrored in (False, True):
            if _moved(directions[0], directions[1], turns, mirrored) == wanted:
                asked = f"as its patient orientation {', '.join(directions)} asks for"
                done = _DONE[turns, mirrored]
                return Orientation(turns, mirrored, f"{done}, {asked}" if done else "")
    note = f"the patient orientation {', '.join(directions)} is none of this view: taken as hung"
    return Orientation(note=note)


_DONE = {
    (0, False): "",
    (0, True): "mirrored left to right",
    (1, False): "turned by 90° against the clock",
    (1, True): "transposed along the falling diagonal",
    (2, False): "turned by 180°",
    (2, True): "mirrored top to bottom",
    (3, False): "turned by 90° with the clock",
    (3, True): "transposed along the rising diagonal",
}


def _downwards(projection: Projection) -> str:
    """Where the columns of a hung image run: to the feet, or from lateral to medial."""
    if projection.view == View.MLO:
        return "F"
    return "L" if projection.laterality == Laterality.R else "R"


def _moved(rows: str, columns: str, turns: int, mirrored: bool) -> tuple[str, str]:
    """Where rows and columns run after turning against the clock and mirroring."""
    for _ in range(turns):
        rows, columns = columns, _OPPOSITE[rows]
    return (_OPPOSITE[rows] if mirrored else rows), columns
