"""A map over its mammogram, ready for drawing: cropped to the breast, windowed, coloured.

The colours are built in CIELAB: orange speaks for the class, blue against it, both with the same lightness, so that
neither looks stronger than the other at the same value. Zero is transparent, so that the mammogram stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import Side, breast_mask, chest_wall
from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.explanation.methods.methods import METHODS, NO_UNIT
from densight.intake.mammogram import Mammogram
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BLUR",
    "CONTOURS",
    "GROUND",
    "INK",
    "QUIET",
    "WINDOW",
    "Overlay",
    "add_colour_bar",
    "draw_overlay",
    "draw_plain",
    "make_overlays",
    "map_unit",
    "shared_scale",
]

Image = npt.NDArray[np.float32]

GROUND, INK, QUIET = "#000000", "#eceef2", "#9aa1ac"
"""Background, text and small print of a drawing: dark, as a reading room is."""
CONTOURS = (0.25, 0.5, 0.75)
"""Fractions of the scale at which contours of the evidence for the class are drawn."""

WINDOW = (1.0, 99.5)
"""Percentiles inside the breast that are shown as black and white."""

BLUR = 0.012
"""Width over which a map of single pixels is averaged for drawing, as a part of the image's longer side."""

_DISPLAY = 700
_MARGIN = 0.03
_BRIGHTEST = 0.86
_FOR, _AGAINST = (72.0, 27.0, 72.0), (64.0, -8.0, -42.0)
_OPAQUE = 0.78
_SOFT = 1.5
_LINE, _LINE_WIDTHS = "#fff4e0", (0.7, 1.0, 1.3)


@dataclass(frozen=True, eq=False)
class Overlay:
    """The map of a class and its mammogram, cropped to the breast and small enough for the screen.

    Parameters
    ----------
    grey : ndarray of float32, shape (rows, columns)
        The mammogram, 0 to 1 between robust limits inside the breast.
    values : ndarray of float32, shape (rows, columns)
        The raw signed map, outside the breast too.
    breast : ndarray of float32, shape (rows, columns)
        1 in the breast and 0 outside, with a soft edge.
    size : (float, float)
        Rows and columns of the part shown, in the image's own pixels.
    chest_wall : {"left", "right", "top", "bottom"} or None
        None if no breast was found. Then the whole image is shown, with its whole map.
    inside : float or None
        The part of the map's positive evidence that lies in the breast; None if there is no positive evidence.
    """

    grey: Image
    values: Image
    breast: Image
    size: tuple[float, float]
    chest_wall: Side | None
    inside: float | None

    @property
    def peak(self) -> float:
        """The largest absolute value in the breast."""
        return float(np.nanmax(np.abs(self.inner), initial=0.0))

    @property
    def positive(self) -> bool:
        """Whether anything in the breast speaks for the class."""
        return bool((self.inner > 0).any())

    @property
    def lack(self) -> str:
        """A note if nothing in the breast speaks for the class; else empty."""
        if self.positive:
            return ""
        return "no positive evidence" if self.inside is None else "no positive evidence in the breast"

    @property
    def inner(self) -> Image:
        """The map in the breast, NaN outside."""
        return np.where(self.breast < 0.5, np.float32(np.nan), self.values)

    def facing(self, side: Side) -> tuple[Overlay, str]:
        """The same with the chest wall at the left or right, and a note on how the image was moved."""
        if self.chest_wall in (None, side):
            return self, ""
        if self.chest_wall in ("left", "right"):
            mirrored = replace(
                self,
                grey=self.grey[:, ::-1],
                values=self.values[:, ::-1],
                breast=self.breast[:, ::-1],
                chest_wall=side,
            )
            return mirrored, "mirrored for display"
        turns = 1 if (self.chest_wall == "top") == (side == "left") else 3
        grey, values, breast = (np.rot90(array, turns) for array in (self.grey, self.values, self.breast))
        size = (self.size[1], self.size[0])
        turned = replace(self, grey=grey, values=values, breast=breast, size=size, chest_wall=side)
        return turned, "turned for display"


def make_overlays(mammogram: Mammogram, explanation: Explanation, labels: Sequence[str]) -> list[Overlay]:
    """Crop a mammogram and the maps of some classes to the breast, for the screen.

    Maps of single pixels are smoothed, because grains of both signs cannot be read.

    Examples
    --------
    >>> from densight.geometry import Geometry
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90; pixels[90:150, :60] = 180
    >>> explanation = Explanation(np.ones((2, 4, 4), np.float32), ("A", "B"), np.array([0.9, 0.1], np.float32),
    ...                           "grad-cam", "add_12", Geometry.stretched((256, 256), (64, 64)), (8, 8), (16, 16))
    >>> overlay, = make_overlays(Mammogram(pixels), explanation, ["A"])
    >>> overlay.chest_wall, overlay.peak, overlay.inside < 0.5
    ('left', 1.0, True)
    """
    import cv2

    breast = _find_breast(mammogram)
    known = np.ones(mammogram.shape, bool) if breast is None else breast
    box = _box_around(known)
    pixels, shown = mammogram.pixels[box].astype(np.float32), known[box]
    rows, columns = pixels.shape
    scale = min(1.0, _DISPLAY / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))

    def reduce(array: Image) -> Image:
        return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA), np.float32)

    low, high = np.percentile(pixels[shown], WINDOW)
    grey = np.clip((reduce(pixels) - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    soft = reduce(shown.astype(np.float32))
    wall: Side | None = None
    if breast is not None:
        soft = np.asarray(cv2.GaussianBlur(soft, (0, 0), _SOFT), np.float32)
        wall = chest_wall(breast)
    overlays = []
    for label in labels:
        values = explanation.map(label)
        inside = _share_inside(values, known)
        if explanation.layer == "input":
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), BLUR * max(mammogram.shape)), np.float32)
        overlays.append(Overlay(grey, reduce(values[box]), soft, (float(rows), float(columns)), wall, inside))
    return overlays


