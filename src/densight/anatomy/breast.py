"""Where the breast is, and at which side its chest wall."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from densight.intake.mammogram import Mammogram
from densight.shapes import (
    connected_components,
    dilate,
    distance_to,
    enlarge,
    erode,
    fill_holes,
    gradient_magnitude,
    histogram,
    median,
    opening,
    quantiles,
    solidity,
)
from densight.vocabulary import DensightError

__all__ = [
    "UPRIGHT",
    "Located",
    "Side",
    "box_around",
    "breast_mask",
    "brighter_denser",
    "chest_wall",
    "find",
    "locate",
    "on_film",
    "texture",
]

Side = Literal["left", "right", "top", "bottom"]
"""A side of an image."""

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

UPRIGHT: dict[Side, tuple[int, bool]] = {
    "left": (0, False),
    "right": (0, True),
    "top": (1, False),
    "bottom": (3, False),
}
"""What brings the chest wall to the left: quarter turns against the clock, then mirroring left to right."""

WORKING_SIZE = 512
"""The longer side, in pixels, at which the breast is sought: 0.4 mm or so, finer than the skin."""

BRIGHTEST = 0.95
"""Quantile of the grey values beyond which they are taken as equal, so that labels do not decide what is bright."""

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

FRAME, FRAME_STEP, FRAME_LENGTH = 0.04, 0.15, 0.3
"""A film's bright edge: part of the image within which it ends, step of grey value at its end as a part of their range,
part of the side along which that step is."""

BESIDE, NEAR = 6, 30
"""Working pixels from which on something is beside a piece, and within which it is near it."""

RAW = 0.2
"""Grey value of the breast as a part of that of air, below which a negative is a detector's image before processing:
tissue lets so little through; a display does not show it so."""

NARROWEST = 24
"""Working pixels across, below which nothing is sought."""

BLACK = 0.6
"""The part of the breast's typical optical depth that a detector's image is shown as black."""

LITTLE = 0.1
"""Part of the image that is beside the breast even when an image is cropped to it."""

SURELY = 1.25
"""Where `Located.likely` is more, the image's negative need not be looked at.

In 509 images of mini-MIAS, DDSM, the INFN test set, M-SYNTH and phantoms it is at most 1.04 in the wrong one of the
two, 1.14 or more in the right one, and more than this in 99.6 % of those.
"""

SMALLEST = 0.02
"""Part of the image below which the largest bright piece is no breast."""

CLEARLY, LYING = 0.4, 0.85
"""By how much more of one pair of sides than of the other a breast covers where that identifies the chest wall's; and,
where it does not, as in oblique views, whose axilla covers a second side: a breast is longer along the chest wall than
it is deep, so its box lies if it is lower than this part of its width.

