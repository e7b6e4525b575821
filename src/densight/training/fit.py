"""Training one network, epoch by epoch, on Lightning Fabric.

Fabric places network and batches on the device; the loop is written out here, because a training that is killed must
go on to the very weights of one that was not, and every number that decides this has to be in sight.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from densight.network.blocks import DensityNetwork, as_channels_last
from densight.training.checkpoint import Epoch, State, load_state, save_state
from densight.training.data import EpochSampler, FramedImages
from densight.training.recipe import Recipe
from densight.vocabulary import DensightError

__all__ = ["fit", "make_optimizer", "schedule_epoch", "soft_targets"]

PLATEAU_MIN_DELTA = 1e-4
"""Keras' ReduceLROnPlateau counts as better only what is better by more than this."""


def fit(
    network: DensityNetwork,
    train: FramedImages,
    validation: FramedImages,
    recipe: Recipe,
    *,
    seed: int,
    fingerprint: str,
    state_path: Path,
    device: str = "cpu",
    on_batch: Callable[[int, int, float], None] = lambda epoch, batch, loss: None,
    on_epoch: Callable[[State], None] = lambda state: None,
) -> State:
    """Train ``network``, or go on where ``state_path`` says that it was stopped.

    Parameters
    ----------
    network : Module
        Freshly initialised.
    train, validation : FramedImages
    recipe : Recipe
    seed : int
        Of shuffling and dropout; every epoch draws from the seed and its own number alone.
    fingerprint : str
        Identifies recipe, images and seed.
    state_path : Path
        Where the state is kept after every epoch.
    device : {"cpu", "cuda", "mps", "auto"}
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
        If the device is not there, the loss is no longer a number, or the state is of another training.
    """
    from lightning.fabric import Fabric

    try:
        fabric = Fabric(accelerator=device, devices=1, precision=recipe.precision)  # type: ignore[arg-type]
    except Exception as error:  # Lightning raises several kinds for a device that is not there
        raise DensightError(f"the device {device!r} cannot be used ({error})", remedy="use --device cpu") from error
    network = as_channels_last(network)
    optimizer = make_optimizer(network, recipe)
    state = State(fingerprint, recipe.learning_rate)
    if state_path.is_file():
        state = load_state(state_path, fingerprint, network, optimizer)
    module, optimizer = fabric.setup(network, optimizer)
    sampler = EpochSampler(len(train), seed)
    workers = 0 if fabric.device.type == "cpu" else 4
    loader = fabric.setup_dataloaders(
        DataLoader(train, recipe.batch_size, sampler=sampler, num_workers=workers),
        use_distributed_sampler=False,
    )
    targets = soft_targets(network.classifier.out_features, recipe.ordinal_sharpness).to(fabric.device)
    weights = class_weights(train.labels, len(targets), balanced=recipe.class_balance).to(fabric.device)
    for epoch in range(len(state.history), recipe.epochs):
        sampler.epoch = epoch
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        module.train()
        loss_sum, right = 0.0, 0
        for batch, (images, labels) in enumerate(loader):
            schedule_epoch(optimizer, recipe, state, epoch + batch / len(loader))
            optimizer.zero_grad()
            logits = module(images.contiguous(memory_format=torch.channels_last))
            losses = functional.cross_entropy(logits.float(), targets[labels], reduction="none") * weights[labels]
            loss = losses.mean()
            fabric.backward(loss)
            optimizer.step()
            state.steps += 1
            value = loss.item()
            if not np.isfinite(value):
                raise DensightError(
                    f"the loss is {value} in epoch {epoch + 1}", remedy="lower the recipe's learning_rate"
                )
            loss_sum += value * len(labels)
            right += int((logits.argmax(1) == labels).sum())
            on_batch(epoch + 1, batch + 1, value)
        validation_loss, validation_accuracy = evaluate(module, validation, recipe.batch_size, fabric.device)
        rate = optimizer.param_groups[0]["lr"]
        state.history.append(
            Epoch(epoch + 1, rate, loss_sum / len(train), right / len(train), validation_loss, validation_accuracy)
        )
        _keep_best(state, network, recipe)
        _plateau(state, recipe)
        save_state(state_path, state, network, optimizer)
        on_epoch(state)
    return state


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; RMSprop with Keras' constants; no weight decay on biases and batch norm."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov
        )
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), recipe.learning_rate, alpha=0.9, eps=1e-7)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, recipe.learning_rate)


def schedule_epoch(optimizer: torch.optim.Optimizer, recipe: Recipe, state: State, position: float) -> None:
    """Set the learning rate for a batch at ``position`` epochs since the beginning."""
    rate = state.learning_rate
    if recipe.schedule == "cosine":
        span = max(recipe.epochs - recipe.warmup_epochs, 1)
        fall = 0.5 * (1 + np.cos(np.pi * max(position - recipe.warmup_epochs, 0) / span))
        rise = min(1.0, (position + 0.1) / recipe.warmup_epochs) if recipe.warmup_epochs else 1.0
        rate = rise * (recipe.min_learning_rate + (recipe.learning_rate - recipe.min_learning_rate) * fall)
    rate /= 1 + recipe.decay * state.steps
    for group in optimizer.param_groups:
        group["lr"] = rate


def soft_targets(classes: int, sharpness: float | None) -> Tensor:
    """Target distributions, a row a true class: one-hot, or softer the nearer in order.

    Source: Díaz and Marathe, "Soft labels for ordinal regression", CVPR 2019, eq. 3.

    Examples
    --------
    >>> soft_targets(3, 2.0)[1].tolist()
    [0.10650697350502014, 0.7869860529899597, 0.10650697350502014]
    """
    if sharpness is None:
        return torch.eye(classes)
    order = torch.arange(classes, dtype=torch.float32)
    return torch.softmax(-sharpness * (order[:, None] - order[None, :]) ** 2, dim=1)


def class_weights(labels: npt.NDArray[np.int64], classes: int, *, balanced: bool) -> Tensor:
    """A weight a class, mean one over the images: inverse to the class's share where ``balanced``."""
    counts = np.bincount(labels, minlength=classes)
    if not balanced:
        return torch.ones(classes)
    return torch.from_numpy((len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32))


@torch.inference_mode()
def evaluate(network: nn.Module, images: FramedImages, batch_size: int, device: torch.device) -> tuple[float, float]:
    """Cross-entropy and accuracy on images that are not augmented."""
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


def _plateau(state: State, recipe: Recipe) -> None:
    """Keras' ReduceLROnPlateau: after ``patience`` epochs without a better validation loss, multiply the rate.

    Source: Keras 2.2 documentation and source, ``keras.callbacks.ReduceLROnPlateau``.
    """
    if recipe.schedule != "plateau":
        return
    loss = state.history[-1].validation_loss
    if loss < state.plateau_best - PLATEAU_MIN_DELTA:
        state.plateau_best, state.plateau_wait = loss, 0
        return
    state.plateau_wait += 1
    if state.plateau_wait >= recipe.plateau_patience:
        state.learning_rate = max(state.learning_rate * recipe.plateau_factor, recipe.min_learning_rate)
        state.plateau_wait = 0
