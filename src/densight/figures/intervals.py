"""Intervals of figures of merit: Wilson's for a proportion, the bootstrap over patients for everything else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["CONFIDENCE", "DRAWS", "SEED", "bootstrap_sums", "percentile_interval", "wilson_interval"]

CONFIDENCE = 0.95
"""Confidence level of every interval."""
DRAWS = 2000
"""Draws of the bootstrap."""
SEED = 0
"""Seed of the bootstrap."""

# Bounds the memory of the bootstrap: this many draws of one patient are held at a time.
_DRAWN_AT_ONCE = 4_000_000


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
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
    from scipy.stats import binomtest

    limits = binomtest(successes, n).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(limits.low), float(limits.high)


def bootstrap_sums(counts: npt.ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> npt.NDArray[np.float64]:
    """Sums of counts over patients drawn with replacement, as many as there are.

    Images, breasts or exams of one patient are alike, so that they come and go together.

    Parameters
    ----------
    counts : array-like of int, shape (patients, ...)
        What each patient contributes, for instance to a confusion matrix.
    draws : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (draws, ...)
        Whole numbers.

    Raises
    ------
    DensightError
        If there is no patient.

    References
    ----------
    Field and Welsh, "Bootstrapping clustered data", J. R. Statist. Soc. B 69:369-390, 2007.

    Examples
    --------
    >>> sorted(set(bootstrap_sums([1, 10], draws=50).tolist()))
    [2.0, 11.0, 20.0]
    """
    parts = np.asarray(counts, dtype=np.float64)
    if not parts.ndim or not len(parts):
        raise DensightError("there is no patient to draw from")
    patients = len(parts)
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // patients)
    sums = []
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        chosen = generator.integers(patients, size=(size, patients)) + np.arange(size)[:, None] * patients
        times = np.bincount(chosen.ravel(), minlength=size * patients).reshape(size, patients)
        sums.append(times @ parts.reshape(patients, -1))
    return np.concatenate(sums).reshape(draws, *parts.shape[1:])


def percentile_interval(values: npt.ArrayLike) -> tuple[float, float]:
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
