"""Measures of one map: plain functions on arrays that return one number.

A map ``values`` is signed, float, of shape (rows, columns); masks are bool of that shape. A measure is NaN where it
has no meaning, because the map has no positive evidence or the mask no pixel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "area_under_curve",
    "chance_overlap",
    "depth_profile",
    "effective_part",
    "mass_in",
    "overlap_at_equal_area",
    "points_at",
    "rank_correlation",
    "similarity",
]

Image = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's correlation of two sets of values, ties at their mean rank; NaN where either does not vary.

    Source: Spearman, "The proof and measurement of association between two things", Am. J. Psychol. 15, 1904.

    Examples
    --------
    >>> round(rank_correlation([1, 2, 3, 4], [1, 2, 4, 3]), 9), rank_correlation([1, 1, 1], [1, 2, 3])
    (0.8, nan)
    """
    from scipy.stats import rankdata

    ranks = [rankdata(np.ravel(values)) for values in (first, second)]
    if any(len(ranked) < 2 or ranked.min() == ranked.max() for ranked in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def area_under_curve(values: Image, positive: Mask, among: Mask) -> float:
    """The chance that a pixel of ``positive`` has a greater value than one of the rest of ``among``, ties by half.

    The area under the ROC curve of the map as a finder of the mask. Chance is .5.

    Source: Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than the
    other", Ann. Math. Statist. 18, 1947.

    Examples
    --------
    >>> values = np.array([[3.0, 1.0, 2.0, 0.0]])
    >>> area_under_curve(values, values > 1.5, np.ones((1, 4), bool)), area_under_curve(values, values == 1, values < 3)
    (1.0, 0.5)
    """
    from scipy.stats import rankdata

    inside = positive[among]
    n = int(inside.sum())
    m = inside.size - n
    if n == 0 or m == 0:
        return float("nan")
    return float((rankdata(values[among])[inside].sum() - n * (n + 1) / 2) / (n * m))


def mass_in(values: Image, mask: Mask, among: Mask) -> float:
    """The part of the map's positive values in ``among`` that lies in ``mask``. Chance is the mask's part of the area.

    Source: Wang et al., "Score-CAM", CVPR Workshops 2020, the energy-based pointing game.

    Examples
    --------
    >>> values = np.array([[3.0, 1.0, -5.0, 0.0]])
    >>> mass_in(values, values > 2, np.ones((1, 4), bool)), mass_in(-np.abs(values), values > 2, values < 9)
    (0.75, nan)
    """
    positive = np.maximum(values, 0)
    total = float(positive[among].sum(dtype=np.float64))
    return float(positive[mask & among].sum(dtype=np.float64)) / total if total > 0 else float("nan")


def overlap_at_equal_area(values: Image, mask: Mask, among: Mask) -> float:
    """Intersection over union of the mask and as many pixels of the greatest values; ties are shared.

    No threshold needs to be chosen. Chance is :func:`chance_overlap` of the mask's part of the area.

    Examples
    --------
    >>> values = np.array([[3.0, 1.0, 2.0, 0.0]])
    >>> overlap_at_equal_area(values, np.array([[True, True, False, False]]), np.ones((1, 4), bool))
    0.3333333333333333
    """
    inside, candidates = mask[among], values[among]
    n = int(inside.sum())
    if n == 0:
        return float("nan")
    threshold = np.partition(candidates, candidates.size - n)[candidates.size - n]
    above, tied = candidates > threshold, candidates == threshold
    share = (n - int(above.sum())) / int(tied.sum())
    shared = float(inside[above].sum() + share * inside[tied].sum())
    return shared / (2 * n - shared)


def chance_overlap(part: float) -> float:
    """The intersection over union of two masks that each cover a part of the area, independent of each other.

    Examples
    --------
    >>> chance_overlap(0.5)
    0.3333333333333333
    """
    return part / (2 - part)


def points_at(values: Image, mask: Mask, among: Mask) -> float:
    """Whether the greatest value lies in the mask, 1 or 0; if several are equal, the part that does.

    Source: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016, the pointing game.

    Examples
    --------
    >>> values = np.array([[3.0, 1.0, 3.0, 0.0]])
    >>> points_at(values, np.array([[True, True, False, False]]), np.ones((1, 4), bool))
    0.5
    """
    candidates = values[among]
    if not candidates.size or candidates.min() == candidates.max():
        return float("nan")
    return float(mask[among][candidates == candidates.max()].mean())


def effective_part(values: Image, among: Mask) -> float:
    """The part of the area over which the map's strength is spread: 1 for an even map, near 0 for a point.

    The exponential of the entropy of ``|values|``, over the number of pixels.

    Source: Bhatt, Weller and Moura, "Evaluating and aggregating feature-based model explanations", IJCAI 2020, for the
    entropy; Hill, "Diversity and evenness", Ecology 54, 1973, for its exponential.

    Examples
    --------
    >>> round(effective_part(np.array([[1.0, -1.0, 0.0, 0.0]]), np.ones((1, 4), bool)), 6)
    0.5
    """
    strength = np.abs(values[among]).astype(np.float64)
    total = strength.sum()
    if not total > 0:
        return float("nan")
    parts = strength[strength > 0] / total
    return float(np.exp(-(parts * np.log(parts)).sum()) / strength.size)


def similarity(first: Image, second: Image, among: Mask) -> float:
    """Structural similarity of two maps in a mask, each scaled to mean 0 and deviation 1 there: 1 if they are alike.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Trans. Image
    Process. 13, 2004; for maps: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.

    Examples
    --------
    >>> values = np.random.default_rng(0).random((32, 32))
    >>> round(similarity(values, 3 * values + 1, np.ones((32, 32), bool)), 6)
    1.0
    """
    from skimage.metrics import structural_similarity

    scaled = []
    for values in (first, second):
        deviation = float(values[among].std())
        if not deviation > 0:
            return float("nan")
        scaled.append(np.where(among, (values - values[among].mean()) / deviation, 0).clip(-3, 3))
    _, local = structural_similarity(  # type: ignore[no-untyped-call]
        scaled[0], scaled[1], data_range=6.0, full=True, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(local[among].mean())


def depth_profile(values: Image, breast: Mask, bins: int = 12) -> npt.NDArray[np.float64]:
    """Means of the map at equal steps from the chest wall, at the left, to the nipple: shape (bins,).

    Two views of one breast have it in common: both show how far from the chest wall tissue lies.

    Examples
    --------
    >>> depth_profile(np.tile(np.arange(4.0), (2, 1)), np.ones((2, 4), bool), bins=2)
    array([0.5, 2.5])
    """
    rows, columns = np.nonzero(breast)
    depth = (columns - columns.min()) / (np.ptp(columns) + 1)
    place = (depth * bins).astype(int)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=values[rows, columns], minlength=bins)
    return np.asarray(sums / np.maximum(counts, 1), np.float64)
