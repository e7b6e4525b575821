"""The scope of a network: how far an image may be from the training images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from densight.vocabulary import DensightError

__all__ = ["SCOPE_CONTENT", "Scope"]

Array = npt.NDArray[np.float64]


def _seven_digits(value: float) -> float:
    return float(f"{value:.7g}")


def _to_array(values: Any) -> Array:
    try:
        return np.array(values, np.float64)
    except TypeError as error:  # pydantic lets it pass, and turns a ValueError into a message
        raise ValueError(str(error)) from error


def _to_lists(array: Array) -> list[Any]:
    return [_to_lists(part) if part.ndim else _seven_digits(part) for part in array]


StoredNumber = Annotated[float, PlainSerializer(_seven_digits)]
StoredArray = Annotated[Array, PlainValidator(_to_array), PlainSerializer(_to_lists)]

SOFTENED = 0.3
"""Added to a feature, in standard deviations, before its logarithm, so that small values do not dominate."""

SHRUNK = 0.3
"""How far the covariance is shrunk towards that of uncorrelated features."""


@dataclass(frozen=True, eq=False)
class Scope:
    """The distribution of a network's mean features over its training images, and the limit of what it assesses.

    The distribution is of the features' logarithms, because features are not negative and some are rarely active.

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
        The largest distance at which an image is assessed.
    false_alarms : str
        How many mammograms of which kind lie beyond the limit, in words.

    Examples
    --------
    >>> scope = Scope(np.ones(2), np.log([0.3, 0.3]), np.eye(2), 5.0, "none of 100")
    >>> round(scope.distance(np.array([0.3 * (np.exp(3) - 1), 0.3 * (np.exp(4) - 1)])), 6)
    5.0
    """

    scale: StoredArray
    mean: StoredArray
    whitening: StoredArray
    limit: StoredNumber
    false_alarms: str

    def __post_init__(self) -> None:
        size = self.mean.size
        if self.mean.ndim != 1 or self.scale.shape != (size,) or self.whitening.shape != (size, size):
            raise DensightError("scale, mean and whitening do not fit each other")

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
        """Distance of an image's mean features ``(k,)`` from the centre of the distribution, in standard deviations."""
        logs = np.log(features / self.scale + SOFTENED)
        return float(np.linalg.norm(self.whitening @ (logs - self.mean)))


SCOPE_CONTENT = TypeAdapter(Scope)
"""Reads and writes a scope as plain values for JSON, numbers with seven digits."""
