"""A population of women, exams and classifiers of which the true figures of merit are known.

A woman has a density on a continuous scale, cut into A to D as a screening population's (10, 40, 40, 10 per cent). Her
exams vary about it. A classifier sees the exam's density with an error, part of which is the woman's own and returns
at each exam, and says probabilities that are sharper than they should be, as networks' are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CUTS = norm.ppf([0.1, 0.5, 0.9])
SHARPNESS = 1.4
ERROR, SHARED = 0.45, 0.5


@dataclass(frozen=True)
class Sample:
    """Exams: true class, probabilities by classifier, whose they are."""

    y_true: Integers
    y_prob: list[Floats]
    patients: list[str]


def draw(
    generator: np.random.Generator, exams: int, *, clustered: bool, errors: tuple[float, ...] = (ERROR,)
) -> Sample:
    """Exams of one woman each, or of one to three; a classifier for each error."""
    sizes = generator.integers(1, 4, size=exams) if clustered else np.ones(exams, dtype=np.int64)
    owner = np.repeat(np.arange(exams), sizes)[:exams]
    women = int(owner[-1]) + 1
    # The exam's density has unit variance, so that the cuts give the mix whatever is the woman's part of it.
    density = np.sqrt(0.8) * generator.normal(size=women)[owner] + np.sqrt(0.2) * generator.normal(size=exams)
    y_prob = [_say(density, owner, women, error, generator) for error in errors]
    return Sample(np.searchsorted(CUTS, density), y_prob, [f"{one:07}" for one in owner])


def _say(density: Floats, owner: Integers, women: int, error: float, generator: np.random.Generator) -> Floats:
    own, other = generator.normal(size=women)[owner], generator.normal(size=len(density))
    seen = density + error * (np.sqrt(SHARED) * own + np.sqrt(1 - SHARED) * other)
    # What is known of the density given what is seen: normal, of this mean and spread.
    mean, spread = seen / (1 + error**2), error / np.sqrt(1 + error**2)
    edges = norm.cdf((np.concatenate([[-np.inf], CUTS, [np.inf]]) - mean[:, None]) / spread)
    powers = np.maximum(np.diff(edges, axis=1), 1e-9) ** SHARPNESS
    return powers / powers.sum(axis=1, keepdims=True)
