"""Fit a starter network: one ordinal scale of density, with cut-points of its own for each source of labels."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from densight.anatomy.network import load_network
from densight.network.breastnet import FEATURES, BreastNet
from densight.phantom.patient import CUT_POINTS
from densight.preparation.prepare import finish
from densight.storage import write_bytes
from densight.training.checkpoint import State, load_state, save_state
from starter.augment import example
from starter.material import PREPARATION, Framed

__all__ = [
    "SOURCES",
    "Learner",
    "Source",
    "fit",
    "likely_classes",
    "mean_of",
    "read_learner",
    "save_learner",
    "scale_of",
]

BATCH, LEARNER = 8, "learner.safetensors"

BEGINNING = 1
"""Seed of the layers that are new: fits that begin at one place can be averaged."""

KEPT = 200
"""Steps between two writings of the state."""

SLOPE = 0.54
"""Where the slopes begin, before ``softplus``: at one."""

LOOKS = 0.15
"""Standard deviation of the logarithm of volumetric density with which a phantom's class is uncertain."""

SOURCES = {
    "phantom": ("A", "B", "C", "D"),
    "mias": ("F", "G", "D"),
    "msynth": ("fatty", "scattered", "hetero", "dense"),
}
"""The labels of each source, from the least to the most dense."""


@dataclass(frozen=True, eq=False)
class Source:
    """Images of one kind, and how often they are drawn."""

    name: str
    images: Sequence[Framed]
    weight: float


class Learner(nn.Module):
    """The network, and what is needed only to fit it.

    The score ``s = w · z`` of the pooled features ``z`` is the scale; a source's labels have the odds
    ``log p_k / p_{k-1} = a s - c_k`` (Goodman's adjacent categories), with ``a`` and ``c`` its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = BreastNet(4)
        self.score = nn.Linear(FEATURES, 1, bias=False)
        self.local = nn.Conv2d(FEATURES, 2, 1)
        self.slopes = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in SOURCES})
        self.cuts = nn.ParameterDict(
            {name: nn.Parameter(torch.linspace(-1, 1, len(labels) - 1)) for name, labels in SOURCES.items()}
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Frames to scores ``(B,)``, local logits of dense and glandular ``(B, rows, columns)``, part of each cell."""
        features = self.network.activate(self.network.forward_features(x))
        score = self.score(self.network.dropout(features.mean((2, 3))))[:, 0]
        part = functional.adaptive_avg_pool2d((x[:, -1:] > 0).float(), features.shape[-2:])
        local = self.local(features * part.mean((2, 3), keepdim=True))
        return score, local[:, 0], local[:, 1], part[:, 0]

    def slope(self, source: str) -> Tensor:
        """How steep the odds of a source's labels are in the score."""
        return functional.softplus(self.slopes[source] + SLOPE)

    def logits(self, score: Tensor, source: str) -> Tensor:
        """Logits ``(B, labels)`` of a source's labels."""
        steps = score[:, None] * self.slope(source) - self.cuts[source]
        return functional.pad(steps.cumsum(1), (1, 0))


class Drawn(IterableDataset[tuple[Any, ...]]):
    """Endless examples; each depends on the seed and its number alone, so that a fit that was stopped goes on."""

    def __init__(self, sources: Sequence[Source], seed: int, first: int, plain: float) -> None:
        self.sources, self.seed, self.first, self.plain = sources, seed, first, plain

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import cv2

        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        chances = np.array([source.weight for source in self.sources])
        for number in itertools.count(self.first):
            rng = np.random.default_rng([self.seed, number])
            source = self.sources[rng.choice(len(self.sources), p=chances / chances.sum())]
            one = source.images[rng.integers(len(source.images))]
            yield (*map(torch.from_numpy, example(one, rng, self.plain)), *_known(source.name, one))


def _known(source: str, one: Framed) -> tuple[Tensor, Tensor, float, float]:
    """Number of the source, -1 without labels; its label's distribution; whether dense and glandular are known."""
    label = torch.zeros(4)
    if source == "phantom":
        label = torch.from_numpy(likely_classes(one.row)).float()
    elif source in SOURCES:
        label[SOURCES[source].index(str(one.row["density"]))] = 1
    number = list(SOURCES).index(source) if source in SOURCES else -1
    return torch.tensor(number), label, float(one.dense is not None), float(one.glandular is not None)


