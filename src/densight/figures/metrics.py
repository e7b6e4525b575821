"""The registry of metrics, and their measurement on classified cases with bootstrap values.

`METRICS` binds the key of each metric in ``figures.json`` to its title, function, direction and format. Screens,
reports and plots read it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from densight.figures.agreement import cohen_kappa, gwet_ac
from densight.figures.bootstrap import (
    BootstrapDistribution,
    BootstrapSums,
    resample,
    sums_by_patient,
)
from densight.figures.calibration import (
    bin_gaps,
    brier_losses,
    calibration_error,
    equal_mass_bins,
    equal_width_bins,
    log_losses,
)
from densight.figures.confusion import (
    accuracy,
    balanced_accuracy,
    check_indices,
    collapse,
    macro_f1,
    macro_precision,
    macro_recall,
    mean_class_error,
    recall_per_class,
    share_off_by_two,
    weighted_f1,
    weighted_precision,
)
from densight.figures.data import Cases
from densight.figures.intervals import Estimate
from densight.figures.ranking import LEVELS, concordance, score_levels, tabulate

__all__ = [
    "MAIN_METRICS",
    "METRICS",
    "SCALING_METRICS",
    "TABLE_METRICS",
    "Metric",
    "MetricDistribution",
    "Row",
    "bootstrap_metrics",
    "class_aucs",
    "mean_distribution",
    "measure_row",
    "patient_confusions",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAIN_METRICS = ("accuracy", "kappa_quadratic", "dense_accuracy", "macro_auc", "log_score", "ece")
"""The metrics measured for rules of fusion, groups and readers."""
TABLE_METRICS = ("accuracy", "kappa_quadratic", "dense_accuracy", "macro_auc", "ece")
"""The metrics that tables show of them."""
SCALING_METRICS = ("accuracy", "kappa_quadratic", "brier", "log_score", "ece")
"""The metrics that tables of scalings show."""


@dataclass(frozen=True, eq=False)
class MetricDistribution:
    """A metric with its bootstrap values.

    Parameters
    ----------
    distribution : BootstrapDistribution
    proportion : tuple of int or None
        Successes and number of independent cases, where the metric is such a share.
    bias : bool
        Whether chance makes the metric greater.
    """

    distribution: BootstrapDistribution
    proportion: tuple[int, int] | None = None
    bias: bool = False

    def estimate(self) -> Estimate:
        """The metric with its intervals."""
        return self.distribution.estimate(proportion=self.proportion, bias=self.bias)


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The cases and what several metrics share, computed once and only if a metric needs it."""

    cases: Cases
    dense_from: int | None
    known_aucs: Sequence[BootstrapDistribution] | None

    @cached_property
    def confusion(self) -> BootstrapSums:
        """Sums of confusion matrices."""
        cases = self.cases
        return resample(patient_confusions(cases.y_true, cases.y_pred, cases.groups, cases.n_classes))

    @cached_property
    def dense_confusion(self) -> BootstrapSums | None:
        """Sums of confusion matrices of non-dense against dense."""
        if self.dense_from is None:
            return None
        sums = self.confusion
        return BootstrapSums(
            *(collapse(counts, self.dense_from) for counts in (sums.total, sums.resampled, sums.left_out))
        )


