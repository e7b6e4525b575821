"""All trials of a method on a set of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from densight.anatomy.breast import UPRIGHT
from densight.assessment.models import Models
from densight.explanation.trial import measures
from densight.explanation.trial.case import Case
from densight.explanation.trial.cause import misplaced_effect, region_effects, region_masses
from densight.explanation.trial.curves import (
    STEPS,
    block_means,
    deletion_curve,
    insertion_curve,
    order_blocks,
)
from densight.explanation.trial.faithful import greatest_change, unpredicted_part
from densight.explanation.trial.sanity import STAGES, randomise
from densight.explanation.trial.trial import MEASURES, Trial
from densight.geometry import set_upright
from densight.network.blocks import DensityNetwork
from densight.network.bundle import Bundle
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    from densight.explanation.methods.subject import Subject

__all__ = ["BASELINES", "Bench", "try_baseline", "try_method"]

Image = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Found = dict[str, tuple[float, float]]
"""Measures of one image, each with its chance level."""

BASELINES = ("breast", "blur", "brightness")
"""Maps that know nothing of the network: the breast's mask, the image made as coarse as a class map, the image."""

BLUR = 0.08
"""How coarse: its width as a part of the frame's longer side."""

ORDERS = 3
"""Random orders of blocks that deletion and insertion are compared with."""

PERTURBATIONS = 32
"""Random sets of blocks that infidelity takes away."""

TAKEN = 0.3
"""The part of the blocks in a set."""

SHUFFLES = 5
"""Times that a map is shuffled over the blocks, for infidelity's chance level."""

SHIFT, NOISE = 0.02, 0.02
"""Small shifts, as a part of the frame's longer side; noise, as a part of the input's range."""

FORGOTTEN = 0.5
"""Rank correlation below which a map is taken not to be the one before: a convention, a quarter of its variance."""

SANE = 8
"""Women on whose first case networks are randomised: the question is of the network, and each takes seven maps."""


@dataclass(frozen=True, eq=False)
class Bench:
    """Cases, and what of them all methods are measured against; made once.

    Parameters
    ----------
    cases : tuple of Case
        Best two images a patient, of at least `densight.explanation.trial.trial.FEW` patients.
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
    _kept: dict[tuple[str, int], DensityNetwork] = field(default_factory=dict)

    @property
    def patients(self) -> tuple[str, ...]:
        """Whose each case is."""
        return tuple(case.examined.mammogram.patient_id or str(i) for i, case in enumerate(self.cases))

    @cached_property
    def grounds(self) -> tuple[_Ground, ...]:
        """What each case's maps are measured against."""
        return tuple(_Ground.of(case, self.seed) for case in self.cases)

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
            and _projection(case).view == _projection(other).view
            and case.image.shape == other.image.shape
        )

    def randomised(self, case: Case, stages: Sequence[int]) -> DensityNetwork:
        """The case's network with some stages shuffled; made once a bundle."""
        bundle = case.examined.bundle
        key = (bundle.checksum, sum(1 << stage for stage in stages))
        if key not in self._kept:
            seen = [one.subject("grad-cam").x for one in self.cases if one.examined.bundle is bundle][:16]
            self._kept[key] = randomise(case.network, stages, torch.cat(seen), self.seed)
        return self._kept[key]

    @cached_property
    def sane(self) -> frozenset[int]:
        """The cases on which networks are randomised."""
        firsts = {patient: i for i, patient in reversed(list(enumerate(self.patients)))}
        return frozenset(sorted(firsts.values())[:SANE])

    def partner(self, i: int, *, view: bool) -> int | None:
        """The same exam's other view of that side, or other side in that view."""
        own = self.cases[i].examined.mammogram
        for j, case in enumerate(self.cases):
            other = case.examined.mammogram
            if (other.patient_id, other.exam_id) != (own.patient_id, own.exam_id) or j == i:
                continue
            a, b = _projection(self.cases[i]), _projection(case)
            if (a.laterality == b.laterality and a.view != b.view) if view else (a.view == b.view):
                return j
        return None


