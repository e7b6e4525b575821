"""Anatomy of a mammogram. So far: where the breast is, and at which side the chest wall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.intake.mammogram import Mammogram
from densight.vocabulary import DensightError

__all__ = ["breast_mask", "chest_wall_at_left"]

WORKING_SIZE = 512
"""The longer side, in pixels, at which the breast is sought: 0.4 mm or so, finer than the skin."""


def breast_mask(mammogram: Mammogram) -> npt.NDArray[np.bool_]:
    """The breast, with the pectoral muscle where it is seen, without labels, tape and film edges.

    The air's grey value is the histogram's lowest strong peak; the skin line lies where the smoothed image rises
    clearly above it. Of what is brighter than air the largest piece is kept, after thin bridges to labels and film
    edges are cut, and its holes are filled.

    Returns
    -------
    ndarray of bool, in the shape of the image.

    Raises
    ------
    DensightError
        If nothing stands out from the background.

    Examples
    --------
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90
    >>> bool(breast_mask(Mammogram(pixels))[120, 50])
    True
    """
    import cv2
    from scipy import ndimage

    rows, columns = mammogram.shape
    scale = min(1.0, WORKING_SIZE / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = cv2.resize(mammogram.pixels.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), 2.0), np.float32)
    bright = smooth > _skin_threshold(smooth)
    opened = ndimage.binary_opening(np.pad(bright, 8, mode="edge"), iterations=4)[8:-8, 8:-8]
    labels, count = ndimage.label(opened)
    if count == 0:
        raise DensightError("no breast stands out from the background", mammogram.path, "check that it is a mammogram")
    sizes = ndimage.sum_labels(opened, labels, np.arange(1, count + 1))
    breast = ndimage.binary_fill_holes(labels == 1 + int(np.argmax(sizes)))
    full = cv2.resize(np.asarray(breast, np.uint8), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return full.astype(bool)


def _skin_threshold(smooth: npt.NDArray[np.float32]) -> float:
    """A grey value between air and skin: a small part of the way from air to the typical breast."""
    from skimage.filters import threshold_otsu

    otsu = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]
    air = float(np.median(smooth[smooth <= otsu]))
    tissue = float(np.median(smooth[smooth > otsu]))
    return air + 0.1 * (tissue - air)


def chest_wall_at_left(breast: npt.NDArray[np.bool_]) -> bool:
    """Whether the chest wall is at the image's left: the side along which the breast is longest.

    Parameters
    ----------
    breast : ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> mask = np.zeros((10, 10), bool); mask[:, :2] = True; mask[4:6, :7] = True
    >>> chest_wall_at_left(mask)
    True
    """
    columns = np.flatnonzero(breast.any(axis=0))
    if columns.size == 0:
        return True
    lengths = breast[:, columns[0] : columns[-1] + 1].sum(axis=0)
    third = max(1, len(lengths) // 3)
    return bool(lengths[:third].sum() >= lengths[-third:].sum())
