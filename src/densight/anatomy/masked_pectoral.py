"""Pectoral muscles that were painted over with one grey value before the image was exported."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import UPRIGHT, Located
from densight.geometry import set_upright
from densight.intake.mammogram import Mammogram
from densight.shapes import largest_component

__all__ = ["masked_pectoral"]

Mask = npt.NDArray[np.bool_]

SHARE = 0.02
"""Part of the breast that shares one grey value without a gap only where it is painted; tissue has noise."""

AT_WALL = 0.03
"""Part of the columns within which it reaches the chest wall."""


def masked_pectoral(mammogram: Mammogram, located: Located) -> Mask:
    """Where a muscle is painted over, of working size; nothing where it is not.

    Painted pixels share one grey value exactly, hang together and reach the chest wall. The greatest grey value is not
    taken for paint: films saturate.

    Examples
    --------
    >>> from densight.anatomy.breast import locate
    >>> pixels = np.random.default_rng(0).integers(60, 120, (256, 256)).astype(np.uint8)
    >>> pixels[:, 160:] = 0
    >>> pixels[:20] = pixels[236:] = 0
    >>> pixels[20:90, :60] = 150
    >>> pixels[50, 100] = 255
    >>> mammogram = Mammogram(pixels)
    >>> bool(masked_pectoral(mammogram, locate(mammogram))[50, 20])
    True
    """
    rows, columns = located.breast.shape
    pixels = cv2.resize(mammogram.pixels, (columns, rows), interpolation=cv2.INTER_NEAREST)
    nothing = np.zeros((rows, columns), bool)
    counts = np.bincount(pixels[located.breast])
    most = int(np.argmax(counts))
    if counts[most] < SHARE * counts.sum() or most in (mammogram.pixels.max(), mammogram.pixels.min()):
        return nothing
    flat = cv2.morphologyEx((pixels == most).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    largest = largest_component(flat > 0)
    if not largest.any():
        return nothing
    turns, mirrored = UPRIGHT[located.side]
    columns_with = [set_upright(mask, turns, mirrored).any(axis=0) for mask in (located.breast, largest)]
    at_wall = int(np.argmax(columns_with[1])) - int(np.argmax(columns_with[0])) < AT_WALL * columns
    return largest if at_wall and largest.sum() > SHARE * located.breast.sum() else nothing
