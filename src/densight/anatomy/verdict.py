"""Whether the anatomy that was read can be trusted: what is wrong with an image, and what is only worth noting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from densight.anatomy.breast import UPRIGHT, Located
from densight.geometry import set_upright
from densight.intake.mammogram import Mammogram
from densight.shapes import fill_holes, gradient_magnitude, largest_component, quantiles, solidity
from densight.vocabulary import View

__all__ = ["Verdict", "judge"]

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RIVAL = 0.4
"""Size of the second thing that stands out, as a part of the first's, from which it is a second breast.

Here and below: on mini-MIAS, DDSM, the INFN test set and phantoms the value of 98 in 100 images is well on the other
side; `benchmarks/anatomy_figures.py` counts those that are not.
"""

TEXTURE, AGREED = 0.57, 0.85
"""Least `densight.anatomy.breast.texture` of a breast, and least part of it that the network calls one."""

SOLID, LONG = 0.8, 1.0
"""Least area in that of the convex hull, and least height over depth."""

STRAIGHT, STEP, LEAN = 0.7, 0.04, 0.12
"""Least part of the rows that begin at the chest wall, within this part of the depth; and columns a row by which that
may lean, 7°."""

WIDEST, ENDS, TOP, BOTTOM, BOTH, TIP = 0.25, 0.5, 0.85, 0.97, 0.8, 0.25
"""A breast is cut off if it is widest near the image's end, within this part of its height, and as wide at the end
as this part of its greatest width; if it is at its upper or its lower end nearly as wide as that; if it is so at both;
or if this part of its height lies at the image's side that is opposite to the chest wall. An upper end does not count
where the breast has a waist below it."""

WAIST = 1.05
"""By how many times a breast is wider than the waist between it and its axilla."""

BRIGHT, EVEN, IMPLANT, BULGING, RIM = 0.85, 0.01, 0.12, 0.9, 0.02
"""An implant's least grey value from air to the brightest, its greatest change a pixel in that unit, its least part of
the breast, its least area in that of its convex hull, and the least change a pixel at its rim. Chosen
on drawn implants, because no images of real ones were there.
"""


@dataclass(frozen=True)
class Verdict:
    """Whether the anatomy that was read can be trusted.

    Parameters
    ----------
    faults : tuple of str
        Why it cannot; then no percent density is given.
    notes : tuple of str
        What is worth noting and forbids nothing.

    Examples
    --------
    >>> str(Verdict(("breast cut off",), ("inverted",)))
    'breast cut off; inverted'
    >>> Verdict((), ()).good, str(Verdict((), ()))
    (True, 'good')
    """

    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def __str__(self) -> str:
        return "; ".join((*self.faults, *self.notes)) or "good"


def judge(mammogram: Mammogram, located: Located, agreed: float, muscle: Mask, masked: Mask) -> Verdict:
    """Judge what was read.

    Parameters
    ----------
    mammogram : Mammogram
    located : Located
    agreed : float
        The part of what was located that the network calls breast.
    muscle : ndarray of bool, shape (rows, columns)
        The pectoral muscle, upright and of working size.
    masked : ndarray of bool, shape (rows, columns)
        Where a muscle is painted over, of working size.
    """
    way = UPRIGHT[located.side]
    upright = np.ascontiguousarray(set_upright(located.breast, *way))
    grey = np.ascontiguousarray(set_upright(located.grey, *way))
    shape = _Shape.of(upright)
    faults = []
    if located.rival > RIVAL or (shape.straight < STRAIGHT and shape.solid > SOLID):
        faults.append("two breasts, or no straight chest wall")
    unlikely = located.texture < TEXTURE or agreed < AGREED
    if unlikely or shape.solid < SOLID or shape.long < LONG:
        faults.append("not a mammogram?")
    if shape.open_sides >= 3:
        faults.append("spot or magnification?")
    elif shape.cut:
        faults.append("breast cut off")
    if located.side in ("top", "bottom"):
        faults.append(f"turned by 90°: the chest wall is at the {located.side}")
    if _has_implant(grey, upright, muscle, located.air):
        faults.append("implant?")
    return Verdict(tuple(faults), tuple(_notes(mammogram, located, muscle, masked)))


def _notes(mammogram: Mammogram, located: Located, muscle: Mask, masked: Mask) -> Iterator[str]:
    if located.raw:
        yield "a detector's image before processing: logarithm of grey values taken"
    elif located.inverted:
        yield "a negative: grey values taken as inverted"
    if masked.any():
        yield "pectoral muscle painted over"
    elif not muscle.any() and mammogram.projection is not None and mammogram.projection.view == View.MLO:
        yield "pectoral muscle not found"


@dataclass(frozen=True)
class _Shape:
    """What tells the outline of a breast from others, its chest wall at the left.

    ``straight``: part of its rows that begin at the chest wall. ``solid``: its area in that of its convex hull.
    ``long``: height over depth. ``cut``: whether it goes on beyond the image. ``open_sides``: at how many sides.
    """

    straight: float
    solid: float
    long: float
    cut: bool
    open_sides: int

    @classmethod
    def of(cls, upright: Mask) -> _Shape:
        rows, columns = np.flatnonzero(upright.any(axis=1)), np.flatnonzero(upright.any(axis=0))
        height, depth = np.ptp(rows) + 1, np.ptp(columns) + 1
        begins = np.argmax(upright, axis=1)[rows] - columns[0]
        widths = ndimage.gaussian_filter1d(upright.sum(axis=1)[rows].astype(float), height / 60, mode="nearest")
        widest = float(np.argmax(widths)) / height
        tip = np.count_nonzero(upright[:, -2:].any(axis=1)) / height
        ends = [np.count_nonzero(strip.any(axis=0)) / widths.max() for strip in (upright[:2], upright[-2:])]
        at_end = [
            ((widest < WIDEST and ends[0] > ENDS) or ends[0] > TOP) and not _has_waist(widths),
            (widest > 1 - WIDEST and ends[1] > ENDS) or ends[1] > BOTTOM,
            tip > TIP,
        ]
        return cls(
            straight=_straightness(begins, STEP * depth),
            solid=solidity(upright),
            long=height / depth,
            cut=any(at_end) or min(ends) > BOTH,
            open_sides=sum(at_end),
        )


def _straightness(begins: npt.NDArray[np.int64], step: float) -> float:
    """The part of rows that begin on one line, which may lean a little: a film lies askew in its scanner."""
    rows = np.linspace(0, begins.size - 1, min(begins.size, 80)).astype(int)
    first, second = np.triu_indices(rows.size, 1)
    # The slope of Theil and Sen: the median of those between any two.
    slopes = (begins[rows[second]] - begins[rows[first]]) / (rows[second] - rows[first])
    slope = float(np.clip(np.median(slopes) if slopes.size else 0.0, -LEAN, LEAN))
    away = begins - slope * np.arange(begins.size)
    return float(np.mean(np.abs(away - np.median(away)) < step))


def _has_waist(widths: npt.NDArray[np.float64]) -> bool:
    """Whether a breast widens again below its axilla, which may be wider than itself."""
    narrowest = int(np.argmin(widths[: max(1, round(0.6 * widths.size))]))
    return bool(widths[narrowest:].max() > WAIST * widths[narrowest])


def _has_implant(grey: Image, breast: Mask, muscle: Mask, air: float) -> bool:
    """Whether a large, smooth, bulging part of the breast is about as bright as its brightest."""
    tissue = cv2.erode((breast & ~muscle).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    if not tissue.any():
        return False
    most = float(quantiles(grey[tissue], 0.99))
    smooth = cv2.GaussianBlur(grey, (0, 0), 2.0)
    bright = (smooth > air + BRIGHT * (most - air)) & tissue
    if bright.sum() < IMPLANT * breast.sum():
        return False
    steep = gradient_magnitude(grey, 1.0) / max(most - air, 1e-6)
    even = cv2.morphologyEx((bright & (steep < EVEN)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    piece = largest_component(even > 0)
    if piece.sum() < IMPLANT * breast.sum():
        return False
    whole = fill_holes(piece)
    edge = (cv2.dilate(whole.astype(np.uint8), np.ones((9, 9), np.uint8)) > whole) & tissue
    bulging = solidity(whole) > BULGING
    return bool(bulging and edge.any() and np.median(steep[edge]) > RIM)
