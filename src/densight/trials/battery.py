"""All trials of a method on a set of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from densight.trials import map_measures
from densight.trials.bench import ORDERS, Bench, CaseReference, MeasuredValues, curve_areas, other_network
from densight.trials.case import Case
from densight.trials.cause import misplaced_effect, region_masses
from densight.trials.deletion import block_means, order_blocks
from densight.trials.infidelity import unpredicted_part
from densight.trials.measure import MEASURES, Trial
from densight.trials.repeatability import try_repeatability
from densight.trials.sanity import STAGES

if TYPE_CHECKING:
    from densight.explanation.methods.method_input import MethodInput

__all__ = ["BASELINES", "try_baseline", "try_method"]

Image = npt.NDArray[np.float32]

BASELINES = ("breast", "blur", "brightness")
"""Maps that do not depend on the network: the breast's mask, the image blurred to the detail of a map, the image."""

BLUR = 0.08
"""The width of the blur as a part of the frame's longer side."""

SHUFFLES = 5
"""Random orders of the blocks for infidelity's chance level."""

RANDOM_NETWORKS = 2
"""Wholly randomised networks per case."""

LEAST_EFFECT = 0.05
"""Dense tissue must change the expected class by more than this, the surroundings by less. A convention."""

UNRELATED = 0.5
"""Rank correlation below which two maps count as different. A convention: a quarter of the variance."""


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
        One per measure, in the order of `densight.trials.measure.MEASURES`.
    """
    all_inputs = [case.method_input(method) for case in bench.cases]
    maps = [case.map(method, inputs) for case, inputs in zip(bench.cases, all_inputs, strict=True)]
    measured = []
    for i, (case, reference) in enumerate(zip(bench.cases, bench.references, strict=True)):
        values = _of_map(case, maps[i], reference, bench.seed) | _curves(case, maps[i], reference, bench.seed)
        values |= _sanity(bench, i, method, all_inputs[i], maps[i])
        values |= try_repeatability(bench, i, method, all_inputs[i], maps)
        measured.append(values)
        progress(i + 1, len(bench.cases))
    return _trials(method, measured, bench)


def try_baseline(bench: Bench, name: str) -> list[Trial]:
    """The trials of a map that does not depend on the network: those that need only the map.

    Parameters
    ----------
    bench : Bench
    name : {"breast", "blur", "brightness"}
    """
    measured = []
    for case, reference in zip(bench.cases, bench.references, strict=True):
        values = case.image
        if name == "breast":
            values = case.tissue.breast.astype(np.float32)
        elif name == "blur":
            width = BLUR * max(case.image.shape)
            values = np.asarray(cv2.GaussianBlur(case.image, (0, 0), width), np.float32)
        measured.append(_of_map(case, values, reference, bench.seed))
    return _trials(name, measured, bench)


def _trials(method: str, measured: Sequence[MeasuredValues], bench: Bench) -> list[Trial]:
    columns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name in MEASURES:
        if any(name in of_case for of_case in measured):
            columns[name] = [of_case.get(name, (np.nan, np.nan)) for of_case in measured]
    trials = []
    for name, pairs in columns.items():
        values, chance = np.array(pairs, np.float64).T
        trials.append(Trial(method, name, values, chance, bench.patients))
    return trials


def _of_map(case: Case, values: Image, reference: CaseReference, seed: int) -> MeasuredValues:
    """The trials that need only the map."""
    tissue, image, frame = case.tissue, case.image, np.ones(case.image.shape, bool)
    breast, dense = tissue.breast, tissue.dense
    part = float(dense.sum() / breast.sum())
    measured = {
        "spearman.frame": (map_measures.rank_correlation(values, image), 0.0),
        "spearman.breast": (map_measures.rank_correlation(values[breast], image[breast]), 0.0),
        "tissue.auc": (map_measures.area_under_curve(values, dense, breast), 0.5),
        "tissue.mass": (map_measures.mass_in(values, dense, breast), part),
        "tissue.overlap": (
            map_measures.overlap_at_equal_area(values, dense, breast),
            map_measures.chance_overlap(part),
        ),
        "tissue.pointing": (map_measures.points_at(values, dense, breast), part),
        "tissue.inside": (map_measures.mass_in(values, breast, frame), float(breast.mean())),
        "complexity": (map_measures.effective_part(values, breast), 1.0),
    }
    if not dense.any():
        measured = {name: pair for name, pair in measured.items() if not name.startswith("tissue.") or "inside" in name}
    masses = region_masses(values, case.regions)
    pixels = np.bincount(case.regions.ravel())[1:]
    areas = region_masses(breast.astype(np.float32), case.regions)
    measured |= {
        # Per pixel, because of two regions of similar tissue the larger has more of everything.
        "cause.rank": (map_measures.rank_correlation(masses / pixels, reference.effects / pixels), 0.0),
        "cause.calibration": (
            misplaced_effect(masses, reference.effects),
            misplaced_effect(areas * np.sign(reference.whole), reference.effects),
        ),
        "cause.effect": (reference.whole, LEAST_EFFECT),
        "cause.beside": (0.0 if breast.all() else abs(float(reference.effects[-1])), LEAST_EFFECT),
    }
    weights, removed = region_masses(values, case.blocks), reference.removed.astype(float)
    rng = np.random.default_rng(seed)
    shuffled = [unpredicted_part(removed @ rng.permutation(weights), reference.changes) for _ in range(SHUFFLES)]
    unpredicted = unpredicted_part(removed @ weights, reference.changes)
    return measured | {"infidelity": (unpredicted, float(np.mean(shuffled)))}


def _curves(case: Case, values: Image, reference: CaseReference, seed: int) -> MeasuredValues:
    means = block_means(values, case.blocks)
    if means.min() == means.max():
        return {}
    fall, rise = curve_areas(case, order_blocks(means, seed))
    measured: MeasuredValues = {}
    for name, area, areas in (("deletion", fall, reference.deletion), ("insertion", rise, reference.insertion)):
        random = float(np.mean([areas[f"random {i}"] for i in range(ORDERS)]))
        measured |= {name: (area - random, 0.0), f"{name}.brightness": (area - areas["brightness"], 0.0)}
    return measured


def _sanity(bench: Bench, i: int, method: str, inputs: MethodInput, values: Image) -> MeasuredValues:
    case, inside = bench.cases[i], bench.cases[i].tissue.breast
    measured: MeasuredValues = {}
    if bench.shuffled is not None:
        other = other_network(case, bench.shuffled)
        changed = case.map(method, inputs.with_network(other))
        measured["sanity.labels"] = (abs(map_measures.rank_correlation(values[inside], changed[inside])), UNRELATED)
    if i not in bench.randomised_cases:
        return measured
    whole = tuple(range(STAGES))
    partly = [*(tuple(range(depth)) for depth in range(1, STAGES)), *((stage,) for stage in range(1, STAGES))]

    def remap(stages: tuple[int, ...], draw: int = 0) -> Image:
        return case.map(method, inputs.with_network(bench.randomised(case, stages, draw)))

    # The sign of shuffled weights is random: each case has its own networks, so that one sign does not decide for all.
    wholly = [remap(whole, 1 + RANDOM_NETWORKS * i + draw) for draw in range(RANDOM_NETWORKS)]
    kept = {stages: abs(map_measures.rank_correlation(values[inside], remap(stages)[inside])) for stages in partly}
    single = [kept[partly[0]], *(kept[(stage,)] for stage in range(1, STAGES))]
    return measured | {
        "sanity.top": (kept[partly[0]], UNRELATED),
        "sanity.cascade": (
            float(np.mean([map_measures.rank_correlation(values[inside], other[inside]) for other in wholly])),
            UNRELATED,
        ),
        "sanity.independent": (float(np.mean(single)), UNRELATED),
        "sanity.ssim": (map_measures.similarity(values, wholly[0], inside), 0.0),
    }