def likely_classes(row: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """The probabilities of a phantom's classes, for those who look at it."""
    place = math.log(float(row["breast_volumetric_density"]))
    below = norm.cdf([(math.log(cut) - place) / LOOKS for cut in CUT_POINTS])
    return np.asarray(np.diff([0, *below, 1]), np.float64)


def losses(learner: Learner, batch: Sequence[Tensor]) -> dict[str, Tensor]:
    """The parts of the loss of a batch."""
    x, dense, glandular, source, label, has_dense, has_glandular = batch
    score, found, fibrous, part = learner(x.to(memory_format=torch.channels_last))
    total = score.new_zeros(())
    for number, name in enumerate(SOURCES):
        of = source == number
        if of.any():
            k = len(SOURCES[name])
            total = total + functional.cross_entropy(learner.logits(score[of], name), label[of, :k], reduction="sum")
    entropy = functional.binary_cross_entropy_with_logits(found, dense.clamp(0, 1), part, reduction="none")
    cells = part.sum((1, 2)).clamp(min=1)
    areas = [(one * part).sum((1, 2)) / cells for one in (torch.sigmoid(found), dense)]
    amount = functional.softplus(fibrous - 2)
    amounts = [(one * part).sum((1, 2)) / cells for one in (amount, glandular)]
    thickness = ((amount - glandular).abs() * part).sum((1, 2)) / cells
    known = has_dense.sum().clamp(min=1)
    return {
        "label": total / len(x),
        "dense": ((entropy.sum((1, 2)) / cells + (areas[0] - areas[1]).abs()) * has_dense).sum() / known,
        "glandular": ((5 * thickness + 5 * (amounts[0] - amounts[1]).abs()) * has_glandular).sum()
        / has_glandular.sum().clamp(min=1),
    }


def fit(
    sources: Sequence[Source],
    steps: int,
    rate: float,
    seed: int,
    folder: Path,
    start: Mapping[str, Tensor] | None = None,
    plain: float = 0,
) -> Learner:
    """Fit a network.

    A fit that was stopped goes on from ``folder/state.safetensors``, which is written every `KEPT` steps.

    Parameters
    ----------
    sources : sequence of Source
    steps, rate, seed
        Of AdamW, whose rate rises for a tenth of the steps, then falls as a cosine, and of the examples.
    folder : Path
    start : mapping of str to Tensor, optional
        The weights of a `Learner` to go on from. By default the first layers are those of `densight.anatomy`.
    plain : float
        How often an example is changed in size, shape and place alone.

    Returns
    -------
    Learner
        The running mean of the weights of the last steps, in evaluation mode.
    """
    torch.manual_seed(BEGINNING)
    learner = Learner()
    learner.load_state_dict(_first_layers() if start is None else start, strict=start is not None)
    learner.to(memory_format=torch.channels_last)
    ema = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    mean = torch.optim.swa_utils.AveragedModel(learner, multi_avg_fn=ema, use_buffers=True)
    optimizer = torch.optim.AdamW(learner.parameters(), rate, weight_decay=1e-2)
    kept = folder / "state.safetensors"
    fingerprint = f"{steps} {rate} {seed} {plain} {[len(one.images) for one in sources]}"
    state = State(fingerprint, rate)
    if kept.is_file():
        state = load_state(kept, fingerprint, learner, optimizer)
        mean.load_state_dict(state.best)
    batches = iter(
        DataLoader(Drawn(sources, seed, state.steps * BATCH, plain), BATCH, num_workers=1, prefetch_factor=8)
    )
    began, shown = time.monotonic(), Counter[str]()
    for step in range(state.steps + 1, steps + 1):
        learner.train()
        torch.manual_seed(seed * 1_000_000 + step)
        for group in optimizer.param_groups:
            group["lr"] = rate * _part_of_rate(step / steps)
        parts = losses(learner, next(batches))
        loss = parts["label"] + 0.5 * parts["dense"] + 0.5 * parts["glandular"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 2.0)
        optimizer.step()
        mean.update_parameters(learner)
        shown.update({name: part.item() / 100 for name, part in parts.items()})
        if step % 100 == 0:
            words = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
            print(f"step {step}: {words}; {time.monotonic() - began:.0f} s", flush=True)
            shown.clear()
        if step % KEPT == 0 or step == steps:
            state.steps, state.best = step, mean.state_dict()
            save_state(kept, state, learner, optimizer)
    fitted: Learner = mean.module.eval()
    return fitted


def mean_of(learners: Sequence[Learner]) -> Learner:
    """The mean of the weights of fits that began at one place (Wortsman and others, "Model soups", ICML 2022)."""
    mean = torch.optim.swa_utils.AveragedModel(learners[0], use_buffers=True)
    for one in learners:
        mean.update_parameters(one)
    found: Learner = mean.module.eval()
    return found


def _part_of_rate(done: float) -> float:
    return done / 0.1 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9))


def _first_layers() -> dict[str, Tensor]:
    known = Learner().network.state_dict()
    free = load_network("free").state_dict()
    return {f"network.{name}": value for name, value in free.items() if name in known}


def scale_of(learner: Learner, images: Sequence[Framed]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Scores, and percent density by the network's own dense cells."""
    scores, densities = [], []
    with torch.inference_mode():
        for one in images:
            x = torch.from_numpy(finish(one.image.astype(np.float32) / 255, PREPARATION))[None]
            score, found, _, part = learner(x.to(memory_format=torch.channels_last))
            scores.append(float(score))
            densities.append(100 * float((torch.sigmoid(found) * part).sum() / part.sum()))
    return np.array(scores), np.array(densities)


def save_learner(learner: Learner, folder: Path) -> None:
    """Write all weights of a fit."""
    from safetensors.torch import save

    write_bytes(folder / LEARNER, save({name: value.contiguous() for name, value in learner.state_dict().items()}))


def read_learner(folder: Path) -> Learner:
    """What `save_learner` wrote, in evaluation mode."""
    from safetensors.torch import load_file

    learner = Learner()
    learner.load_state_dict(load_file(folder / LEARNER))
    return learner.eval()
