"""Repeatability: whether the map stays when nothing that matters changes."""

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
from densight.trials.bench import Bench, Found, other_network
from densight.trials.case import Case
from densight.trials.infidelity import greatest_change

if TYPE_CHECKING:
    from densight.explanation.methods.method_input import MethodInput

__all__ = ["try_repeatability"]

Image = npt.NDArray[np.float32]

SHIFT, NOISE = 0.02, 0.02
"""Small shifts, as a part of the frame's longer side; noise, as a part of the input's range."""


def try_repeatability(bench: Bench, i: int, method: str, subject: MethodInput, maps: Sequence[Image]) -> Found:
    """The trials of one case's map that compare it with other maps of the same method.

    Parameters
    ----------
    bench : Bench
    i : int
        Which case.
    method : str
    subject : MethodInput
        What the method is given of the case.
    maps : sequence of ndarray of float32, shape (rows, columns)
        The method's maps of all cases.
    """
    case, values = bench.cases[i], maps[i]
    inside = case.tissue.breast
    by_noise = [case.map(method, _with_noise(subject, inside, bench.seed + draw)) for draw in range(2)]
    found: Found = {"sensitivity": (greatest_change(values[inside], [one[inside] for one in by_noise]), 1.0)}
    j = bench.strangers[i]
    if j is None:
        return found
    stranger = _alike(bench, i, j, maps)
    found |= {
        "repeatability.noise": (float(np.mean([_rank(values, one, inside) for one in by_noise])), stranger),
        "repeatability.shift": (_after_shifts(case, method, subject, values), stranger),
    }
    if bench.second is not None:
        again = case.map(method, subject.before(other_network(case, bench.second)))
        found["repeatability.seed"] = (_rank(values, again, inside), stranger)
    side, view = bench.partner(i, view=False), bench.partner(i, view=True)
    if side is not None:
        found["repeatability.sides"] = (_alike(bench, i, side, maps), stranger)
    if view is not None:
        own, other, third = (
            map_measures.depth_profile(*_upright(bench.cases[k], maps[k]))
            for k in (i, view, bench.strangers[view] or j)
        )
        found["repeatability.views"] = (
            map_measures.rank_correlation(own, other),
            map_measures.rank_correlation(own, third),
        )
    return found


def _after_shifts(case: Case, method: str, subject: MethodInput, values: Image) -> float:
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
    return float(np.mean(found))


def _shifted(subject: MethodInput, down: int, right: int) -> MethodInput:
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


def _with_noise(subject: MethodInput, breast: npt.NDArray[np.bool_], seed: int) -> MethodInput:
    """Noise on the breast; air, which preparation makes even, stays even."""
    x = subject.x
    noise = breast * np.random.default_rng(seed).standard_normal(breast.shape).astype(np.float32)
    size = NOISE * float(x.max() - x.min())
    return replace(subject, x=x + size * torch.from_numpy(noise).to(x), features=None)


def _rank(first: Image, second: Image, inside: npt.NDArray[np.bool_]) -> float:
    return map_measures.rank_correlation(first[inside], second[inside])


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
