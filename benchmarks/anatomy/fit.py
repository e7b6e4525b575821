"""Fit the network of `densight.anatomy`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from anatomy.augment import example
from anatomy.material import Known
from densight.anatomy.network import TissueNetwork

__all__ = ["fit", "save"]

BATCH = 8


def fit(
    sets: Sequence[tuple[Sequence[Known], float]],
    steps: int,
    rate: float,
    seed: int,
    start: TissueNetwork | None = None,
    state: Path | None = None,
) -> TissueNetwork:
    """Fit the network.

    Parameters
    ----------
    sets : sequence of (images, weight)
        Examples are drawn from each set in proportion to its weight.
    steps, rate, seed
        Of AdamW; the rate rises, then falls as a cosine.
    start : TissueNetwork, optional
        Where to go on from.
    state : Path, optional
        Where the mean network so far is kept every hundred steps.

    Returns
    -------
    TissueNetwork
        The running mean of the weights of the last steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = TissueNetwork().to(memory_format=torch.channels_last)
    if start is not None:
        network.load_state_dict(start.state_dict())
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.1)
    chances = np.array([weight for _, weight in sets])
    began, total = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        drawn = [sets[rng.choice(len(sets), p=chances / chances.sum())][0] for _ in range(BATCH)]
        batch = [example(images[rng.integers(len(images))], rng) for images in drawn]
        inputs, targets, counted = (torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True))
        loss = _loss(network(inputs.to(memory_format=torch.channels_last)), targets, counted)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        mean.update_parameters(network)
        total += loss.item()
        if step % 100 == 0:
            print(f"step {step}: loss {total / 100:.4f}, {time.monotonic() - began:.0f} s", flush=True)
            total = 0.0
            if state is not None:
                save(mean.module, state)
    return mean.module.eval()


def save(network: TissueNetwork, path: Path) -> None:
    """Write weights in half precision."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, path)


def _loss(logits: Tensor, targets: Tensor, counted: Tensor) -> Tensor:
    """Cross entropy, one minus the soft Dice, and the error of the area, of each label that is known.

    What is outside the breast counts less in the first.
    """
    weight = 0.25 + 0.75 * targets[:, :1]
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, targets, weight, reduction="none").mean((2, 3))
    found = torch.sigmoid(logits)
    areas = found.sum((2, 3)), targets.sum((2, 3))
    dice = 1 - (2 * (found * targets).sum((2, 3)) + 20) / (areas[0] + areas[1] + 20)
    area = (areas[0] - areas[1]).abs() / targets[:, :1].sum((2, 3))
    return ((entropy + 0.3 * dice + 0.3 * area) * counted).sum() / counted.sum()
