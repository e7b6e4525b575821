"""Every figure of merit by name, with its bootstrap values, so that figures can be shown, compared and subtracted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.agreement import cohen_kappa, gwet_ac
from densight.figures.bootstrap import Drawn, Resampled, draw_units, resample, sums_by_patient
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
    share_two_apart,
    weighted_f1,
    weighted_precision,
)
from densight.figures.intervals import Estimate
from densight.figures.ranking import LEVELS, concordance, score_levels, tabulate
from densight.vocabulary import DensightError

__all__ = [
    "FIGURES",
    "MAIN",
    "SHOWN",
    "SHOWN_OF_SCALINGS",
    "Cases",
    "FigureOfMerit",
    "Measured",
    "class_aucs",
    "draw_figures",
    "mean_of_drawn",
    "patient_confusions",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FigureOfMerit:
    """What a figure of merit is.

    Parameters
    ----------
    words : str
        Its name.
    short : str
        The same where there is little room.
    """

    words: str
    short: str


FIGURES: Mapping[str, FigureOfMerit] = {
    "accuracy": FigureOfMerit("accuracy", "accuracy"),
    "balanced_accuracy": FigureOfMerit("balanced accuracy", "balanced accuracy"),
    "macro_recall": FigureOfMerit("macro recall", "macro recall"),
    "macro_precision": FigureOfMerit("macro precision", "macro precision"),
    "macro_f1": FigureOfMerit("macro F1", "macro F1"),
    "weighted_precision": FigureOfMerit("weighted precision", "weighted precision"),
    "weighted_f1": FigureOfMerit("weighted F1", "weighted F1"),
    "class_error": FigureOfMerit("mean absolute class error", "class error"),
    "two_apart": FigureOfMerit("share off by two or more", "two apart"),
    "kappa": FigureOfMerit("κ", "κ"),
    "kappa_linear": FigureOfMerit("κ, linear weights", "linear κ"),
    "kappa_quadratic": FigureOfMerit("κ, quadratic weights", "quadratic κ"),
    "ac2": FigureOfMerit("Gwet's AC2, quadratic weights", "AC2"),
    "macro_auc": FigureOfMerit("macro AUC, one class against the rest", "macro AUC"),
    "c_index": FigureOfMerit("ordinal c-index of the expected class", "c-index"),
    "dense_accuracy": FigureOfMerit("dense against non-dense: accuracy", "dense accuracy"),
    "dense_sensitivity": FigureOfMerit("dense against non-dense: sensitivity", "dense sensitivity"),
    "dense_specificity": FigureOfMerit("dense against non-dense: specificity", "dense specificity"),
    "dense_auc": FigureOfMerit("dense against non-dense: AUC", "dense AUC"),
    "brier": FigureOfMerit("Brier score", "Brier"),
    "log_score": FigureOfMerit("log score", "log score"),
    "ece": FigureOfMerit("expected calibration error", "ECE"),
    "ece_adaptive": FigureOfMerit("calibration error, bins of equal mass", "ECE, equal mass"),
    "ece_classwise": FigureOfMerit("calibration error, classwise", "ECE, classwise"),
}
"""Every figure of merit, in the order in which they are shown."""

MAIN = ("accuracy", "kappa_quadratic", "dense_accuracy", "macro_auc", "log_score", "ece")
"""What is measured of rules, groups and readers."""
SHOWN = ("accuracy", "kappa_quadratic", "dense_accuracy", "macro_auc", "ece")
"""What of it a table shows."""
SHOWN_OF_SCALINGS = ("accuracy", "kappa_quadratic", "brier", "log_score", "ece")
"""What a table of scalings shows."""

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
_PAIRS: Mapping[str, tuple[Callable[[Floats], Floats], int | None]] = {
    "dense_accuracy": (accuracy, None),
    "dense_sensitivity": (lambda counts: recall_per_class(counts)[..., 1], 1),
    "dense_specificity": (lambda counts: recall_per_class(counts)[..., 0], 0),
}
"""Figures of the confusion matrix of non-dense against dense; the true class that they are shares of."""


@dataclass(frozen=True, eq=False)
class Cases:
    """Classified cases with what was true of them.

    Parameters
    ----------
    truth, told : ndarray of int64, shape (n,)
        Class indices.
    classes : int
        The number of classes, k.
    owners : ndarray of int64, shape (n,)
        The unit of each case that the bootstrap draws.
    patients : int
    said : ndarray of float64, shape (n, k), or None
        The probabilities.
    """

    truth: Integers
    told: Integers
    classes: int
    owners: Integers
    patients: int
    said: Floats | None

    @classmethod
    def of(
        cls,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        patients: Sequence[str],
        classes: int,
        probabilities: npt.ArrayLike | None = None,
    ) -> Cases:
        """Checked cases; parameters as for `densight.figures.merit.measure`."""
        truth, told = check_indices(y_true, y_pred, classes)
        if len(patients) != len(truth):
            raise DensightError(f"there are {len(truth)} rows but {len(patients)} patients given, one a row is needed")
        owners, people = draw_units(patients)
        said = None if probabilities is None else np.asarray(probabilities, dtype=np.float64)
        return cls(truth, told, classes, owners, people, said)

    @property
    def alone(self) -> bool:
        """Whether each patient has one case, so that shares are proportions of independent cases."""
        return self.patients == len(self.truth)


@dataclass(frozen=True, eq=False)
class Measured:
    """A figure of merit with its bootstrap values.

    Parameters
    ----------
    drawn : Drawn
    proportion : tuple of int or None
        Successes and number of independent cases, where it is such a share.
    bias : bool
        Whether chance makes it greater.
    """

    drawn: Drawn
    proportion: tuple[int, int] | None = None
    bias: bool = False

    def estimate(self) -> Estimate:
        """The figure with its intervals."""
        return self.drawn.estimate(proportion=self.proportion, bias=self.bias)


def draw_figures(
    cases: Cases,
    dense_from: int | None = None,
    names: Collection[str] | None = None,
    *,
    aucs: Sequence[Drawn] | None = None,
) -> dict[str, Measured]:
    """The figures of merit of these names, as far as the cases have what it takes.

    Parameters
    ----------
    cases : Cases
    dense_from : int, optional
        The index of the first class that counts as dense; None where none does.
    names : collection of str, optional
        Keys of `FIGURES`; all of them if None.
    aucs : sequence of Drawn, optional
        What `class_aucs` gave, if that is done already.

    Returns
    -------
    dict of str to Measured
        In the order of `FIGURES`.

    Examples
    --------
    >>> cases = Cases.of([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b", "c", "d"], 2)
    >>> draw_figures(cases, names=["accuracy", "ece"])["accuracy"].drawn.value
    0.75
    """
    wanted = set(FIGURES if names is None else names)
    found = _of_classes(cases, dense_from, wanted)
    if cases.said is not None:
        found |= _of_order(cases, cases.said, dense_from, wanted, aucs) | _of_probability(cases, cases.said, wanted)
    return {name: found[name] for name in FIGURES if name in found}


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


def class_aucs(cases: Cases, said: Floats) -> tuple[Drawn, ...]:
    """The AUC of each class's probability against the rest.

    Parameters
    ----------
    cases : Cases
    said : ndarray of float64, shape (n, k)

    Returns
    -------
    tuple of Drawn, length k
        NaN of a class that no case or every case has.

    Examples
    --------
    >>> cases = Cases.of([0, 1, 1], [0, 1, 1], ["a", "b", "c"], 2)
    >>> [one.value for one in class_aucs(cases, np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))]
    [1.0, 1.0]
    """
    of_class = [(cases.truth == place).astype(np.int64) for place in range(cases.classes)]
    fine = [tabulate(one, score_levels(column), 2) for one, column in zip(of_class, said.T, strict=True)]
    levels = [score_levels(column, LEVELS) for column in said.T]
    width = max(int(one.max()) for one in levels) + 1
    pairs = zip(of_class, levels, strict=True)
    tables = [tabulate(one, level, 2, owners=cases.owners, width=width) for one, level in pairs]
    near = resample(np.stack(tables, axis=1))
    drawn, left_out = concordance(near.drawn), concordance(near.left_out)
    found = []
    for place, (exact, rough) in enumerate(zip(map(concordance, fine), concordance(near.total), strict=True)):
        apart = float(exact) - float(rough)
        found.append(Drawn(float(exact), drawn[:, place] + apart, left_out[:, place] + apart))
    return tuple(found)


def _of_classes(cases: Cases, dense_from: int | None, wanted: set[str]) -> dict[str, Measured]:
    """The figures of the predicted class."""
    sums = resample(patient_confusions(cases.truth, cases.told, cases.owners, cases.classes))
    found = {}
    for name in wanted & set(_OF_CONFUSION):
        share = (float(_OF_CONFUSION[name](sums.total)), len(cases.truth)) if name in _SHARES else None
        found[name] = Measured(sums.values(_OF_CONFUSION[name]), _proportion(share, cases.alone))
    if dense_from is not None:
        parts = (sums.total, sums.drawn, sums.left_out)
        pair = Resampled(*(collapse(counts, dense_from) for counts in parts))
        for name in wanted & set(_PAIRS):
            figure, place = _PAIRS[name]
            n = int(pair.total.sum() if place is None else pair.total[place].sum())
            found[name] = Measured(pair.values(figure), _proportion((float(figure(pair.total)), n), cases.alone))
    return found


def _proportion(share: tuple[float, int] | None, alone: bool) -> tuple[int, int] | None:
    """Successes and cases of a share of independent cases."""
    return (round(share[0] * share[1]), share[1]) if share and alone and share[1] else None


def _of_order(
    cases: Cases, said: Floats, dense_from: int | None, wanted: set[str], aucs: Sequence[Drawn] | None
) -> dict[str, Measured]:
    """Areas under ROC curves and the c-index."""
    found = {}
    if "macro_auc" in wanted:
        found["macro_auc"] = Measured(
            mean_of_drawn([one for one in aucs or class_aucs(cases, said) if np.isfinite(one.value)])
        )
    if "c_index" in wanted:
        found["c_index"] = Measured(_concordance(cases, cases.truth, said @ np.arange(cases.classes), cases.classes))
    if "dense_auc" in wanted and dense_from is not None:
        dense = (cases.truth >= dense_from).astype(np.int64)
        found["dense_auc"] = Measured(_concordance(cases, dense, said[:, dense_from:].sum(axis=1), 2))
    return found


def _concordance(cases: Cases, labels: Integers, scores: Floats, classes: int) -> Drawn:
    exact = float(concordance(tabulate(labels, score_levels(scores), classes)))
    near = resample(tabulate(labels, score_levels(scores, LEVELS), classes, owners=cases.owners))
    return near.values(concordance, exact)


def mean_of_drawn(drawn: Sequence[Drawn]) -> Drawn:
    """The mean of several figures of the same patients, draw by draw; NaN of none.

    Examples
    --------
    >>> one = Drawn(0.5, np.array([0.4, 0.6]), np.array([0.5]))
    >>> mean_of_drawn([one, Drawn(1.0, np.ones(2), np.ones(1))]).drawn
    array([0.7, 0.8])
    """
    if not drawn:
        return Drawn(np.nan, np.empty(0), np.empty(0))
    return Drawn(
        float(np.mean([one.value for one in drawn])),
        np.mean([one.drawn for one in drawn], axis=0),
        np.mean([one.left_out for one in drawn], axis=0),
    )


def _of_probability(cases: Cases, said: Floats, wanted: set[str]) -> dict[str, Measured]:
    """Brier and log score, calibration errors."""
    found = {}
    ones = np.ones(len(said))
    for name, losses in (("brier", brier_losses), ("log_score", log_losses)):
        if name in wanted:
            parts = sums_by_patient(np.stack([losses(cases.truth, said), ones], axis=1), cases.owners)
            found[name] = Measured(resample(parts).values(lambda sums: sums[..., 0] / sums[..., 1]))
    confidence, right = said.max(axis=1), (said.argmax(axis=1) == cases.truth).astype(np.float64)
    for name, bins in (("ece", equal_width_bins), ("ece_adaptive", equal_mass_bins)):
        if name in wanted:
            gaps = sums_by_patient(bin_gaps(right, confidence, bins(confidence)), cases.owners)
            found[name] = Measured(resample(gaps).values(calibration_error), bias=True)
    if "ece_classwise" in wanted:
        columns = enumerate(said.T)
        of_class = [bin_gaps(cases.truth == place, column, equal_width_bins(column)) for place, column in columns]
        gaps = sums_by_patient(np.stack(of_class, axis=1), cases.owners)
        drawn = resample(gaps).values(lambda sums: calibration_error(sums).mean(axis=-1))
        found["ece_classwise"] = Measured(drawn, bias=True)
    return found
