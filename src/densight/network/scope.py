"""What a network may be asked about: how far an image may be from those that it has learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Scope"]

Array = npt.NDArray[np.float64]

SOFTENED = 0.3
"""What is added to a feature, in standard deviations, before its logarithm: so much of it is as good as none."""

SHRUNK = 0.3
"""How far the covariance is shrunk to that of features that do not go together."""


@dataclass(frozen=True, eq=False)
class Scope:
    """The images that a network was fitted to, as a cloud of its mean features, and where beside it it falls silent.

    Features are not negative and some are seldom there, so that the cloud is one of their logarithms.

    Reference: Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
    attacks", NeurIPS 2018, of one class: the Mahalanobis distance.

    Parameters
    ----------
    scale : ndarray of float64, shape (k,)
        The standard deviations of the mean features.
    mean : ndarray of float64, shape (k,)
        The mean of their logarithms.
    whitening : ndarray of float64, shape (k, k)
        Its product with the difference of logarithms from their mean has about unit covariance over the images of the
        fit.
    limit : float
        The greatest distance at which the network answers.
    false_alarms : str
        How many mammograms of what kind lie beyond it, in words.

    Examples
    --------
    >>> scope = Scope(np.ones(2), np.log([0.3, 0.3]), np.eye(2), 5.0, "none of 100")
    >>> round(scope.distance(np.array([0.3 * (np.exp(3) - 1), 0.3 * (np.exp(4) - 1)])), 6)
    5.0
    """

    scale: Array
    mean: Array
    whitening: Array
    limit: float
    false_alarms: str

    @classmethod
    def of(cls, features: Array, limit: float = np.inf, false_alarms: str = "") -> Scope:
        """The scope of the mean features ``(n, k)`` of some images."""
        scale = np.maximum(features.std(axis=0), 1e-6)
        logs = np.log(features / scale + SOFTENED)
        spread = np.maximum(logs.std(axis=0), 1e-6)
        together = np.cov((logs / spread).T)
        values, vectors = np.linalg.eigh((1 - SHRUNK) * together + SHRUNK * np.eye(len(scale)))
        return cls(scale, logs.mean(axis=0), (vectors / np.sqrt(values)).T / spread, limit, false_alarms)

    def distance(self, features: npt.NDArray[np.floating]) -> float:
        """How far the mean features ``(k,)`` of an image are from the cloud's middle, in standard deviations."""
        logs = np.log(features / self.scale + SOFTENED)
        return float(np.linalg.norm(self.whitening @ (logs - self.mean)))

    def to_json(self) -> dict[str, Any]:
        """Plain values, of seven digits."""
        return {
            "scale": [float(f"{value:.7g}") for value in self.scale],
            "mean": [float(f"{value:.7g}") for value in self.mean],
            "whitening": [[float(f"{value:.7g}") for value in row] for row in self.whitening],
            "limit": float(f"{self.limit:.7g}"),
            "false_alarms": self.false_alarms,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Scope:
        """The inverse of :meth:`to_json`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If something is missing or has the wrong shape.
        """
        scale, mean, whitening = (np.array(content[name], np.float64) for name in ("scale", "mean", "whitening"))
        if mean.ndim != 1 or scale.shape != mean.shape or whitening.shape != (mean.size, mean.size):
            raise ValueError("scale, mean and whitening do not fit each other")
        return cls(scale, mean, whitening, float(content["limit"]), str(content["false_alarms"]))
