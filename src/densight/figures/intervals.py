"""Intervals of figures of merit: Wilson's and the exact one for proportions, the bootstrap over patients for all.

The bootstrap draws patients, for images, breasts and exams of one patient are alike. A figure of merit is a function
of sums over patients, so that a draw is a weighted sum: draws and leave-one-out values of any figure are made at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = [
    "CONFIDENCE",
    "DRAWS",
    "INTERVALS",
    "SEED",
    "UNITS",
    "Estimate",
    "Resampled",
    "bca_interval",
    "bootstrap_sums",
    "choose_interval",
    "draw_units",
    "exact_interval",
    "percentile_interval",
    "resample",
    "sums_by_patient",
    "wilson_interval",
]

CONFIDENCE = 0.95
"""Confidence level of every interval."""
DRAWS = 2000
"""Draws of the bootstrap."""
SEED = 0
"""Seed of the bootstrap."""
UNITS = 2000
"""Of more patients than these, some are put together at random and come and go together."""
INTERVALS = {
    "wilson": "Wilson's score interval",
    "exact": "Clopper and Pearson's exact interval",
    "bca": "bias-corrected and accelerated bootstrap over patients",
    "percentile": "percentile bootstrap over patients",
    "pivotal": "bias-corrected (pivotal) bootstrap over patients",
    "none": "no interval",
}
"""The kinds of interval, in words."""

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A figure of merit with its 95 % interval.

    Parameters
    ----------
    value : float
        NaN where undefined.
    interval : tuple of float or None
        Lower and upper limit, by ``method``. None where nothing varies: a single patient, or every draw alike.
    method : str
        A key of `INTERVALS`.
    intervals : mapping of str to tuple of float
        By every method that applies, the one chosen among them.
    """

    value: float
    interval: Limits | None
    method: str
    intervals: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Resampled:
    """Sums over patients: of all, of each draw, and of all but one.

    Parameters
    ----------
    total : ndarray of float64, shape (...)
    drawn : ndarray of float64, shape (draws, ...)
    left_out : ndarray of float64, shape (units, ...)
        A unit is a patient, or where there are more than `UNITS` several of them.
    """

    total: Floats
    drawn: Floats
    left_out: Floats

    @property
    def varies(self) -> bool:
        """Whether there is more than one unit."""
        return len(self.left_out) > 1

    def estimate(
        self,
        figure: Callable[[Floats], Floats],
        *,
        value: float | None = None,
        proportion: tuple[int, int] | None = None,
        bias: bool = False,
    ) -> Estimate:
        """A figure of merit with its intervals.

        Parameters
        ----------
        figure : callable
            Makes a number of the sums, and an array of a stack of them.
        value : float, optional
            The figure's exact value, where the sums hold it only nearly.
        proportion : tuple of int, optional
            Successes and number of independent cases, where the figure is such a share.
        bias : bool
            Whether the figure is an error that chance makes greater and never less than 0. Its interval is then the
            pivotal one, which takes off as much as the draws add; it may lie below the value.

        Notes
        -----
        Draws for which the figure is undefined are left out. Of the intervals there are, the first of Wilson's, the
        pivotal, the BCa and the percentile interval is chosen: in simulations they hold the true figure most nearly as
        often as they should (``docs/figures.md``).

        References
        ----------
        The pivotal ("basic") interval: Davison and Hinkley, "Bootstrap methods and their application", 1997, section
        5.2.
        """
        near = float(figure(self.total))
        exact = near if value is None else value
        found: dict[str, Limits] = {}
        if proportion is not None and proportion[1] > 0:
            found |= {"wilson": wilson_interval(*proportion), "exact": exact_interval(*proportion)}
        if self.varies and np.isfinite(near):
            drawn, left_out = (
                values[np.isfinite(values)] + (exact - near) for values in (figure(self.drawn), figure(self.left_out))
            )
            if drawn.size and drawn.min() < drawn.max():
                corrected = bca_interval(exact, drawn, left_out)
                found |= {} if corrected is None else {"bca": corrected}
                low, high = found["percentile"] = percentile_interval(drawn)
                if bias:
                    found["pivotal"] = (max(0.0, 2 * exact - high), max(0.0, 2 * exact - low))
        return choose_interval(exact, found)