@dataclass(frozen=True, eq=False)
class _Ground:
    """What a case's maps are measured against, whatever the method."""

    deletion: Mapping[str, float]
    insertion: Mapping[str, float]
    effects: Values
    whole: float
    taken: npt.NDArray[np.bool_]
    changes: Values

    @classmethod
    def of(cls, case: Case, seed: int) -> _Ground:
        rng = np.random.default_rng(seed)
        blocks = case.blocks
        n = int(blocks.max())
        orders = {f"random {i}": rng.permutation(n) for i in range(ORDERS)}
        orders["brightness"] = order_blocks(block_means(case.image, blocks), seed)
        deletion, insertion = {}, {}
        for name, order in orders.items():
            deletion[name], insertion[name] = _areas(case, order)
        effects, whole = region_effects(case.scores, case.image, case.without, case.regions)
        # As many blocks each time, or any map would predict that more tissue taken is more lost.
        taken = np.argsort(rng.random((PERTURBATIONS, n)), axis=1) < TAKEN * n
        keep = np.concatenate([np.zeros((PERTURBATIONS, 1), bool), taken], axis=1)
        pictures = [np.where(row[blocks], case.without, case.image).astype(np.float32) for row in keep]
        scores = case.scores([case.image, *pictures])
        return cls(deletion, insertion, effects, whole, taken, scores[0] - scores[1:])


def try_method(
    bench: Bench, method: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Trial]:
    """All trials of a method.

    Parameters
    ----------
    bench : Bench
    method : str
        One of `densight.explanation.methods.methods.METHODS`.
    progress : callable
        Called with the number of cases done and of all.

    Returns
    -------
    list of Trial
        One a measure, in the order of `densight.explanation.trial.trial.MEASURES`.
    """
    subjects = [case.subject(method, bench.seed) for case in bench.cases]
    maps = [case.map(method, subject) for case, subject in zip(bench.cases, subjects, strict=True)]
    found = []
    for i, (case, ground) in enumerate(zip(bench.cases, bench.grounds, strict=True)):
        one = _of_map(case, maps[i], ground, bench.seed) | _curves(case, maps[i], ground, bench.seed)
        one |= _sanity(bench, i, method, subjects[i], maps[i])
        one |= _repeatability(bench, i, method, subjects[i], maps)
        found.append(one)
        progress(i + 1, len(bench.cases))
    return _trials(method, found, bench)


def try_baseline(bench: Bench, name: str) -> list[Trial]:
    """The trials of a map that knows nothing of the network: those that need no more than the map.

    Parameters
    ----------
    bench : Bench
    name : {"breast", "blur", "brightness"}
    """
    found = []
    for case, ground in zip(bench.cases, bench.grounds, strict=True):
        values = case.image
        if name == "breast":
            values = case.tissue.breast.astype(np.float32)
        elif name == "blur":
            width = BLUR * max(case.image.shape)
            values = np.asarray(cv2.GaussianBlur(case.image, (0, 0), width), np.float32)
        found.append(_of_map(case, values, ground, bench.seed))
    return _trials(name, found, bench)


def _trials(method: str, found: Sequence[Found], bench: Bench) -> list[Trial]:
    columns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name in MEASURES:
        if any(name in one for one in found):
            columns[name] = [one.get(name, (np.nan, np.nan)) for one in found]
    trials = []
    for name, pairs in columns.items():
        values, chance = np.array(pairs, np.float64).T
        trials.append(Trial(method, name, values, chance, bench.patients))
    return trials


