"""What every image has to be, whatever its format: grey, not too large, not too small, not constant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["EXPORT_GREY", "MAX_PIXELS", "Pixels", "check_grey", "grey_of_channels", "too_large"]

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Grey values of a mammogram, shape (rows, columns)."""

MIN_SIDE = 64
"""Pixels a side below which an image is an icon, not a mammogram."""

MAX_PIXELS = 150_000_000
"""More than any detector has (a film digitised at 25 µm has about 90 million): beyond it a file is a trap."""

COLOUR_TOLERANCE = 2
"""Grey levels by which the channels of a grey image may differ after JPEG's chroma rounding."""

EXPORT_GREY = "export it as one grey channel of 8 or 16 bits, PNG for instance"
"""What to do with an image whose pixels are no grey values."""


def check_grey(pixels: Pixels, path: Path) -> None:
    """Refuse a thumbnail and an image that shows nothing.

    Raises
    ------
    DensightError
        If it has fewer than 64 rows or columns, or one grey value only.
    """
    rows, columns = pixels.shape
    if min(rows, columns) < MIN_SIDE:
        raise DensightError(
            f"the image is too small ({rows} rows, {columns} columns; at least {MIN_SIDE} of each are needed)",
            path,
            "give the mammogram itself, not a thumbnail",
        )
    if pixels.min() == pixels.max():
        fault = f"the image is constant (all grey values are {pixels.min()})"
        raise DensightError(fault, path, "copy or export it again")


def grey_of_channels(channels: npt.NDArray[Any], path: Path) -> tuple[Pixels, tuple[str, ...]]:
    """The grey values of an image with channels, if these are equal, and that they were taken so.

    Parameters
    ----------
    channels : ndarray, shape (rows, columns, 3)
    path : Path

    Raises
    ------
    DensightError
        If the image is in colour, or of more than 8 bits a channel.
    """
    if channels.dtype != np.uint8:
        raise DensightError("the image has several channels of 16 bits", path, EXPORT_GREY)
    spread = int((channels.max(axis=2) - channels.min(axis=2)).max())
    if spread > COLOUR_TOLERANCE:
        raise DensightError(
            "the image is in colour, a photograph or a screenshot perhaps", path, f"give the mammogram: {EXPORT_GREY}"
        )
    from PIL import Image

    grey = np.asarray(Image.fromarray(channels).convert("L"), dtype=np.uint8)
    return grey, ("equal colour channels taken as grey",)


def too_large(path: Path) -> DensightError:
    """The error of an image that would fill the memory."""
    return DensightError(
        f"the image is too large (more than {MAX_PIXELS // 1_000_000} million pixels)",
        path,
        "give one mammogram at its own resolution",
    )
