"""The bootstrap over patients, for any metric that is a function of sums over patients.

Images, breasts and exams of one patient are correlated, so a draw takes all of them or none. A draw is a weighted sum,
so the values of all draws and the leave-one-out values of a metric are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from densight.figures.intervals import (
    Estimate,
    bca_interval,
    binomial_interval,
    choose_interval,
    exact_interval,
    percentile_interval,
    wilson_interval,
)
from densight.vocabulary import DensightError

__all__ = [
    "DRAWS",
    "SEED",
    "UNITS",
    "BootstrapDistribution",
    "BootstrapSums",
    "bootstrap_sums",
    "bootstrap_units",
    "resample",
    "sums_by_patient",
]

DRAWS = 2000
"""The number of bootstrap draws."""
SEED = 0
"""The seed of the bootstrap."""
UNITS = 2000
"""With more patients than this, patients are grouped at random into this many units, which are drawn."""

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]


@dataclass(frozen=True, eq=False)
class BootstrapSums:
    """Sums over patients: over all, over each draw, and over all except one.

    Parameters
    ----------
    total : ndarray of float64, shape (...)
    resampled : ndarray of float64, shape (draws, ...)
    left_out : ndarray of float64, shape (units, ...)
        A unit is a patient, or several patients if there are more than `UNITS`.
    """

    total: Floats
    resampled: Floats
    left_out: Floats

    @property
    def varies(self) -> bool:
        """Whether there is more than one unit."""
        return len(self.left_out) > 1

    def values(self, metric: Callable[[Floats], Floats], value: float | None = None) -> BootstrapDistribution:
        """A metric over all patients, over each draw, and without each unit.

        Parameters
        ----------
        metric : callable
            Returns a number for the sums, and an array for a stack of them.
        value : float, optional
            The exact value, if the sums give it only approximately.
        """
        approximate = float(metric(self.total))
        exact = approximate if value is None else value
        if not self.varies:
            return BootstrapDistribution(exact, np.empty(0), np.empty(0))
        shift = exact - approximate
        return BootstrapDistribution(exact, metric(self.resampled) + shift, metric(self.left_out) + shift)

    def estimate(
        self,
        metric: Callable[[Floats], Floats],
        *,
        proportion: tuple[int, int] | None = None,
    ) -> Estimate:
        """A metric with its intervals: :meth:`values`, then :meth:`BootstrapDistribution.estimate`."""
        return self.values(metric).estimate(proportion=proportion)


@dataclass(frozen=True, eq=False)
class BootstrapDistribution:
    """The value of a metric with its bootstrap values; distributions over the same patients can be subtracted.

    Parameters
    ----------
    value : float
        NaN where undefined.
    resampled : ndarray of float64, shape (draws,)
        The value of each draw; NaN where undefined.
    left_out : ndarray of float64, shape (units,)
        The value without each unit.
    """

    value: float
    resampled: Floats
    left_out: Floats

    def __sub__(self, other: BootstrapDistribution) -> BootstrapDistribution:
        """The difference, draw by draw."""
        return BootstrapDistribution(
            self.value - other.value, self.resampled - other.resampled, self.left_out - other.left_out
        )

    def estimate(self, *, proportion: tuple[int, int] | None = None, bias: bool = False) -> Estimate:
        """The value with its intervals.

        Parameters
        ----------
        proportion : tuple of int, optional
            Successes and number of independent cases, if the metric is such a share.
        bias : bool
            Whether the metric is an error of at least 0 that chance makes greater. Its interval is then the pivotal
            one, which subtracts as much as the draws add; it may lie below the value.

        Notes
        -----
        Draws with an undefined value are left out. The chosen interval is the first available of Wilson's, the pivotal,
        the BCa and the percentile interval: in simulations their coverage is closest to 95 % (``docs/figures.md``).

        References
        ----------
        The pivotal ("basic") interval: Davison and Hinkley, "Bootstrap methods and their application", 1997, section
        5.2.
        """
        intervals: dict[str, Limits] = {}
        if proportion is not None and proportion[1] > 0:
            intervals |= {"wilson": wilson_interval(*proportion), "exact": exact_interval(*proportion)}
        resampled, left_out = (values[np.isfinite(values)] for values in (self.resampled, self.left_out))
        if np.isfinite(self.value) and resampled.size and resampled.min() < resampled.max():
            corrected = bca_interval(self.value, resampled, left_out)
            intervals |= {} if corrected is None else {"bca": corrected}
            low, high = percentile_interval(resampled)
            intervals["percentile"] = (low, high) if proportion is None else binomial_interval(*proportion)
            if bias:
                intervals["pivotal"] = (max(0.0, 2 * self.value - high), max(0.0, 2 * self.value - low))
        return choose_interval(self.value, intervals)

    def estimate_difference(self) -> Estimate:
        """A difference of metrics with its intervals; the percentile interval is chosen.

        In simulations of models that do not differ, the BCa interval excludes 0 too often (``docs/figures.md``).
        """
        intervals = self.estimate().intervals
        method = "percentile" if "percentile" in intervals else "none"
        return Estimate(self.value, intervals.get(method), method, intervals)


def bootstrap_units(patients: Sequence[str], seed: int = SEED) -> tuple[npt.NDArray[np.int64], int]:
    """The bootstrap unit of each case, and the number of patients.

    Parameters
    ----------
    patients : sequence of str, length n
        The patient of each case.
    seed : int

    Returns
    -------
    groups : ndarray of int64, shape (n,)
        The unit of each case. There is one unit per patient, in the order of the sorted patients; more than `UNITS`
        patients are grouped at random into `UNITS` units.
    patients : int
        The number of patients.

    Notes
    -----
    Patients are independent of each other, so grouping them at random does not change the expected variance. It limits
    time and memory.

    References
    ----------
    Wolter, "Introduction to variance estimation", 2nd edition, 2007, chapter 2, "The method of random groups".

    Examples
    --------
    >>> bootstrap_units(["7", "3", "7"])
    (array([1, 0, 1]), 2)
    """
    import pandas as pd

    numbers, names = pd.factorize(np.asarray(patients, dtype=object), sort=True)
    if len(names) > UNITS:
        numbers = (np.random.default_rng(seed).permutation(len(names)) % UNITS)[numbers]
    return np.asarray(numbers, dtype=np.int64), len(names)


def sums_by_patient(parts: npt.ArrayLike, groups: npt.ArrayLike) -> Floats:
    """The sum over each patient's cases.

    Parameters
    ----------
    parts : array-like, shape (n, ...)
        What each case contributes.
    groups : array-like of int, shape (n,)
        The patient of each case, 0 to patients - 1, as `bootstrap_units` gives them; every patient has a case.

    Returns
    -------
    ndarray of float64, shape (patients, ...)

    Examples
    --------
    >>> sums_by_patient([1, 2, 4], [0, 1, 0])
    array([5., 2.])
    """
    values, numbers = np.asarray(parts, dtype=np.float64), np.asarray(groups, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def resample(parts: npt.ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> BootstrapSums:
    """Sums over all patients, over patients drawn with replacement, and over all patients except one.

    Parameters
    ----------
    parts : array-like of float, shape (patients, ...)
        What each patient, or unit of `bootstrap_units`, contributes, for example its confusion matrix.
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
    >>> sums = resample([1.0, 10.0], draws=50)
    >>> sums.total.item(), sums.left_out.tolist(), sorted(set(sums.resampled.tolist()))
    (11.0, [10.0, 1.0], [2.0, 11.0, 20.0])
    """
    values = np.asarray(parts, dtype=np.float64)
    if not values.ndim or not len(values):
        raise DensightError("there is no patient to draw from")
    total = values.sum(axis=0)
    resampled = _draw_counts(len(values), draws, seed) @ values.reshape(len(values), -1)
    return BootstrapSums(total, resampled.reshape(draws, *values.shape[1:]), total - values)


def bootstrap_sums(counts: npt.ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """Sums of counts over as many patients as there are, drawn with replacement: ``resampled`` of `resample`.

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
    return resample(counts, draws=draws, seed=seed).resampled


@lru_cache(maxsize=2)
def _draw_counts(units: int, draws: int, seed: int) -> Floats:
    """How often each draw contains each unit, shape (draws, units)."""
    generator = np.random.default_rng(seed)
    counts = np.empty((draws, units))
    for row in counts:
        row[:] = np.bincount(generator.integers(units, size=units), minlength=units)
    counts.flags.writeable = False
    return counts