def _of_map(case: Case, values: Image, ground: _Ground, seed: int) -> Found:
    """The trials that need no more than the map."""
    tissue, image, frame = case.tissue, case.image, np.ones(case.image.shape, bool)
    breast, dense = tissue.breast, tissue.dense
    part = float(dense.sum() / breast.sum())
    found = {
        "spearman.frame": (measures.rank_correlation(values, image), 0.0),
        "spearman.breast": (measures.rank_correlation(values[breast], image[breast]), 0.0),
        "tissue.auc": (measures.area_under_curve(values, dense, breast), 0.5),
        "tissue.mass": (measures.mass_in(values, dense, breast), part),
        "tissue.overlap": (measures.overlap_at_equal_area(values, dense, breast), measures.chance_overlap(part)),
        "tissue.pointing": (measures.points_at(values, dense, breast), part),
        "tissue.inside": (measures.mass_in(values, breast, frame), float(breast.mean())),
        "complexity": (measures.effective_part(values, breast), 1.0),
    }
    if not dense.any():
        found = {name: pair for name, pair in found.items() if not name.startswith("tissue.") or "inside" in name}
    masses = region_masses(values, case.regions)
    areas = region_masses(breast.astype(np.float32), case.regions)
    found |= {
        "cause.rank": (
            measures.rank_correlation(masses, ground.effects),
            measures.rank_correlation(areas, ground.effects),
        ),
        "cause.calibration": (
            misplaced_effect(masses, ground.effects),
            misplaced_effect(areas * np.sign(ground.whole), ground.effects),
        ),
        "cause.effect": (ground.whole, 0.0),
    }
    weights = np.bincount(case.blocks.ravel(), weights=values.ravel().astype(np.float64))[1:]
    rng = np.random.default_rng(seed)
    shuffled = [
        unpredicted_part(ground.taken.astype(float) @ rng.permutation(weights), ground.changes) for _ in range(SHUFFLES)
    ]
    lost = unpredicted_part(ground.taken.astype(float) @ weights, ground.changes)
    return found | {"infidelity": (lost, float(np.mean(shuffled)))}


def _areas(case: Case, order: npt.NDArray[np.int64]) -> tuple[float, float]:
    """How far the score falls on the mean of a deletion curve, and rises on that of an insertion curve."""
    falls = deletion_curve(case.scores, case.image, case.without, case.blocks, order)
    rises = insertion_curve(case.scores, case.image, case.without, case.blocks, order)
    return float(falls[0] - falls[1:STEPS].mean()), float(rises[1:STEPS].mean() - rises[0])


def _curves(case: Case, values: Image, ground: _Ground, seed: int) -> Found:
    means = block_means(values, case.blocks)
    if means.min() == means.max():
        return {}
    fall, rise = _areas(case, order_blocks(means, seed))
    found: Found = {}
    for name, own, others in (("deletion", fall, ground.deletion), ("insertion", rise, ground.insertion)):
        random = float(np.mean([others[f"random {i}"] for i in range(ORDERS)]))
        found |= {name: (own - random, 0.0), f"{name}.brightness": (own - others["brightness"], 0.0)}
    return found


def _sanity(bench: Bench, i: int, method: str, subject: Subject, values: Image) -> Found:
    case, inside = bench.cases[i], bench.cases[i].tissue.breast
    found: Found = {}
    if bench.shuffled is not None:
        other = _other_network(case, bench.shuffled)
        changed = case.map(method, case.seen_by(subject, other))
        found["sanity.labels"] = (abs(measures.rank_correlation(values[inside], changed[inside])), FORGOTTEN)
    if i not in bench.sane:
        return found
    depths = [tuple(range(depth + 1)) for depth in range(STAGES)]
    single = [(stage,) for stage in range(1, STAGES)]
    by_stages = {
        stages: case.map(method, case.seen_by(subject, bench.randomised(case, stages))) for stages in (*depths, *single)
    }
    kept = {stages: abs(measures.rank_correlation(values[inside], one[inside])) for stages, one in by_stages.items()}
    found |= {
        "sanity.top": (kept[depths[0]], FORGOTTEN),
        "sanity.cascade": (kept[depths[-1]], FORGOTTEN),
        "sanity.independent": (float(np.mean([kept[stages] for stages in (depths[0], *single)])), FORGOTTEN),
        "sanity.ssim": (measures.similarity(values, by_stages[depths[-1]], inside), 0.0),
    }
    return found


