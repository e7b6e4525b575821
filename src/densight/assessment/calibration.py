"""What is fitted on exams that no network has learnt from, stored with the model, and used by it from then on.

Of images a scaling; of breasts and exams how projections are fused, a scaling of what comes of it, and sets of classes.
The mean of calibrated opinions is itself not calibrated but too cautious, hence a scaling of its own.

References
----------
Ranjan and Gneiting, "Combining probability forecasts", J. R. Statist. Soc. B 72:71-91, 2010.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from densight.assessment.conformal import PredictionSets
from densight.assessment.pooling import RULES, pool
from densight.assessment.scaling import Scaling
from densight.vocabulary import PROJECTIONS, DensightError, Projection

__all__ = ["Calibration", "Fusion"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fusion:
    """How images become breasts and exams.

    Parameters
    ----------
    rule : str
        A key of `densight.assessment.pooling.RULES`.
    weights : tuple of float or None
        For the rule ``learned``.
    breast, exam : Scaling or None
        Of what comes of it; None: as it is.
    sets : PredictionSets or None
        Of exams.
    """

    rule: str = "mean"
    weights: tuple[float, ...] | None = None
    breast: Scaling | None = None
    exam: Scaling | None = None
    sets: PredictionSets | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise DensightError(f"unknown rule of fusion {self.rule!r}", remedy=f"use one of {', '.join(RULES)}")

    def of_breasts(self, cube: npt.ArrayLike) -> Floats:
        """The probabilities of breasts, shape (n, k), from those by projection, shape (n, 4, k)."""
        fused = pool(cube, self.rule, self.weights)
        return fused if self.breast is None else self.breast.apply(fused)

    def of_exams(self, cube: npt.ArrayLike) -> Floats:
        """The probabilities of exams, shape (n, k), from those by projection, shape (n, 4, k)."""
        fused = pool(cube, self.rule, self.weights)
        return fused if self.exam is None else self.exam.apply(fused)

    def of_views(self, views: Mapping[Projection, npt.ArrayLike], *, whole: bool = True) -> Floats:
        """The probabilities of one exam, or one breast, shape (k,), from those of its projections.

        Examples
        --------
        >>> Fusion().of_views({Projection.CC_R: [0.25, 0.75], Projection.MLO_R: [0.75, 0.25]})
        array([0.5, 0.5])
        """
        y_prob = {projection: np.asarray(values, dtype=np.float64) for projection, values in views.items()}
        cube = np.full((1, len(PROJECTIONS), len(next(iter(y_prob.values())))), np.nan)
        for projection, values in y_prob.items():
            cube[0, PROJECTIONS.index(projection)] = values
        fused: Floats = (self.of_exams if whole else self.of_breasts)(cube)[0]
        return fused

    @property
    def words(self) -> list[str]:
        """What it does beyond the mean, in words."""
        notes = [] if self.rule == "mean" else [f"projections fused by the rule {self.rule}: {RULES[self.rule]}"]
        for name, scaling in (("breasts", self.breast), ("exams", self.exam)):
            if scaling is not None:
                notes.append(f"{name}: {scaling.words}")
        if self.sets is not None:
            whose = "of each class" if self.sets.by_class else "of all exams"
            notes.append(
                f"sets of classes that hold the true one in {100 * self.sets.coverage:g} % {whose}, fitted on "
                f"{self.sets.cases} exams of {self.sets.patients} patients"
            )
        return notes


@dataclass(frozen=True)
class Calibration:
    """The calibration that a bundle's ``model.json`` holds.

    Parameters
    ----------
    images : Scaling or None
        Of the bundle's own answers.
    fusion : Fusion
        Of these answers and those of the models that it was fitted with.
    models : tuple of str
        The checksums of their weights, its own among them.
    record : dict
        Where it comes from: input, split, version.
    """

    images: Scaling | None
    fusion: Fusion
    models: tuple[str, ...]
    record: dict[str, Any]
