"""Dense against non-dense: the ROC curve and operating points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import Resampled, resample
from densight.figures.confusion import precision_per_class, recall_per_class
from densight.figures.intervals import Estimate
from densight.figures.ranking import roc_points, tabulate
from densight.vocabulary import BIRADS, DensightError

__all__ = ["THRESHOLD", "DenseMerit", "OperatingPoint", "find_dense", "measure_dense", "of_pair"]

THRESHOLD = 0.5
"""The operating point that is always shown."""
_POINTS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """A case counts as dense from this probability of a dense class on.

    Parameters
    ----------
    threshold : float
    sensitivity, specificity : Estimate
        Of the dense cases the share told dense, of the others the share told not.
    ppv, npv : Estimate
        Of the cases told dense the share that is, of the others the share that is not.
    """

    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class DenseMerit:
    """The figures of dense against non-dense that need probabilities.

    Parameters
    ----------
    points : tuple of OperatingPoint
    curve : tuple of (float, float)
        False positive rate and sensitivity, from none to all; a long curve is thinned.
    """

    points: tuple[OperatingPoint, ...]
    curve: tuple[tuple[float, float], ...]


def find_dense(classes: Sequence[str], dense: Sequence[str] | None = None) -> int | None:
    """The index of the first class that counts as dense.

    Parameters
    ----------
    classes : sequence of str
        From the least to the most dense.
    dense : sequence of str, optional
        The classes that count as dense. By default C and D of A, B, C, D, and none of other classes.

    Raises
    ------
    DensightError
        If they are not the most dense of the classes, or all of them.

    Examples
    --------
    >>> find_dense("ABCD"), find_dense(["F", "G", "D"]), find_dense(["F", "G", "D"], ["G", "D"])
    (2, None, 1)
    """
    if dense is None:
        return 2 if tuple(classes) == BIRADS else None
    start = len(classes) - len(set(dense))
    if start < 1 or set(classes[start:]) != set(dense):
        raise DensightError(
            f"{', '.join(dense)} are not the most dense of the classes {', '.join(classes)}",
            remedy=f"name some of the last of them, for instance {','.join(classes[len(classes) // 2 :])}",
        )
    return start


def of_pair(sums: Resampled, *, alone: bool) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Sensitivity, specificity, and positive and negative predictive value.

    Parameters
    ----------
    sums : Resampled
        Of confusion matrices of non-dense against dense, shape (..., 2, 2).
    alone : bool
        Whether each patient has one case, so that the shares are proportions of independent cases.

    Examples
    --------
    >>> both = resample([[[3, 1], [0, 0]], [[0, 0], [1, 4]]])
    >>> [round(one.value, 2) for one in of_pair(both, alone=False)]
    [0.8, 0.75, 0.8, 0.75]
    """

    def estimate(shares: str, place: int) -> Estimate:
        by_class = recall_per_class if shares == "recall" else precision_per_class
        counts = sums.total[place] if shares == "recall" else sums.total[:, place]
        proportion = (int(sums.total[place, place]), int(counts.sum())) if alone else None
        return sums.estimate(lambda values: by_class(values)[..., place], proportion=proportion)

    return estimate("recall", 1), estimate("recall", 0), estimate("precision", 1), estimate("precision", 0)


def measure_dense(
    dense: npt.ArrayLike, scores: npt.ArrayLike, owners: npt.ArrayLike, thresholds: Sequence[float], *, alone: bool
) -> DenseMerit:
    """The ROC curve and the operating points.

    Parameters
    ----------
    dense : array-like of bool, shape (n,)
        Whether each case is dense.
    scores : array-like of float, shape (n,)
        The probability of a dense class.
    owners : array-like of int, shape (n,)
        Whose each case is; see `densight.figures.bootstrap.draw_units`.
    thresholds : sequence of float
        Beside `THRESHOLD`.
    alone : bool
        Whether each patient has one case.

    Raises
    ------
    DensightError
        If a threshold is no probability.

    Examples
    --------
    >>> merit = measure_dense([False, False, True, True], [0.1, 0.6, 0.4, 0.9], [0, 1, 2, 3], [], alone=True)
    >>> merit.points[0].sensitivity.value, merit.points[0].specificity.value
    (0.5, 0.5)
    """
    truth, values = np.asarray(dense, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    points = []
    for threshold in sorted({THRESHOLD, *thresholds}):
        if not 0 < threshold < 1:
            raise DensightError(
                f"the operating point {threshold:g} does not lie between 0 and 1",
                remedy="give one such as 0.4",
            )
        told = (values >= threshold).astype(np.int64)
        sums = resample(tabulate(truth, told, 2, owners=owners, width=2))
        points.append(OperatingPoint(threshold, *of_pair(sums, alone=alone)))
    return DenseMerit(tuple(points), _curve(truth, values))


def _curve(truth: npt.NDArray[np.int64], scores: Floats) -> tuple[tuple[float, float], ...]:
    if truth.min() == truth.max():
        return ()
    false, true = roc_points(truth, scores)
    kept = np.unique(np.linspace(0, len(false) - 1, min(len(false), _POINTS)).astype(np.int64))
    return tuple(zip(false[kept].tolist(), true[kept].tolist(), strict=True))
