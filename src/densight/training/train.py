"""From a catalogue and a recipe to model bundles: one a projection, or one for all."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from densight.intake.catalogue import Catalogue, Failure, check_trainable
from densight.network.architecture import Architecture, build_network
from densight.network.bundle import BundleFacts, write_bundle
from densight.training.checkpoint import State
from densight.training.curves import draw_curves, write_curves
from densight.training.recipe import Recipe
from densight.vocabulary import PROJECTIONS, DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Job", "Watcher", "plan", "train"]


@dataclass(frozen=True)
class Job:
    """One network to train: its folder's name and the projections it learns from."""

    name: str
    projections: tuple[Projection, ...]


class Watcher(Protocol):
    """What is told while a training runs; the command line draws a progress bar with it."""

    def reading(self, done: int, total: int) -> None:
        """After each image read."""

    def batch(self, epoch: int, batch: int, batches: int, loss: float) -> None:
        """After each batch; ``epoch`` and ``batch`` count from one."""

    def epoch(self, state: State) -> None:
        """After each epoch."""


def plan(catalogue: Catalogue, projection: str) -> list[Job]:
    """The networks that ``--projection`` asks for.

    Parameters
    ----------
    catalogue : Catalogue
    projection : str
        One of the four, ``each`` (one network for each that the catalogue has) or ``all`` (one for all of them).

    Raises
    ------
    DensightError
        If the word is unknown or the catalogue has no such image.
    """
    there = [p for p in PROJECTIONS if len(catalogue.select(projection=p))]
    if projection == "all":
        return [Job("all", tuple(there))]
    if projection == "each":
        return [Job(p.value, (p,)) for p in there]
    if projection not in tuple(PROJECTIONS):
        raise DensightError(f"unknown projection {projection!r}", remedy=f"use {', '.join(PROJECTIONS)}, each or all")
    if projection not in there:
        raise DensightError(
            f"the catalogue has no image of {projection}", remedy=f"use one that it has: {', '.join(there)}"
        )
    return [Job(projection, (Projection(projection),))]


def train(
    catalogue: Catalogue,
    job: Job,
    recipe: Recipe,
    folder: Path,
    *,
    recipe_name: str,
    seed: int = 0,
    device: str = "cpu",
    watcher: Watcher,
) -> list[Failure]:
    """Train one network and write its bundle, learning curves and record into ``folder``.

    A training that was stopped, however hard, goes on after its last whole epoch and ends in the same weights. A
    finished one is left as it is.

    Returns
    -------
    list of Failure
        Images that could not be read, and were left out.

    Raises
    ------
    DensightError
        If a class has no training image, there is no validation image, or ``folder`` holds another training.
    """
    import torch

    from densight.training.data import load_images
    from densight.training.fit import fit

    check_trainable(catalogue, job.projections)
    fingerprint = _fingerprint(catalogue, job, recipe, seed)
    if _is_finished(folder, fingerprint):
        return []
    parts, failures = {}, []
    wanted = {"train": seed, "validation": None}
    rows = {split: _rows(catalogue, job, split) for split in wanted}
    total, done = sum(map(len, rows.values())), 0

    def advance() -> None:
        nonlocal done
        done += 1
        watcher.reading(done, total)

    for split, split_seed in wanted.items():
        parts[split], failed = load_images(catalogue, rows[split], recipe, split_seed, advance)
        failures += failed
        if not len(parts[split]):
            raise DensightError(f"no {split} image could be read", remedy="see the faults with densight index")
    torch.manual_seed(seed)
    preparation = recipe.prepared()
    architecture = Architecture(recipe.network, len(catalogue.classes), preparation.channels)
    batches = -(-len(parts["train"]) // recipe.batch_size)

    def on_epoch(state: State) -> None:
        write_curves(folder / "training" / "curves.csv", state.history)
        watcher.epoch(state)

    state = fit(
        build_network(architecture),
        parts["train"],
        parts["validation"],
        recipe,
        seed=seed,
        fingerprint=fingerprint,
        state_path=folder / "training" / "state.safetensors",
        device=device,
        on_batch=lambda epoch, batch, loss: watcher.batch(epoch, batch, batches, loss),
        on_epoch=on_epoch,
    )
    write_curves(folder / "training" / "curves.csv", state.history)
    draw_curves(folder / "training" / "curves.png", state.history, state.best_epoch, 1 / len(catalogue.classes))
    record = _record(catalogue, rows, recipe, recipe_name, seed, device, state)
    facts = BundleFacts(
        architecture,
        preparation,
        catalogue.classes,
        job.projections,
        record,
        licence="that of the training images; none is implied",
    )
    write_bundle(folder, state.best, facts)
    (folder / "training" / "state.safetensors").unlink(missing_ok=True)
    return failures


def _rows(catalogue: Catalogue, job: Job, split: str) -> pd.DataFrame:
    """The labelled images of a split that the job learns from."""
    table = catalogue.select(split=split, projection=job.projections).table
    return table[table["density"] != ""]


def _fingerprint(catalogue: Catalogue, job: Job, recipe: Recipe, seed: int) -> str:
    identity = ["path", "density", "split"]
    rows = [_rows(catalogue, job, split)[identity].to_numpy().tolist() for split in ("train", "validation")]
    content = [recipe.record(), seed, catalogue.classes, job.projections, rows]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _is_finished(folder: Path, fingerprint: str) -> bool:
    path = folder / "model.json"
    if not path.is_file():
        return False
    if json.loads(path.read_text(encoding="utf-8"))["training"].get("fingerprint") == fingerprint:
        return True
    raise DensightError(
        "the folder holds a model of another training", folder, "choose another output folder, or delete this one"
    )


def _record(
    catalogue: Catalogue,
    rows: dict[str, pd.DataFrame],
    recipe: Recipe,
    recipe_name: str,
    seed: int,
    device: str,
    state: State,
) -> dict[str, Any]:
    best = state.history[state.best_epoch - 1]
    packages = ("densight", "torch", "lightning", "numpy", "opencv-python-headless", "pillow")
    return {
        "recipe_name": recipe_name,
        "recipe": recipe.record() | {"shape": list(recipe.shape)},
        "seed": seed,
        "device": device,
        "images": {
            split: {label: int((table["density"] == label).sum()) for label in catalogue.classes}
            for split, table in rows.items()
        },
        "patients": {split: int(table["patient_id"].nunique()) for split, table in rows.items()},
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "validation_accuracy": best.validation_accuracy,
        "validation_loss": best.validation_loss,
        "fingerprint": state.fingerprint,
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