def _repeatability(bench: Bench, i: int, method: str, subject: Subject, maps: Sequence[Image]) -> Found:
    case, values = bench.cases[i], maps[i]
    inside = case.tissue.breast
    by_noise = [case.map(method, _with_noise(subject, inside, bench.seed + draw)) for draw in range(2)]
    found: Found = {"sensitivity": (greatest_change(values[inside], [one[inside] for one in by_noise]), 1.0)}
    j = bench.strangers[i]
    if j is None:
        return found
    stranger = _alike(bench, i, j, maps)
    found |= {
        "repeatability.noise": (_mean([_rank(values, one, inside) for one in by_noise]), stranger),
        "repeatability.shift": (_after_shifts(case, method, subject, values), stranger),
    }
    if bench.second is not None:
        again = case.map(method, case.seen_by(subject, _other_network(case, bench.second)))
        found["repeatability.seed"] = (_rank(values, again, inside), stranger)
    side, view = bench.partner(i, view=False), bench.partner(i, view=True)
    if side is not None:
        found["repeatability.sides"] = (_alike(bench, i, side, maps), stranger)
    if view is not None:
        own, other, third = (
            measures.depth_profile(*_upright(bench.cases[k], maps[k])) for k in (i, view, bench.strangers[view] or j)
        )
        found["repeatability.views"] = (
            measures.rank_correlation(own, other),
            measures.rank_correlation(own, third),
        )
    return found


def _after_shifts(case: Case, method: str, subject: Subject, values: Image) -> float:
    step = max(1, round(SHIFT * max(values.shape)))
    found = []
    for down, right in ((step, step), (-step, step)):
        shifted = case.map(method, _shifted(subject, down, right))
        back = np.roll(shifted, (-down, -right), axis=(0, 1))
        inside = case.tissue.breast.copy()
        # What was shifted out of the frame cannot be compared.
        inside[slice(-down, None) if down > 0 else slice(None, -down)] = False
        inside[:, -right:] = False
        found.append(_rank(values, back, inside))
    return _mean(found)


def _shifted(subject: Subject, down: int, right: int) -> Subject:
    def move(x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape[-2:]
        margin = max(abs(down), abs(right))
        padded = functional.pad(x, (margin,) * 4, mode="replicate")
        top, left = margin - down, margin - right
        return padded[..., top : top + rows, left : left + columns].contiguous()

    regions = subject.regions
    if regions is not None:
        regions = move(regions[None, None].float())[0, 0].long()
    fat = None if subject.fat is None else move(subject.fat)
    return replace(subject, x=move(subject.x), fat=fat, regions=regions, features=None)


def _with_noise(subject: Subject, breast: npt.NDArray[np.bool_], seed: int) -> Subject:
    """Noise on the breast; air, which preparation makes even, stays even."""
    x = subject.x
    noise = breast * np.random.default_rng(seed).standard_normal(breast.shape).astype(np.float32)
    size = NOISE * float(x.max() - x.min())
    return replace(subject, x=x + size * torch.from_numpy(noise).to(x), features=None)


def _other_network(case: Case, models: Models) -> DensityNetwork:
    """The network of other models for the case's projection.

    Raises
    ------
    DensightError
        If it prepares images in another way, so that the maps do not lie on one frame.
    """
    own = case.examined.bundle
    other: Bundle = models.of(_projection(case), case.examined.mammogram.path)
    if other.facts.preparation != own.facts.preparation or other.facts.classes != own.facts.classes:
        raise DensightError(
            "the model prepares images, or names classes, in another way than the one that is tried",
            other.folder,
            "train it with the same recipe",
        )
    return other.network


def _projection(case: Case) -> Projection:
    return case.examined.assessment.projection


def _rank(first: Image, second: Image, inside: npt.NDArray[np.bool_]) -> float:
    return measures.rank_correlation(first[inside], second[inside])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _alike(bench: Bench, i: int, j: int, maps: Sequence[Image]) -> float:
    """The rank correlation of two cases' maps, chest walls on one side, where both have breast."""
    (first, own), (second, other) = (_upright(bench.cases[k], maps[k]) for k in (i, j))
    if first.shape != second.shape:
        return float("nan")
    return _rank(first, second, own & other)


def _upright(case: Case, values: Image) -> tuple[Image, npt.NDArray[np.bool_]]:
    """A map and its breast with the chest wall at the left."""
    geometry, breast = case.examined.prepared.geometry, case.tissue.breast
    turned = geometry.turns or geometry.mirrored or case.examined.bundle.facts.preparation.preset == "default"
    if turned:  # preparation has done it
        return values, breast
    way = UPRIGHT[case.examined.anatomy.side]
    return set_upright(values, *way), set_upright(breast, *way)
