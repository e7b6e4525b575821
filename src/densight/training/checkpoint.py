"""The state of a training in one safetensors file, written whole or not at all. Never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from densight.storage import write_bytes
from densight.vocabulary import DensightError

__all__ = ["Epoch", "State", "load_state", "read_state", "save_state"]


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch. ``epoch`` counts from one; accuracies are parts of one."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass
class State:
    """The state of a training after a complete epoch.

    Parameters
    ----------
    fingerprint : str
        Of recipe, images and seed: only the same training may go on from here.
    learning_rate : float
        As the plateau schedule has left it.
    history : list of Epoch
    best_epoch : int
        The epoch, from one, whose weights are ``best``; 0 before the first.
    best : dict of str to Tensor
        The weights to keep.
    plateau_best, plateau_wait
        The lowest validation loss so far, and the epochs since.
    steps : int
        Optimizer steps so far.
    """

    fingerprint: str
    learning_rate: float
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    plateau_best: float = float("inf")
    plateau_wait: int = 0
    steps: int = 0


def save_state(path: Path, state: State, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write everything that the next epoch depends on, atomically.

    Raises
    ------
    DensightError
        If it cannot be written, for instance because the disk is full; the earlier file is kept.
    """
    from safetensors.torch import save

    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    facts = asdict(replace(state, best={}))
    # Not save_file: it does not report a full disk as the OSError that it is.
    write_bytes(path, save(copies, {"state": json.dumps(facts)}))


def read_state(path: Path, fingerprint: str) -> State:
    """The state without its tensors: a quick way to see how far a training is.

    Raises
    ------
    DensightError
        If the file is damaged, or of another training.
    """
    from safetensors import safe_open

    with _reported_as_damage(path), safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["state"])
        state = State(**facts | {"history": [Epoch(**epoch) for epoch in facts["history"]]})
    if state.fingerprint != fingerprint:
        raise DensightError(
            "a training with another recipe, seed or other images was begun here",
            path,
            "choose another output folder, or delete this file to begin anew",
        )
    return state


def load_state(path: Path, fingerprint: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Put network and optimizer back to where :func:`save_state` found them.

    Raises
    ------
    DensightError
        If the file is damaged, or of another training.
    """
    from safetensors.torch import load_file

    state = read_state(path, fingerprint)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    with _reported_as_damage(path):
        groups: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
        for name, value in load_file(path).items():
            group, rest = name.split(".", 1)
            groups[group][rest] = value
        for name, value in groups["optimizer"].items():
            number, rest = name.split(".", 1)
            moments.setdefault(int(number), {})[rest] = _laid_out_as(parameters[int(number)], value)
        network.load_state_dict(groups["network"])
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    state.best = groups["best"]
    return state


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """The same numbers in the parameter's memory format: the next step must take the very same way through them."""
    return torch.empty_like(parameter, device="cpu").copy_(value) if value.shape == parameter.shape else value


@contextmanager
def _reported_as_damage(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise DensightError("the saved state is damaged", path, "delete it to begin the training anew") from error
