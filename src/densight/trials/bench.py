"""The bench: cases, and what of them every method is measured against."""

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

__all__ = ["ORDERS", "Bench", "Found", "Ground", "curve_areas", "other_network", "projection_of"]

Values = npt.NDArray[np.float64]
Found = dict[str, tuple[float, float]]
"""Measures of one image, each with its chance level."""

ORDERS = 3
"""Random orders of blocks that deletion and insertion are compared with."""

PERTURBATIONS = 32
"""Random sets of blocks that infidelity takes away."""

TAKEN = 0.3
"""The part of the blocks in a set."""

SANE = 8
"""Women on whose first case networks are randomised: the question is of the network, and each takes eight maps."""


@dataclass(frozen=True, eq=False)
class Bench:
    """Cases, and what of them all methods are measured against; made once.

    Parameters
    ----------
    cases : tuple of Case
        Best two images a patient, of at least `densight.trials.measure.FEW` patients.
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
        """Whose each case is."""
        return tuple(case.examined.mammogram.patient_id or str(i) for i, case in enumerate(self.cases))

    @cached_property
    def grounds(self) -> tuple[Ground, ...]:
        """What each case's maps are measured against."""
        return tuple(Ground.of(case, self.seed) for case in self.cases)

    @cached_property
    def strangers(self) -> tuple[int | None, ...]:
        """For each case another woman's of the same view, and of the same frame."""
        found: list[int | None] = []
        for i, case in enumerate(self.cases):
            others = [(i + k) % len(self.cases) for k in range(1, len(self.cases))]
            found.append(next((j for j in others if self._is_stranger(case, i, j)), None))
        return tuple(found)

    def _is_stranger(self, case: Case, i: int, j: int) -> bool:
        other = self.cases[j]
        return (
            self.patients[i] != self.patients[j]
            and projection_of(case).view == projection_of(other).view
            and case.image.shape == other.image.shape
        )

    def randomised(self, case: Case, stages: Sequence[int], draw: int = 0) -> DensityNetwork:
        """The case's network with some stages shuffled; made once a bundle and draw."""
        bundle = case.examined.bundle
        key = (bundle.checksum, sum(1 << stage for stage in stages), draw)
        if key not in self._kept:
            seen = [one.subject("grad-cam").x for one in self.cases if one.examined.bundle is bundle][:16]
            self._kept[key] = randomise(case.network, stages, torch.cat(seen), self.seed + draw)
        return self._kept[key]

    @cached_property
    def sane(self) -> frozenset[int]:
        """The cases on which networks are randomised."""
        firsts = {patient: i for i, patient in reversed(list(enumerate(self.patients)))}
        return frozenset(sorted(firsts.values())[:SANE])

    def partner(self, i: int, *, view: bool) -> int | None:
        """The same exam's other view of that side, or other side in that view."""
        own, projection = self.cases[i].examined.mammogram, projection_of(self.cases[i])
        wanted = next(
            one
            for one in PROJECTIONS
            if (one.view != projection.view) == view and (one.laterality == projection.laterality) == view
        )
        for j, case in enumerate(self.cases):
            other = case.examined.mammogram
            if (other.patient_id, other.exam_id) == (own.patient_id, own.exam_id) and projection_of(case) == wanted:
                return j
        return None


@dataclass(frozen=True, eq=False)
class Ground:
    """What a case's maps are measured against, whatever the method.

    Parameters
    ----------
    deletion, insertion : mapping of str to float
        The areas of `curve_areas` for random orders and for that of brightness.
    effects : ndarray of float64, shape (regions,)
    whole : float
        See `densight.trials.cause.region_effects`.
    taken : ndarray of bool, shape (perturbations, blocks)
        Random sets of blocks.
    changes : ndarray of float64, shape (perturbations,)
        What the score lost when they became fat.
    """

    deletion: Mapping[str, float]
    insertion: Mapping[str, float]
    effects: Values
    whole: float
    taken: npt.NDArray[np.bool_]
    changes: Values

    @classmethod
    def of(cls, case: Case, seed: int) -> Ground:
        """Measure them."""
        rng = np.random.default_rng(seed)
        blocks = case.blocks
        n = int(blocks.max())
        orders = {f"random {i}": rng.permutation(n) for i in range(ORDERS)}
        orders["brightness"] = order_blocks(block_means(case.image, blocks), seed)
        deletion, insertion = {}, {}
        for name, order in orders.items():
            deletion[name], insertion[name] = curve_areas(case, order)
        effects, whole = region_effects(case.scores, case.image, case.without, case.regions, case.tissue.breast)
        # As many blocks each time, or any map would predict that more tissue taken is more lost.
        taken = np.argsort(rng.random((PERTURBATIONS, n)), axis=1) < TAKEN * n
        keep = np.concatenate([np.zeros((PERTURBATIONS, 1), bool), taken], axis=1)
        pictures = [np.where(row[blocks], case.without, case.image).astype(np.float32) for row in keep]
        scores = case.scores([case.image, *pictures])
        return cls(deletion, insertion, effects, whole, taken, scores[0] - scores[1:])


def curve_areas(case: Case, order: npt.NDArray[np.int64]) -> tuple[float, float]:
    """How far the score falls on the mean of a deletion curve, and rises on that of an insertion curve."""
    falls = deletion_curve(case.scores, case.image, case.without, case.blocks, order)
    rises = insertion_curve(case.scores, case.image, case.without, case.blocks, order)
    return float(falls[0] - falls[1:STEPS].mean()), float(rises[1:STEPS].mean() - rises[0])


def other_network(case: Case, models: Models) -> DensityNetwork:
    """The network of other models for the case's projection.

    Raises
    ------
    DensightError
        If it prepares images in another way, so that the maps do not lie on one frame.
    """
    own = case.examined.bundle
    other: Bundle = models.of(projection_of(case), case.examined.mammogram.path)
    if other.facts.preparation != own.facts.preparation or other.facts.classes != own.facts.classes:
        raise DensightError(
            "the model prepares images, or names classes, in another way than the one that is tried",
            other.folder,
            "train it with the same recipe",
        )
    return other.network


def projection_of(case: Case) -> Projection:
    """Which projection a case is."""
    return case.examined.assessment.projection
