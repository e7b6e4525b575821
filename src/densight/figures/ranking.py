"""How well a score puts cases in the order of their classes: areas under ROC curves, the ordinal c-index.

The figures take sums by class and score level, so that a draw of the bootstrap is the same computation as the whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["LEVELS", "concordance", "roc_points", "score_levels", "tabulate"]

LEVELS = 256
"""Of more different scores than four times these, those that follow each other are put together in draws of the
bootstrap: the value itself is exact, and its spread does not feel the order within a 256th of the cases."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def score_levels(scores: npt.ArrayLike, most: int | None = None) -> Integers:
    """The rank of each score among the different scores, equal scores alike.

    Parameters
    ----------
    scores : array-like of float, shape (n,)
    most : int, optional
        Where there are more than four times as many different scores, those that follow each other are put together,
        about as many cases in each.

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
    middle = np.cumsum(counts) - counts / 2
    coarse = (middle * most // counts.sum()).astype(np.int64)
    return np.asarray(np.unique(coarse, return_inverse=True)[1][ranks], dtype=np.int64)


def tabulate(
    labels: npt.ArrayLike,
    levels: npt.ArrayLike,
    classes: int,
    *,
    owners: npt.ArrayLike | None = None,
    width: int | None = None,
) -> Floats:
    """How many cases each class has at each score level, of each patient where owners are given.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
    levels : array-like of int, shape (n,)
        As `score_levels` gives them.
    classes : int
    owners : array-like of int, shape (n,), optional
        Whose each case is, 0 to units - 1.
    width : int, optional
        The number of levels, where there may be more than occur.

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
    owner = np.zeros(len(rows), dtype=np.int64) if owners is None else np.asarray(owners)
    shape = (int(owner.max()) + 1, classes, width or int(columns.max()) + 1)
    counts = np.bincount(np.ravel_multi_index((owner, rows, columns), shape), minlength=np.prod(shape).item())
    table = counts.reshape(shape).astype(np.float64)
    return table[0] if owners is None else table


def concordance(table: npt.ArrayLike) -> Floats:
    """Of all pairs of cases of different classes, the share whose denser one has the greater score; ties count half.

    With two classes it is the area under the ROC curve, with more the ordinal c-index. NaN without a pair.

    Parameters
    ----------
    table : array-like of float, shape (..., classes, levels)
        As `tabulate` gives it, or a sum of such tables over patients drawn.

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
    before = np.cumsum(lower, axis=-1) - lower / 2
    pairs = (lower.sum(axis=-1) * denser.sum(axis=-1)).sum(axis=-1)
    right = (before * denser).sum(axis=(-2, -1))
    return np.asarray(np.divide(right, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0))


def roc_points(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The ROC curve: the share of negatives and of positives at or above each different score, from none to all.

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

    false, true, _ = roc_curve(np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64))
    return np.asarray(false), np.asarray(true)
