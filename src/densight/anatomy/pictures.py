"""A mammogram with the outlines of its anatomy, for a person to check."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import UPRIGHT
from densight.anatomy.reading import Anatomy
from densight.geometry import Geometry, set_upright
from densight.intake.mammogram import Mammogram

__all__ = ["draw_anatomy"]

Picture = npt.NDArray[np.uint8]

HEIGHT = 900
"""Rows of a picture."""

GAP, STRIP = 12, 92
"""Between the mammogram and its copy with outlines, and of what is written below; in pixels."""

BREAST, PECTORAL, DENSE, NIPPLE = (236, 238, 242), (122, 214, 122), (255, 160, 64), (255, 224, 96)
"""Colours of the outlines, RGB."""

INK, QUIET = (236, 238, 242), (154, 161, 172)


def draw_anatomy(mammogram: Mammogram, anatomy: Anatomy) -> Picture:
    """The mammogram, and beside it the same with outlines; below, what was measured and the verdict.

    The chest wall is at the left, whatever the image.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        RGB.

    Examples
    --------
    >>> import densight
    >>> mammogram = densight.phantom.exam(seed=3, density="C", shape=(256, 208)).mammograms[2]
    >>> draw_anatomy(mammogram, densight.anatomy.read(mammogram)).shape[2]
    3
    """
    way = UPRIGHT[anatomy.side]
    shape = anatomy.breast.shape if way[0] % 2 == 0 else anatomy.breast.shape[::-1]
    size = (max(1, round(shape[1] * HEIGHT / shape[0])), HEIGHT)
    grey = cv2.resize(np.ascontiguousarray(set_upright(mammogram.pixels, *way)), size, interpolation=cv2.INTER_AREA)
    breast = cv2.resize(np.ascontiguousarray(set_upright(anatomy.breast, *way)).astype(np.uint8), size) > 0
    plain = cv2.cvtColor(_windowed(grey.astype(np.float32), breast, anatomy.inverted), cv2.COLOR_GRAY2RGB)
    outlined = plain.copy()
    for mask, colour in ((anatomy.breast, BREAST), (anatomy.pectoral, PECTORAL), (anatomy.dense, DENSE)):
        upright = np.ascontiguousarray(set_upright(mask, *way)).astype(np.uint8)
        small = cv2.resize(upright, size, interpolation=cv2.INTER_AREA if size[1] < shape[0] else cv2.INTER_NEAREST)
        contours = cv2.findContours(small, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(outlined, contours, -1, colour, 2, cv2.LINE_AA)
    if anatomy.nipple is not None:
        geometry = Geometry.fitted(mammogram.shape, size[::-1], (0, 0, *shape), turns=way[0], mirrored=way[1])
        row, column = geometry.to_frame(np.array([anatomy.nipple]))[0]
        cv2.circle(outlined, (round(column), round(row)), 14, NIPPLE, 2, cv2.LINE_AA)
    picture = np.hstack([plain, np.zeros((HEIGHT, GAP, 3), np.uint8), outlined])
    strip = np.zeros((STRIP, max(picture.shape[1], 760), 3), np.uint8)
    _write(strip, (14, 32), f"{mammogram.name}   {_measured(anatomy)}", INK, 0.62)
    _write(strip, (14, 58), f"verdict: {anatomy.verdict}", INK if anatomy.verdict.good else DENSE, 0.52)
    legend = (("breast", BREAST), ("pectoral muscle", PECTORAL), ("dense tissue", DENSE), ("nipple", NIPPLE))
    left = 14
    for word, colour in legend:
        _write(strip, (left, 82), word, colour, 0.45)
        left += cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 0.45, 1)[0][0] + 22
    wide = np.zeros((HEIGHT, strip.shape[1], 3), np.uint8)
    wide[:, : picture.shape[1]] = picture
    return np.vstack([wide, strip])


def _windowed(grey: npt.NDArray[np.float32], breast: npt.NDArray[np.bool_], inverted: bool) -> Picture:
    """Grey values between robust limits inside the breast, brighter being denser."""
    values = -grey if inverted else grey
    low, high = np.percentile(values[breast] if breast.any() else values, (1, 99.8))
    shown = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    return np.asarray(np.rint(255 * shown), np.uint8)


def _measured(anatomy: Anatomy) -> str:
    if anatomy.percent_density is None:
        return "percent density not given"
    return f"percent density {anatomy.percent_density:.1f} %"


def _write(strip: Picture, place: tuple[int, int], text: str, colour: tuple[int, int, int], size: float) -> None:
    plain = text.replace("°", " deg").replace("×", "x").encode("ascii", "replace").decode()
    cv2.putText(strip, plain, place, cv2.FONT_HERSHEY_DUPLEX, size, colour, 1, cv2.LINE_AA)
