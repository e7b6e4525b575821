"""Anatomy of a mammogram. So far: where the breast is, and at which side the chest wall."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from densight.intake.mammogram import Mammogram
from densight.vocabulary import DensightError

__all__ = ["Side", "breast_mask", "chest_wall"]

Side = Literal["left", "right", "top", "bottom"]

WORKING_SIZE = 512
"""The longer side, in pixels, at which the breast is sought: 0.4 mm or so, finer than the skin."""

BRIGHTEST = 95
"""Percentile of the grey values beyond which they are taken as equal, lest labels decide what is bright."""

AIR_SHARE = 0.02
"""Part of the image that shares one grey value, of 64 below Otsu's threshold, only if it is air or no film at all."""

SKIN = 0.05
"""The skin line's grey value, as a part of the way from air to the typical tissue."""

EDGE = 0.1
"""Change of grey value a working pixel, as a part of that way, that is a label's or a film's edge and no skin's."""

RIM = 0.5
"""Grey value of the breast's rim, as a part of that way: edges without anything darker near are inside the breast."""

EDGE_WIDTH = 6
"""Working pixels that are near, and that the cut along edges may cost the breast's rim and are given back."""

SMALLEST = 0.02
"""Part of the image below which the largest bright piece is no breast."""

LYING = 0.4
"""By how much more of its top or bottom than of its sides a breast must cover for its chest wall to be there.

Over mini-MIAS, DDSM and the INFN test set this is 0.19 at most; over M-SYNTH, with the chest wall at the top, it is at
least 0.59.
"""


def breast_mask(mammogram: Mammogram) -> npt.NDArray[np.bool_]:
    """The breast, with the pectoral muscle where it is seen, without labels, tape and film edges.

    Air has the brightest of the dark grey values that a good part of the image shares, for what lies outside a film is
    darker; the skin line is where the smoothed image rises clearly above it. What is brighter is cut along sharp edges
    and at thin bridges, the largest piece is kept, and its holes are filled.

    Returns
    -------
    ndarray of bool, in the shape of the image.

    Raises
    ------
    DensightError
        If nothing large stands out from the background.

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
    small = np.minimum(small, np.percentile(small, BRIGHTEST))
    if small.min() == small.max():
        raise _no_breast(mammogram)
    smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), 2.0), np.float32)
    air, tissue = _air_and_tissue(smooth)
    skin = air + SKIN * (tissue - air)
    bright = smooth > skin
    edges = ndimage.gaussian_gradient_magnitude(small, 1.0) > EDGE * (tissue - air)
    edges &= ndimage.minimum_filter(small, 2 * EDGE_WIDTH + 1) < air + RIM * (tissue - air)
    pieces = ndimage.binary_opening(np.pad(bright & ~edges, 8, mode="edge"), iterations=4)[8:-8, 8:-8]
    labels, count = ndimage.label(pieces)
    sizes = ndimage.sum_labels(pieces, labels, np.arange(1, count + 1))
    if count == 0 or sizes.max() < SMALLEST * pieces.size:
        raise _no_breast(mammogram)
    piece = labels == 1 + int(np.argmax(sizes))
    rim = ndimage.binary_dilation(piece, iterations=EDGE_WIDTH) & bright & (small > skin)
    breast = ndimage.binary_fill_holes(piece | rim)
    full = cv2.resize(np.asarray(breast, np.uint8), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return full.astype(bool)


def _no_breast(mammogram: Mammogram) -> DensightError:
    return DensightError("no breast stands out from the background", mammogram.path, "check that it is a mammogram")


def _air_and_tissue(smooth: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The highest grey value of air and the typical one of tissue."""
    from skimage.filters import threshold_otsu

    otsu = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]
    counts, edges = np.histogram(smooth, bins=64, range=(float(smooth.min()), otsu))
    shared = np.flatnonzero(counts >= min(AIR_SHARE * smooth.size, counts.max()))
    return float(edges[shared[-1] + 1]), float(np.median(smooth[smooth > otsu]))


def chest_wall(breast: npt.NDArray[np.bool_]) -> Side:
    """The side of the image at which the chest wall is: the side of its box that the breast covers most.

    An image is taken as upright, the chest wall at its left or right, unless the breast covers its top or bottom
    clearly more. So lying CC views are told, but not lying MLO views, whose pectoral muscle covers a second side.

    Parameters
    ----------
    breast : ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> mask = np.zeros((12, 10), bool); mask[1:11, 5:9] = True; mask[4:8, 2:5] = True
    >>> chest_wall(mask), chest_wall(mask.T)
    ('right', 'bottom')
    """
    box = breast[np.ix_(breast.any(axis=1), breast.any(axis=0))]
    rows, columns = (max(1, length // 10) for length in box.shape)
    strips: dict[Side, npt.NDArray[np.bool_]] = {
        "left": box[:, :columns],
        "right": box[:, -columns:],
        "top": box[:rows],
        "bottom": box[-rows:],
    }
    covered = {side: float(strip.mean()) if strip.size else 0.0 for side, strip in strips.items()}
    if max(covered["top"], covered["bottom"]) > max(covered["left"], covered["right"]) + LYING:
        return "top" if covered["top"] >= covered["bottom"] else "bottom"
    return "left" if covered["left"] >= covered["right"] else "right"
