"""Tests of two classifications of the same cases: who errs more, and who uses the classes otherwise.

Both take patients with several cases, and are the textbook's where each has one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import sums_by_patient

__all__ = ["Test", "mcnemar", "stuart_maxwell"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Test:
    """A test.

    Parameters
    ----------
    statistic : float
        NaN where nothing differs.
    degrees : int
        Degrees of freedom of its chi-squared distribution.
    p : float
    """

    statistic: float
    degrees: int
    p: float


def mcnemar(right_one: npt.ArrayLike, right_other: npt.ArrayLike, owners: npt.ArrayLike) -> Test:
    """Whether one is right more often than the other.

    Parameters
    ----------
    right_one, right_other : array-like of bool, shape (n,)
        Whether each case is classified correctly.
    owners : array-like of int, shape (n,)
        The patient of each case.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12:153-157, 1947, without correction of continuity; of clustered cases: Durkalski, Palesch, Lipsitz,
    Rust, "Analysis of clustered matched-pair data", Statistics in Medicine 22:2417-2428, 2003.

    Examples
    --------
    Four cases only one gets right, one only the other: (4 - 1)² / 5.

    >>> mcnemar([1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 1, 1], range(6)).statistic
    1.8
    """
    more = np.asarray(right_one, dtype=np.float64) - np.asarray(right_other, dtype=np.float64)
    return _chi_squared(sums_by_patient(more[:, None], np.unique(np.asarray(owners), return_inverse=True)[1]))


def stuart_maxwell(one: npt.ArrayLike, other: npt.ArrayLike, classes: int, owners: npt.ArrayLike) -> Test:
    """Whether the two use the classes equally often.

    Parameters
    ----------
    one, other : array-like of int, shape (n,)
        Class indices; one of them may be the reference.
    classes : int
        The number of classes, k. Those that neither uses do not count.
    owners : array-like of int, shape (n,)
        The patient of each case.

    References
    ----------
    Stuart, "A test for homogeneity of the marginal distributions in a two-way classification", Biometrika 42:412-416,
    1955; Maxwell, "Comparing the classification of subjects by two independent judges", Br. J. Psychiatry 116:651-655,
    1970. Patients with several cases enter with the sum over them, as in `mcnemar`.

    Examples
    --------
    With two classes it is McNemar's test:

    >>> stuart_maxwell([0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 1], 2, range(6)).statistic
    1.8
    """
    identity = np.eye(classes)
    apart = identity[np.asarray(one)] - identity[np.asarray(other)]
    used = np.abs(apart).sum(axis=0) > 0
    # The columns add up to zero, so that one of them is told by the others.
    columns = apart[:, used][:, :-1]
    return _chi_squared(sums_by_patient(columns, np.unique(np.asarray(owners), return_inverse=True)[1]))


def _chi_squared(by_patient: Floats) -> Test:
    """Whether the sum over patients is zero, given that its variance is the sum of squares."""
    from scipy.special import chdtrc

    total, spread = by_patient.sum(axis=0), by_patient.T @ by_patient
    degrees = int(np.linalg.matrix_rank(spread)) if spread.size else 0
    if not degrees:
        return Test(float("nan"), 0, float("nan"))
    statistic = float(total @ np.linalg.pinv(spread, hermitian=True) @ total)
    return Test(round(statistic, 12), degrees, float(chdtrc(degrees, statistic)))
