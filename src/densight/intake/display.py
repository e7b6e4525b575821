"""What any display of mammograms is made of: contrast, detail, and the dark rim of air."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Style", "blurred", "contrast", "distance", "enhance", "fade"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

WIDE, COARSE = 40, 8
"""Pixels beyond which a blur is a wide one, and how many it is on the coarser grid."""


@dataclass(frozen=True)
class Style:
    """A maker's taste.

    Parameters
    ----------
    fat : float
        Value of fat, of 1.
    gland : float
        How much brighter half a breast's thickness of gland would be were the contrast's line not bent.
    white : float
        Value, of 1, that nothing exceeds however dense.
    edges : tuple of (float, float)
        Detail is enhanced: scales in mm, and by how much.
    lift : float
        The part of what the breast lacks in thickness near the skin that equalisation makes up for.
    rim : float
        Over so many mm from its outline the breast fades into the black of air.
    """

    fat: float
    gland: float
    white: float
    edges: tuple[tuple[float, float], ...]
    lift: float
    rim: float


def contrast(density: Array, style: Style) -> Array:
    """Density, 0 in fat and 1 where half of a breast is gland, to grey from 0 to 1: a line bent at both ends."""
    room = np.where(density > 0, style.white - style.fat, style.fat).astype(np.float32)
    bent = -np.expm1(-np.abs(density) * np.float32(style.gland) / room)
    return np.asarray(style.fat + np.copysign(room * bent, density), np.float32)


def fade(breast: Mask, rim: float) -> Array:
    """From 0 in air smoothly to 1 so many pixels within the breast."""
    part = np.minimum(distance(breast) / np.float32(rim), 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def distance(breast: Mask) -> Array:
    """Pixels from the breast's outline. Where the image ends the breast does not."""
    padded = np.pad(breast.astype(np.uint8), 1, mode="edge")
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def enhance(image: Array, style: Style, pitch: float) -> Array:
    """Add to an image what it has of detail at each scale, as far as the scale can be seen."""
    enhanced = image.copy()
    for scale, amount in style.edges:
        if scale > pitch:
            enhanced += np.float32(amount) * (image - blurred(image, scale / pitch))
    return enhanced


def blurred(image: Array, sigma: float) -> Array:
    """Gaussian blur; so wide a one that it would take minutes is done on a coarser grid, to .1 % of the grey range."""
    if sigma <= WIDE:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    rows, columns = image.shape
    every = int(sigma / COARSE)
    size = (-(-columns // every), -(-rows // every))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma * size[0] / columns)
    return np.asarray(cv2.resize(soft, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)
