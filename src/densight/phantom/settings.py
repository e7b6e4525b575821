"""What a caller may choose of a phantom exam, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from densight.vocabulary import BIRADS, DensightError

__all__ = [
    "FIELD_HEIGHT",
    "PHOTOMETRICS",
    "SCREENING_MIX",
    "STYLES",
    "THICKNESSES",
    "VENDORS",
    "Settings",
]

VENDORS: tuple[str, ...] = ("hologic-like", "ge-like", "siemens-like")
"""Units and their image processing: like those of a maker, not copies of them."""

STYLES: tuple[str, ...] = ("display", "raw", "film")
"""Images as a radiologist's screen shows them, as the detector gives them ("for processing"), or as scanned films."""

PHOTOMETRICS: tuple[str, ...] = ("MONOCHROME2", "MONOCHROME1")
"""Whether great pixel values are bright or dark: DICOM PS3.3, section C.7.6.3.1.2."""

SCREENING_MIX: tuple[float, float, float, float] = (0.1, 0.4, 0.4, 0.1)
"""The parts of the classes A B C D in screening.

Source: ACR BI-RADS Atlas, 5th edition (2013): about 10, 40, 40 and 10 % of women in the United States.
"""

FIELD_HEIGHT = 290.0
"""Height of the field of view in mm, whatever the shape of the image."""

THICKNESSES = (20.0, 100.0)
"""The least and the greatest compressed thickness, in mm, that can be asked for."""

_SIDES = (64, 4096)
"""The fewest and the most rows or columns: the greatest detectors in use have 4096 rows."""


@dataclass(frozen=True)
class Settings:
    """What is chosen of a phantom exam; all else is drawn.

    Parameters
    ----------
    mix : sequence of four floats
        The parts of the classes A B C D among exams; their sum is 1.
    density : {"A", "B", "C", "D"}, optional
        The class of every exam, instead of a mix.
    thickness : float, optional
        Compressed thickness of every image in mm, within `THICKNESSES`. Drawn for each patient and view if None.
    vendor : str, optional
        One of `VENDORS`. Drawn for each exam if None.
    style : str
        One of `STYLES`.
    photometric : str
        One of `PHOTOMETRICS`.
    mirrored : bool
        Against the viewing convention: with the chest wall of a right breast at the left.
    shape : tuple of int
        Rows and columns of every image; the rows span `FIELD_HEIGHT`.

    Raises
    ------
    DensightError
        If one of them is impossible, or a class and a mix are given together.

    Examples
    --------
    >>> Settings(density="D", shape=(512, 416)).pitch
    0.56640625
    """

    mix: Sequence[float] = SCREENING_MIX
    density: str | None = None
    thickness: float | None = None
    vendor: str | None = None
    style: str = "display"
    photometric: str = "MONOCHROME2"
    mirrored: bool = False
    shape: tuple[int, int] = (1024, 832)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mix", _check_mix(self.mix))
        for word, value, known in (
            ("class", self.density, (None, *BIRADS)),
            ("vendor", self.vendor, (None, *VENDORS)),
            ("style", self.style, STYLES),
            ("photometric interpretation", self.photometric, PHOTOMETRICS),
        ):
            if value not in known:
                raise DensightError(f"unknown {word} {value!r}", remedy=f"use one of {', '.join(filter(None, known))}")
        if self.density is not None and self.mix != SCREENING_MIX:
            raise DensightError("a class and a mix of classes were given together", remedy="give one of them")
        least, most = THICKNESSES
        if self.thickness is not None and not least <= self.thickness <= most:
            raise DensightError(
                f"no breast can be compressed to {self.thickness:g} mm here", remedy=f"give {least:g} to {most:g} mm"
            )
        _check_shape(self.shape)

    @property
    def pitch(self) -> float:
        """Pixel pitch at the detector in mm, the same in rows and columns."""
        return FIELD_HEIGHT / self.shape[0]


def _check_mix(mix: Sequence[float]) -> tuple[float, ...]:
    parts = tuple(float(part) for part in mix)
    valid = len(parts) == len(BIRADS) and all(0 <= part <= 1 for part in parts)
    if not valid or not math.isclose(sum(parts), 1, abs_tol=1e-6):
        raise DensightError(
            f"the parts {', '.join(f'{part:g}' for part in parts)} are not a mix of the classes {', '.join(BIRADS)}",
            remedy="give four parts of which none is negative, together 100 %: --mix 10,40,40,10",
        )
    return parts


def _check_shape(shape: tuple[int, int]) -> None:
    least, most = _SIDES
    rows, columns = shape
    if not (least <= rows <= most and least <= columns <= most and rows <= 2 * columns <= 4 * rows):
        raise DensightError(
            f"an image cannot have {rows} rows and {columns} columns here",
            remedy=f"give {least} to {most} of each, neither more than twice the other: --size 1024x832",
        )
