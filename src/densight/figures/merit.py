"""All figures of merit of one set of cases, each with its interval.

`FIGURES` lists them; `measure` computes those for which the cases have what it takes: of predicted classes alone the
figures of the confusion matrix, of probabilities the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from densight.figures.agreement import cohen_kappa, gwet_ac
from densight.figures.calibration import (
    BrierParts,
    ReliabilityBin,
    bin_gaps,
    brier_losses,
    brier_parts,
    calibration_error,
    equal_mass_bins,
    equal_width_bins,
    log_losses,
    reliability,
)
from densight.figures.confusion import (
    accuracy,
    balanced_accuracy,
    check_indices,
    collapse,
    f1_per_class,
    macro_f1,
    macro_precision,
    macro_recall,
    mean_class_error,
    precision_per_class,
    recall_per_class,
    share_two_apart,
    weighted_f1,
    weighted_precision,
)
from densight.figures.dense import DenseMerit, measure_dense, of_pair
from densight.figures.intervals import Estimate, Resampled, draw_units, resample, sums_by_patient
from densight.figures.ranking import LEVELS, concordance, score_levels, tabulate
from densight.vocabulary import DensightError

__all__ = ["FEW_PATIENTS", "FIGURES", "ClassMerit", "FigureOfMerit", "Merit", "measure", "patient_confusions"]

FEW_PATIENTS = 30
"""A class of fewer patients is marked: its figures are rough whatever their interval."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FigureOfMerit:
    """What a figure of merit is.

    Parameters
    ----------
    words : str
        Its name as shown.
    group : str
        ``class``, ``agreement``, ``dense``, ``order`` or ``probability``: what it is about.
    better : str
        ``higher`` or ``lower``.
    """

    words: str
    group: str
    better: str = "higher"


FIGURES: Mapping[str, FigureOfMerit] = {
    "accuracy": FigureOfMerit("accuracy", "class"),
    "balanced_accuracy": FigureOfMerit("balanced accuracy", "class"),
    "macro_recall": FigureOfMerit("macro recall", "class"),
    "macro_precision": FigureOfMerit("macro precision", "class"),
    "macro_f1": FigureOfMerit("macro F1", "class"),
    "weighted_precision": FigureOfMerit("weighted precision", "class"),
    "weighted_f1": FigureOfMerit("weighted F1", "class"),
    "class_error": FigureOfMerit("mean absolute class error", "class", "lower"),
    "two_apart": FigureOfMerit("share off by two or more", "class", "lower"),
    "kappa": FigureOfMerit("κ", "agreement"),
    "kappa_linear": FigureOfMerit("κ, linear weights", "agreement"),
    "kappa_quadratic": FigureOfMerit("κ, quadratic weights", "agreement"),
    "ac2": FigureOfMerit("Gwet's AC2, quadratic weights", "agreement"),
    "macro_auc": FigureOfMerit("macro AUC, one class against the rest", "order"),
    "c_index": FigureOfMerit("ordinal c-index of the expected class", "order"),
    "dense_accuracy": FigureOfMerit("dense against non-dense: accuracy", "dense"),
    "dense_sensitivity": FigureOfMerit("dense against non-dense: sensitivity", "dense"),
    "dense_specificity": FigureOfMerit("dense against non-dense: specificity", "dense"),
    "dense_auc": FigureOfMerit("dense against non-dense: AUC", "dense"),
    "brier": FigureOfMerit("Brier score", "probability", "lower"),
    "log_score": FigureOfMerit("log score", "probability", "lower"),
    "ece": FigureOfMerit("expected calibration error", "probability", "lower"),
    "ece_adaptive": FigureOfMerit("calibration error, bins of equal mass", "probability", "lower"),
    "ece_classwise": FigureOfMerit("calibration error, classwise", "probability", "lower"),
}
"""Every figure of merit, in the order in which they are shown."""

_OF_CONFUSION: Mapping[str, Callable[[Floats], Floats]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_recall": macro_recall,
    "macro_precision": macro_precision,
    "macro_f1": macro_f1,
    "weighted_precision": weighted_precision,
    "weighted_f1": weighted_f1,
    "class_error": mean_class_error,
    "two_apart": share_two_apart,
    "kappa": lambda counts: cohen_kappa(counts, "none"),
    "kappa_linear": lambda counts: cohen_kappa(counts, "linear"),
    "kappa_quadratic": lambda counts: cohen_kappa(counts, "quadratic"),
    "ac2": lambda counts: gwet_ac(counts, "quadratic"),
}
_SHARES = ("accuracy", "two_apart")


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


