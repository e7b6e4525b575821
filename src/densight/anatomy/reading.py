"""Read the anatomy of a mammogram: breast, pectoral muscle, fibroglandular tissue, nipple, percent density."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import UPRIGHT, Located, Side, box_around, chest_wall, find
from densight.anatomy.masked_pectoral import masked_pectoral
from densight.anatomy.verdict import Verdict, judge
from densight.geometry import Geometry, set_back, set_upright
from densight.intake.mammogram import Mammogram
from densight.shapes import connected_components, fill_holes, largest_component
from densight.vocabulary import View

if TYPE_CHECKING:
    from densight.anatomy.network import TissueNetwork

__all__ = ["Anatomy", "read"]

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MARGIN = 0.04
"""Of the image kept around the breast in the network's frame, as a part of the longer side of its box."""

SURELY_NONE, CUT = 0.2, 0.02
"""Where the network gives the breast less than this, and that is more than this part of what was located, it is cut."""

CLOSE = 0.021
"""Half the width of gaps in dense tissue that readers' outlines pass over, as a part of the longer side: some 5 mm."""

LEAST_MUSCLE = 0.004
"""Part of the breast below which what looks like the pectoral muscle is none."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What is seen in a mammogram; masks are in its own pixels.

    Parameters
    ----------
    breast : ndarray of bool, shape (rows, columns)
        The breast with the pectoral muscle.
    pectoral : ndarray of bool, shape (rows, columns)
        The pectoral muscle; nothing where none is seen.
    dense : ndarray of bool, shape (rows, columns)
        Fibroglandular tissue, within the breast and outside the muscle.
    small_probability : ndarray of float32, shape (rows, columns)
        Probability of fibroglandular tissue, 0 to 1, on the image made smaller; see `dense_probability`.
    nipple : (float, float) or None
        Row and column of the nipple, where it is seen.
    side : {"left", "right", "top", "bottom"}
        Where the chest wall is.
    inverted : bool
        Whether the mammogram's grey values are those of a negative.
    raw : bool
        Whether they are those of a detector before processing.
    spacing : (float, float) or None
        Pixel spacing in mm, as the mammogram knows it.
    verdict : Verdict
        Whether the measurement can be trusted.
    weights : str
        Which weights found the tissue.
    located : Located or None
        What stood out from the background, before the network looked at it.
    """

    breast: Mask
    pectoral: Mask
    dense: Mask
    small_probability: Image
    nipple: tuple[float, float] | None
    side: Side
    inverted: bool
    raw: bool
    spacing: tuple[float, float] | None
    verdict: Verdict
    weights: str
    located: Located | None

    @property
    def dense_probability(self) -> Image:
        """How sure it is that a pixel shows fibroglandular tissue: float32, shape (rows, columns), 0 to 1."""
        whole = cv2.resize(self.small_probability, self.dense.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(whole * (self.breast & ~self.pectoral), np.float32)

    @property
    def percent_density(self) -> float | None:
        """Dense area as per cent of the breast without the pectoral muscle; None if the verdict forbids it."""
        return self.measured_density if self.verdict.good else None

    @property
    def measured_density(self) -> float:
        """The same, whatever the verdict."""
        whole = np.count_nonzero(self.breast) - np.count_nonzero(self.pectoral)
        return float(100 * np.count_nonzero(self.dense) / whole) if whole else 0.0

    def area(self, mask: Mask) -> float | None:
        """Area of a mask in mm², where the pixel spacing is known."""
        return None if self.spacing is None else float(np.count_nonzero(mask) * self.spacing[0] * self.spacing[1])


def read(mammogram: Mammogram, weights: str = "free") -> Anatomy:
    """Read the anatomy of a mammogram.

    Parameters
    ----------
    mammogram : Mammogram
        In any orientation, of any bit depth and photometric interpretation, digital or film.
    weights : {"free", "research"}
        ``free`` were fitted on phantoms alone. ``research`` went on with the films of MIAS and DDSM, whose terms allow
        research only.

    Returns
    -------
    Anatomy

    Raises
    ------
    DensightError
        If there are no such weights. Of an image in which no breast is found nothing is read, and the verdict says so.

    Examples
    --------
    >>> import densight
    >>> made = densight.phantom.exam(seed=3, density="C", shape=(256, 208))
    >>> anatomy = read(made.mammograms[2])
    >>> anatomy.verdict.good, 10 < anatomy.percent_density < 90
    (True, True)
    """
    from densight.anatomy.network import load_network

    return read_with(load_network(weights), mammogram, weights)


def read_with(network: TissueNetwork, mammogram: Mammogram, weights: str) -> Anatomy:
    """As `read`, with a network that is loaded."""
    located = first = find(mammogram)
    if located is None:
        return _nothing(mammogram, weights)
    framed = _Framed.of(located)
    parts = framed.run(network)
    refined = _refined(located, framed.set_back(parts[0]))
    if refined is not located:
        located = refined
        framed = _Framed.of(located)
        parts = framed.run(network)
    whole, muscle, dense, nipple = parts
    if mammogram.projection is not None and mammogram.projection.view == View.CC:
        muscle[:] = 0
    masked = masked_pectoral(mammogram, located)
    muscle = np.maximum(_main_muscle(muscle, framed.upright_breast), framed.set_upright(masked))
    dense = _outlined(np.where(muscle > 0.5, 0, dense))
    whole = _in_one_piece(np.minimum(whole, framed.upright_breast))
    agreed = np.count_nonzero(whole > 0.5) / np.count_nonzero(located.breast)
    verdict = judge(mammogram, located, agreed, muscle > 0.5, masked)
    breast, pectoral, tissue = (
        _likelier_than_not(framed.set_back(part), mammogram.shape) for part in (whole, muscle, dense)
    )
    pectoral &= breast
    tissue &= breast
    np.greater(tissue, pectoral, out=tissue)
    return Anatomy(
        breast,
        pectoral,
        tissue,
        framed.set_back(dense),
        framed.peak(nipple, mammogram.shape),
        located.side,
        located.inverted,
        located.raw,
        mammogram.spacing,
        verdict,
        weights,
        first,
    )


def _nothing(mammogram: Mammogram, weights: str) -> Anatomy:
    none, unsure = np.zeros(mammogram.shape, bool), np.zeros((1, 1), np.float32)
    verdict = Verdict(("no breast stands out from the background",), ())
    return Anatomy(
        none, none, none, unsure, None, "left", False, False, mammogram.spacing, verdict, weights, located=None
    )


@dataclass(frozen=True, eq=False)
class _Framed:
    """A breast of working size on its way to the network's frame and back."""

    located: Located
    upright_breast: Mask
    geometry: Geometry

    @classmethod
    def of(cls, located: Located) -> _Framed:
        from densight.anatomy.network import FRAME

        turns, mirrored = UPRIGHT[located.side]
        breast = set_upright(located.breast, turns, mirrored)
        box = box_around(breast, MARGIN)
        return cls(located, breast, Geometry.fitted(located.breast.shape, FRAME, box, turns=turns, mirrored=mirrored))

    def set_upright(self, image: Image | Mask) -> Image:
        """An image of working size, set upright."""
        values = np.asarray(image, np.float32)
        return np.ascontiguousarray(set_upright(values, self.geometry.turns, self.geometry.mirrored))

    def set_back(self, upright: Image) -> Image:
        """An upright image of working size, as the mammogram lies."""
        return np.ascontiguousarray(set_back(upright, self.geometry.turns, self.geometry.mirrored))

    def run(self, network: TissueNetwork) -> Image:
        """Probabilities of the network's labels, upright and of working size, 0 outside the box."""
        from densight.anatomy.network import FRAME, STRIDE, network_input, probabilities

        geometry = self.geometry
        row, column, rows, columns = geometry.box
        inside = (slice(row, row + rows), slice(column, column + columns))
        grey = np.full(FRAME, self.located.air, np.float32)
        breast = np.zeros(FRAME, np.float32)
        (high, wide), (top, left) = geometry.content_shape, geometry.offset
        content = (slice(top, top + high), slice(left, left + wide))
        way = cv2.INTER_AREA if min(geometry.scale) < 1 else cv2.INTER_LINEAR
        upright = self.set_upright(self.located.grey)
        grey[content] = cv2.resize(upright[inside], (wide, high), interpolation=way)
        breast[content] = cv2.resize(self.upright_breast[inside].astype(np.float32), (wide, high), interpolation=way)
        cells = probabilities(network, network_input(grey, breast > 0.5))
        # A cell of the network's is centred between frame pixels; the matrix leads from a box's pixel to its cell.
        scale, offset = (np.array(two, float)[::-1] for two in (geometry.scale, geometry.offset))
        start = (0.5 * scale - 0.5 + offset - (STRIDE - 1) / 2) / STRIDE
        matrix = np.array([[scale[0] / STRIDE, 0, start[0]], [0, scale[1] / STRIDE, start[1]]])
        whole = np.zeros((len(cells), *upright.shape), np.float32)
        for part, into in zip(cells, whole, strict=True):
            into[inside] = cv2.warpAffine(
                part,
                matrix,
                (columns, rows),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return whole

    def peak(self, nipple: Image, shape: tuple[int, int]) -> tuple[float, float] | None:
        """The middle of what the network takes for the nipple, in pixels of the image."""
        near = (nipple > 0.5) & (nipple > 0.5 * nipple.max())
        if not near.any():
            return None
        at = self.set_back(np.where(near, nipple, 0))
        middle = [float(np.average(np.arange(n), weights=at.sum(1 - axis))) for axis, n in enumerate(at.shape)]
        row, column = ((m + 0.5) * n / k - 0.5 for m, n, k in zip(middle, shape, at.shape, strict=True))
        return row, column


def _likelier_than_not(probability: Image, shape: tuple[int, int]) -> Mask:
    """Where a probability, enlarged to a shape, is above one half."""
    if not (probability > 0.5).any():
        return np.zeros(shape, np.bool_)
    whole = cv2.resize(_in_steps(probability), shape[::-1], interpolation=cv2.INTER_LINEAR)
    # In place, because new memory of an image's size costs more than what is done in it.
    cv2.threshold(whole, 127, 1, cv2.THRESH_BINARY, dst=whole)
    return whole.view(np.bool_)


def _in_steps(probability: Image) -> npt.NDArray[np.uint8]:
    """A probability in steps of 1/255, with which OpenCV is some times as quick."""
    return np.rint(255 * probability).astype(np.uint8)


def _refined(located: Located, probability: Image) -> Located:
    """Without what the network is sure is no breast, a film's edges for instance, if that is a good part of it."""
    kept = located.breast & (cv2.GaussianBlur(probability, (0, 0), 2.0) > SURELY_NONE)
    largest = largest_component(kept, connectivity=4)
    if not largest.any() or largest.sum() > (1 - CUT) * located.breast.sum():
        return located
    return replace(located, breast=largest, side=chest_wall(largest))


def _outlined(dense: Image) -> Image:
    """Dense tissue as a reader would outline it, with the fat between strands that are close together."""
    radius = round(CLOSE * max(dense.shape))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.morphologyEx(_in_steps(dense), cv2.MORPH_CLOSE, disc) / np.float32(255)


def _in_one_piece(probability: Image) -> Image:
    """The largest piece of what is likelier than not, its holes filled."""
    largest = largest_component(probability > 0.5, connectivity=4)
    if not largest.any():
        return probability
    holes = fill_holes(largest) & ~largest
    return np.where(holes, 1, np.where(_with_rim(largest), probability, 0)).astype(np.float32)


def _with_rim(piece: Mask) -> Mask:
    """A piece and what is beside it below one half, without which its edge would move when it is enlarged."""
    return cv2.dilate(piece.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _main_muscle(probability: Image, breast: Mask) -> Image:
    """The largest piece of muscle that reaches the upper half of the chest wall's side, filled; the rest is none.

    A pectoral muscle is nowhere narrower than below: what of it lies above, between the chest wall and its edge, is
    filled where a fold of skin or its own structure was taken for something else.
    """
    labels, sizes = connected_components(probability > 0.5)
    rows, columns = np.flatnonzero(breast.any(axis=1)), np.flatnonzero(breast.any(axis=0))
    middle, near = rows[0] + np.ptp(rows) // 2, columns[0] + max(2, np.ptp(columns) // 20)
    at_wall = set(np.unique(labels[:middle, : near + 1])) - {0}
    least = LEAST_MUSCLE * np.count_nonzero(breast)
    pieces = [piece for piece in at_wall if sizes[piece - 1] > least]
    if not pieces:
        return np.zeros_like(probability)
    largest = max(pieces, key=lambda piece: int(sizes[piece - 1]))
    piece = labels == largest
    ends = np.where(piece.any(axis=1), piece.shape[1] - np.argmax(piece[:, ::-1], axis=1), 0)
    widths = np.maximum.accumulate(ends[::-1])[::-1]
    below = breast & (np.arange(piece.shape[1]) < widths[:, None])
    of_piece = np.where(_with_rim(piece), probability, 0)
    return np.where(below & (of_piece <= 0.5), 1, of_piece).astype(np.float32)