Over mini-MIAS, DDSM, the INFN test set, M-SYNTH and phantoms the box is at least 1.1 times as long as deep.
"""


@dataclass(frozen=True, eq=False)
class Located:
    """Where the breast of a mammogram is, on an image of working size.

    Parameters
    ----------
    grey : ndarray of float32, shape (rows, columns)
        The mammogram made smaller; brighter is denser.
    breast : ndarray of bool, shape (rows, columns)
        The breast with the pectoral muscle.
    side : Side
        Where the chest wall is.
    inverted : bool
        Whether the mammogram's own grey values are those of a negative, brighter being air.
    raw : bool
        Whether they are those of a detector, of which ``grey`` is then the logarithm.
    rival : float
        Size of the second largest thing that stands out, as a part of the breast's.
    """

    grey: Image
    breast: Mask
    side: Side
    inverted: bool
    raw: bool
    rival: float

    @cached_property
    def texture(self) -> float:
        """See `texture`."""
        return texture(self.grey, self.breast)

    @cached_property
    def likely(self) -> float:
        """How much it looks like a breast: its texture and half its solidity, up to about 1.5."""
        return self.texture + 0.5 * solidity(self.breast)

    @cached_property
    def air(self) -> float:
        """The grey value beside the breast; the darkest if nothing is beside it."""
        beside = self.grey[~self.breast]
        return median(beside) if beside.size else float(self.grey.min())


def locate(mammogram: Mammogram) -> Located:
    """As `find`, of a mammogram in which there must be a breast.

    Raises
    ------
    DensightError
        If nothing large stands out from the background.
    """
    located = find(mammogram)
    if located is None:
        raise DensightError("no breast stands out from the background", mammogram.path, "check that it is a mammogram")
    return located


def find(mammogram: Mammogram) -> Located | None:
    """Find the breast and its chest wall, whatever the orientation and the photometric interpretation.

    Of an image and its negative, the one is taken in which what stands out has the more texture and is the more convex:
    a breast has and is, the air around it has not and is not. Where it is clearly so in the image, its negative is not
    looked at.

    Returns
    -------
    Located or None
        None if nothing large stands out from the background.

    Examples
    --------
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90
    >>> located = find(Mammogram(255 - pixels))
    >>> located.side, located.inverted
    ('left', True)
    """
    small = _smaller(mammogram)
    if min(small.shape) < NARROWEST:
        return None
    candidates: list[Located] = []
    for inverted in (False, True):
        grey = _without_frame(small.max() - small if inverted else small)
        sought = _seek(grey)
        if sought is None:
            continue
        located = Located(grey, sought[0], chest_wall(sought[0]), inverted, raw=False, rival=sought[1])
        if located.texture:
            candidates.append(located)
        if located.likely > SURELY:
            break
    if not candidates:
        return None
    located = max(candidates, key=lambda candidate: (candidate.likely, not candidate.inverted))
    inside = small[located.breast]
    if located.inverted and np.median(inside) < RAW * np.percentile(small, 99):
        return replace(located, grey=np.asarray(on_film(small, inside), np.float32), raw=True)
    return located


def brighter_denser(pixels: npt.NDArray[np.generic], *, raw: bool, inverted: bool) -> Image:
    """Grey values of a mammogram, or of a part of it, of which the brighter are denser: float32, in its shape.

    Parameters
    ----------
    pixels : ndarray
    raw, inverted : bool
        As `Located` and `densight.anatomy.Anatomy` have them.
    """
    values = pixels.astype(np.float32)
    if raw:
        return _depth(values)
    return -values if inverted else values


def on_film(values: Image, inside: Image) -> Image:
    """A detector's values as a film would show them: logarithm, and what is far thinner than the breast is black.

    Parameters
    ----------
    values : ndarray of float32
        Proportional to the x rays that were absorbed.
    inside : ndarray of float32, shape (n,)
        Those in the breast.
    """
    depth = _depth(values)
    air, typical = float(depth.min()), float(np.median(_depth(inside)))
    return np.asarray(np.maximum(depth - air - BLACK * (typical - air), 0), np.float32)


def _depth(values: Image) -> Image:
    """Optical depth of a detector's values, up to a constant."""
    return np.asarray(-np.log(np.maximum(values, 1)), np.float32)


def breast_mask(mammogram: Mammogram) -> Mask:
    """The breast, with the pectoral muscle where it is seen, without labels, tape and film edges.

    Returns
    -------
    ndarray of bool, in the shape of the image.

    Raises
    ------
    DensightError
        As `locate`.

    Examples
    --------
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90
    >>> bool(breast_mask(Mammogram(pixels))[120, 50])
    True
    """
    return enlarge(locate(mammogram).breast, mammogram.shape)


