"""Figures of merit as plain functions on confusion matrices.

Everything that follows from the predicted class alone follows from the confusion matrix, so the figures here take one
matrix or a stack of them, ``(..., k, k)``, and give one value or an array ``(...)``. The bootstrap over patients
gives such a stack, one matrix a draw, and any figure runs over it at once.

A class without exams has no recall, a class never predicted has no precision: both are NaN. The macro means run over
the classes that occur as true or as predicted, and take such an undefined value as 0. This is what scikit-learn's
``average="macro", zero_division=0`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.intervals import bootstrap_sums, percentile_interval, wilson_interval
from densight.vocabulary import DensightError

__all__ = [
    "Estimate",
    "Merit",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "macro_precision",
    "macro_recall",
    "measure",
    "patient_confusions",
    "precision_per_class",
    "recall_per_class",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure of merit with its 95 % interval.

    Parameters
    ----------
    value : float
    interval : tuple of float or None
        Lower and upper limit. None where a single patient leaves nothing to resample.
    method : str
        ``wilson``, ``patient bootstrap`` or ``none``.
    """

    value: float
    interval: tuple[float, float] | None
    method: str


@dataclass(frozen=True)
class Merit:
    """The figures of merit of one set of exams, breasts or images.

    Parameters
    ----------
    n, patients : int
        How many were classified, and of how many patients.
    accuracy, balanced_accuracy, macro_recall, macro_precision : Estimate
    recall, precision : tuple of float or None
        By class; None where undefined.
    confusion : tuple of tuple of int
        True class in rows, predicted class in columns.
    """

    n: int
    patients: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_recall: Estimate
    macro_precision: Estimate
    recall: tuple[float | None, ...]
    precision: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]


def confusion_matrix(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, classes: int) -> Integers:
    """Count how often each true class was predicted as each class.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices, 0 to ``classes`` - 1.
    classes : int
        The number of classes, k.

    Returns
    -------
    ndarray of int64, shape (k, k)
        True class in rows, predicted class in columns.

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or hold anything but class indices.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    truth, told = _check_indices(y_true, y_pred, classes)
    from sklearn.metrics import confusion_matrix as count

    return np.asarray(count(truth, told, labels=np.arange(classes)), dtype=np.int64)


def accuracy(confusion: npt.ArrayLike) -> Floats:
    """The share classified correctly.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> accuracy([[3, 1], [0, 4]]).item()
    0.875
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return np.asarray(_hits(counts).sum(axis=-1) / counts.sum(axis=(-2, -1)))


def recall_per_class(confusion: npt.ArrayLike) -> Floats:
    """Of each true class, the share found; NaN for a class that does not occur.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (..., k)

    Examples
    --------
    >>> recall_per_class([[3, 1], [0, 4]])
    array([0.75, 1.  ])
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return _ratio(_hits(counts), counts.sum(axis=-1))


def precision_per_class(confusion: npt.ArrayLike) -> Floats:
    """Of each predicted class, the share that is right; NaN for a class never predicted.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (..., k)

    Examples
    --------
    >>> precision_per_class([[3, 1], [0, 4]])
    array([1. , 0.8])
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return _ratio(_hits(counts), counts.sum(axis=-2))


def macro_recall(confusion: npt.ArrayLike) -> Floats:
    """The mean recall over the classes that occur as true or predicted, an undefined recall taken as 0.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> macro_recall([[3, 1], [0, 4]]).item()
    0.875
    """
    return _macro(confusion, recall_per_class)


def macro_precision(confusion: npt.ArrayLike) -> Floats:
    """The mean precision over the classes that occur as true or predicted, an undefined precision taken as 0.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> macro_precision([[3, 1], [0, 4]]).item()
    0.9
    """
    return _macro(confusion, precision_per_class)


def balanced_accuracy(confusion: npt.ArrayLike) -> Floats:
    """The mean recall over the true classes.

    It differs from `macro_recall` only where a class is predicted that no exam has: that class does not count here.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    References
    ----------
    Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010.

    Examples
    --------
    >>> balanced_accuracy([[3, 1, 0], [0, 3, 1], [0, 0, 0]]).item()
    0.75
    """
    return np.asarray(np.nanmean(recall_per_class(confusion), axis=-1))


