"""Pictures that a person may try to tell apart: alike in scale, sharpness, window, frame and orientation."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from realism.images import Grey, Image, Listed, read

TILE, TILE_PITCH, TILE_BLUR = 144, 0.2, 0.15
"""Pixels a side, their pitch and the standard deviation of the blur in mm: of tiles inside the breast."""

FRAME, FRAME_PITCH, FRAME_BLUR = (480, 300), 0.5, 0.25
"""Rows and columns, and the same, of whole breasts."""

CORNER = (0.9, 0.62)
"""What is cut away from every MLO, see `Image.muscle`: so much that no painted muscle is left to see."""

REAL = ("infn", "mias")


@dataclass(frozen=True)
class Shown:
    """A picture and what it is of."""

    listed: Listed
    source: str
    width: int
    height: int

    @property
    def real(self) -> bool:
        """Whether it is of a patient."""
        return self.listed.source in REAL


def tile(listed: Listed) -> Shown | None:
    """A square of the interior, somewhere; None where there is no room for one."""
    image = read(listed).at(TILE_PITCH, TILE_BLUR)
    inside = image.interior()
    whole = ndimage.uniform_filter(inside.astype(np.float32), TILE) > 0.97
    half = TILE // 2
    whole[:half] = whole[-half:] = whole[:, :half] = whole[:, -half:] = False
    places = np.argwhere(whole)
    if not len(places):
        return None
    row, column = places[np.random.default_rng(zlib.crc32(listed.path.name.encode())).integers(len(places))]
    grey = image.grey[row - half : row + half, column - half : column + half]
    low, high = np.percentile(image.grey[inside], [2, 98])
    return _shown(listed, 50 + 150 * (grey - low) / (high - low))


def whole(listed: Listed) -> Shown:
    """The breast on black, its chest wall at the left; without the corner of an MLO where the muscle is."""
    image = read(listed).at(FRAME_PITCH, FRAME_BLUR)
    shown = ndimage.binary_dilation(image.breast, iterations=round(2 / FRAME_PITCH))
    if listed.view == "MLO":
        shown &= ~image.muscle(CORNER)
    scaled = (image.grey - image.air) / (np.percentile(image.grey[image.interior()], 99.5) - image.air)
    grey = np.where(shown, 225 * scaled, 0).astype(np.float32)
    return _shown(listed, _framed(grey, image))


def _framed(grey: Grey, image: Image) -> Grey:
    """In the middle of a frame of one size, whatever the detector was."""
    rows, columns = (np.flatnonzero(image.breast.any(axis=axis)) for axis in (1, 0))
    height, width = FRAME
    framed = np.zeros(FRAME, np.float32)
    middle = (rows[0] + rows[-1]) // 2
    first = max(0, middle - height // 2)
    part = grey[first : first + height, columns[0] : columns[0] + width]
    down = max(0, height // 2 - middle)
    part = part[: height - down]
    framed[down : down + part.shape[0], : part.shape[1]] = part
    return framed


def _shown(listed: Listed, grey: Grey) -> Shown:
    _, content = cv2.imencode(".jpg", np.clip(grey, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    height, width = grey.shape
    return Shown(listed, f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}", width, height)
