"""Agreement beyond chance between the true and the predicted classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from densight.figures.intervals import bootstrap_sums
from densight.figures.merit import Estimate, estimate_by_patient, patient_confusions

__all__ = ["linear_kappa", "measure_kappa"]

Floats = npt.NDArray[np.float64]


def linear_kappa(confusion: npt.ArrayLike) -> Floats:
    """Cohen's κ with linear weights: a class beside the true one disagrees once, the next one twice, and so on.

    One minus the weighted disagreement that is there over that of the same totals by chance. NaN where one class is
    all that occurs, for then nothing can disagree.

    Parameters
    ----------
    confusion : array-like of int, shape (..., k, k)

    Returns
    -------
    ndarray of float64, shape (...)
        At most 1; 0 by chance.

    References
    ----------
    Cohen, "Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit",
    Psychological Bulletin 70:213-220, 1968.

    Examples
    --------
    >>> linear_kappa([[2, 0], [1, 1]]).item()
    0.5
    """
    counts = np.asarray(confusion, dtype=np.float64)
    rows, columns = np.indices(counts.shape[-2:])
    weights = np.abs(rows - columns)
    chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    there = (weights * counts).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
    expected = (weights * chance).sum(axis=(-2, -1))
    return np.asarray(1 - np.divide(there, expected, out=np.full(expected.shape, np.nan), where=expected > 0))


def measure_kappa(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, patients: Sequence[str], classes: int) -> Estimate:
    """`linear_kappa` of exams, breasts or images, with the interval of `densight.figures.merit.estimate_by_patient`.

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
    Estimate

    Raises
    ------
    DensightError
        If the lists are empty, differ in length, or hold anything but class indices.

    Examples
    --------
    >>> kappa = measure_kappa([0, 0, 1, 1], [0, 0, 0, 1], ["a", "b", "c", "d"], 2)
    >>> kappa.value, kappa.method
    (0.5, 'patient bootstrap')
    """
    by_patient = patient_confusions(y_true, y_pred, patients, classes)
    samples = bootstrap_sums(by_patient) if len(by_patient) > 1 else None
    return estimate_by_patient(linear_kappa, by_patient.sum(axis=0), samples)