_Measure = Callable[[_Inputs], MetricDistribution | None]
"""Measures a metric; None where the cases lack what it needs: probabilities, or classes that count as dense."""


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Parameters
    ----------
    title : str
        Its name for users.
    short : str
        The same for headings with little room.
    measure : callable
        Measures it on cases.
    better : {"greater", "less"}
        Which values are better.
    format : str
        How tables format it.
    precise_format : str
        How tables of the levels and of every metric format its value.
    """

    title: str
    short: str
    measure: _Measure
    better: Literal["greater", "less"] = "greater"
    format: str = ".3f"
    precise_format: str = ".4f"


@dataclass(frozen=True)
class Row:
    """One classification of cases and its metrics, as a row of a table.

    Parameters
    ----------
    name, words : str
        Its name and its description.
    n, patients : int
        The number of cases and of their patients.
    estimates : mapping of str to Estimate
        Keys of `METRICS`.
    """

    name: str
    words: str
    n: int
    patients: int
    estimates: Mapping[str, Estimate]


def bootstrap_metrics(
    cases: Cases,
    dense_from: int | None = None,
    names: Collection[str] | None = None,
    *,
    aucs: Sequence[BootstrapDistribution] | None = None,
) -> dict[str, MetricDistribution]:
    """The metrics with their bootstrap values, as far as the cases have what each needs.

    Parameters
    ----------
    cases : Cases
    dense_from : int, optional
        The index of the first class that counts as dense; None where none does.
    names : collection of str, optional
        Keys of `METRICS`; all of them if None.
    aucs : sequence of BootstrapDistribution, optional
        The result of `class_aucs`, if it is known already.

    Returns
    -------
    dict of str to MetricDistribution
        In the order of `METRICS`.

    Examples
    --------
    >>> cases = Cases.of([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b", "c", "d"], 2)
    >>> bootstrap_metrics(cases, names=["accuracy", "ece"])["accuracy"].distribution.value
    0.75
    """
    inputs = _Inputs(cases, dense_from, aucs)
    measured = {name: metric.measure(inputs) for name, metric in METRICS.items() if names is None or name in names}
    return {name: metric for name, metric in measured.items() if metric is not None}


def measure_row(
    name: str, words: str, cases: Cases, dense_from: int | None, names: Collection[str] = MAIN_METRICS
) -> Row:
    """Measure one classification as a row of a table.

    Parameters
    ----------
    name, words : str
    cases : Cases
    dense_from : int or None
    names : collection of str
        Keys of `METRICS`.

    Examples
    --------
    >>> row = measure_row("mean", "the mean", Cases.of([0, 1], [0, 0], ["a", "b"], 2), None)
    >>> row.n, row.estimates["accuracy"].value
    (2, 0.5)
    """
    metrics = bootstrap_metrics(cases, dense_from, names)
    estimates = {key: metric.estimate() for key, metric in metrics.items()}
    return Row(name, words, len(cases.y_true), cases.patients, estimates)


def patient_confusions(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, groups: npt.ArrayLike, n_classes: int) -> Floats:
    """One confusion matrix per patient; their sum is the confusion matrix of all cases.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices.
    groups : array-like of int, shape (n,)
        The patient of each case, 0 to patients - 1.
    n_classes : int
        The number of classes, k.

    Returns
    -------
    ndarray of float64, shape (patients, k, k)

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or contain anything except class indices.

    Examples
    --------
    >>> patient_confusions([0, 0, 1], [0, 1, 1], [1, 1, 0], 2).tolist()
    [[[0.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]]
    """
    true, predicted = check_indices(y_true, y_pred, n_classes)
    return tabulate(true, predicted, n_classes, groups=groups, width=n_classes)


def class_aucs(cases: Cases, y_prob: Floats) -> tuple[BootstrapDistribution, ...]:
    """The AUC of each class's probability against the rest.

    Parameters
    ----------
    cases : Cases
    y_prob : ndarray of float64, shape (n, k)

    Returns
    -------
    tuple of BootstrapDistribution, length k
        NaN for a class that no case or every case has.

    Examples
    --------
    >>> cases = Cases.of([0, 1, 1], [0, 1, 1], ["a", "b", "c"], 2)
    >>> [auc.value for auc in class_aucs(cases, np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))]
    [1.0, 1.0]
    """
    labels = [(cases.y_true == place).astype(np.int64) for place in range(cases.n_classes)]
    exact = [
        float(concordance(tabulate(of_class, score_levels(column), 2)))
        for of_class, column in zip(labels, y_prob.T, strict=True)
    ]
    levels = [score_levels(column, LEVELS) for column in y_prob.T]
    width = max(int(of_class.max()) for of_class in levels) + 1
    tables = [
        tabulate(of_class, level, 2, groups=cases.groups, width=width)
        for of_class, level in zip(labels, levels, strict=True)
    ]
    sums = resample(np.stack(tables, axis=1))
    approximate, resampled, left_out = map(concordance, (sums.total, sums.resampled, sums.left_out))
    # The bootstrap's score levels are coarse; the difference from the exact value is added to every draw.
    shifts = [value - float(near) for value, near in zip(exact, approximate, strict=True)]
    return tuple(
        BootstrapDistribution(value, resampled[:, place] + shift, left_out[:, place] + shift)
        for place, (value, shift) in enumerate(zip(exact, shifts, strict=True))
    )


def mean_distribution(distributions: Sequence[BootstrapDistribution]) -> BootstrapDistribution:
    """The mean of several metrics of the same patients, draw by draw; NaN of none.

    Examples
    --------
    >>> half = BootstrapDistribution(0.5, np.array([0.4, 0.6]), np.array([0.5]))
    >>> mean_distribution([half, BootstrapDistribution(1.0, np.ones(2), np.ones(1))]).resampled
    array([0.7, 0.8])
    """
    if not distributions:
        return BootstrapDistribution(np.nan, np.empty(0), np.empty(0))
    return BootstrapDistribution(
        float(np.mean([distribution.value for distribution in distributions])),
        np.mean([distribution.resampled for distribution in distributions], axis=0),
        np.mean([distribution.left_out for distribution in distributions], axis=0),
    )


def _of_confusion(function: Callable[[Floats], Floats], *, proportion: bool = False) -> _Measure:
    """A metric of the confusion matrix; ``proportion`` if it is a share of all cases."""

    def measure(inputs: _Inputs) -> MetricDistribution:
        sums, n = inputs.confusion, len(inputs.cases.y_true)
        share = float(function(sums.total)) if proportion else None
        return MetricDistribution(sums.values(function), _proportion(share, n, inputs.cases))

    return measure


def _of_dense_confusion(function: Callable[[Floats], Floats], of_class: int | None = None) -> _Measure:
    """A share of all cases, or of those of a true class, in the confusion matrix of non-dense against dense."""

    def measure(inputs: _Inputs) -> MetricDistribution | None:
        sums = inputs.dense_confusion
        if sums is None:
            return None
        n = int(sums.total.sum() if of_class is None else sums.total[of_class].sum())
        return MetricDistribution(sums.values(function), _proportion(float(function(sums.total)), n, inputs.cases))

    return measure


def _proportion(share: float | None, n: int, cases: Cases) -> tuple[int, int] | None:
    """Successes and number of cases, if these are independent."""
    return (round(share * n), n) if share is not None and cases.one_case_per_patient and n else None


def _of_probabilities(function: Callable[[Cases, Floats], BootstrapDistribution], *, bias: bool = False) -> _Measure:
    """A metric of the probabilities."""

    def measure(inputs: _Inputs) -> MetricDistribution | None:
        y_prob = inputs.cases.y_prob
        return None if y_prob is None else MetricDistribution(function(inputs.cases, y_prob), bias=bias)

    return measure


def _macro_auc(inputs: _Inputs) -> MetricDistribution | None:
    if inputs.cases.y_prob is None:
        return None
    aucs = inputs.known_aucs or class_aucs(inputs.cases, inputs.cases.y_prob)
    return MetricDistribution(mean_distribution([auc for auc in aucs if np.isfinite(auc.value)]))


def _dense_auc(inputs: _Inputs) -> MetricDistribution | None:
    cases, dense_from = inputs.cases, inputs.dense_from
    if cases.y_prob is None or dense_from is None:
        return None
    dense = (cases.y_true >= dense_from).astype(np.int64)
    return MetricDistribution(_concordance(cases, dense, cases.y_prob[:, dense_from:].sum(axis=1), 2))


def _c_index(cases: Cases, y_prob: Floats) -> BootstrapDistribution:
    return _concordance(cases, cases.y_true, y_prob @ np.arange(cases.n_classes), cases.n_classes)


def _concordance(cases: Cases, labels: Integers, scores: Floats, n_classes: int) -> BootstrapDistribution:
    exact = float(concordance(tabulate(labels, score_levels(scores), n_classes)))
    sums = resample(tabulate(labels, score_levels(scores, LEVELS), n_classes, groups=cases.groups))
    return sums.values(concordance, exact)


def _mean_loss(
    losses: Callable[[npt.ArrayLike, npt.ArrayLike], Floats],
) -> Callable[[Cases, Floats], BootstrapDistribution]:
    def measure(cases: Cases, y_prob: Floats) -> BootstrapDistribution:
        parts = np.stack([losses(cases.y_true, y_prob), np.ones(len(y_prob))], axis=1)
        return resample(sums_by_patient(parts, cases.groups)).values(lambda sums: sums[..., 0] / sums[..., 1])

    return measure


def _confidence_error(bins: Callable[[npt.ArrayLike], Integers]) -> Callable[[Cases, Floats], BootstrapDistribution]:
    """The calibration error of the greatest probability."""

    def measure(cases: Cases, y_prob: Floats) -> BootstrapDistribution:
        confidence, correct = y_prob.max(axis=1), (y_prob.argmax(axis=1) == cases.y_true).astype(np.float64)
        gaps = sums_by_patient(bin_gaps(correct, confidence, bins(confidence)), cases.groups)
        return resample(gaps).values(calibration_error)

    return measure


def _classwise_error(cases: Cases, y_prob: Floats) -> BootstrapDistribution:
    """The mean over the classes of the calibration error of each class's probability."""
    gaps = [bin_gaps(cases.y_true == place, column, equal_width_bins(column)) for place, column in enumerate(y_prob.T)]
    sums = resample(sums_by_patient(np.stack(gaps, axis=1), cases.groups))
    return sums.values(lambda values: calibration_error(values).mean(axis=-1))


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("accuracy", "accuracy", _of_confusion(accuracy, proportion=True)),
    "balanced_accuracy": Metric("balanced accuracy", "balanced accuracy", _of_confusion(balanced_accuracy)),
    "macro_recall": Metric("macro recall", "macro recall", _of_confusion(macro_recall)),
    "macro_precision": Metric("macro precision", "macro precision", _of_confusion(macro_precision)),
    "macro_f1": Metric("macro F1", "macro F1", _of_confusion(macro_f1)),
    "weighted_precision": Metric("weighted precision", "weighted precision", _of_confusion(weighted_precision)),
    "weighted_f1": Metric("weighted F1", "weighted F1", _of_confusion(weighted_f1)),
    "class_error": Metric("mean absolute class error", "class error", _of_confusion(mean_class_error), "less"),
    "two_apart": Metric(
        "share off by two or more", "off by two", _of_confusion(share_off_by_two, proportion=True), "less"
    ),
    "kappa": Metric("κ", "κ", _of_confusion(lambda counts: cohen_kappa(counts, "none"))),
    "kappa_linear": Metric(
        "κ, linear weights", "linear κ", _of_confusion(lambda counts: cohen_kappa(counts, "linear"))
    ),
    "kappa_quadratic": Metric(
        "κ, quadratic weights", "quadratic κ", _of_confusion(lambda counts: cohen_kappa(counts, "quadratic"))
    ),
    "ac2": Metric("Gwet's AC2, quadratic weights", "AC2", _of_confusion(lambda counts: gwet_ac(counts, "quadratic"))),
    "macro_auc": Metric("macro AUC, one class against the rest", "macro AUC", _macro_auc),
    "c_index": Metric("ordinal c-index of the expected class", "c-index", _of_probabilities(_c_index)),
    "dense_accuracy": Metric("dense against non-dense: accuracy", "dense accuracy", _of_dense_confusion(accuracy)),
    "dense_sensitivity": Metric(
        "dense against non-dense: sensitivity",
        "dense sensitivity",
        _of_dense_confusion(lambda counts: recall_per_class(counts)[..., 1], 1),
    ),
    "dense_specificity": Metric(
        "dense against non-dense: specificity",
        "dense specificity",
        _of_dense_confusion(lambda counts: recall_per_class(counts)[..., 0], 0),
    ),
    "dense_auc": Metric("dense against non-dense: AUC", "dense AUC", _dense_auc),
    "brier": Metric("Brier score", "Brier", _of_probabilities(_mean_loss(brier_losses)), "less"),
    "log_score": Metric("log score", "log score", _of_probabilities(_mean_loss(log_losses)), "less"),
    "ece": Metric(
        "expected calibration error",
        "ECE",
        _of_probabilities(_confidence_error(equal_width_bins), bias=True),
        "less",
    ),
    "ece_adaptive": Metric(
        "calibration error, bins of equal mass",
        "ECE, equal mass",
        _of_probabilities(_confidence_error(equal_mass_bins), bias=True),
        "less",
    ),
    "ece_classwise": Metric(
        "calibration error, classwise", "ECE, classwise", _of_probabilities(_classwise_error, bias=True), "less"
    ),
}
"""Every metric by its key in ``figures.json``, in the order of tables."""
