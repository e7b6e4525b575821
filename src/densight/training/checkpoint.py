"""The state of a training in one safetensors file, written whole or not at all. Never a pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from densight.storage import replacing
from densight.vocabulary import DensightError

__all__ = ["Epoch", "State", "load_state", "save_state"]


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
    """Where a training stands after a whole epoch.

    Parameters
    ----------
    fingerprint : str
        Of recipe, images and seed: only the same training may go on from here.
    history : list of Epoch
    best_epoch : int
        The epoch, from one, whose weights are ``best``; 0 before the first.
    best : dict of str to Tensor
        The weights to keep.
    plateau_best, plateau_wait, learning_rate
        The state of the plateau schedule.
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
    """Write everything that the next epoch depends on, atomically."""
    from safetensors.torch import save_file

    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    facts = {
        "fingerprint": state.fingerprint,
        "learning_rate": state.learning_rate,
        "history": [asdict(epoch) for epoch in state.history],
        "best_epoch": state.best_epoch,
        "plateau_best": state.plateau_best,
        "plateau_wait": state.plateau_wait,
        "steps": state.steps,
        "optimizer_numbers": numbers,
    }
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with replacing(path) as temporary:
        save_file(copies, temporary, metadata={"state": json.dumps(facts)})


def load_state(path: Path, fingerprint: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Put network and optimizer back to where :func:`save_state` found them.

    Raises
    ------
    DensightError
        If the file is damaged, or of another training.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DensightError("the saved state is damaged", path, "delete it to begin the training anew") from error
    if facts["fingerprint"] != fingerprint:
        raise DensightError(
            "a training with another recipe, seed or other images was begun here",
            path,
            "choose another output folder, or delete this file to begin anew",
        )
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
    for name, value in tensors.items():
        group, rest = name.split(".", 1)
        groups[group][rest] = value
    network.load_state_dict(groups["network"])
    optimizer_state: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in facts["optimizer_numbers"].items()}
    for name, value in groups["optimizer"].items():
        index, rest = name.split(".", 1)
        optimizer_state.setdefault(int(index), {})[rest] = value
    optimizer.load_state_dict({"state": optimizer_state, "param_groups": optimizer.state_dict()["param_groups"]})
    return State(
        fingerprint=fingerprint,
        learning_rate=facts["learning_rate"],
        history=[Epoch(**epoch) for epoch in facts["history"]],
        best_epoch=facts["best_epoch"],
        best=groups["best"],
        plateau_best=facts["plateau_best"],
        plateau_wait=facts["plateau_wait"],
        steps=facts["steps"],
    )
