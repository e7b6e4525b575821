"""Agreement beyond chance between two classifications of the same cases: Cohen's κ and Gwet's AC.

Both take one confusion matrix or a stack of them, and weights: the partial agreement of different classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["WEIGHTS", "cohen_kappa", "gwet_ac"]

Floats = npt.NDArray[np.float64]

WEIGHTS = ("none", "linear", "quadratic")
"""How agreement falls with the distance of two classes: to 0 at once, linearly, or quadratically."""


def cohen_kappa(confusion: npt.ArrayLike, weights: str = "none") -> Floats:
    """Cohen's κ: 1 minus the observed disagreement divided by the disagreement expected by chance.

    NaN if only one class occurs, because then no disagreement is possible.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)
    weights : {"none", "linear", "quadratic"}
        The disagreement of classes d apart is 1, d, or d².

    Returns
    -------
    ndarray of float64, shape (...)
        At most 1; 0 by chance.

    Raises
    ------
    DensightError
        If the weights are unknown.

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
    disagreement = 1 - _agreement(counts.shape[-1], weights)
    chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    observed = (disagreement * counts).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
    expected = (disagreement * chance).sum(axis=(-2, -1))
    return np.asarray(1 - np.divide(observed, expected, out=np.full(expected.shape, np.nan), where=expected > 0))


def gwet_ac(confusion: npt.ArrayLike, weights: str = "quadratic") -> Floats:
    """Gwet's AC: as κ, but its chance agreement does not approach 1 if most cases have one class.

    AC1 without weights, AC2 with weights.

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
        If the weights are unknown.

    References
    ----------
    Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement", Br. J. Math. Stat.
    Psychol. 61:29-48, 2008, AC1; "Handbook of inter-rater reliability", 4th edition, 2014, chapter 3, AC2: the chance
    agreement is the sum of all weights over k (k - 1), times the sum of π (1 - π), where π is a class's mean share over
    both raters.

    Examples
    --------
    The raters agree on nine of ten cases, nearly all of one class: κ is below 0, AC1 is not.

    >>> cohen_kappa([[18, 1], [1, 0]]).round(3).item(), gwet_ac([[18, 1], [1, 0]], "none").round(3).item()
    (-0.053, 0.89)
    """
    counts = np.asarray(confusion, dtype=np.float64)
    k = counts.shape[-1]
    agree = _agreement(k, weights)
    n = counts.sum(axis=(-2, -1))
    observed = (agree * counts).sum(axis=(-2, -1)) / n
    share = (counts.sum(axis=-1) + counts.sum(axis=-2)) / (2 * n[..., None])
    chance = agree.sum() / (k * (k - 1)) * (share * (1 - share)).sum(axis=-1)
    return np.asarray((observed - chance) / (1 - chance))


def _agreement(n_classes: int, weights: str) -> Floats:
    """The agreement of every two classes, 1 on the diagonal, shape (n_classes, n_classes)."""
    if weights not in WEIGHTS:
        raise DensightError(f"unknown weights {weights!r}", remedy=f"use one of {', '.join(WEIGHTS)}")
    if weights == "none":
        return np.eye(n_classes)
    rows, columns = np.indices((n_classes, n_classes))
    distance = np.abs(rows - columns) / (n_classes - 1)
    return np.asarray(1 - (distance if weights == "linear" else distance**2), dtype=np.float64)
