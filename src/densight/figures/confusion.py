"""Metrics of the predicted class, as functions of confusion matrices.

Each takes one matrix or a stack of them, ``(..., k, k)``, and returns one value or an array ``(...)``. The bootstrap
over patients makes such a stack, one matrix per draw, so that a metric of all draws is one call.

The recall of a class without exams and the precision of a class never predicted are NaN. The macro means include the
classes that occur as true or as predicted, with undefined values as 0, as scikit-learn's
``average="macro", zero_division=0``. The weighted means weight each true class by its number of cases, as its
``average="weighted"``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "check_indices",
    "collapse",
    "confusion_matrix",
    "f1_per_class",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "mean_class_error",
    "precision_per_class",
    "recall_per_class",
    "share_off_by_two",
    "weighted_f1",
    "weighted_precision",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def confusion_matrix(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, n_classes: int) -> Integers:
    """Count how often each true class was predicted as each class.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices, 0 to ``n_classes`` - 1.
    n_classes : int
        The number of classes, k.

    Returns
    -------
    ndarray of int64, shape (k, k)
        True class in rows, predicted class in columns.

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or contain anything except class indices.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    from sklearn.metrics import confusion_matrix as count

    true, predicted = check_indices(y_true, y_pred, n_classes)
    return np.asarray(count(true, predicted, labels=np.arange(n_classes)), dtype=np.int64)


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
    """The recall of each class: the share of its cases predicted as it; NaN for a class that does not occur.

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
    """The precision of each class: the share of its predictions that are correct; NaN for a class never predicted.

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
    """The mean recall over the classes that occur as true or predicted; an undefined recall counts as 0.

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
    """The mean precision over the classes that occur as true or predicted; an undefined precision counts as 0.

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

    It differs from `macro_recall` only if a class is predicted that no exam has: that class does not count here.

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


def f1_per_class(confusion: npt.ArrayLike) -> Floats:
    """The F1 of each class: the harmonic mean of recall and precision; NaN for a class that never occurs.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (..., k)

    Examples
    --------
    >>> f1_per_class([[3, 1], [0, 4]]).round(4)
    array([0.8571, 0.8889])
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return _ratio(2 * _hits(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def macro_f1(confusion: npt.ArrayLike) -> Floats:
    """The mean F1 over the classes that occur as true or predicted.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> macro_f1([[3, 1], [0, 4]]).round(4).item()
    0.873
    """
    return _macro(confusion, f1_per_class)


def weighted_precision(confusion: npt.ArrayLike) -> Floats:
    """The mean precision, weighted by the number of true cases; the recall weighted so is the accuracy.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> weighted_precision([[3, 1], [0, 4]]).item()
    0.9
    """
    return _weighted(confusion, precision_per_class)


def weighted_f1(confusion: npt.ArrayLike) -> Floats:
    """The mean F1, weighted by the number of true cases.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> weighted_f1([[3, 1], [0, 4]]).round(4).item()
    0.873
    """
    return _weighted(confusion, f1_per_class)


def mean_class_error(confusion: npt.ArrayLike) -> Floats:
    """The mean absolute difference of predicted and true class index.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> mean_class_error([[3, 0, 1], [0, 4, 0], [0, 0, 0]]).item()
    0.25
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return np.asarray((_steps(counts) * counts).sum(axis=(-2, -1)) / counts.sum(axis=(-2, -1)))


def share_off_by_two(confusion: npt.ArrayLike) -> Floats:
    """The share of cases whose predicted class is two or more classes from the true one.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> share_off_by_two([[3, 0, 1], [0, 4, 0], [0, 0, 0]]).item()
    0.125
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return np.asarray(((_steps(counts) >= 2) * counts).sum(axis=(-2, -1)) / counts.sum(axis=(-2, -1)))


def collapse(confusion: npt.ArrayLike, dense_from: int) -> Floats:
    """The confusion matrix of non-dense against dense.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)
    dense_from : int
        The index of the first class that counts as dense.

    Returns
    -------
    ndarray of float64, shape (..., 2, 2)
        Non-dense first.

    Examples
    --------
    >>> collapse([[3, 0, 1], [0, 4, 0], [1, 0, 5]], 2)
    array([[7., 1.],
           [1., 5.]])
    """
    counts = np.asarray(confusion, dtype=np.float64)
    return np.asarray(np.add.reduceat(np.add.reduceat(counts, [0, dense_from], axis=-2), [0, dense_from], axis=-1))


def check_indices(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, n_classes: int) -> tuple[Integers, Integers]:
    """True and predicted classes as arrays, checked to be class indices.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Class indices, 0 to ``n_classes`` - 1.
    n_classes : int

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or contain anything except class indices.

    Examples
    --------
    >>> check_indices([0, 1], [0, 2], 2)
    Traceback (most recent call last):
    densight.vocabulary.DensightError: class indices are integers from 0 to 1; entry 2 is 2.
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.ndim != 1 or true.shape != predicted.shape or not true.size:
        raise DensightError(
            f"true and predicted classes are two lists of the same length, at least 1; these are {true.shape} and "
            f"{predicted.shape}"
        )
    for indices in (true, predicted):
        integers = indices.dtype.kind in "iu"
        wrong = ~np.isin(indices, np.arange(n_classes)) if integers else np.ones(len(indices), dtype=bool)
        if wrong.any():
            row = int(wrong.argmax())
            raise DensightError(
                f"class indices are integers from 0 to {n_classes - 1}; entry {row + 1} is {indices[row]}"
            )
    return true.astype(np.int64), predicted.astype(np.int64)


def _hits(counts: Floats) -> Floats:
    return np.asarray(np.diagonal(counts, axis1=-2, axis2=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _macro(confusion: npt.ArrayLike, by_class: Callable[[npt.ArrayLike], Floats]) -> Floats:
    counts = np.asarray(confusion, dtype=np.float64)
    occurs = counts.sum(axis=-1) + counts.sum(axis=-2) > 0
    return np.asarray(np.nan_to_num(by_class(counts), nan=0.0).sum(axis=-1) / occurs.sum(axis=-1))


def _weighted(confusion: npt.ArrayLike, by_class: Callable[[npt.ArrayLike], Floats]) -> Floats:
    counts = np.asarray(confusion, dtype=np.float64)
    cases = counts.sum(axis=-1)
    return np.asarray((np.nan_to_num(by_class(counts), nan=0.0) * cases).sum(axis=-1) / cases.sum(axis=-1))


def _steps(counts: Floats) -> Floats:
    """The absolute difference of row and column, shape (k, k)."""
    rows, columns = np.indices(counts.shape[-2:])
    return np.asarray(np.abs(rows - columns), dtype=np.float64)
