"""The head once more, on phantoms as they are.

Examples of a fit are changed, so that part of what a film or a display does to the score goes unseen. A head that is
fitted on unchanged phantoms takes it away; held near the head of the fit, it keeps what serves patients' films too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from densight.network.breastnet import BreastNet
from densight.phantom.settings import SCREENING_MIX
from densight.preparation.prepare import finish
from starter.fit import SOURCES, Learner, likely_classes
from starter.material import PREPARATION, Framed

__all__ = ["pooled", "refit"]

Floats = npt.NDArray[np.float64]

PENALTY = 4.5
"""Of the new head. Less tells phantoms better and mini-MIAS worse."""


def pooled(network: BreastNet, images: Sequence[Framed]) -> Floats:
    """The mean features of images, ``(n, features)``."""
    found = []
    with torch.inference_mode():
        for one in images:
            x = torch.from_numpy(finish(one.image.astype(np.float32) / 255, PREPARATION))[None]
            found.append(network.activate(network.forward_features(x)).mean((2, 3))[0].double().numpy())
    return np.array(found)


def refit(learner: Learner, images: Sequence[Framed], penalty: float = PENALTY) -> None:
    """Fit the score to the logarithm of phantoms' volumetric density, then the cut-points to their classes.

    Parameters
    ----------
    learner : Learner
        Fitted; its score and its slope and cut-points of phantoms are changed.
    images : sequence of Framed
        Phantoms.
    penalty : float
        Of the ridge regression, in parts of the number of images: how much a change of a standardised weight costs.
    """
    features = pooled(learner.network, images)
    density = np.log([float(one.row["breast_volumetric_density"]) for one in images])
    fitted = learner.score.weight.detach().numpy()[0].astype(np.float64)
    weights = ridge_about(features, density, fitted, penalty)
    counts = np.array([[one.row["density"] for one in images].count(label) for label in SOURCES["phantom"]])
    seldom = {label: part / n for label, part, n in zip(SOURCES["phantom"], SCREENING_MIX, counts, strict=True)}
    slope, cuts = fit_cuts(
        features @ weights,
        np.stack([likely_classes(one.row) for one in images]),
        np.array([seldom[one.row["density"]] for one in images]),
    )
    with torch.no_grad():
        learner.slopes["phantom"].zero_()
        learner.score.weight.copy_(torch.from_numpy(weights * slope)[None] / learner.slope("phantom"))
        learner.cuts["phantom"].copy_(torch.from_numpy(cuts))


def ridge_about(features: Floats, known: Floats, weights: Floats, penalty: float) -> Floats:
    """Ridge regression that is drawn towards given weights, once these are brought to the scale of what is known.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> ridge_about(x, np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 0.0]), 1.0).round(6) + 0
    array([1., 0.])
    """
    spread = features.std(0) + 1e-6
    x, y = (features - features.mean(0)) / spread, known - known.mean()
    begin = weights * spread
    begin = begin * float(np.polyfit(x @ begin, y, 1)[0])
    gram = x.T @ x + penalty * len(x) * np.eye(x.shape[1])
    return np.asarray((begin + np.linalg.solve(gram, x.T @ (y - x @ begin))) / spread, np.float64)


def fit_cuts(score: Floats, likely: Floats, weights: Floats) -> tuple[float, Floats]:
    """Slope and cut-points of the greatest weighted likelihood of classes, given as probabilities ``(n, classes)``."""

    def loss(given: Floats) -> float:
        steps = score[:, None] * np.exp(given[0]) - given[1:]
        logs = log_softmax(np.pad(steps.cumsum(1), ((0, 0), (1, 0))), axis=1)
        return float(-(weights[:, None] * likely * logs).sum() / weights.sum())

    begin = np.array([1.0, *np.exp(1.0) * np.quantile(score, (0.25, 0.5, 0.75))])
    found = minimize(loss, begin, method="BFGS").x
    return float(np.exp(found[0])), found[1:]
