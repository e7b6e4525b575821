"""Attributions by taking tissue away: what the network says where parts of the image have become fat.

Every image that is made answers for all targets at once.
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

DRAWN = 400
"""Masks that RISE draws."""

KEPT = 0.5
"""The part of the image that they keep."""

CELLS = 8
"""Cells of a mask along the longer side."""

COALITIONS = 256
"""Sets of regions that KernelSHAP draws beside those of one and of all but one."""


def make_occlusion(subject: MethodInput, targets: Sequence[int]) -> Maps:
    """What a target loses where a window becomes fat, the mean of the windows over a place; in scores.

    Windows overlap by half; those that change nothing are not tried.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2.
    """
    fat, rows, columns = _fat(subject), *subject.x.shape[2:]
    side = max(2, 2 * round(max(rows, columns) / WINDOWS / 2))
    starts = [
        (row, column) for row in range(-side // 2, rows, side // 2) for column in range(-side // 2, columns, side // 2)
    ]
    losses = torch.zeros(len(targets), rows, columns, device=fat.device)
    times = torch.zeros(rows, columns, device=fat.device)
    whole, passes = subject.scores(subject.x), 0
    for row, column in starts:
        window = (slice(max(row, 0), row + side), slice(max(column, 0), column + side))
        times[window] += 1
        if torch.equal(subject.x[:, :, *window], fat[:, :, *window]):
            continue
        occluded = subject.x.clone()
        occluded[:, :, *window] = fat[:, :, *window]
        losses[:, *window] += (whole - subject.scores(occluded))[0, list(targets), None, None]
        passes += 1
    return Maps(losses / times, "input", forward=passes + 1)


def make_rise(subject: MethodInput, targets: Sequence[int]) -> Maps:
    """How much higher a target's score is where a place is kept than on the whole; in scores.

    Soft masks of random cells keep one half and make the rest fat. The paper's map is ``Σ score mask``, which is far
    from zero where nothing matters; here the mean score is taken off, so that the map has a sign.

    Source: Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018.
    """
    shape = (subject.x.shape[2], subject.x.shape[3])
    masks = _draw_masks(shape, subject.seed).to(subject.x.device)
    scores = _scores_of(subject, masks)[:, list(targets)]
    cells = torch.einsum("nt,nij->tij", scores - scores.mean(dim=0), masks) / (len(masks) * KEPT)
    return Maps(cells, "input", forward=len(masks))


def _draw_masks(shape: tuple[int, int], seed: int) -> Tensor:
    """Random cells, enlarged and shifted by parts of a cell, ``(n, rows, columns)`` from 0 to 1."""
    rng = np.random.default_rng(seed)
    cell = max(shape) / CELLS
    rows, columns = (int(np.ceil(size / cell)) + 1 for size in shape)
    cells = torch.from_numpy((rng.random((DRAWN, 1, rows, columns)) < KEPT).astype(np.float32))
    size = (round(rows * cell), round(columns * cell))
    enlarged = functional.interpolate(cells, size, mode="bilinear", align_corners=False)[:, 0]
    shifts = rng.integers(0, [size[0] - shape[0] + 1, size[1] - shape[1] + 1], (DRAWN, 2))
    return torch.stack(
        [
            mask[row : row + shape[0], column : column + shape[1]]
            for mask, (row, column) in zip(enlarged, shifts.tolist(), strict=True)
        ]
    )


def make_kernel_shap(subject: MethodInput, targets: Sequence[int]) -> Maps:
    """KernelSHAP over regions of tissue: each one's Shapley value, in scores, spread over its pixels.

    The map's sum is the image's score less that of fat. Sets of regions are drawn in pairs with their complements.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017, theorem 2. Covert and Lee,
    "Improving KernelSHAP", AISTATS 2021, section 3, for the pairs and for the equation with its constraint.
    """
    fat, regions = _fat(subject), subject.regions
    assert regions is not None
    n = int(regions.max())
    sets = _draw_sets(n, subject.seed).to(fat.device)
    keep = torch.cat([torch.zeros(len(sets), 1, device=fat.device), sets], dim=1)
    none, whole = subject.scores(fat)[0, list(targets)], subject.scores(subject.x)[0, list(targets)]
    scores = _scores_of(subject, keep, regions)[:, list(targets)]
    values = _solve(sets.double(), (scores - none).double(), (whole - none).double()).float()
    area = torch.bincount(regions.flatten(), minlength=n + 1)[1:].clamp(min=1)
    spread = torch.cat([torch.zeros(len(targets), 1, device=fat.device), (values / area[:, None]).T], dim=1)
    return Maps(spread[:, regions], "input", forward=len(sets) + 2)


def _draw_sets(n: int, seed: int) -> Tensor:
    """Sets of regions ``(m, n)``, 0 or 1, as often as the Shapley kernel weighs them."""
    rng = np.random.default_rng(seed)
    if n < 2:
        return torch.zeros(0, n)
    sizes = np.arange(1, n)
    weights = 1 / (sizes * (n - sizes))
    drawn = np.zeros((COALITIONS // 2, n), np.float32)
    for row, size in zip(drawn, rng.choice(sizes, len(drawn), p=weights / weights.sum()), strict=True):
        row[rng.permutation(n)[:size]] = 1
    alone = np.eye(n, dtype=np.float32)
    half = np.concatenate([drawn, alone])
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


def _scores_of(subject: MethodInput, masks: Tensor, regions: Tensor | None = None) -> Tensor:
    """Scores of the image where masks ``(n, rows, columns)``, or ``(n, regions + 1)``, keep it, else of fat."""
    fat, scores = _fat(subject), []
    for start in range(0, len(masks), 16):
        kept = masks[start : start + 16]
        kept = kept if regions is None else kept[:, regions]
        scores.append(subject.scores(fat + kept[:, None] * (subject.x - fat)))
    return torch.cat(scores)


def _fat(subject: MethodInput) -> Tensor:
    assert subject.fat is not None
    return subject.fat
