"""How well a score ranks cases by their classes: areas under ROC curves, the ordinal c-index.

The metrics take counts by class and score level, so that a bootstrap draw is the same computation as all cases.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["LEVELS", "concordance", "roc_points", "score_levels", "tabulate"]

LEVELS = 256
"""Bootstrap draws merge neighbouring scores into this many levels if there are more than four times as many different
scores. The value itself is exact; its spread ignores the order within a 256th of the cases."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def score_levels(scores: npt.ArrayLike, most: int | None = None) -> Integers:
    """The rank of each score among the different scores; equal scores have equal ranks.

    Parameters
    ----------
    scores : array-like of float, shape (n,)
    most : int, optional
        If there are more than four times as many different scores, neighbouring scores are merged into levels with
        about the same number of cases.

    Returns
    -------
    ndarray of int64, shape (n,)
        0 to at most ``most`` - 1.

    Examples
    --------
    >>> score_levels([0.1, 0.5, 0.5, 0.2]), score_levels(range(10), most=2)
    (array([0, 2, 2, 1]), array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]))
    """
    different, ranks, counts = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    if most is None or len(different) <= 4 * most:
        return np.asarray(ranks, dtype=np.int64)
    centre = np.cumsum(counts) - counts / 2
    coarse = (centre * most // counts.sum()).astype(np.int64)
    return np.asarray(np.unique(coarse, return_inverse=True)[1][ranks], dtype=np.int64)


def tabulate(
    labels: npt.ArrayLike,
    levels: npt.ArrayLike,
    n_classes: int,
    *,
    groups: npt.ArrayLike | None = None,
    width: int | None = None,
) -> Floats:
    """Count the cases of each class at each score level, for each group if groups are given.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
    levels : array-like of int, shape (n,)
        As `score_levels` gives them.
    n_classes : int
    groups : array-like of int, shape (n,), optional
        The bootstrap unit of each case, 0 to units - 1.
    width : int, optional
        The number of levels, if it may exceed the levels that occur.

    Returns
    -------
    ndarray of float64, shape ([units,] classes, levels)

    Examples
    --------
    >>> tabulate([0, 1, 1], [0, 0, 1], 2)
    array([[1., 0.],
           [1., 1.]])
    """
    rows, columns = np.asarray(labels), np.asarray(levels)
    units = np.zeros(len(rows), dtype=np.int64) if groups is None else np.asarray(groups)
    shape = (int(units.max()) + 1, n_classes, width or int(columns.max()) + 1)
    counts = np.bincount(np.ravel_multi_index((units, rows, columns), shape), minlength=np.prod(shape).item())
    table = counts.reshape(shape).astype(np.float64)
    return table[0] if groups is None else table


def concordance(table: npt.ArrayLike) -> Floats:
    """The share of pairs of cases of different classes whose denser case has the greater score; ties count half.

    With two classes it is the area under the ROC curve, with more the ordinal c-index. NaN if there is no such pair.

    Parameters
    ----------
    table : array-like of float, shape (..., classes, levels)
        As `tabulate` gives it, or a sum of such tables over patients.

    Returns
    -------
    ndarray of float64, shape (...)
        .5 by chance.

    References
    ----------
    Bamber, "The area above the ordinal dominance graph and the area below the receiver operating characteristic
    graph", J. Math. Psychol. 12:387-415, 1975; Harrell et al., "Evaluating the yield of medical tests", JAMA
    247:2543-2546, 1982.

    Examples
    --------
    >>> concordance(tabulate([0, 0, 1, 1], [0, 2, 1, 2], 2)).item()
    0.625
    """
    counts = np.asarray(table, dtype=np.float64)
    lower = np.cumsum(counts, axis=-2)[..., :-1, :]
    denser = counts[..., 1:, :]
    below = np.cumsum(lower, axis=-1) - lower / 2
    pairs = (lower.sum(axis=-1) * denser.sum(axis=-1)).sum(axis=-1)
    concordant = (below * denser).sum(axis=(-2, -1))
    return np.asarray(np.divide(concordant, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0))


def roc_points(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The ROC curve: the share of negatives and of positives at or above each different score, from 0 to 1.

    Parameters
    ----------
    positive : array-like of bool, shape (n,)
    scores : array-like of float, shape (n,)

    Returns
    -------
    false_positive_rate, sensitivity : ndarray of float64, shape (points,)

    Examples
    --------
    >>> roc_points([False, True], [0.2, 0.7])
    (array([0., 0., 1.]), array([0., 1., 1.]))
    """
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64))
    return np.asarray(false_rate), np.asarray(true_rate)
