"""Infidelity and sensitivity: whether the map predicts changes of the score, and whether it is stable under noise.

Reference: Yeh et al., "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019, definitions 2.1 and 3.1, and
section 2.3 for the best scale.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["greatest_change", "unpredicted_part"]

Values = npt.NDArray[np.float64]


def unpredicted_part(taken: Values, changes: Values) -> float:
    """The part of the score's changes that the map's removed mass does not predict, at the best non-negative scale.

    Yeh's infidelity with optimal scaling, divided by that of an all-zero map: 0 if the map predicts every change, 1 if
    it is no better than none. The means are subtracted first: equally much is removed each time, so any map of one sign
    would predict the mean.

    Parameters
    ----------
    taken : ndarray of float64, shape (n,)
        The map's sum over the removed blocks, one per perturbation.
    changes : ndarray of float64, shape (n,)
        The fall of the score.

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


def greatest_change(original: npt.NDArray[np.floating], changed: list[npt.NDArray[np.floating]]) -> float:
    """The greatest difference of other maps from the original, as a part of the original's norm (L2).

    Yeh's maximal sensitivity, divided by the norm of the map, as `sensitivity_max` of Captum does.

    Examples
    --------
    >>> greatest_change(np.array([3.0, 4.0]), [np.array([3.0, 4.0]), np.array([0.0, 0.0])])
    1.0
    """
    size = float(np.linalg.norm(original))
    if not size > 0:
        return float("nan")
    return max(float(np.linalg.norm(other - original)) for other in changed) / size
