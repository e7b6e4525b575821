"""The bench: cases, and for each the reference values that all methods are measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from densight.assessment.models import Models
from densight.network.blocks import DensityNetwork
from densight.network.bundle import Bundle
from densight.trials.case import Case
from densight.trials.cause import region_effects
from densight.trials.deletion import (
    STEPS,
    block_means,
    deletion_curve,
    insertion_curve,
    order_blocks,
)
from densight.trials.sanity import randomise
from densight.vocabulary import PROJECTIONS, DensightError, Projection

__all__ = ["ORDERS", "Bench", "CaseReference", "MeasuredValues", "curve_areas", "other_network", "projection_of"]

Values = npt.NDArray[np.float64]
MeasuredValues = dict[str, tuple[float, float]]
"""Measures of one image by name, each with its chance level."""

ORDERS = 3
"""Random orders of blocks, with which deletion and insertion are compared."""

PERTURBATIONS = 32
"""Random sets of blocks that infidelity removes."""

REMOVED = 0.3
"""The part of the blocks in a set."""

RANDOMISED_CASES = 8
"""Patients on whose first case networks are randomised. Each takes eight maps, and the question is of the network."""


@dataclass(frozen=True, eq=False)
class Bench:
    """Cases, and for each the reference values that all methods are measured against; computed once.

    Parameters
    ----------
    cases : tuple of Case
        Ideally two images per patient, of at least `densight.trials.measure.FEW` patients.
    second : Models or None
        The same models trained again with another seed.
    shuffled : Models or None
        Models trained on shuffled labels.
    seed : int
    """

    cases: tuple[Case, ...]
    second: Models | None = None
    shuffled: Models | None = None
    seed: int = 0
    _kept: dict[tuple[str, int, int], DensityNetwork] = field(default_factory=dict)

    @property
    def patients(self) -> tuple[str, ...]:
        """The patient of each case."""
        return tuple(case.result.mammogram.patient_id or str(i) for i, case in enumerate(self.cases))

    @cached_property
    def references(self) -> tuple[CaseReference, ...]:
        """The reference values of each case."""
        return tuple(CaseReference.of(case, self.seed) for case in self.cases)

    @cached_property
    def other_patients(self) -> tuple[int | None, ...]:
        """For each case the place of another patient's case, of the same view and the same frame."""
        partners: list[int | None] = []
        for i, case in enumerate(self.cases):
            candidates = [(i + k) % len(self.cases) for k in range(1, len(self.cases))]
            partners.append(next((j for j in candidates if self._is_comparable(case, i, j)), None))
        return tuple(partners)

    def _is_comparable(self, case: Case, i: int, j: int) -> bool:
        other = self.cases[j]
        return (
            self.patients[i] != self.patients[j]
            and projection_of(case).view == projection_of(other).view
            and case.image.shape == other.image.shape
        )

    def randomised(self, case: Case, stages: Sequence[int], draw: int = 0) -> DensityNetwork:
        """The case's network with some stages shuffled; made once per bundle and draw."""
        bundle = case.result.bundle
        key = (bundle.checksum, sum(1 << stage for stage in stages), draw)
        if key not in self._kept:
            inputs = [other.method_input("grad-cam").x for other in self.cases if other.result.bundle is bundle][:16]
            self._kept[key] = randomise(case.network, stages, torch.cat(inputs), self.seed + draw)
        return self._kept[key]

    @cached_property
    def randomised_cases(self) -> frozenset[int]:
        """The cases on which networks are randomised."""
        firsts = {patient: i for i, patient in reversed(list(enumerate(self.patients)))}
        return frozenset(sorted(firsts.values())[:RANDOMISED_CASES])

    def partner(self, i: int, *, view: bool) -> int | None:
        """The place of the same exam's other view of that side, or of its other side in that view."""
        mammogram, projection = self.cases[i].result.mammogram, projection_of(self.cases[i])
        wanted = next(
            candidate
            for candidate in PROJECTIONS
            if (candidate.view != projection.view) == view and (candidate.laterality == projection.laterality) == view
        )
        for j, case in enumerate(self.cases):
            other = case.result.mammogram
            same_exam = (other.patient_id, other.exam_id) == (mammogram.patient_id, mammogram.exam_id)
            if same_exam and projection_of(case) == wanted:
                return j
        return None


@dataclass(frozen=True, eq=False)
class CaseReference:
    """The reference values of a case, which do not depend on the method.

    Parameters
    ----------
    deletion, insertion : mapping of str to float
        The areas of `curve_areas` for random orders and for the order of brightness.
    effects : ndarray of float64, shape (regions,)
    whole : float
        See `densight.trials.cause.region_effects`.
    removed : ndarray of bool, shape (perturbations, blocks)
        Random sets of blocks.
    changes : ndarray of float64, shape (perturbations,)
        The fall of the score when they became fat.
    """

    deletion: Mapping[str, float]
    insertion: Mapping[str, float]
    effects: Values
    whole: float
    removed: npt.NDArray[np.bool_]
    changes: Values

    @classmethod
    def of(cls, case: Case, seed: int) -> CaseReference:
        """Compute them."""
        rng = np.random.default_rng(seed)
        blocks = case.blocks
        n = int(blocks.max())
        orders = {f"random {i}": rng.permutation(n) for i in range(ORDERS)}
        orders["brightness"] = order_blocks(block_means(case.image, blocks), seed)
        deletion, insertion = {}, {}
        for name, order in orders.items():
            deletion[name], insertion[name] = curve_areas(case, order)
        effects, whole = region_effects(case.scores, case.image, case.without, case.regions, case.tissue.breast)
        # Equally many blocks each time, or any map would predict that removing more tissue lowers the score more.
        removed = np.argsort(rng.random((PERTURBATIONS, n)), axis=1) < REMOVED * n
        keep = np.concatenate([np.zeros((PERTURBATIONS, 1), bool), removed], axis=1)
        pictures = [np.where(row[blocks], case.without, case.image).astype(np.float32) for row in keep]
        scores = case.scores([case.image, *pictures])
        return cls(deletion, insertion, effects, whole, removed, scores[0] - scores[1:])


def curve_areas(case: Case, order: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The mean fall of the score on a deletion curve, and its mean rise on an insertion curve."""
    falls = deletion_curve(case.scores, case.image, case.without, case.blocks, order)
    rises = insertion_curve(case.scores, case.image, case.without, case.blocks, order)
    return float(falls[0] - falls[1:STEPS].mean()), float(rises[1:STEPS].mean() - rises[0])


def other_network(case: Case, models: Models) -> DensityNetwork:
    """The network of other models for the case's projection.

    Raises
    ------
    DensightError
        If its preparation or its classes differ, so that the maps cannot be compared.
    """
    bundle = case.result.bundle
    other: Bundle = models.of(projection_of(case), case.result.mammogram.path)
    if other.facts.preparation != bundle.facts.preparation or other.facts.classes != bundle.facts.classes:
        raise DensightError(
            "the model's preparation or classes differ from those of the model that is tested",
            other.folder,
            "train it with the same recipe",
        )
    return other.network


def projection_of(case: Case) -> Projection:
    """The projection of a case."""
    return case.result.assessment.projection