def patient_confusions(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, owners: npt.ArrayLike, classes: int) -> Floats:
    """One confusion matrix a patient; their sum is the confusion matrix of all.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices.
    owners : array-like of int, shape (n,)
        Whose each case is, 0 to patients - 1.
    classes : int
        The number of classes, k.

    Returns
    -------
    ndarray of float64, shape (patients, k, k)

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or hold anything but class indices.

    Examples
    --------
    >>> patient_confusions([0, 0, 1], [0, 1, 1], [1, 1, 0], 2).tolist()
    [[[0.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]]
    """
    truth, told = check_indices(y_true, y_pred, classes)
    return tabulate(truth, told, classes, owners=owners, width=classes)


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
    truth, told = check_indices(y_true, y_pred, classes)
    if len(patients) != len(truth):
        raise DensightError(f"there are {len(truth)} rows but {len(patients)} patients given, one a row is needed")
    owners, people = draw_units(patients)
    alone = people == len(truth)
    sums = resample(patient_confusions(truth, told, owners, classes))
    found = {
        name: sums.estimate(figure, proportion=_share(figure, sums.total) if alone and name in _SHARES else None)
        for name, figure in _OF_CONFUSION.items()
    }
    by_class = tuple(_of_class(place, sums, truth, patients, alone) for place in range(classes))
    dense: DenseMerit | None = None
    parts: BrierParts | None = None
    bins: tuple[ReliabilityBin, ...] = ()
    if dense_from is not None:
        found |= _dense_classes(sums, dense_from, alone)
    if probabilities is not None:
        said = np.asarray(probabilities, dtype=np.float64)
        of_order, aucs = _order(truth, said, owners)
        found |= of_order | _probability(truth, said, owners)
        by_class = tuple(replace(one, auc=auc) for one, auc in zip(by_class, aucs, strict=True))
        parts, bins = brier_parts(truth, said), reliability(truth, said)
        if dense_from is not None:
            score = said[:, dense_from:].sum(axis=1)
            dense = measure_dense(truth >= dense_from, score, owners, thresholds, alone=alone)
            found["dense_auc"] = dense.auc
    return Merit(
        len(truth),
        people,
        {name: found[name] for name in FIGURES if name in found},
        by_class,
        tuple(tuple(map(int, row)) for row in sums.total),
        dense,
        parts,
        bins,
    )


def _share(figure: Callable[[Floats], Floats], confusion: Floats) -> tuple[int, int]:
    """Successes and cases of a share of all cases."""
    n = int(confusion.sum())
    return round(float(figure(confusion)) * n), n


def _of_class(place: int, sums: Resampled, truth: Integers, patients: Sequence[str], alone: bool) -> ClassMerit:
    hits = int(sums.total[place, place])
    cases, told = int(sums.total[place].sum()), int(sums.total[:, place].sum())

    def estimate(by_class: Callable[[npt.ArrayLike], Floats], proportion: tuple[int, int] | None) -> Estimate:
        return sums.estimate(lambda counts: by_class(counts)[..., place], proportion=proportion)

    return ClassMerit(
        cases,
        len({patients[row] for row in np.flatnonzero(truth == place).tolist()}),
        estimate(recall_per_class, (hits, cases) if alone else None),
        estimate(precision_per_class, (hits, told) if alone else None),
        estimate(f1_per_class, None),
        None,
    )


def _dense_classes(sums: Resampled, dense_from: int, alone: bool) -> dict[str, Estimate]:
    """Dense against non-dense by the predicted class."""
    pair = Resampled(*(collapse(counts, dense_from) for counts in (sums.total, sums.drawn, sums.left_out)))
    sensitivity, specificity, _, _ = of_pair(pair, alone=alone)
    share = pair.estimate(accuracy, proportion=_share(accuracy, pair.total) if alone else None)
    return {"dense_accuracy": share, "dense_sensitivity": sensitivity, "dense_specificity": specificity}


def _order(truth: Integers, said: Floats, owners: Integers) -> tuple[dict[str, Estimate], list[Estimate]]:
    """Macro AUC and c-index; the AUC of each class."""
    k = said.shape[1]
    of_class = [(truth == place).astype(np.int64) for place in range(k)]
    fine = [tabulate(one, score_levels(column), 2) for one, column in zip(of_class, said.T, strict=True)]
    exact = np.array([concordance(table) for table in fine])
    levels = [score_levels(column, LEVELS) for column in said.T]
    width = max(int(one.max()) for one in levels) + 1
    tables = [tabulate(one, level, 2, owners=owners, width=width) for one, level in zip(of_class, levels, strict=True)]
    near = resample(np.stack(tables, axis=1))
    there = np.isfinite(exact)
    macro = near.estimate(lambda table: _mean(concordance(table[..., there, :, :])), value=float(_mean(exact[there])))
    aucs = [near.estimate(partial(_auc_of, place=place), value=float(exact[place])) for place in range(k)]
    expected = said @ np.arange(k)
    index = resample(tabulate(truth, score_levels(expected, LEVELS), k, owners=owners)).estimate(
        concordance, value=float(concordance(tabulate(truth, score_levels(expected), k)))
    )
    return {"macro_auc": macro, "c_index": index}, aucs


def _mean(values: Floats) -> Floats:
    """The mean over the last axis; NaN over none."""
    return (
        np.asarray(values.sum(axis=-1) / values.shape[-1]) if values.shape[-1] else np.full(values.shape[:-1], np.nan)
    )


def _auc_of(table: Floats, place: int) -> Floats:
    return concordance(table[..., place, :, :])


def _probability(truth: Integers, said: Floats, owners: Integers) -> dict[str, Estimate]:
    """Brier and log score, calibration errors."""
    confidence, right = said.max(axis=1), (said.argmax(axis=1) == truth).astype(np.float64)
    losses = np.stack([brier_losses(truth, said), log_losses(truth, said), np.ones(len(truth))], axis=1)
    scores = resample(sums_by_patient(losses, owners))
    of_class = [bin_gaps(truth == place, column, equal_width_bins(column)) for place, column in enumerate(said.T)]
    gaps = {
        "ece": bin_gaps(right, confidence, equal_width_bins(confidence)),
        "ece_adaptive": bin_gaps(right, confidence, equal_mass_bins(confidence)),
        "ece_classwise": np.stack(of_class, axis=1),
    }
    return {
        "brier": scores.estimate(lambda sums: sums[..., 0] / sums[..., 2]),
        "log_score": scores.estimate(lambda sums: sums[..., 1] / sums[..., 2]),
    } | {
        name: resample(sums_by_patient(values, owners)).estimate(
            (lambda sums: calibration_error(sums).mean(axis=-1)) if name == "ece_classwise" else calibration_error,
            bias=True,
        )
        for name, values in gaps.items()
    }
