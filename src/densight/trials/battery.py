"""All trials of a method on a set of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from densight.trials import map_measures
from densight.trials.bench import ORDERS, Bench, Found, Ground, curve_areas, other_network
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
"""Maps that know nothing of the network: the breast's mask, the image made as coarse as a class map, the image."""

BLUR = 0.08
"""How coarse: its width as a part of the frame's longer side."""

SHUFFLES = 5
"""Times that a map is shuffled over the blocks, for infidelity's chance level."""

DRAWN = 2
"""Wholly randomised networks a case."""

LEAST_EFFECT = 0.05
"""What dense tissue must move the expected class by, and what lies beside the breast must not: a convention."""

FORGOTTEN = 0.5
"""Rank correlation below which a map is taken not to be the one before: a convention, a quarter of its variance."""


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
        One a measure, in the order of `densight.trials.measure.MEASURES`.
    """
    subjects = [case.subject(method) for case in bench.cases]
    maps = [case.map(method, subject) for case, subject in zip(bench.cases, subjects, strict=True)]
    found = []
    for i, (case, ground) in enumerate(zip(bench.cases, bench.grounds, strict=True)):
        one = _of_map(case, maps[i], ground, bench.seed) | _curves(case, maps[i], ground, bench.seed)
        one |= _sanity(bench, i, method, subjects[i], maps[i])
        one |= try_repeatability(bench, i, method, subjects[i], maps)
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


def _of_map(case: Case, values: Image, ground: Ground, seed: int) -> Found:
    """The trials that need no more than the map."""
    tissue, image, frame = case.tissue, case.image, np.ones(case.image.shape, bool)
    breast, dense = tissue.breast, tissue.dense
    part = float(dense.sum() / breast.sum())
    found = {
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
        found = {name: pair for name, pair in found.items() if not name.startswith("tissue.") or "inside" in name}
    masses = region_masses(values, case.regions)
    pixels = np.bincount(case.regions.ravel())[1:]
    areas = region_masses(breast.astype(np.float32), case.regions)
    found |= {
        # A pixel's worth: of two regions of like tissue the larger has more of everything.
        "cause.rank": (map_measures.rank_correlation(masses / pixels, ground.effects / pixels), 0.0),
        "cause.calibration": (
            misplaced_effect(masses, ground.effects),
            misplaced_effect(areas * np.sign(ground.whole), ground.effects),
        ),
        "cause.effect": (ground.whole, LEAST_EFFECT),
        "cause.beside": (0.0 if breast.all() else abs(float(ground.effects[-1])), LEAST_EFFECT),
    }
    weights, taken = region_masses(values, case.blocks), ground.taken.astype(float)
    rng = np.random.default_rng(seed)
    shuffled = [unpredicted_part(taken @ rng.permutation(weights), ground.changes) for _ in range(SHUFFLES)]
    lost = unpredicted_part(taken @ weights, ground.changes)
    return found | {"infidelity": (lost, float(np.mean(shuffled)))}


def _curves(case: Case, values: Image, ground: Ground, seed: int) -> Found:
    means = block_means(values, case.blocks)
    if means.min() == means.max():
        return {}
    fall, rise = curve_areas(case, order_blocks(means, seed))
    found: Found = {}
    for name, own, others in (("deletion", fall, ground.deletion), ("insertion", rise, ground.insertion)):
        random = float(np.mean([others[f"random {i}"] for i in range(ORDERS)]))
        found |= {name: (own - random, 0.0), f"{name}.brightness": (own - others["brightness"], 0.0)}
    return found


def _sanity(bench: Bench, i: int, method: str, subject: MethodInput, values: Image) -> Found:
    case, inside = bench.cases[i], bench.cases[i].tissue.breast
    found: Found = {}
    if bench.shuffled is not None:
        other = other_network(case, bench.shuffled)
        changed = case.map(method, subject.before(other))
        found["sanity.labels"] = (abs(map_measures.rank_correlation(values[inside], changed[inside])), FORGOTTEN)
    if i not in bench.sane:
        return found
    whole = tuple(range(STAGES))
    partly = [*(tuple(range(depth)) for depth in range(1, STAGES)), *((stage,) for stage in range(1, STAGES))]

    def forget(stages: tuple[int, ...], draw: int = 0) -> Image:
        return case.map(method, subject.before(bench.randomised(case, stages, draw)))

    # Shuffled weights have no sign of their own: each case has networks of its own, or one network's sign were all's.
    wholly = [forget(whole, 1 + DRAWN * i + draw) for draw in range(DRAWN)]
    kept = {stages: abs(map_measures.rank_correlation(values[inside], forget(stages)[inside])) for stages in partly}
    alone = [kept[partly[0]], *(kept[(stage,)] for stage in range(1, STAGES))]
    return found | {
        "sanity.top": (kept[partly[0]], FORGOTTEN),
        "sanity.cascade": (
            float(np.mean([map_measures.rank_correlation(values[inside], one[inside]) for one in wholly])),
            FORGOTTEN,
        ),
        "sanity.independent": (float(np.mean(alone)), FORGOTTEN),
        "sanity.ssim": (map_measures.similarity(values, wholly[0], inside), 0.0),
    }
