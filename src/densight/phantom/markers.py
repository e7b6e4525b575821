"""View markers: the letters of lead that show side and view, burnt into what is shown."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from densight.vocabulary import Projection

__all__ = ["burn_in"]

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Ink = npt.NDArray[np.float32]

BARE = 0.15
"""The part of images without a marker."""

ROOM = 0.015
"""A marker keeps so much of the image's height from the breast and the borders."""


def burn_in(
    pixels: Pixels, breast: npt.NDArray[np.bool_], projection: Projection, rng: np.random.Generator, brightest: int
) -> Pixels:
    """Burn a view marker into the air beside the breast.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)
        A film or a display image, bright where dense, as it is shown: letters are read from left to right whichever
        side the chest wall is on.
    breast : ndarray of bool, shape (rows, columns)
    projection : Projection
    rng : numpy.random.Generator
        Chooses look and place, or that there is no marker.
    brightest : int
        The greatest value of a pixel.

    Returns
    -------
    ndarray of the same dtype and shape
        Changed only where the marker is: at the lateral or axillary end of the side away from the chest wall, in air.
        Unchanged where there is no room for a marker.

    Examples
    --------
    >>> breast = np.zeros((256, 208), bool)
    >>> shown = burn_in(np.zeros((256, 208), np.uint16), breast, Projection.CC_R, np.random.default_rng(2), 4095)
    >>> int(shown.max()) > 2000
    True
    """
    rows, columns = pixels.shape
    bare, size, brightness, down, look = rng.random(5)
    marker = LOOKS[int(look * len(LOOKS))](projection, max(8, round(rows * (0.018 + 0.014 * size))))
    high, wide = marker.shape
    gap = max(2, round(rows * ROOM))
    half = columns // 2
    at_left = breast[:, half:].sum() > breast[:, :half].sum()
    row, column = gap + int(down * 0.12 * rows), gap if at_left else columns - gap - wide
    around = (slice(row - gap, row + high + gap), slice(column - gap, column + wide + gap))
    if bare < BARE or column < gap or row + high + gap > rows or breast[around].any():
        return pixels
    burnt = pixels.copy()
    place = burnt[row : row + high, column : column + wide]
    np.maximum(place, (marker * (brightest * (0.75 + 0.25 * brightness))).astype(pixels.dtype), out=place)
    return burnt


def _write(text: str, height: int, font: int = cv2.FONT_HERSHEY_SIMPLEX, bold: float = 0.1) -> Ink:
    """A line of text of a height in pixels, 0 to 1."""
    thick = max(1, round(height * bold))
    scale = cv2.getFontScaleFromHeight(font, height, thick)
    (wide, high), below = cv2.getTextSize(text, font, scale, thick)
    ink = np.zeros((high + below + thick, wide + 2 * thick), np.uint8)
    cv2.putText(ink, text, (thick, high + thick // 2), font, scale, 255, thick, cv2.LINE_AA)
    return np.asarray(ink[: high + thick + 1] / 255, np.float32)


def _stack(*inks: Ink) -> Ink:
    """One above the other, centred."""
    wide = max(ink.shape[1] for ink in inks)
    lines = []
    for ink in inks:
        left = (wide - ink.shape[1]) // 2
        lines.append(np.pad(ink, ((1, 2), (left, wide - ink.shape[1] - left))))
    return np.concatenate(lines).astype(np.float32)


def _plain(projection: Projection, height: int) -> Ink:
    return _write(f"{projection.laterality} {projection.view}", height)


def _two_lines(projection: Projection, height: int) -> Ink:
    return _stack(_write(projection.laterality, height, bold=0.14), _write(projection.view, height, bold=0.14))


def _joined(projection: Projection, height: int) -> Ink:
    return _write(f"{projection.laterality}{projection.view}", height, cv2.FONT_HERSHEY_DUPLEX, 0.08)


def _framed(projection: Projection, height: int) -> Ink:
    text = np.pad(_two_lines(projection, height), max(2, height // 3))
    edge = max(1, height // 10)
    framed = np.ones_like(text)
    framed[edge:-edge, edge:-edge] = text[edge:-edge, edge:-edge]
    return framed


def _plate(projection: Projection, height: int) -> Ink:
    """Dark letters on a bright plate."""
    text = np.pad(_plain(projection, height), max(2, height // 3))
    return np.asarray(1 - 0.9 * text, np.float32)


LOOKS: tuple[Callable[[Projection, int], Ink], ...] = (_plain, _two_lines, _joined, _framed, _plate)
"""What markers look like."""