def shared_scale(overlays: Sequence[Overlay]) -> float:
    """The largest absolute value of several overlays, for one symmetric scale; 1 where all are zero."""
    return max((overlay.peak for overlay in overlays), default=0.0) or 1.0


def draw_overlay(axes: Axes, overlay: Overlay, scale: float) -> None:
    """Draw the mammogram, its map's colours and contours; ``scale`` is the value of the strongest colour."""
    from matplotlib import patheffects

    axes.set_axis_off()
    composed = _composed(overlay.grey, overlay.values / scale, overlay.breast)
    axes.imshow(composed, interpolation="antialiased", aspect="auto")
    inner = overlay.inner
    levels = [level for level in np.multiply(CONTOURS, scale) if (inner > level).any()]
    if levels:
        lines = axes.contour(inner, levels, colors=_LINE, linewidths=_LINE_WIDTHS[: len(levels)])
        lines.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground="#00000055")])


def draw_plain(axes: Axes, overlay: Overlay) -> None:
    """Draw only the mammogram, as :func:`draw_overlay` shows it."""
    draw_overlay(axes, replace(overlay, values=np.zeros_like(overlay.values)), 1.0)


def add_colour_bar(axes: Axes, scale: float, unit: str) -> str:
    """Fill axes with the vertical colour bar of :func:`draw_overlay`; return the unit with its power of ten."""
    shades = np.linspace(-1, 1, 256, dtype=np.float32)[:, None]
    bar = _composed(np.full_like(shades, 0.35), shades, np.ones_like(shades))
    axes.imshow(bar, origin="lower", aspect="auto", extent=(0.0, 1.0, -1.0, 1.0), interpolation="bilinear")
    axes.hlines(CONTOURS, 0, 1, colors=_LINE, linewidth=_LINE_WIDTHS)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    power = 0 if 0.01 <= scale < 1000 else math.floor(math.log10(scale))
    number = f"{scale / 10**power:.3g}"
    axes.set_yticks([-1, 0, 1], [f"−{number}", "0", f"+{number}"])
    axes.tick_params(length=0, labelsize=8, colors=INK, pad=4)
    axes.spines[:].set_visible(False)
    return f"{unit}, × $10^{{{power}}}$".replace("-", "−") if power else unit


def map_unit(explanation: Explanation, label: str) -> str:
    """The unit of the map of a class or of the expected class."""
    unit = METHODS[explanation.method].unit
    if unit == NO_UNIT:
        return "arbitrary units"
    place = "pixel" if explanation.layer == "input" else "cell"
    return f"{'classes' if label == EXPECTED_CLASS else unit}, per {place}"


def _composed(grey: Image, values: Image, breast: Image) -> npt.NDArray[np.uint8]:
    """The map's colours, -1 to 1, over the grey image, 0 to 1: RGB of 8 bits."""
    from skimage.color import lab2rgb

    arms = np.asarray(lab2rgb(np.array([_FOR, _AGAINST])), np.float32)
    alpha = (_OPAQUE * np.clip(np.abs(values), 0, 1) * breast)[..., None]
    image = (grey * np.float32(_BRIGHTEST))[..., None] * (1 - alpha)
    image = image + np.where(values[..., None] > 0, arms[0], arms[1]) * alpha
    return np.asarray(np.rint(255 * image), np.uint8)


def _find_breast(mammogram: Mammogram) -> npt.NDArray[np.bool_] | None:
    try:
        return breast_mask(mammogram)
    except DensightError:  # the drawing shows it, see `Overlay.chest_wall`
        return None


def _share_inside(values: Image, breast: npt.NDArray[np.bool_]) -> float | None:
    positive = np.maximum(values, 0)
    total = float(positive.sum(dtype=np.float64))
    return float(positive.sum(where=breast, dtype=np.float64)) / total if total > 0 else None


def _box_around(breast: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    slices = []
    for axis in (0, 1):
        places = np.flatnonzero(breast.any(axis=1 - axis))
        margin = round(_MARGIN * max(breast.shape))
        slices.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + 1 + margin))
    return slices[0], slices[1]
