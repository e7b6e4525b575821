"""Training one network, epoch by epoch, on Lightning Fabric.

Fabric places network and batches on the device; the loop is written out here, because a training that is killed must
go on to the very weights of one that was not, and every number that decides this has to be in sight.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from densight.network.blocks import DensityNetwork, as_channels_last
from densight.process import keep_freed_memory
from densight.training.checkpoint import Epoch, State, load_state, save_state
from densight.training.data import EpochSampler, FramedImages
from densight.training.loss import DensityLoss
from densight.training.recipe import Recipe
from densight.training.schedule import learning_rate, make_optimizer, update_plateau
from densight.vocabulary import DensightError

__all__ = ["evaluate", "fit", "open_device"]

DEVICES = ("cpu", "cuda", "mps", "auto")
CUDA_WORKERS = 4
"""Processes that augment images, where the device would otherwise wait for them."""


def open_device(device: str, precision: str) -> Fabric:
    """The device to compute on.

    Parameters
    ----------
    device : {"cpu", "cuda", "mps", "auto"}
        ``auto`` takes CUDA or MPS where it is there.
    precision : str
        The recipe's.

    Raises
    ------
    DensightError
        If the device is not there.

    Examples
    --------
    >>> open_device("cpu", "32-true").device
    device(type='cpu')
    """
    if device not in DEVICES:
        raise DensightError(f"unknown device {device!r}", remedy=f"use one of {', '.join(DEVICES)}")
    # Lightning logs the precision, which the recipe has; which of its loggers does so depends on what was imported.
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return Fabric(accelerator=device, devices=1, precision=precision)  # type: ignore[arg-type]
    except Exception as error:  # Lightning raises several kinds for a device that is not there
        raise DensightError(f"this computer has no device {device!r}", remedy="use --device cpu or auto") from error


def fit(
    network: DensityNetwork,
    train: FramedImages,
    validation: FramedImages,
    recipe: Recipe,
    *,
    fabric: Fabric,
    seed: int,
    fingerprint: str,
    state_path: Path,
    on_batch: Callable[[int, int, float], None],
    on_epoch: Callable[[State], None],
) -> State:
    """Train ``network``, or continue from the state in ``state_path``.

    On the CPU the same seed and number of threads give the same weights, byte for byte, however often it was stopped.

    Parameters
    ----------
    network : DensityNetwork
        Freshly initialised.
    train, validation : FramedImages
    recipe : Recipe
    fabric : Fabric
        As :func:`open_device` gives it.
    seed : int
        Of shuffling and dropout; every epoch draws from the seed and its own number alone.
    fingerprint : str
        Identifies recipe, images and seed.
    state_path : Path
        Where the state is kept after every epoch.
    on_batch : callable
        Called with epoch (from one), batch (from one) and the batch's loss.
    on_epoch : callable
        Called with the state after every epoch.

    Returns
    -------
    State
        With the history and, in ``best``, the weights to keep, on the CPU.

    Raises
    ------
    DensightError
        If the loss is no longer a number, the state is of another training, or it cannot be written.
    """
    keep_freed_memory()
    network = as_channels_last(network).to(fabric.device)
    optimizer = make_optimizer(network, recipe)
    state = State(fingerprint, recipe.learning_rate)
    if state_path.is_file():
        state = load_state(state_path, fingerprint, network, optimizer)
    loss = DensityLoss.of(recipe, train.labels, network.classifier.out_features, fabric.device)
    module, stepper = fabric.setup(network, optimizer)
    learner = _Learner(fabric, module, stepper, loss, recipe, state, len(train))
    sampler = EpochSampler(len(train), seed)
    loader: Any = fabric.setup_dataloaders(_loader(train, sampler, recipe, fabric), use_distributed_sampler=False)
    for epoch in range(len(state.history), recipe.epochs):
        sampler.epoch = epoch
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        trained = learner.epoch(loader, epoch, on_batch)
        rate = optimizer.param_groups[0]["lr"]
        measured = evaluate(module, validation, recipe.batch_size, fabric.device)
        _check_finite(measured[0], epoch)
        state.history.append(Epoch(epoch + 1, rate, *trained, *measured))
        _keep_best(state, network, recipe)
        update_plateau(recipe, state, measured[0])
        save_state(state_path, state, network, optimizer)
        on_epoch(state)
    return state


@dataclass(frozen=True, eq=False)
class _Learner:
    """What a step needs; network and optimizer as Fabric wraps them."""

    fabric: Fabric
    network: nn.Module
    optimizer: torch.optim.Optimizer
    loss: DensityLoss
    recipe: Recipe
    state: State
    images: int

    def epoch(
        self, loader: Collection[tuple[Tensor, Tensor]], epoch: int, on_batch: Callable[[int, int, float], None]
    ) -> tuple[float, float]:
        """Learn from every image once; the mean loss and the accuracy on the way."""
        self.network.train()
        loss_sum, right, seen = 0.0, 0, 0
        together, steps = self.recipe.accumulate, math.ceil(len(loader) / self.recipe.accumulate)
        for batch, (images, labels) in enumerate(loader):
            step, place = divmod(batch, together)
            if place == 0:
                self.optimizer.zero_grad()
            loss, hits = self.learn(images, labels, len(labels) / self.images_of(step))
            _check_finite(loss, epoch)
            if place == together - 1 or batch == len(loader) - 1:
                self.step(epoch + step / steps)
            loss_sum += loss * len(labels)
            right += hits
            seen += len(labels)
            on_batch(epoch + 1, batch + 1, loss)
        return loss_sum / seen, right / seen

    def images_of(self, step: int) -> int:
        """How many images an epoch's step learns from; the last step has the remaining ones."""
        whole = self.recipe.accumulate * self.recipe.batch_size
        return min(whole, self.images - step * whole)

    def learn(self, images: Tensor, labels: Tensor, part: float) -> tuple[float, int]:
        """Add the gradient of a batch, which is a part of its step; the batch's loss and how many of it were right."""
        logits = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = self.loss(logits, labels)
        self.fabric.backward(loss * part)
        return loss.item(), int((logits.argmax(1) == labels).sum())

    def step(self, position: float) -> None:
        """Go down the gradients, at a position in epochs since the beginning."""
        rate = learning_rate(self.recipe, self.state, position)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.state.steps += 1


