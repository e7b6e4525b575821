"""The words of the field as types: classes, views, lateralities, projections, and densight's one error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

__all__ = [
    "BIRADS",
    "BIRADS_WORDS",
    "PROJECTIONS",
    "PROJECTION_WORDS",
    "SPLITS",
    "ByProjection",
    "DensightError",
    "Laterality",
    "Projection",
    "View",
    "check_classes",
    "describe_class",
    "find_projection",
    "format_probability",
    "projection_label",
]

BIRADS: tuple[str, ...] = ("A", "B", "C", "D")
"""The density classes of BI-RADS, 5th edition, from almost entirely fatty to extremely dense.

Source: ACR BI-RADS Atlas, 5th edition (2013), Mammography, section III.A "Breast composition".
"""

BIRADS_WORDS: dict[str, str] = {
    "A": "almost entirely fatty",
    "B": "scattered areas of fibroglandular density",
    "C": "heterogeneously dense",
    "D": "extremely dense",
}
"""The description of each of `BIRADS`, from the same section of the atlas."""

SPLITS: tuple[str, ...] = ("train", "validation", "test")
"""The parts of a data set. A patient belongs to exactly one of them."""


class DensightError(ValueError):
    """A fault that the user can fix: which file, what is wrong with it, what to do next.

    Parameters
    ----------
    fault : str
        What is wrong, without a full stop.
    path : path-like, optional
        The file or folder concerned.
    remedy : str, optional
        What to do next, without a full stop.

    Examples
    --------
    >>> print(DensightError("the file is empty (0 bytes)", "exam/a.png", "export the image again"))
    exam/a.png: the file is empty (0 bytes). Fix: export the image again.
    """

    def __init__(self, fault: str, path: str | Path | None = None, remedy: str | None = None) -> None:
        self.fault = fault
        self.path = None if path is None else Path(path)
        self.remedy = remedy
        where = "" if path is None else f"{path}: "
        then = "" if remedy is None else f". Fix: {remedy}"
        super().__init__(f"{where}{fault}{then}.")

    def __reduce__(self) -> tuple[type[DensightError], tuple[object, ...]]:
        # Exceptions are pickled with their message as the only argument, which here would become the fault.
        return type(self), (self.fault, self.path, self.remedy)


class Laterality(StrEnum):
    """The side of the patient's body: right or left."""

    R = "R"
    L = "L"


class View(StrEnum):
    """The direction of the x-ray beam: cranio-caudal or medio-lateral oblique."""

    CC = "CC"
    MLO = "MLO"


class Projection(StrEnum):
    """A view of a side: the unit for which the tutorial trains one network."""

    CC_R = "CC_R"
    CC_L = "CC_L"
    MLO_R = "MLO_R"
    MLO_L = "MLO_L"

    @property
    def view(self) -> View:
        """The view, CC or MLO."""
        return View(self.value.split("_")[0])

    @property
    def laterality(self) -> Laterality:
        """The side, R or L."""
        return Laterality(self.value.split("_")[1])

    @classmethod
    def of(cls, view: str, laterality: str) -> Projection:
        """Join a view and a laterality.

        Raises
        ------
        DensightError
            If either is not one of the four words.

        Examples
        --------
        >>> Projection.of("MLO", "L")
        <Projection.MLO_L: 'MLO_L'>
        """
        try:
            return cls(f"{view.strip().upper()}_{laterality.strip().upper()}")
        except ValueError:
            known = ", ".join(PROJECTIONS)
            raise DensightError(
                f"unknown projection: view {view!r}, laterality {laterality!r}",
                remedy=f"use one of {known}",
            ) from None


PROJECTIONS: tuple[Projection, ...] = tuple(Projection)
"""The four standard projections, in the tutorial's order."""

PROJECTION_WORDS = re.compile(
    r"(?<![A-Za-z])(?:(?P<view>CC|MLO)[ _-]?(?P<side>RIGHT|LEFT|R|L)"
    r"|(?P<side2>RIGHT|LEFT|R|L)[ _-]?(?P<view2>CC|MLO))(?![A-Za-z])",
    re.IGNORECASE,
)
"""How file and folder names spell a projection: view and side in either order, the side as a letter or a word."""


def find_projection(text: str) -> Projection | None:
    """The last projection named in a file's or folder's name, in any usual spelling.

    Parameters
    ----------
    text : str
        For instance ``"1302_1_D_MLO_R"``, ``"predictions_ccl"``, ``"RCC"`` or ``"LEFT_MLO"``.

    Returns
    -------
    Projection or None
        None where no projection is named.

    Examples
    --------
    >>> find_projection("predictions_mlol.txt")
    <Projection.MLO_L: 'MLO_L'>
    >>> find_projection("RCC")
    <Projection.CC_R: 'CC_R'>
    >>> find_projection("holiday") is None
    True
    """
    matches = list(PROJECTION_WORDS.finditer(text))
    if not matches:
        return None
    words = matches[-1].groupdict()
    return Projection.of(words["view"] or words["view2"], (words["side"] or words["side2"])[0])


Value = TypeVar("Value")


class ByProjection(Mapping[Projection, Value]):
    """A value per projection, found by the projection in any usual spelling.

    Parameters
    ----------
    values : mapping of Projection to value

    Examples
    --------
    >>> density = ByProjection({Projection.CC_R: "B", Projection.MLO_R: "C"})
    >>> density["MLO_R"], density["R-MLO"], density[Projection.CC_R]
    ('C', 'C', 'B')
    >>> density["MLO_L"]
    Traceback (most recent call last):
    KeyError: "no projection 'MLO_L'; there are CC_R, MLO_R"
    """

    def __init__(self, values: Mapping[Projection, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, projection: str) -> Value:
        known = find_projection(str(projection))
        if known is None or known not in self._values:
            raise KeyError(f"no projection {str(projection)!r}; there are {', '.join(self._values)}")
        return self._values[known]

    def __iter__(self) -> Iterator[Projection]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{', '.join(self._values)}>"


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Ordered class labels, from the least to the most dense, checked.

    Raises
    ------
    DensightError
        If there are fewer than two, an empty one, or one twice.

    Examples
    --------
    >>> check_classes(["F", "G", "D"])
    ('F', 'G', 'D')
    """
    labels = tuple(str(label).strip() for label in classes)
    if len(labels) < 2 or len(set(labels)) != len(labels) or not all(labels):
        raise DensightError(
            f"the classes {list(labels)} are not an ordered set of at least two different labels",
            remedy="name them from the least to the most dense, for instance A,B,C,D or F,G,D",
        )
    return labels


def format_probability(value: float) -> str:
    """A probability as papers print it, two decimals without the zero.

    Examples
    --------
    >>> format_probability(0.914), format_probability(0.999), format_probability(0.001)
    ('.91', '1.0', '.00')
    """
    return f"{value:.2f}".removeprefix("0") if value < 0.995 else "1.0"


def describe_class(label: str, classes: Sequence[str]) -> str:
    """A class with its BI-RADS description if it has one, else its label.

    Examples
    --------
    >>> describe_class("D", "ABCD"), describe_class("D", "FGD")
    ('D extremely dense', 'D')
    """
    return f"{label} {BIRADS_WORDS[label]}" if tuple(classes) == BIRADS and label in BIRADS_WORDS else label


def projection_label(projection: Projection) -> str:
    """A projection as mammograms are labelled.

    Examples
    --------
    >>> projection_label(Projection.MLO_L)
    'L-MLO'
    """
    return f"{projection.laterality}-{projection.view}"
