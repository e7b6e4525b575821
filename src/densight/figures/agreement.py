"""Agreement beyond chance between two classifications of the same cases: Cohen's κ and Gwet's AC.

Both take one confusion matrix or a stack of them, and weights that say how far a step beside the true class agrees.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["WEIGHTS", "cohen_kappa", "gwet_ac"]

Floats = npt.NDArray[np.float64]

WEIGHTS = ("none", "linear", "quadratic")
"""How agreement falls with the classes between two: at once, evenly, or slowly first."""


def cohen_kappa(confusion: npt.ArrayLike, weights: str = "none") -> Floats:
    """Cohen's κ: one minus the disagreement that is there over that of the same totals by chance.

    NaN where one class is all that occurs, for then nothing can disagree.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)
    weights : {"none", "linear", "quadratic"}
        A class beside the true one disagrees as much as any other, once, or once; the next one as much, twice, or
        four times; and so on.

    Returns
    -------
    ndarray of float64, shape (...)
        At most 1; 0 by chance.

    Raises
    ------
    DensightError
        If there are no such weights.

    References
    ----------
    Cohen, "Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit",
    Psychological Bulletin 70:213-220, 1968.

    Examples
    --------
    >>> cohen_kappa([[2, 0], [1, 1]]).item()
    0.5
    """
    counts = np.asarray(confusion, dtype=np.float64)
    apart = 1 - _agreement(counts.shape[-1], weights)
    chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    there = (apart * counts).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
    expected = (apart * chance).sum(axis=(-2, -1))
    return np.asarray(1 - np.divide(there, expected, out=np.full(expected.shape, np.nan), where=expected > 0))


def gwet_ac(confusion: npt.ArrayLike, weights: str = "quadratic") -> Floats:
    """Gwet's AC: as κ, but with a chance that does not rise to 1 where one class is most of the cases.

    AC1 without weights, AC2 with them.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)
    weights : {"none", "linear", "quadratic"}

    Returns
    -------
    ndarray of float64, shape (...)
        At most 1; 0 by chance.

    Raises
    ------
    DensightError
        If there are no such weights.

    References
    ----------
    Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement", Br. J. Math. Stat.
    Psychol. 61:29-48, 2008, AC1; "Handbook of inter-rater reliability", 4th edition, 2014, chapter 3, AC2: chance is
    the sum of all weights over k (k - 1), times the sum of π (1 - π), π a class's mean share over both raters.

    Examples
    --------
    Nine of ten agree, and nearly all are of one class: κ is below chance, AC1 is not.

    >>> cohen_kappa([[18, 1], [1, 0]]).round(3).item(), gwet_ac([[18, 1], [1, 0]], "none").round(3).item()
    (-0.053, 0.89)
    """
    counts = np.asarray(confusion, dtype=np.float64)
    k = counts.shape[-1]
    agree = _agreement(k, weights)
    n = counts.sum(axis=(-2, -1))
    there = (agree * counts).sum(axis=(-2, -1)) / n
    share = (counts.sum(axis=-1) + counts.sum(axis=-2)) / (2 * n[..., None])
    chance = agree.sum() / (k * (k - 1)) * (share * (1 - share)).sum(axis=-1)
    return np.asarray((there - chance) / (1 - chance))


def _agreement(classes: int, weights: str) -> Floats:
    """How far two classes agree, 1 on the diagonal, shape (classes, classes)."""
    if weights not in WEIGHTS:
        raise DensightError(f"unknown weights {weights!r}", remedy=f"use one of {', '.join(WEIGHTS)}")
    if weights == "none":
        return np.eye(classes)
    rows, columns = np.indices((classes, classes))
    away = np.abs(rows - columns) / (classes - 1)
    return np.asarray(1 - (away if weights == "linear" else away**2), dtype=np.float64)