def _smaller(mammogram: Mammogram) -> Image:
    import cv2

    rows, columns = mammogram.shape
    scale = min(1.0, WORKING_SIZE / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    pixels: npt.NDArray[Any] = mammogram.pixels
    # Halving is ten times as quick as any other part: it needs no weights.
    while min(pixels.shape[0] / size[1], pixels.shape[1] / size[0]) >= 4:
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = cv2.resize(pixels[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _without_frame(grey: Image) -> Image:
    """Where bright strips along an image's ends are the edges of a film, what is beside them is taken to go on."""
    grey = grey.copy()
    low, high = quantiles(grey, (0.02, 0.98))
    for turned in (grey, grey[::-1], grey.T, grey.T[::-1]):
        deepest = max(3, round(FRAME * len(turned)))
        steps = (turned[:deepest] - turned[2 : deepest + 2] > FRAME_STEP * (high - low)).mean(axis=1)
        strips = np.flatnonzero(steps > FRAME_LENGTH)
        if strips.size:
            inside = int(strips[-1]) + 2
            turned[:inside] = turned[inside]
    return grey


def _seek(grey: Image) -> tuple[Mask, float] | None:
    """The largest bright thing, and how large the second is beside it.

    Air has the brightest of the dark grey values that a good part of the image shares, because what lies outside a film
    is darker; the skin line is where the smoothed image rises clearly above it. What is brighter is cut along sharp
    edges and at thin bridges, the largest piece is kept, and its holes are filled.
    """
    import cv2

    small = np.minimum(grey, np.float32(quantiles(grey, BRIGHTEST)))
    if small.min() == small.max():
        return None
    smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), 2.0), np.float32)
    air, tissue = _air_and_tissue(smooth)
    skin = air + SKIN * (tissue - air)
    bright = smooth > skin
    edges = gradient_magnitude(small, 1.0) > EDGE * (tissue - air)
    edges &= cv2.erode(small, np.ones((2 * EDGE_WIDTH + 1,) * 2, np.uint8)) < air + RIM * (tissue - air)
    pieces = opening(np.pad(bright & ~edges, 8, mode="edge"), 4)[8:-8, 8:-8]
    labels, sizes = connected_components(pieces, connectivity=4)
    if not sizes.size or sizes.max() < SMALLEST * pieces.size:
        return None
    piece = labels == 1 + int(np.argmax(sizes))
    rim = dilate(piece, EDGE_WIDTH) & bright & (small > skin)
    second = float(np.sort(sizes)[-2] / sizes.max()) if sizes.size > 1 else 0.0
    return fill_holes(piece | rim), second


def texture(grey: Image, piece: Mask) -> float:
    """How much steeper grey values are in a piece than near it: from 0 to 1, less if little is beside it.

    0 too if the piece is not brighter than what is near it.
    """
    away = distance_to(piece)
    inside, outside = erode(piece, BESIDE), away > BESIDE
    near = outside & (away <= NEAR)
    if not inside.any() or not near.any() or median(grey[inside]) <= median(grey[near]):
        return 0.0
    steep = gradient_magnitude(grey, 1.5)
    within, beside = median(steep[inside]), median(steep[near])
    return (within + 1e-6) / (within + beside + 2e-6) * min(1.0, float(outside.mean()) / LITTLE)


def _air_and_tissue(smooth: Image) -> tuple[float, float]:
    """The highest grey value of air and the typical one of tissue."""
    from skimage.filters import threshold_otsu

    otsu = float(threshold_otsu(hist=histogram(smooth, 256, float(smooth.max()))))  # type: ignore[no-untyped-call]
    counts, centres = histogram(smooth, 64, otsu)
    shared = np.flatnonzero(counts >= min(AIR_SHARE * smooth.size, counts.max()))
    highest = centres[shared[-1]] + (centres[1] - centres[0]) / 2
    return float(highest), median(smooth[smooth > otsu])


def chest_wall(breast: Mask) -> Side:
    """The side of the image at which the chest wall is: the side of its box that the breast covers most.

    Where the sides do not decide clearly, it is along the box's longer side.

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
    more = max(covered["top"], covered["bottom"]) - max(covered["left"], covered["right"])
    if more > CLEARLY or (more > -CLEARLY and box.shape[0] < LYING * box.shape[1]):
        return "top" if covered["top"] >= covered["bottom"] else "bottom"
    return "left" if covered["left"] >= covered["right"] else "right"


def box_around(breast: Mask, margin: float) -> tuple[int, int, int, int]:
    """First row, first column, rows and columns of the box around an upright breast.

    Parameters
    ----------
    breast : ndarray of bool, shape (rows, columns)
    margin : float
        Kept around it but at the chest wall, as a part of the box's longer side.
    """
    rows, columns = np.flatnonzero(breast.any(axis=1)), np.flatnonzero(breast.any(axis=0))
    more = round(margin * max(np.ptp(rows), np.ptp(columns)))
    top, left = max(0, int(rows[0]) - more), int(columns[0])
    bottom = min(breast.shape[0], int(rows[-1]) + 1 + more)
    right = min(breast.shape[1], int(columns[-1]) + 1 + more)
    return top, left, bottom - top, right - left
