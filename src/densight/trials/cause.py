"""Cause: whether the map puts its weight where a change of tissue changes the score.

On phantoms the same breast is imaged again with the glandular tissue of a region replaced by fat, with the same noise:
the fall of the score is the effect of that tissue. On patients' images the region is painted with fat's level and
texture instead. The paint is a guess: skin folds, vessels and the shading of thickness disappear with the dense tissue,
and a network may respond to the paint. So results on patients are weaker evidence than results on phantoms.

Densight's own; the idea of testing by intervention: Pearl, "Causality", 2009, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["misplaced_effect", "region_effects", "region_masses"]

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def region_effects(
    scores: Callable[[list[Image]], npt.NDArray[np.float64]],
    image: Image,
    without: Image,
    regions: Labels,
    breast: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float64], float]:
    """The fall of the score when each region becomes fat, and when the whole breast does.

    Parameters
    ----------
    scores : callable
        Framed images to their scores.
    image, without : ndarray of float32, shape (rows, columns)
    regions : ndarray of int64, shape (rows, columns)
        Numbered from 1.
    breast : ndarray of bool, shape (rows, columns)

    Returns
    -------
    effects : ndarray of float64, shape (regions,)
        Positive where the region spoke for the target.
    whole : float

    Examples
    --------
    >>> total = lambda images: np.array([float(image.sum()) for image in images])
    >>> image, without = np.array([[3.0, 1.0]], np.float32), np.zeros((1, 2), np.float32)
    >>> region_effects(total, image, without, np.array([[1, 2]]), np.array([[True, False]]))
    (array([3., 1.]), 3.0)
    """
    n = int(regions.max())
    changed = [np.where(regions == region, without, image).astype(np.float32) for region in range(1, n + 1)]
    after = scores([image, np.where(breast, without, image).astype(np.float32), *changed])
    return after[0] - after[2:], float(after[0] - after[1])


def region_masses(values: npt.NDArray[np.floating], regions: Labels) -> npt.NDArray[np.float64]:
    """The sum of a map in each region 1, 2, …: shape (regions,).

    Examples
    --------
    >>> region_masses(np.array([[1.0, 3.0, -1.0]]), np.array([[1, 1, 2]]))
    array([ 4., -1.])
    """
    return np.asarray(np.bincount(regions.ravel(), weights=values.ravel().astype(np.float64))[1:], np.float64)


def misplaced_effect(predicted: npt.NDArray[np.float64], effects: npt.NDArray[np.float64]) -> float:
    """The part of the effect that a map puts into the wrong regions, 0 to 1.

    Both are divided by the sum of their absolute values; half the sum of the absolute differences is returned. 0 means
    that the map's shares equal those of the effects; 1 that they have nothing in common, or opposite signs.

    Examples
    --------
    >>> misplaced_effect(np.array([2.0, 2.0]), np.array([1.0, 0.0])), misplaced_effect(np.array([-1.0]), np.ones(1))
    (0.5, 1.0)
    """
    strengths = [np.abs(values).sum() for values in (predicted, effects)]
    if not min(strengths) > 0:
        return float("nan")
    return float(np.abs(predicted / strengths[0] - effects / strengths[1]).sum() / 2)
