"""All metrics of one set of cases, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import BootstrapSums, resample
from densight.figures.calibration import BrierParts, ReliabilityBin, brier_parts, reliability
from densight.figures.confusion import f1_per_class, precision_per_class, recall_per_class
from densight.figures.data import Cases
from densight.figures.dense import DenseMerit, measure_dense
from densight.figures.intervals import Estimate
from densight.figures.metrics import bootstrap_metrics, class_aucs, patient_confusions
from densight.storage import plain

__all__ = ["FEW_PATIENTS", "ClassMerit", "Merit", "measure"]

FEW_PATIENTS = 30
"""Classes and groups of fewer patients are marked, because their metrics are imprecise whatever the interval."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassMerit:
    """The metrics of one class.

    Parameters
    ----------
    n, patients : int
        The number of cases with this true class, and of their patients.
    recall, precision, f1 : Estimate
    auc : Estimate or None
        The AUC of the class's probability against the rest; None without probabilities.
    """

    n: int
    patients: int
    recall: Estimate
    precision: Estimate
    f1: Estimate
    auc: Estimate | None


@dataclass(frozen=True)
class Merit:
    """The metrics of one set of exams, breasts or images.

    ``merit["accuracy"]`` is the accuracy.

    Parameters
    ----------
    n, patients : int
        The number of cases and of their patients.
    estimates : mapping of str to Estimate
        Keys of `densight.figures.metrics.METRICS` that could be computed, in its order.
    by_class : tuple of ClassMerit
    confusion : tuple of tuple of int
        True class in rows, predicted class in columns.
    dense : DenseMerit or None
        None if no class counts as dense, or without probabilities.
    brier : BrierParts or None
    reliability : tuple of ReliabilityBin
        Empty without probabilities.
    """

    n: int
    patients: int
    estimates: Mapping[str, Estimate]
    by_class: tuple[ClassMerit, ...]
    confusion: tuple[tuple[int, ...], ...]
    dense: DenseMerit | None = None
    brier: BrierParts | None = None
    reliability: tuple[ReliabilityBin, ...] = ()

    def __getitem__(self, name: str) -> Estimate:
        """The metric with this key."""
        return self.estimates[name]

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """The metrics as ``figures.json`` holds them: keys in a fixed order, undefined values as null.

        Parameters
        ----------
        classes : sequence of str
            The labels in order.
        """
        by_class = zip(classes, self.by_class, strict=True)
        return {
            "n": self.n,
            "patients": self.patients,
            **plain(self.estimates),
            "per_class": {label: plain(merit) | {"few": merit.patients < FEW_PATIENTS} for label, merit in by_class},
            "confusion": plain(self.confusion),
            "dense": plain(self.dense),
            "brier_parts": plain(self.brier),
            "reliability": plain(self.reliability),
        }


def measure(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    patients: Sequence[str],
    n_classes: int,
    *,
    probabilities: npt.ArrayLike | None = None,
    dense_from: int | None = None,
    thresholds: Sequence[float] = (),
) -> Merit:
    """Measure all metrics of one set of exams, breasts or images, with intervals.

    Proportions of independent cases (one per patient) have Wilson's interval; everything else has the interval of a
    bootstrap over patients.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices.
    patients : sequence of str, length n
        The patient of each case.
    n_classes : int
        The number of classes, k.
    probabilities : array-like of float, shape (n, k), optional
        The metrics of ranking, of calibration, and of dense against non-dense need them.
    dense_from : int, optional
        The index of the first class that counts as dense; None if none does.
    thresholds : sequence of float
        Operating points: the probability of a dense class from which on a case counts as dense.

    Returns
    -------
    Merit

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or contain anything except class indices.

    Examples
    --------
    >>> merit = measure([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b", "c", "d"], 3)
    >>> merit["accuracy"].value, merit["accuracy"].method, merit.by_class[0].recall.value
    (0.75, 'wilson', 0.5)
    """
    cases = Cases.of(y_true, y_pred, patients, n_classes, probabilities)
    dense = _measure_dense(cases, dense_from, thresholds)
    y_prob = cases.y_prob
    sums = resample(patient_confusions(cases.y_true, cases.y_pred, cases.groups, n_classes))
    aucs = None if y_prob is None else class_aucs(cases, y_prob)
    auc_of: Sequence[Estimate | None] = [None] * n_classes if aucs is None else [auc.estimate() for auc in aucs]
    metrics = bootstrap_metrics(cases, dense_from, aucs=aucs)
    return Merit(
        len(cases.y_true),
        cases.patients,
        {name: metric.estimate() for name, metric in metrics.items()},
        tuple(_measure_class(place, cases, sums, patients, auc_of[place]) for place in range(n_classes)),
        tuple(tuple(map(int, row)) for row in sums.total),
        dense,
        None if y_prob is None else brier_parts(cases.y_true, y_prob),
        () if y_prob is None else reliability(cases.y_true, y_prob),
    )


def _measure_dense(cases: Cases, dense_from: int | None, thresholds: Sequence[float]) -> DenseMerit | None:
    if cases.y_prob is None or dense_from is None:
        return None
    return measure_dense(
        cases.y_true >= dense_from,
        cases.y_prob[:, dense_from:].sum(axis=1),
        cases.groups,
        thresholds,
        one_case_per_patient=cases.one_case_per_patient,
    )


def _measure_class(
    place: int, cases: Cases, sums: BootstrapSums, patients: Sequence[str], auc: Estimate | None
) -> ClassMerit:
    hits = int(sums.total[place, place])
    n, predicted = int(sums.total[place].sum()), int(sums.total[:, place].sum())

    def estimate(per_class: Callable[[npt.ArrayLike], Floats], proportion: tuple[int, int] | None) -> Estimate:
        return sums.estimate(lambda counts: per_class(counts)[..., place], proportion=proportion)

    independent = cases.one_case_per_patient
    return ClassMerit(
        n,
        len({patients[row] for row in np.flatnonzero(cases.y_true == place).tolist()}),
        estimate(recall_per_class, (hits, n) if independent else None),
        estimate(precision_per_class, (hits, predicted) if independent else None),
        estimate(f1_per_class, None),
        auc,
    )
