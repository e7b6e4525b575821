"""The bootstrap over patients: draws of any figure of merit that is a function of sums over patients.

Images, breasts and exams of one patient are alike, so that they come and go together. A draw is a weighted sum: draws
and leave-one-out values of any figure are made at once.
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
    "Drawn",
    "Resampled",
    "bootstrap_sums",
    "draw_units",
    "resample",
    "sums_by_patient",
]

DRAWS = 2000
"""Draws of the bootstrap."""
SEED = 0
"""Seed of the bootstrap."""
UNITS = 2000
"""Of more patients than these, some are put together at random and come and go together."""

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]


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

    def values(self, figure: Callable[[Floats], Floats], value: float | None = None) -> Drawn:
        """A figure of merit of all patients, of each draw, and without each unit.

        Parameters
        ----------
        figure : callable
            Makes a number of the sums, and an array of a stack of them.
        value : float, optional
            The figure's exact value, where the sums hold it only nearly.
        """
        near = float(figure(self.total))
        exact = near if value is None else value
        if not self.varies:
            return Drawn(exact, np.empty(0), np.empty(0))
        return Drawn(exact, figure(self.drawn) + (exact - near), figure(self.left_out) + (exact - near))

    def estimate(
        self,
        figure: Callable[[Floats], Floats],
        *,
        proportion: tuple[int, int] | None = None,
    ) -> Estimate:
        """A figure of merit with its intervals: :meth:`values`, then :meth:`Drawn.estimate`."""
        return self.values(figure).estimate(proportion=proportion)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure of merit with its bootstrap values; those of two figures of the same patients can be subtracted.

    Parameters
    ----------
    value : float
        NaN where undefined.
    drawn : ndarray of float64, shape (draws,)
        Of each draw; NaN where undefined.
    left_out : ndarray of float64, shape (units,)
        Without each unit.
    """

    value: float
    drawn: Floats
    left_out: Floats

    def __sub__(self, other: Drawn) -> Drawn:
        """The difference, draw by draw."""
        return Drawn(self.value - other.value, self.drawn - other.drawn, self.left_out - other.left_out)

    def estimate(self, *, proportion: tuple[int, int] | None = None, bias: bool = False) -> Estimate:
        """The figure with its intervals.

        Parameters
        ----------
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
        found: dict[str, Limits] = {}
        if proportion is not None and proportion[1] > 0:
            found |= {"wilson": wilson_interval(*proportion), "exact": exact_interval(*proportion)}
        drawn, left_out = (values[np.isfinite(values)] for values in (self.drawn, self.left_out))
        if np.isfinite(self.value) and drawn.size and drawn.min() < drawn.max():
            corrected = bca_interval(self.value, drawn, left_out)
            found |= {} if corrected is None else {"bca": corrected}
            low, high = percentile_interval(drawn)
            found["percentile"] = (low, high) if proportion is None else binomial_interval(*proportion)
            if bias:
                found["pivotal"] = (max(0.0, 2 * self.value - high), max(0.0, 2 * self.value - low))
        return choose_interval(self.value, found)

    def estimate_difference(self) -> Estimate:
        """A difference of figures with its intervals; the percentile interval is chosen.

        In simulations of models that do not differ the BCa interval leaves out 0 too often (``docs/figures.md``).
        """
        found = self.estimate().intervals
        method = "percentile" if "percentile" in found else "none"
        return Estimate(self.value, found.get(method), method, found)


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
