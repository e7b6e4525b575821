"""Attributions by removing tissue: how the scores change when parts of the image become the baseline, fat.

Every changed image serves all targets at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from densight.explanation.methods.method_input import Maps, MethodInput

__all__ = ["make_kernel_shap", "make_occlusion", "make_rise"]

WINDOWS = 12
"""Windows of occlusion along the longer side."""

RISE_MASKS = 400
"""Random masks of RISE."""

KEPT = 0.5
"""The part of the image that a mask keeps."""

CELLS = 8
"""Cells of a mask along the longer side."""

COALITIONS = 256
"""Random sets of regions of KernelSHAP, beside the sets of one region and of all but one."""


def make_occlusion(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """The fall of a target's score when a window becomes fat: at each place the mean of its windows; in scores.

    Windows overlap by half. Windows that change nothing are skipped.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2.
    """
    baseline, rows, columns = _baseline(inputs), *inputs.x.shape[2:]
    side = max(2, 2 * round(max(rows, columns) / WINDOWS / 2))
    starts = [
        (row, column) for row in range(-side // 2, rows, side // 2) for column in range(-side // 2, columns, side // 2)
    ]
    losses = torch.zeros(len(targets), rows, columns, device=baseline.device)
    times = torch.zeros(rows, columns, device=baseline.device)
    whole, passes = inputs.scores(inputs.x), 0
    for row, column in starts:
        window = (slice(max(row, 0), row + side), slice(max(column, 0), column + side))
        times[window] += 1
        if torch.equal(inputs.x[:, :, *window], baseline[:, :, *window]):
            continue
        occluded = inputs.x.clone()
        occluded[:, :, *window] = baseline[:, :, *window]
        losses[:, *window] += (whole - inputs.scores(occluded))[0, list(targets), None, None]
        passes += 1
    return Maps(losses / times, "input", forward=passes + 1)


def make_rise(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """How much higher a target's score is when a place is kept than on average; in scores.

    Soft masks of random cells keep one half and replace the rest by the baseline. The paper's map is ``Σ score mask``,
    which is far from zero where nothing matters. Here the mean score is subtracted, so that the map has a sign.

    Source: Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018.
    """
    shape = (inputs.x.shape[2], inputs.x.shape[3])
    masks = _draw_masks(shape, inputs.seed).to(inputs.x.device)
    scores = _scores_of(inputs, masks)[:, list(targets)]
    cells = torch.einsum("nt,nij->tij", scores - scores.mean(dim=0), masks) / (len(masks) * KEPT)
    return Maps(cells, "input", forward=len(masks))


def _draw_masks(shape: tuple[int, int], seed: int) -> Tensor:
    """Random cells, enlarged and shifted by parts of a cell, ``(n, rows, columns)`` from 0 to 1."""
    rng = np.random.default_rng(seed)
    cell = max(shape) / CELLS
    rows, columns = (int(np.ceil(size / cell)) + 1 for size in shape)
    cells = torch.from_numpy((rng.random((RISE_MASKS, 1, rows, columns)) < KEPT).astype(np.float32))
    size = (round(rows * cell), round(columns * cell))
    enlarged = functional.interpolate(cells, size, mode="bilinear", align_corners=False)[:, 0]
    shifts = rng.integers(0, [size[0] - shape[0] + 1, size[1] - shape[1] + 1], (RISE_MASKS, 2))
    return torch.stack(
        [
            mask[row : row + shape[0], column : column + shape[1]]
            for mask, (row, column) in zip(enlarged, shifts.tolist(), strict=True)
        ]
    )


def make_kernel_shap(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """KernelSHAP over regions of tissue: each one's Shapley value, in scores, spread over its pixels.

    The map's sum is the image's score minus that of the baseline. Random sets of regions come in pairs with their
    complements.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017, theorem 2. Covert and Lee,
    "Improving KernelSHAP", AISTATS 2021, section 3, for the pairs and for the equation with its constraint.
    """
    baseline, regions = _baseline(inputs), inputs.regions
    assert regions is not None
    n = int(regions.max())
    sets = _draw_sets(n, inputs.seed).to(baseline.device)
    keep = torch.cat([torch.zeros(len(sets), 1, device=baseline.device), sets], dim=1)
    none, whole = inputs.scores(baseline)[0, list(targets)], inputs.scores(inputs.x)[0, list(targets)]
    scores = _scores_of(inputs, keep, regions)[:, list(targets)]
    values = _solve(sets.double(), (scores - none).double(), (whole - none).double()).float()
    area = torch.bincount(regions.flatten(), minlength=n + 1)[1:].clamp(min=1)
    spread = torch.cat([torch.zeros(len(targets), 1, device=baseline.device), (values / area[:, None]).T], dim=1)
    return Maps(spread[:, regions], "input", forward=len(sets) + 2)


def _draw_sets(n: int, seed: int) -> Tensor:
    """Sets of regions ``(m, n)``, 0 or 1, as often as the Shapley kernel weighs them."""
    rng = np.random.default_rng(seed)
    if n < 2:
        return torch.zeros(0, n)
    sizes = np.arange(1, n)
    weights = 1 / (sizes * (n - sizes))
    coalitions = np.zeros((COALITIONS // 2, n), np.float32)
    for row, size in zip(coalitions, rng.choice(sizes, len(coalitions), p=weights / weights.sum()), strict=True):
        row[rng.permutation(n)[:size]] = 1
    single = np.eye(n, dtype=np.float32)
    half = np.concatenate([coalitions, single])
    return torch.from_numpy(np.concatenate([half, 1 - half]))


def _solve(sets: Tensor, scores: Tensor, change: Tensor) -> Tensor:
    """The values ``(n, targets)`` that fit the sets' scores best and add up to ``change`` ``(targets,)``."""
    n = sets.shape[1]
    if n < 2:
        return change.expand(n, -1)
    square = sets.T @ sets / len(sets) + 1e-9 * torch.eye(n, dtype=sets.dtype, device=sets.device)
    right = sets.T @ scores / len(sets)
    both = torch.linalg.solve(square, torch.cat([right, torch.ones_like(right[:, :1])], dim=1))
    free, ones = both[:, :-1], both[:, -1:]
    values: Tensor = free - ones * (free.sum(dim=0) - change) / ones.sum()
    return values


def _scores_of(inputs: MethodInput, masks: Tensor, regions: Tensor | None = None) -> Tensor:
    """Scores of the image where masks ``(n, rows, columns)`` or ``(n, regions + 1)`` keep it, else of the baseline."""
    baseline, scores = _baseline(inputs), []
    for start in range(0, len(masks), 16):
        kept = masks[start : start + 16]
        kept = kept if regions is None else kept[:, regions]
        scores.append(inputs.scores(baseline + kept[:, None] * (inputs.x - baseline)))
    return torch.cat(scores)


def _baseline(inputs: MethodInput) -> Tensor:
    assert inputs.baseline is not None
    return inputs.baseline
