"""DeLong's test of two areas under ROC curves of the same cases, also where patients have several cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["DeLong", "delong"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DeLong:
    """Two areas, how they vary together, and the test of their difference.

    Parameters
    ----------
    areas : tuple of float
    covariance : tuple of tuple of float
    z, p : float
        NaN where the areas cannot differ.
    """

    areas: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    z: float
    p: float


def delong(positive: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike, owners: npt.ArrayLike) -> DeLong:
    """Compare two scores of the same cases.

    Parameters
    ----------
    positive : array-like of bool, shape (n,)
    one, other : array-like of float, shape (n,)
    owners : array-like of int, shape (n,)
        The patient of each case.

    Returns
    -------
    DeLong

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating characteristic
    curves: a nonparametric approach", Biometrics 44:837-845, 1988; of clustered cases: Obuchowski, "Nonparametric
    analysis of clustered ROC curve data", Biometrics 53:567-578, 1997, which is DeLong's where each patient has one.

    Examples
    --------
    >>> found = delong([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], [0.1, 0.2, 0.6, 0.9], range(4))
    >>> found.areas, round(found.p, 3)
    ((0.75, 1.0), 0.48)
    """
    from scipy.special import ndtr

    truth, numbers = np.asarray(positive, dtype=bool), np.unique(np.asarray(owners), return_inverse=True)[1]
    scores = np.stack([np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)])
    of_positive, of_negative = _components(scores[:, truth], scores[:, ~truth])
    areas = of_positive.mean(axis=1)
    units = int(numbers.max()) + 1
    positives, negatives = truth.sum(), (~truth).sum()
    parts = [
        np.stack([np.bincount(numbers[inside], row, minlength=units) for row in components - areas[:, None]])
        for inside, components in ((truth, of_positive), (~truth, of_negative))
    ]
    with_each = [len(np.unique(numbers[inside])) for inside in (truth, ~truth)]
    covariance = np.zeros((2, 2))
    for part, count, cases in zip(parts, with_each, (positives, negatives), strict=True):
        covariance += part @ part.T * (count / max(count - 1, 1)) / cases**2
    crossed = parts[0] @ parts[1].T * (units / max(units - 1, 1)) / (positives * negatives)
    covariance += crossed + crossed.T
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    z = float((areas[1] - areas[0]) / np.sqrt(spread)) if spread > 1e-15 else np.nan
    rows = [tuple(row) for row in covariance.tolist()]
    return DeLong(
        (float(areas[0]), float(areas[1])),
        ((rows[0][0], rows[0][1]), (rows[1][0], rows[1][1])),
        z,
        float(2 * ndtr(-abs(z))),
    )


def _components(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it, for each negative that of positives above; ties half."""
    of_positive, of_negative = np.empty(positive.shape), np.empty(negative.shape)
    for row, (high, low) in enumerate(zip(positive, negative, strict=True)):
        highs, lows = np.sort(high), np.sort(low)
        of_positive[row] = (np.searchsorted(lows, high, "left") + np.searchsorted(lows, high, "right")) / (2 * len(low))
        below = np.searchsorted(highs, low, "left") + np.searchsorted(highs, low, "right")
        of_negative[row] = 1 - below / (2 * len(high))
    return of_positive, of_negative