def choose_interval(value: float, found: Mapping[str, Limits]) -> Estimate:
    """The estimate with the first interval there is of Wilson's, the pivotal, the BCa and the percentile interval.

    Examples
    --------
    >>> choose_interval(0.5, {"percentile": (0.4, 0.6)}).method
    'percentile'
    """
    method = next((name for name in ("wilson", "pivotal", "bca", "percentile") if name in found), "none")
    return Estimate(value, found.get(method), method, dict(found))


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
    """The 95 % interval of a proportion that never covers less, for independent cases.

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


def _proportion_interval(successes: int, n: int, method: Literal["wilson", "exact"]) -> Limits:
    from scipy.stats import binomtest

    limits = binomtest(successes, n).proportion_ci(confidence_level=CONFIDENCE, method=method)
    return float(limits.low), float(limits.high)


def draw_units(patients: Sequence[str], seed: int = SEED) -> tuple[npt.NDArray[np.int64], int]:
    """The unit of each case that the bootstrap draws, and the number of patients.

    Parameters
    ----------
    patients : sequence of str, length n
        Whose each case is.
    seed : int

    Returns
    -------
    owners : ndarray of int64, shape (n,)
        In the order of the sorted patients, one unit a patient. Of more than `UNITS` patients, as many are put together
        at random as it takes to have `UNITS` units.
    patients : int

    Notes
    -----
    Patients put together at random leave the variance as it is in expectation, for patients are independent of each
    other, and bound time and memory.

    References
    ----------
    Wolter, "Introduction to variance estimation", 2nd edition, 2007, chapter 2, "The method of random groups".

    Examples
    --------
    >>> draw_units(["7", "3", "7"])
    (array([1, 0, 1]), 2)
    """
    import pandas as pd

    numbers, names = pd.factorize(np.asarray(patients, dtype=object), sort=True)
    if len(names) > UNITS:
        numbers = (np.random.default_rng(seed).permutation(len(names)) % UNITS)[numbers]
    return np.asarray(numbers, dtype=np.int64), len(names)


def sums_by_patient(parts: npt.ArrayLike, owners: npt.ArrayLike) -> Floats:
    """What each patient contributes: the sum over the patient's cases.

    Parameters
    ----------
    parts : array-like, shape (n, ...)
        What each case contributes.
    owners : array-like of int, shape (n,)
        The patient of each case, 0 to patients - 1; none may be without a case. As `draw_units` gives them.

    Returns
    -------
    ndarray of float64, shape (patients, ...)

    Examples
    --------
    >>> sums_by_patient([1, 2, 4], [0, 1, 0])
    array([5., 2.])
    """
    values, numbers = np.asarray(parts, dtype=np.float64), np.asarray(owners, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def resample(parts: npt.ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> Resampled:
    """Sums over all patients, over patients drawn with replacement, and over all patients but one.

    Parameters
    ----------
    parts : array-like of float, shape (patients, ...)
        What each patient, or unit of `draw_units`, contributes, for instance to a confusion matrix.
    draws : int
    seed : int

    Raises
    ------
    DensightError
        If there is no patient.

    References
    ----------
    Field and Welsh, "Bootstrapping clustered data", J. R. Statist. Soc. B 69:369-390, 2007.

    Examples
    --------
    >>> both = resample([1.0, 10.0], draws=50)
    >>> both.total.item(), both.left_out.tolist(), sorted(set(both.drawn.tolist()))
    (11.0, [10.0, 1.0], [2.0, 11.0, 20.0])
    """
    values = np.asarray(parts, dtype=np.float64)
    if not values.ndim or not len(values):
        raise DensightError("there is no patient to draw from")
    total = values.sum(axis=0)
    drawn = _times(len(values), draws, seed) @ values.reshape(len(values), -1)
    return Resampled(total, drawn.reshape(draws, *values.shape[1:]), total - values)


def bootstrap_sums(counts: npt.ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """Sums of counts over patients drawn with replacement, as many as there are: ``drawn`` of `resample`.

    Parameters
    ----------
    counts : array-like of int, shape (patients, ...)
    draws : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (draws, ...)

    Raises
    ------
    DensightError
        If there is no patient.

    Examples
    --------
    >>> sorted(set(bootstrap_sums([1, 10], draws=50).tolist()))
    [2.0, 11.0, 20.0]
    """
    return resample(counts, draws=draws, seed=seed).drawn


@lru_cache(maxsize=2)
def _times(units: int, draws: int, seed: int) -> Floats:
    """How often each draw holds each unit, shape (draws, units)."""
    generator = np.random.default_rng(seed)
    times = np.empty((draws, units))
    for row in times:
        row[:] = np.bincount(generator.integers(units, size=units), minlength=units)
    times.flags.writeable = False
    return times


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
    Where every case is classified correctly, so is every draw, and the interval has no width. It then says nothing;
    the accuracy's Wilson interval still does.

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


def bca_interval(value: float, drawn: npt.ArrayLike, left_out: npt.ArrayLike) -> Limits | None:
    """The bias-corrected and accelerated bootstrap interval.

    Parameters
    ----------
    value : float
        The figure over all patients.
    drawn : array-like of float, shape (draws,)
        Its bootstrap values.
    left_out : array-like of float, shape (units,)
        Its values without each patient, for the acceleration.

    Returns
    -------
    tuple of float or None
        None where it is undefined: the value lies outside all draws, or no patient makes a difference.

    References
    ----------
    Efron, "Better bootstrap confidence intervals", JASA 82:171-185, 1987; draws equal to the value count half, as in
    scipy.stats.bootstrap. For few units the quantiles are Student's, widened by what the bootstrap's variance lacks:
    Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69:371-386, 2015, the
    expanded interval.

    Examples
    --------
    >>> [round(limit, 1) for limit in bca_interval(50.0, range(101), np.linspace(-1, 1, 2001))]
    [2.5, 97.5]
    """
    from scipy.special import ndtr, ndtri, stdtrit

    values, without = np.asarray(drawn, dtype=np.float64), np.asarray(left_out, dtype=np.float64)
    below = ((values < value).mean() + (values <= value).mean()) / 2
    apart = without.mean() - without
    spread = (apart**2).sum()
    if not 0 < below < 1 or not spread > 0:
        return None
    bias, acceleration = ndtri(below), (apart**3).sum() / (6 * spread**1.5)
    units = len(without)
    width = stdtrit(units - 1, (1 + CONFIDENCE) / 2) * np.sqrt(units / (units - 1))
    reach = bias + width * np.array([-1, 1])
    low, high = np.quantile(values, ndtr(bias + reach / (1 - acceleration * reach)))
    return float(low), float(high)
