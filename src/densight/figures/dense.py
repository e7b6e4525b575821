"""Dense against non-dense: the ROC curve and operating points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import BootstrapSums, resample
from densight.figures.confusion import precision_per_class, recall_per_class
from densight.figures.intervals import Estimate
from densight.figures.ranking import roc_points, tabulate
from densight.vocabulary import BIRADS, DensightError

__all__ = ["THRESHOLD", "DenseMerit", "OperatingPoint", "find_dense", "measure_dense"]

THRESHOLD = 0.5
"""The operating point that is always measured."""
_MAX_POINTS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """A case counts as dense if the probability of a dense class is at least the threshold.

    Parameters
    ----------
    threshold : float
    sensitivity, specificity : Estimate
        The share of the dense cases classified as dense, and of the non-dense cases as non-dense.
    ppv, npv : Estimate
        The share of the cases classified as dense that are dense, and of those as non-dense that are non-dense.
    """

    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class DenseMerit:
    """The metrics of dense against non-dense that need probabilities.

    Parameters
    ----------
    points : tuple of OperatingPoint
    curve : tuple of (float, float)
        False positive rate and sensitivity, from 0 to 1; a long curve is thinned.
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
        The classes that count as dense. By default C and D of A, B, C, D, and none for other classes.

    Raises
    ------
    DensightError
        If they are not the most dense classes, or are all classes.

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
            remedy=f"name the last of them, for example {','.join(classes[len(classes) // 2 :])}",
        )
    return start


def measure_dense(
    dense: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    thresholds: Sequence[float],
    *,
    one_case_per_patient: bool,
) -> DenseMerit:
    """The ROC curve and the operating points.

    Parameters
    ----------
    dense : array-like of bool, shape (n,)
        Whether each case is dense.
    scores : array-like of float, shape (n,)
        The probability of a dense class.
    groups : array-like of int, shape (n,)
        The bootstrap unit of each case; see `densight.figures.bootstrap.bootstrap_units`.
    thresholds : sequence of float
        Operating points in addition to `THRESHOLD`.
    one_case_per_patient : bool
        Whether each patient has one case, so that the shares are proportions of independent cases.

    Raises
    ------
    DensightError
        If a threshold does not lie between 0 and 1.

    Examples
    --------
    >>> scores, groups = [0.1, 0.6, 0.4, 0.9], [0, 1, 2, 3]
    >>> merit = measure_dense([False, False, True, True], scores, groups, [], one_case_per_patient=True)
    >>> merit.points[0].sensitivity.value, merit.points[0].specificity.value
    (0.5, 0.5)
    """
    y_true, values = np.asarray(dense, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    points = []
    for threshold in sorted({THRESHOLD, *thresholds}):
        if not 0 < threshold < 1:
            raise DensightError(
                f"the operating point {threshold:g} does not lie between 0 and 1",
                remedy="give one such as 0.4",
            )
        y_pred = (values >= threshold).astype(np.int64)
        sums = resample(tabulate(y_true, y_pred, 2, groups=groups, width=2))
        points.append(_operating_point(threshold, sums, one_case_per_patient=one_case_per_patient))
    return DenseMerit(tuple(points), _curve(y_true, values))


def _operating_point(threshold: float, sums: BootstrapSums, *, one_case_per_patient: bool) -> OperatingPoint:
    """The shares of an operating point, from sums of confusion matrices of non-dense against dense."""

    def estimate(per_class: Callable[[npt.ArrayLike], Floats], counts: Floats, place: int) -> Estimate:
        proportion = (int(sums.total[place, place]), int(counts.sum())) if one_case_per_patient else None
        return sums.estimate(lambda values: per_class(values)[..., place], proportion=proportion)

    return OperatingPoint(
        threshold,
        sensitivity=estimate(recall_per_class, sums.total[1], 1),
        specificity=estimate(recall_per_class, sums.total[0], 0),
        ppv=estimate(precision_per_class, sums.total[:, 1], 1),
        npv=estimate(precision_per_class, sums.total[:, 0], 0),
    )


def _curve(y_true: npt.NDArray[np.int64], scores: Floats) -> tuple[tuple[float, float], ...]:
    if y_true.min() == y_true.max():
        return ()
    false_rate, true_rate = roc_points(y_true, scores)
    kept = np.unique(np.linspace(0, len(false_rate) - 1, min(len(false_rate), _MAX_POINTS)).astype(np.int64))
    return tuple(zip(false_rate[kept].tolist(), true_rate[kept].tolist(), strict=True))
