"""Repeatability: whether the map stays the same when nothing that matters changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from densight.anatomy.breast import UPRIGHT
from densight.geometry import set_upright
from densight.trials import map_measures
from densight.trials.bench import Bench, MeasuredValues, other_network
from densight.trials.case import Case
from densight.trials.infidelity import greatest_change

if TYPE_CHECKING:
    from densight.explanation.methods.method_input import MethodInput

__all__ = ["try_repeatability"]

Image = npt.NDArray[np.float32]

SHIFT, NOISE = 0.02, 0.02
"""Shift as a part of the frame's longer side; standard deviation of the noise as a part of the input's range."""


def try_repeatability(bench: Bench, i: int, method: str, inputs: MethodInput, maps: Sequence[Image]) -> MeasuredValues:
    """The trials of one case's map that compare it with other maps of the same method.

    Parameters
    ----------
    bench : Bench
    i : int
        Which case.
    method : str
    subject : MethodInput
        The input of the method.
    maps : sequence of ndarray of float32, shape (rows, columns)
        The method's maps of all cases.
    """
    case, values = bench.cases[i], maps[i]
    inside = case.tissue.breast
    by_noise = [case.map(method, _with_noise(inputs, inside, bench.seed + draw)) for draw in range(2)]
    change = greatest_change(values[inside], [noisy[inside] for noisy in by_noise])
    measured: MeasuredValues = {"sensitivity": (change, 1.0)}
    j = bench.other_patients[i]
    if j is None:
        return measured
    chance = _correlate_cases(bench, i, j, maps)
    measured |= {
        "repeatability.noise": (float(np.mean([_rank(values, noisy, inside) for noisy in by_noise])), chance),
        "repeatability.shift": (_after_shifts(case, method, inputs, values), chance),
    }
    if bench.second is not None:
        again = case.map(method, inputs.with_network(other_network(case, bench.second)))
        measured["repeatability.seed"] = (_rank(values, again, inside), chance)
    side, view = bench.partner(i, view=False), bench.partner(i, view=True)
    if side is not None:
        measured["repeatability.sides"] = (_correlate_cases(bench, i, side, maps), chance)
    if view is not None:
        profile, other_view, of_other_patient = (
            map_measures.depth_profile(*_upright(bench.cases[k], maps[k]))
            for k in (i, view, bench.other_patients[view] or j)
        )
        measured["repeatability.views"] = (
            map_measures.rank_correlation(profile, other_view),
            map_measures.rank_correlation(profile, of_other_patient),
        )
    return measured


def _after_shifts(case: Case, method: str, inputs: MethodInput, values: Image) -> float:
    step = max(1, round(SHIFT * max(values.shape)))
    correlations = []
    for down, right in ((step, step), (-step, step)):
        shifted = case.map(method, _shifted(inputs, down, right))
        back = np.roll(shifted, (-down, -right), axis=(0, 1))
        inside = case.tissue.breast.copy()
        # The part that was shifted out of the frame cannot be compared.
        inside[slice(-down, None) if down > 0 else slice(None, -down)] = False
        inside[:, -right:] = False
        correlations.append(_rank(values, back, inside))
    return float(np.mean(correlations))


def _shifted(inputs: MethodInput, down: int, right: int) -> MethodInput:
    def move(x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape[-2:]
        margin = max(abs(down), abs(right))
        padded = functional.pad(x, (margin,) * 4, mode="replicate")
        top, left = margin - down, margin - right
        return padded[..., top : top + rows, left : left + columns].contiguous()

    regions = inputs.regions
    if regions is not None:
        regions = move(regions[None, None].float())[0, 0].long()
    baseline = None if inputs.baseline is None else move(inputs.baseline)
    return replace(inputs, x=move(inputs.x), baseline=baseline, regions=regions, features=None)


def _with_noise(inputs: MethodInput, breast: npt.NDArray[np.bool_], seed: int) -> MethodInput:
    """The inputs with noise on the breast. Air stays even, because the preparation makes it so."""
    x = inputs.x
    noise = breast * np.random.default_rng(seed).standard_normal(breast.shape).astype(np.float32)
    size = NOISE * float(x.max() - x.min())
    return replace(inputs, x=x + size * torch.from_numpy(noise).to(x), features=None)


def _rank(first: Image, second: Image, inside: npt.NDArray[np.bool_]) -> float:
    return map_measures.rank_correlation(first[inside], second[inside])


def _correlate_cases(bench: Bench, i: int, j: int, maps: Sequence[Image]) -> float:
    """The rank correlation of two cases' maps where both have breast, with chest walls on the same side."""
    (first, first_breast), (second, second_breast) = (_upright(bench.cases[k], maps[k]) for k in (i, j))
    if first.shape != second.shape:
        return float("nan")
    return _rank(first, second, first_breast & second_breast)


def _upright(case: Case, values: Image) -> tuple[Image, npt.NDArray[np.bool_]]:
    """A map and its breast with the chest wall at the left."""
    geometry, breast = case.result.prepared.geometry, case.tissue.breast
    turned = geometry.turns or geometry.mirrored or case.result.bundle.facts.preparation.preset == "default"
    if turned:  # by the preparation
        return values, breast
    turn_and_mirror = UPRIGHT[case.result.anatomy.side]
    return set_upright(values, *turn_and_mirror), set_upright(breast, *turn_and_mirror)
