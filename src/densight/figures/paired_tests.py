"""Tests of two models on the same cases: McNemar's, Stuart and Maxwell's, and DeLong's.

Each accepts patients with several cases, and is the textbook's test where every patient has one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import sums_by_patient

__all__ = ["ChiSquaredTest", "DeLongTest", "delong", "mcnemar", "stuart_maxwell"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChiSquaredTest:
    """The result of a chi-squared test.

    Parameters
    ----------
    statistic : float
        NaN if the two classifications do not differ.
    degrees : int
        Degrees of freedom.
    p : float
    """

    statistic: float
    degrees: int
    p: float


@dataclass(frozen=True)
class DeLongTest:
    """Two areas under ROC curves, their covariance, and the test of their difference.

    Parameters
    ----------
    areas : tuple of float
    covariance : tuple of tuple of float
    z, p : float
        NaN if the variance of the difference is zero.
    """

    areas: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    z: float
    p: float


def mcnemar(first_correct: npt.ArrayLike, second_correct: npt.ArrayLike, groups: npt.ArrayLike) -> ChiSquaredTest:
    """Test whether one classification is correct more often than the other.

    Parameters
    ----------
    first_correct, second_correct : array-like of bool, shape (n,)
        Whether each case is classified correctly.
    groups : array-like of int, shape (n,)
        The patient of each case.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12:153-157, 1947, without correction of continuity; of clustered cases: Durkalski, Palesch, Lipsitz,
    Rust, "Analysis of clustered matched-pair data", Statistics in Medicine 22:2417-2428, 2003.

    Examples
    --------
    Only the first is correct in four cases, only the second in one: (4 - 1)² / 5.

    >>> mcnemar([1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 1, 1], range(6)).statistic
    1.8
    """
    difference = np.asarray(first_correct, dtype=np.float64) - np.asarray(second_correct, dtype=np.float64)
    return _chi_squared(sums_by_patient(difference[:, None], _group_numbers(groups)))


def stuart_maxwell(
    first: npt.ArrayLike, second: npt.ArrayLike, n_classes: int, groups: npt.ArrayLike
) -> ChiSquaredTest:
    """Test whether two classifications use the classes equally often.

    Parameters
    ----------
    first, second : array-like of int, shape (n,)
        Class indices; one of them may be the reference.
    n_classes : int
        The number of classes, k. Classes that neither uses do not count.
    groups : array-like of int, shape (n,)
        The patient of each case.

    References
    ----------
    Stuart, "A test for homogeneity of the marginal distributions in a two-way classification", Biometrika 42:412-416,
    1955; Maxwell, "Comparing the classification of subjects by two independent judges", Br. J. Psychiatry 116:651-655,
    1970. A patient with several cases enters with their sum, as in `mcnemar`.

    Examples
    --------
    With two classes it is McNemar's test:

    >>> stuart_maxwell([0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 1], 2, range(6)).statistic
    1.8
    """
    identity = np.eye(n_classes)
    difference = identity[np.asarray(first)] - identity[np.asarray(second)]
    used = np.abs(difference).sum(axis=0) > 0
    # The columns sum to zero, so the last one follows from the others.
    columns = difference[:, used][:, :-1]
    return _chi_squared(sums_by_patient(columns, _group_numbers(groups)))


def delong(positive: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, groups: npt.ArrayLike) -> DeLongTest:
    """Test whether two scores of the same cases have different areas under the ROC curve.

    Parameters
    ----------
    positive : array-like of bool, shape (n,)
    first, second : array-like of float, shape (n,)
        The scores.
    groups : array-like of int, shape (n,)
        The patient of each case.

    Returns
    -------
    DeLongTest

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating characteristic
    curves: a nonparametric approach", Biometrics 44:837-845, 1988; of clustered cases: Obuchowski, "Nonparametric
    analysis of clustered ROC curve data", Biometrics 53:567-578, 1997, which is DeLong's where each patient has one.

    Examples
    --------
    >>> test = delong([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], [0.1, 0.2, 0.6, 0.9], range(4))
    >>> test.areas, round(test.p, 3)
    ((0.75, 1.0), 0.48)
    """
    from scipy.special import ndtr

    y_true, numbers = np.asarray(positive, dtype=bool), _group_numbers(groups)
    scores = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    of_positive, of_negative = _components(scores[:, y_true], scores[:, ~y_true])
    areas = of_positive.mean(axis=1)
    n_groups = int(numbers.max()) + 1
    positives, negatives = y_true.sum(), (~y_true).sum()
    parts = [
        np.stack([np.bincount(numbers[inside], row, minlength=n_groups) for row in components - areas[:, None]])
        for inside, components in ((y_true, of_positive), (~y_true, of_negative))
    ]
    groups_with = [len(np.unique(numbers[inside])) for inside in (y_true, ~y_true)]
    covariance = np.zeros((2, 2))
    for part, count, cases in zip(parts, groups_with, (positives, negatives), strict=True):
        covariance += part @ part.T * (count / max(count - 1, 1)) / cases**2
    cross = parts[0] @ parts[1].T * (n_groups / max(n_groups - 1, 1)) / (positives * negatives)
    covariance += cross + cross.T
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    z = float((areas[1] - areas[0]) / np.sqrt(variance)) if variance > 1e-15 else np.nan
    rows = [tuple(row) for row in covariance.tolist()]
    return DeLongTest(
        (float(areas[0]), float(areas[1])),
        ((rows[0][0], rows[0][1]), (rows[1][0], rows[1][1])),
        z,
        float(2 * ndtr(-abs(z))),
    )


def _group_numbers(groups: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """The groups as 0 to groups - 1."""
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1])


def _chi_squared(by_patient: Floats) -> ChiSquaredTest:
    """Test whether the sum over patients is zero; its variance is the sum of squares."""
    from scipy.special import chdtrc

    total, variance = by_patient.sum(axis=0), by_patient.T @ by_patient
    degrees = int(np.linalg.matrix_rank(variance)) if variance.size else 0
    if not degrees:
        return ChiSquaredTest(float("nan"), 0, float("nan"))
    statistic = float(total @ np.linalg.pinv(variance, hermitian=True) @ total)
    return ChiSquaredTest(round(statistic, 12), degrees, float(chdtrc(degrees, statistic)))


def _components(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """The share of negatives below each positive, and of positives above each negative; ties count half."""
    of_positive, of_negative = np.empty(positive.shape), np.empty(negative.shape)
    for row, (high, low) in enumerate(zip(positive, negative, strict=True)):
        highs, lows = np.sort(high), np.sort(low)
        of_positive[row] = (np.searchsorted(lows, high, "left") + np.searchsorted(lows, high, "right")) / (2 * len(low))
        below = np.searchsorted(highs, low, "left") + np.searchsorted(highs, low, "right")
        of_negative[row] = 1 - below / (2 * len(high))
    return of_positive, of_negative