def patient_confusions(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, patients: Sequence[str], classes: int) -> Integers:
    """One confusion matrix a patient; their sum is the confusion matrix of all.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices.
    patients : sequence of str, length n
        Whose each row is.
    classes : int
        The number of classes, k.

    Returns
    -------
    ndarray of int64, shape (patients, k, k)
        In the order of the sorted patients.

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or hold anything but class indices.

    Examples
    --------
    >>> patient_confusions([0, 0, 1], [0, 1, 1], ["7", "7", "3"], 2).tolist()
    [[[0, 0], [0, 1]], [[1, 1], [0, 0]]]
    """
    truth, told = _check_indices(y_true, y_pred, classes)
    if len(patients) != len(truth):
        raise DensightError(f"there are {len(truth)} rows but {len(patients)} patients given, one a row is needed")
    names, owner = np.unique(np.asarray(patients, dtype=np.str_), return_inverse=True)
    counts = np.zeros((len(names), classes, classes), dtype=np.int64)
    np.add.at(counts, (owner, truth, told), 1)
    return counts


def measure(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, patients: Sequence[str], classes: int) -> Merit:
    """All figures of merit of one set of exams, breasts or images, with intervals.

    The accuracy's interval is Wilson's where every patient has one row; else, and for the macro means always, it is
    the percentile interval of the patient bootstrap.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices.
    patients : sequence of str, length n
        Whose each row is.
    classes : int
        The number of classes, k.

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
    >>> merit.accuracy.value, merit.accuracy.method, merit.recall
    (0.75, 'wilson', (0.5, 1.0, None))
    """
    confusion = confusion_matrix(y_true, y_pred, classes)
    by_patient = patient_confusions(y_true, y_pred, patients, classes)
    n, people = int(confusion.sum()), len(by_patient)
    samples = bootstrap_sums(by_patient) if people > 1 else None

    def estimate(figure: Callable[[npt.ArrayLike], Floats]) -> Estimate:
        if figure is accuracy and people == n:
            return Estimate(float(figure(confusion)), wilson_interval(int(confusion.trace()), n), "wilson")
        return estimate_by_patient(figure, confusion, samples)

    return Merit(
        n=n,
        patients=people,
        accuracy=estimate(accuracy),
        balanced_accuracy=estimate(balanced_accuracy),
        macro_recall=estimate(macro_recall),
        macro_precision=estimate(macro_precision),
        recall=_defined(recall_per_class(confusion)),
        precision=_defined(precision_per_class(confusion)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def estimate_by_patient(
    figure: Callable[[npt.ArrayLike], Floats], confusion: npt.ArrayLike, samples: npt.ArrayLike | None
) -> Estimate:
    """A figure of merit with the percentile interval of the patient bootstrap.

    Draws for which the figure is undefined are left out; without any other there is no interval.

    Parameters
    ----------
    figure : callable
        Makes a number of a confusion matrix, and an array of a stack of them.
    confusion : array-like of int, shape (k, k)
    samples : array-like of int, shape (draws, k, k), or None
        As `densight.figures.intervals.bootstrap_sums` draws them; None where there is one patient alone.
    """
    value = float(figure(confusion))
    if samples is not None:
        drawn = figure(samples)
        defined = drawn[np.isfinite(drawn)]
        if defined.size:
            return Estimate(value, percentile_interval(defined), "patient bootstrap")
    return Estimate(value, None, "none")


def _check_indices(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, classes: int) -> tuple[Integers, Integers]:
    truth, told = np.asarray(y_true), np.asarray(y_pred)
    if truth.ndim != 1 or truth.shape != told.shape or not truth.size:
        raise DensightError(
            f"true and predicted classes are two lists of the same length, at least 1; these are {truth.shape} and "
            f"{told.shape}"
        )
    for indices in (truth, told):
        if indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= classes:
            raise DensightError(f"class indices are integers from 0 to {classes - 1}, not all of {indices.tolist()}")
    return truth.astype(np.int64), told.astype(np.int64)


def _hits(counts: Floats) -> Floats:
    return np.asarray(np.diagonal(counts, axis1=-2, axis2=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _macro(confusion: npt.ArrayLike, by_class: Callable[[npt.ArrayLike], Floats]) -> Floats:
    counts = np.asarray(confusion, dtype=np.float64)
    occurs = counts.sum(axis=-1) + counts.sum(axis=-2) > 0
    return np.asarray(np.nan_to_num(by_class(counts), nan=0.0).sum(axis=-1) / occurs.sum(axis=-1))


def _defined(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