@torch.inference_mode()
def evaluate(network: nn.Module, images: FramedImages, batch_size: int, device: torch.device) -> tuple[float, float]:
    """Mean cross-entropy, of one-hot targets whatever the recipe, and accuracy on images that are not augmented."""
    network.eval()
    loss, right = 0.0, 0
    for first in range(0, len(images), batch_size):
        items = [images[0, i] for i in range(first, min(first + batch_size, len(images)))]
        x = torch.stack([item[0] for item in items]).to(device)
        y = torch.tensor([item[1] for item in items], device=device)
        logits = network(x.contiguous(memory_format=torch.channels_last))
        loss += functional.cross_entropy(logits, y, reduction="sum").item()
        right += int((logits.argmax(1) == y).sum())
    return loss / len(images), right / len(images)


def _loader(images: FramedImages, sampler: EpochSampler, recipe: Recipe, fabric: Fabric) -> DataLoader[Any]:
    """Batches in the sampler's order; with the same images whether made here or by other processes."""
    workers = min(CUDA_WORKERS, os.cpu_count() or 1) if fabric.device.type == "cuda" else 0
    return DataLoader(
        images,
        recipe.batch_size,
        sampler=sampler,
        num_workers=workers,
        worker_init_fn=_without_threads,
        persistent_workers=workers > 0,
        pin_memory=workers > 0,
    )


def _without_threads(_: int) -> None:
    """OpenCV's threads do not survive the fork that makes a worker."""
    import cv2

    cv2.setNumThreads(0)


def _check_finite(loss: float, epoch: int) -> None:
    if not np.isfinite(loss):
        raise DensightError(f"the loss is {loss} in epoch {epoch + 1}", remedy="lower the recipe's learning_rate")


def _keep_best(state: State, network: nn.Module, recipe: Recipe) -> None:
    """Keep the weights if this epoch is the best so far; at a tie the earlier epoch stays, as in Keras."""
    now, best = state.history[-1], state.history[state.best_epoch - 1] if state.best_epoch else None
    better = (
        best is None
        or recipe.keep == "last"
        or (recipe.keep == "accuracy" and now.validation_accuracy > best.validation_accuracy)
        or (recipe.keep == "loss" and now.validation_loss < best.validation_loss)
    )
    if better:
        state.best_epoch = now.epoch
        state.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
