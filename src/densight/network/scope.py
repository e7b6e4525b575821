"""What a network may be asked about: how far an image may be from those that it has learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Scope"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scope:
    """The images that a network was fitted to, as a cloud of its pooled features, and where beside it it falls silent.

    Reference: Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
    attacks", NeurIPS 2018, of one class: the Mahalanobis distance.

    Parameters
    ----------
    mean : ndarray of float64, shape (k,)
    whitening : ndarray of float64, shape (k, k)
        Its product with the difference from the mean has unit covariance over the images of the fit.
    limit : float
        The greatest distance at which the network answers.
    false_alarms : str
        How many mammograms of what kind lie beyond it, in words.

    Examples
    --------
    >>> scope = Scope(np.zeros(2), np.eye(2), 5.0, "none of 100")
    >>> scope.distance(np.array([3.0, 4.0]))
    5.0
    """

    mean: Array
    whitening: Array
    limit: float
    false_alarms: str

    @classmethod
    def of(cls, features: Array, limit: float = np.inf, false_alarms: str = "") -> Scope:
        """The scope of pooled features ``(n, k)``; their covariance is shrunk as Ledoit and Wolf (2004) do it."""
        from sklearn.covariance import LedoitWolf

        spread = np.maximum(features.std(axis=0), 1e-6)
        fitted = LedoitWolf().fit(features / spread)
        values, vectors = np.linalg.eigh(fitted.covariance_)
        return cls(fitted.location_ * spread, (vectors / np.sqrt(values)).T / spread, limit, false_alarms)

    def distance(self, features: npt.NDArray[np.floating]) -> float:
        """How far the pooled features ``(k,)`` of an image are from the cloud's middle, in standard deviations."""
        return float(np.linalg.norm(self.whitening @ (features - self.mean)))

    def to_json(self) -> dict[str, Any]:
        """Plain values, of seven digits."""
        return {
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
        mean, whitening = (np.array(content[name], np.float64) for name in ("mean", "whitening"))
        if mean.ndim != 1 or whitening.shape != (mean.size, mean.size):
            raise ValueError("mean and whitening do not fit each other")
        return cls(mean, whitening, float(content["limit"]), str(content["false_alarms"]))
