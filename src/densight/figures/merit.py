"""All figures of merit of one set of cases, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import Resampled, resample
from densight.figures.calibration import BrierParts, ReliabilityBin, brier_parts, reliability
from densight.figures.confusion import f1_per_class, precision_per_class, recall_per_class
from densight.figures.dense import DenseMerit, measure_dense
from densight.figures.drawn import Cases, class_aucs, draw_figures, patient_confusions
from densight.figures.intervals import Estimate

__all__ = ["FEW_PATIENTS", "ClassMerit", "Merit", "measure"]

FEW_PATIENTS = 30
"""A class or group of fewer patients is marked: its figures are rough whatever their interval."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassMerit:
    """The figures of one class.

    Parameters
    ----------
    n, patients : int
        How many cases have it as true class, and of how many patients.
    recall, precision, f1 : Estimate
    auc : Estimate or None
        Of its probability, against the rest; None without probabilities.
    """

    n: int
    patients: int
    recall: Estimate
    precision: Estimate
    f1: Estimate
    auc: Estimate | None


@dataclass(frozen=True)
class Merit:
    """The figures of merit of one set of exams, breasts or images.

    ``merit["accuracy"]`` is the figure of that name.

    Parameters
    ----------
    n, patients : int
        How many were classified, and of how many patients.
    estimates : mapping of str to Estimate
        Keys of `FIGURES`, those that could be computed, in its order.
    by_class : tuple of ClassMerit
    confusion : tuple of tuple of int
        True class in rows, predicted class in columns.
    dense : DenseMerit or None
        None where no class counts as dense, or without probabilities.
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
        """The figure of this name."""
        return self.estimates[name]


def measure(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    patients: Sequence[str],
    classes: int,
    *,
    probabilities: npt.ArrayLike | None = None,
    dense_from: int | None = None,
    thresholds: Sequence[float] = (),
) -> Merit:
    """All figures of merit of one set of exams, breasts or images, with intervals.

    A proportion of independent cases (one a patient) has Wilson's interval; everything else has the bootstrap's over
    patients.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices.
    patients : sequence of str, length n
        Whose each row is.
    classes : int
        The number of classes, k.
    probabilities : array-like of float, shape (n, k), optional
        For the figures of order, probability, and dense against non-dense.
    dense_from : int, optional
        The index of the first class that counts as dense; None where none does.
    thresholds : sequence of float
        Operating points: from which probability of a dense class on a case counts as dense.

    Returns
    -------
    Merit

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or hold anything but class indices.

    Examples
    --------
    >>> merit = measure([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b", "c", "d"], 3)
    >>> merit["accuracy"].value, merit["accuracy"].method, merit.by_class[0].recall.value
    (0.75, 'wilson', 0.5)
    """
    cases = Cases.of(y_true, y_pred, patients, classes, probabilities)
    dense: DenseMerit | None = None
    if cases.said is not None and dense_from is not None:
        scores = cases.said[:, dense_from:].sum(axis=1)
        dense = measure_dense(cases.truth >= dense_from, scores, cases.owners, thresholds, alone=cases.alone)
    sums = resample(patient_confusions(cases.truth, cases.told, cases.owners, classes))
    aucs = None if cases.said is None else class_aucs(cases, cases.said)
    of_class: Sequence[Estimate | None] = [None] * classes if aucs is None else [one.estimate() for one in aucs]
    return Merit(
        len(cases.truth),
        cases.patients,
        {name: one.estimate() for name, one in draw_figures(cases, dense_from, aucs=aucs).items()},
        tuple(_of_class(place, cases, sums, patients, of_class[place]) for place in range(classes)),
        tuple(tuple(map(int, row)) for row in sums.total),
        dense,
        None if cases.said is None else brier_parts(cases.truth, cases.said),
        () if cases.said is None else reliability(cases.truth, cases.said),
    )


def _of_class(place: int, cases: Cases, sums: Resampled, patients: Sequence[str], auc: Estimate | None) -> ClassMerit:
    hits = int(sums.total[place, place])
    n, told = int(sums.total[place].sum()), int(sums.total[:, place].sum())

    def estimate(by_class: Callable[[npt.ArrayLike], Floats], proportion: tuple[int, int] | None) -> Estimate:
        return sums.estimate(lambda counts: by_class(counts)[..., place], proportion=proportion)

    return ClassMerit(
        n,
        len({patients[row] for row in np.flatnonzero(cases.truth == place).tolist()}),
        estimate(recall_per_class, (hits, n) if cases.alone else None),
        estimate(precision_per_class, (hits, told) if cases.alone else None),
        estimate(f1_per_class, None),
        auc,
    )
