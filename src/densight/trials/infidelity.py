"""Infidelity and sensitivity: whether the map predicts what changes do, and whether it stays when nothing does.

Reference: Yeh et al., "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019, definitions 2.1 and 3.1, and
section 2.3 for the best scale.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["greatest_change", "unpredicted_part"]

Values = npt.NDArray[np.float64]


def unpredicted_part(taken: Values, changes: Values) -> float:
    """The part of the score's changes that what the map loses does not predict, at the best scale that is not negative.

    Yeh's infidelity with optimal scaling, over that of a map of nothing: 0 where the map predicts every change, 1 where
    it is no better than none. Both are taken about their means: as much is taken away each time, so that any map of one
    sign would predict the mean.

    Parameters
    ----------
    taken : ndarray of float64, shape (n,)
        The map's sum over what was taken away, a perturbation each.
    changes : ndarray of float64, shape (n,)
        What the score lost.

    Examples
    --------
    >>> unpredicted_part(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    0.0
    >>> unpredicted_part(np.array([1.0, 1.0]), np.array([1.0, -1.0])), unpredicted_part(np.eye(2)[0], -np.eye(2)[0])
    (1.0, 1.0)
    """
    taken, changes = taken - taken.mean(), changes - changes.mean()
    whole = float(changes @ changes)
    if not whole > 0:
        return float("nan")
    scale = max(0.0, float(taken @ changes) / (float(taken @ taken) or 1.0))
    rest = changes - scale * taken
    return float(rest @ rest) / whole


def greatest_change(original: npt.NDArray[np.floating], others: list[npt.NDArray[np.floating]]) -> float:
    """The greatest difference of other maps from the original, as a part of the original's own size (L2).

    Yeh's maximal sensitivity, over the size of the map; `sensitivity_max` of Captum divides alike.

    Examples
    --------
    >>> greatest_change(np.array([3.0, 4.0]), [np.array([3.0, 4.0]), np.array([0.0, 0.0])])
    1.0
    """
    size = float(np.linalg.norm(original))
    if not size > 0:
        return float("nan")
    return max(float(np.linalg.norm(other - original)) for other in others) / size
