"""Parts of a cross-validation that no patient's cases straddle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["FOLDS", "folds_of"]

FOLDS = 10
"""Parts of a cross-validation."""


def folds_of(patients: Sequence[str], folds: int = FOLDS, seed: int = 0) -> npt.NDArray[np.int64]:
    """The part of a cross-validation to which each case belongs; all cases of a patient to one.

    Parameters
    ----------
    patients : sequence of str, length n
    folds : int
        Fewer where there are fewer patients.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> folds_of(["a", "b", "a", "c"], 2).tolist()
    [0, 0, 0, 1]
    """
    import pandas as pd

    numbers, names = pd.factorize(np.asarray(patients, dtype=object), sort=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.asarray((order % min(folds, len(names)))[numbers], dtype=np.int64)
