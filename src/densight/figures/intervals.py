"""Intervals of metrics: Wilson's and the exact interval for proportions, bootstrap intervals for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "CONFIDENCE",
    "INTERVALS",
    "Estimate",
    "bca_interval",
    "binomial_interval",
    "choose_interval",
    "exact_interval",
    "percentile_interval",
    "wilson_interval",
]

CONFIDENCE = 0.95
"""The confidence level of every interval."""
INTERVALS = {
    "wilson": "Wilson's score interval",
    "exact": "Clopper and Pearson's exact interval",
    "bca": "bias-corrected and accelerated bootstrap over patients",
    "percentile": "percentile bootstrap over patients",
    "pivotal": "bias-corrected (pivotal) bootstrap over patients",
    "none": "no interval",
}
"""The kinds of interval with their titles."""

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval.

    Parameters
    ----------
    value : float
        NaN where undefined.
    interval : tuple of float or None
        Lower and upper limit by ``method``. None where nothing varies: one patient, or the same value in every draw.
    method : str
        A key of `INTERVALS`.
    intervals : mapping of str to tuple of float
        The limits by every method that applies, including the chosen one.
    """

    value: float
    interval: Limits | None
    method: str
    intervals: Mapping[str, Limits] = field(default_factory=dict)


def choose_interval(value: float, intervals: Mapping[str, Limits]) -> Estimate:
    """The estimate with the first available of Wilson's, the pivotal, the BCa and the percentile interval.

    Examples
    --------
    >>> choose_interval(0.5, {"percentile": (0.4, 0.6)}).method
    'percentile'
    """
    method = next((name for name in ("wilson", "pivotal", "bca", "percentile") if name in intervals), "none")
    return Estimate(value, intervals.get(method), method, dict(intervals))


def wilson_interval(successes: int, n: int) -> Limits:
    """The 95 % score interval of a proportion, for independent cases.

    Parameters
    ----------
    successes, n : int

    Returns
    -------
    tuple of float
        Lower and upper limit.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22:209-212, 1927.

    Examples
    --------
    >>> [round(limit, 4) for limit in wilson_interval(104, 128)]
    [0.7362, 0.8706]
    """
    return _proportion_interval(successes, n, "wilson")


def exact_interval(successes: int, n: int) -> Limits:
    """The interval of a proportion of independent cases that covers at least 95 % whatever the proportion.

    Parameters
    ----------
    successes, n : int

    Returns
    -------
    tuple of float
        Lower and upper limit.

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26:404-413, 1934.

    Examples
    --------
    >>> [round(limit, 4) for limit in exact_interval(104, 128)]
    [0.734, 0.876]
    """
    return _proportion_interval(successes, n, "exact")


def binomial_interval(successes: int, n: int) -> Limits:
    """The percentile bootstrap interval of a proportion of independent cases, in the limit of infinitely many draws.

    Parameters
    ----------
    successes, n : int

    Returns
    -------
    tuple of float
        Lower and upper limit. The number of successes among cases drawn with replacement is binomial.

    Examples
    --------
    >>> binomial_interval(104, 128)
    (0.7421875, 0.875)
    """
    from scipy.stats import binom

    low, high = (float(binom.ppf(tail, n, successes / n)) for tail in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return low / n, high / n


def _proportion_interval(successes: int, n: int, method: Literal["wilson", "exact"]) -> Limits:
    from scipy.stats import binomtest

    limits = binomtest(successes, n).proportion_ci(confidence_level=CONFIDENCE, method=method)
    return float(limits.low), float(limits.high)


def percentile_interval(values: npt.ArrayLike) -> Limits:
    """The central 95 % of bootstrap values.

    Parameters
    ----------
    values : array-like of float, shape (draws,)

    Returns
    -------
    tuple of float
        Lower and upper limit.

    Notes
    -----
    If every case is classified correctly, so is every draw, and the interval has no width and no information; Wilson's
    interval of the accuracy still has.

    References
    ----------
    Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> [round(limit, 6) for limit in percentile_interval(range(101))]
    [2.5, 97.5]
    """
    low, high = np.quantile(np.asarray(values, dtype=np.float64), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def bca_interval(value: float, resampled: npt.ArrayLike, left_out: npt.ArrayLike) -> Limits | None:
    """The bias-corrected and accelerated bootstrap interval.

    Parameters
    ----------
    value : float
        The metric over all patients.
    resampled : array-like of float, shape (draws,)
        Its bootstrap values.
    left_out : array-like of float, shape (units,)
        Its values without each patient, for the acceleration.

    Returns
    -------
    tuple of float or None
        None if undefined: the value lies outside all draws, or leaving out a patient changes nothing.

    References
    ----------
    Efron, "Better bootstrap confidence intervals", JASA 82:171-185, 1987; draws equal to the value count half, as in
    scipy.stats.bootstrap. The quantiles are Student's, not the normal's, because units may be few: Hesterberg,
    "What teachers should know about the bootstrap", The American Statistician 69:371-386, 2015.

    Examples
    --------
    >>> [round(limit, 1) for limit in bca_interval(50.0, range(101), np.linspace(-1, 1, 2001))]
    [2.5, 97.5]
    """
    from scipy.special import ndtr, ndtri, stdtrit

    values, without = np.asarray(resampled, dtype=np.float64), np.asarray(left_out, dtype=np.float64)
    below = ((values < value).mean() + (values <= value).mean()) / 2
    influence = without.mean() - without
    squares = (influence**2).sum()
    if not 0 < below < 1 or not squares > 0:
        return None
    bias, acceleration = ndtri(below), (influence**3).sum() / (6 * squares**1.5)
    reach = bias + stdtrit(len(without) - 1, (1 + CONFIDENCE) / 2) * np.array([-1, 1])
    low, high = np.quantile(values, ndtr(bias + reach / (1 - acceleration * reach)))
    return float(low), float(high)
