"""Sample size: the number of exams for an interval of κ of a given width."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from densight.figures.agreement import WEIGHTS, cohen_kappa
from densight.figures.intervals import CONFIDENCE
from densight.vocabulary import DensightError

__all__ = ["exams_for_width", "expected_table"]

Floats = npt.NDArray[np.float64]


def exams_for_width(table: npt.ArrayLike, width: float, weights: str = "quadratic") -> int:
    """The number of exams, one per patient, that gives a 95 % interval of κ of this width.

    Parameters
    ----------
    table : array-like of float, shape (k, k)
        True classes in rows, predicted classes in columns: a pilot's confusion matrix, or `expected_table`.
    width : float
        From the lower to the upper limit.
    weights : {"none", "linear", "quadratic"}

    Returns
    -------
    int

    Raises
    ------
    DensightError
        If the width is not above 0 and at most 1, or κ of the table is undefined or 1.

    References
    ----------
    Fleiss, Cohen, Everitt, "Large sample standard errors of kappa and weighted kappa", Psychological Bulletin
    72:323-327, 1969.

    Examples
    --------
    >>> exams_for_width([[40, 10], [10, 40]], 0.2, "none")
    246
    """
    from scipy.special import ndtri
    from statsmodels.stats.inter_rater import cohens_kappa

    counts = np.asarray(table, dtype=np.float64)
    if weights not in WEIGHTS:
        raise DensightError(f"unknown weights {weights!r}", remedy=f"use one of {', '.join(WEIGHTS)}")
    if not 0 < width <= 1:
        raise DensightError(f"the width {width:g} does not lie between 0 and 1", remedy="give one such as 0.1")
    value = float(cohen_kappa(counts, weights))
    if not np.isfinite(value) or value >= 1:
        raise DensightError(
            "κ of the pilot is undefined or 1, so the variance of κ is unknown",
            remedy="give an expected κ and a class mix instead",
        )
    n = counts.sum()
    result = cohens_kappa(counts, wt=None if weights == "none" else weights)
    deviation = float(result.std_kappa) * np.sqrt(n)
    exams: float = (2 * ndtri((1 + CONFIDENCE) / 2) * deviation / width) ** 2
    return ceil(exams)


def expected_table(mix: Sequence[float], kappa: float, weights: str = "quadratic") -> Floats:
    """The expected confusion matrix for a mix of classes and a κ.

    True and predicted classes are two correlated normal variables cut at the same thresholds; the correlation follows
    from κ.

    Parameters
    ----------
    mix : sequence of float, length k
        The share of each class; the shares are divided by their sum.
    kappa : float
    weights : {"none", "linear", "quadratic"}
        The weights of ``kappa``.

    Returns
    -------
    ndarray of float64, shape (k, k)
        Shares that sum to 1.

    Raises
    ------
    DensightError
        If the mix is not two or more shares above 0, or κ does not lie between 0 and 1.

    Examples
    --------
    >>> table = expected_table([10, 40, 40, 10], 0.8)
    >>> cohen_kappa(table, "quadratic").round(3).item(), table.sum(axis=1).round(3).tolist()
    (0.8, [0.1, 0.4, 0.4, 0.1])
    """
    from scipy.optimize import brentq

    shares = np.asarray(mix, dtype=np.float64)
    if shares.ndim != 1 or len(shares) < 2 or not (shares > 0).all():
        raise DensightError(
            f"the mix {list(mix)} is not a list of shares above 0", remedy="give one such as 10,40,40,10"
        )
    if not 0 < kappa < 1:
        raise DensightError(f"κ {kappa:g} does not lie between 0 and 1", remedy="give one such as 0.8")
    shares = shares / shares.sum()
    correlation = brentq(lambda r: float(cohen_kappa(_normal_table(shares, r), weights)) - kappa, 0.0, 0.9999)
    return _normal_table(shares, float(correlation))


def _normal_table(shares: Floats, correlation: float) -> Floats:
    """The probabilities of the cells of two normal variables cut at the same thresholds."""
    from scipy.special import ndtri
    from scipy.stats import multivariate_normal

    cuts = np.concatenate([[-8.0], ndtri(np.cumsum(shares)[:-1]), [8.0]])
    points = np.stack(np.meshgrid(cuts, cuts, indexing="ij"), axis=-1)
    pair = multivariate_normal(cov=[[1.0, correlation], [correlation, 1.0]])
    cumulative = np.asarray(pair.cdf(points)).reshape(len(cuts), len(cuts))
    return np.maximum(np.diff(np.diff(cumulative, axis=0), axis=1), 0.0)
