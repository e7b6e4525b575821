"""Entry, Mammogram and Exam: an image before it is read, an image, the images of one visit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError, Projection

__all__ = ["Entry", "Exam", "Mammogram", "projection_unknown"]


@dataclass(frozen=True)
class Entry:
    """One image that is to be read, and what is known of it before its pixels are.

    Parameters
    ----------
    path : Path
        The image file.
    projection : Projection or None
        None where it is unknown.
    patient_id, exam_id : str
        The catalogue's ids, or those in the names.
    density : str or None
        The reference label, where there is one.
    split : str
        ``train``, ``validation`` or ``test``; empty where it is in none.
    assumed : tuple of str
        What was assumed, in words for the report.
    """

    path: Path
    projection: Projection | None
    patient_id: str
    exam_id: str
    density: str | None = None
    split: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Mammogram:
    """One mammogram and what is known of it.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)
        Grey values as stored, brighter is denser tissue.
    projection : Projection or None
        None where neither the name, the folder, the catalogue nor the caller names it.
    path : Path or None
        The file it was read from.
    patient_id, exam_id : str
        The catalogue's ids; empty where unknown.
    density : str or None
        The reference label, where there is one.
    spacing : tuple of float or None
        Pixel spacing (rows, columns) in mm.
    assumed : tuple of str
        What was assumed while reading, in words for the report.

    Examples
    --------
    >>> import numpy as np
    >>> Mammogram(np.eye(4, dtype=np.uint8), Projection.CC_R).shape
    (4, 4)
    """

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    projection: Projection | None = None
    path: Path | None = None
    patient_id: str = ""
    exam_id: str = ""
    density: str | None = None
    spacing: tuple[float, float] | None = None
    assumed: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype not in (np.uint8, np.uint16):
            raise DensightError(
                f"a mammogram is a 2-D array of uint8 or uint16, this is {self.pixels.ndim}-D {self.pixels.dtype}",
                self.path,
                "give one grey channel of integers",
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.pixels.shape
        return rows, columns

    @property
    def name(self) -> str:
        """A short name for messages and file names: the file's stem, else the projection."""
        if self.path is not None:
            return self.path.stem
        return self.projection.value if self.projection else "mammogram"


@dataclass(frozen=True, eq=False)
class Exam:
    """The mammograms of one patient at one visit, at most one a projection.

    Parameters
    ----------
    mammograms : tuple of Mammogram
        One to four, each of a different, known projection.
    exam_id, patient_id : str
        The catalogue's ids.
    density : str or None
        The reference label, where there is one.

    Raises
    ------
    DensightError
        If there is none, a projection is unknown, or one occurs twice.
    """

    mammograms: tuple[Mammogram, ...]
    exam_id: str = ""
    patient_id: str = ""
    density: str | None = None

    def __post_init__(self) -> None:
        if not self.mammograms:
            raise DensightError("the exam has no mammogram", remedy="give at least one image")
        seen: dict[Projection, Mammogram] = {}
        for mammogram in self.mammograms:
            if mammogram.projection is None:
                raise projection_unknown(mammogram.path)
            other = seen.setdefault(mammogram.projection, mammogram)
            if other is not mammogram:
                raise DensightError(
                    f"the exam has two images of {mammogram.projection}, this and {other.path or other.name}",
                    mammogram.path,
                    "keep one, or give the two visits different exam_id in a catalogue",
                )

    def __iter__(self) -> Iterator[Mammogram]:
        return iter(self.mammograms)

    def __len__(self) -> int:
        return len(self.mammograms)


def projection_unknown(path: Path | None) -> DensightError:
    """The error of an image, to be assessed or in an exam, whose projection is unknown."""
    return DensightError(
        "the projection is not known",
        path,
        "name it in the file's name (…_MLO_R.png), its folder, or a catalogue; in Python, give read_mammogram "
        "projection='MLO_R'",
    )
