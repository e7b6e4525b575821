"""Parts of a cross-validation that no patient's cases straddle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["cross_fit", "group_folds"]

FOLDS, FOLDS_OF_MANY, MANY = 10, 3, 10_000
"""Parts of a cross-validation, and from how many patients on fewer will do."""


def group_folds(patients: Sequence[str], folds: int | None = None, seed: int = 0) -> npt.NDArray[np.int64]:
    """The part of a cross-validation to which each case belongs; all cases of a patient to one.

    Parameters
    ----------
    patients : sequence of str, length n
    folds : int, optional
        By default `FOLDS`, or `FOLDS_OF_MANY`; fewer where there are fewer patients.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> group_folds(["a", "b", "a", "c"], 2).tolist()
    [0, 0, 0, 1]
    """
    import pandas as pd

    numbers, names = pd.factorize(np.asarray(patients, dtype=object), sort=True)
    folds = folds or (FOLDS if len(names) < MANY else FOLDS_OF_MANY)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.asarray((order % min(folds, len(names)))[numbers], dtype=np.int64)


def cross_fit(
    patients: Sequence[str],
    shape: tuple[int, ...],
    made: Callable[[npt.NDArray[np.bool_], npt.NDArray[np.bool_]], npt.ArrayLike],
) -> npt.NDArray[np.float64]:
    """What is made of the cases of each part by what is fitted on those of the others.

    Parameters
    ----------
    patients : sequence of str, length n
        Of two patients at least.
    shape : tuple of int
        Of the result, n first.
    made : callable
        Given which cases to fit on and which to make it of, gives what is made of the latter.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 6.0])
    >>> cross_fit(["a", "b", "c"], (3,), lambda fitted, inside: values[fitted].mean())
    array([4. , 3.5, 1.5])
    """
    folds = group_folds(patients)
    result = np.empty(shape)
    for fold in np.unique(folds):
        inside = folds == fold
        result[inside] = made(~inside, inside)
    return result
