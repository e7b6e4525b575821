"""From a catalogue and a recipe to model bundles: one a projection, or one for all."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from densight.intake.catalogue import Catalogue, check_trainable
from densight.intake.failures import Failure
from densight.network.architecture import Architecture, build_network
from densight.network.bundle import write_bundle
from densight.network.facts import BundleFacts
from densight.storage import clear_leftovers, delete, read_json
from densight.training.curves import TensorBoardLog, draw_curves, write_curves
from densight.training.recipe import Recipe
from densight.vocabulary import PROJECTIONS, DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd
    from lightning.fabric import Fabric

    from densight.network.blocks import DensityNetwork
    from densight.training.checkpoint import State
    from densight.training.material import Material

__all__ = ["Job", "TrainingStatus", "Watcher", "plan", "train", "training_status"]

TRAINING = "training"
"""The bundle's folder of what the training leaves: its curves, and its state until it is finished."""

STATE = "state.safetensors"
LEARNT_FROM = ("train", "validation")


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


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is.

    Parameters
    ----------
    epochs : int
        Whole epochs that are done.
    record : dict or None
        The bundle's training record, once it is finished.
    """

    epochs: int
    record: dict[str, Any] | None = None


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
    there = catalogue.projections
    if projection == "all":
        return [Job("all", there)]
    if projection == "each":
        return [Job(p.value, (p,)) for p in there]
    if projection not in tuple(PROJECTIONS):
        raise DensightError(f"unknown projection {projection!r}", remedy=f"use {', '.join(PROJECTIONS)}, each or all")
    if projection not in there:
        raise DensightError(
            f"the catalogue has no image of {projection}", remedy=f"use one that it has: {', '.join(there)}"
        )
    return [Job(projection, (Projection(projection),))]


def training_status(catalogue: Catalogue, job: Job, recipe: Recipe, folder: Path, *, seed: int = 0) -> TrainingStatus:
    """How far this very training is in ``folder``; quick, and refuses what :func:`train` would refuse.

    Raises
    ------
    DensightError
        If a class has no training image, there is no validation image, or ``folder`` holds another training.
    """
    from densight.training.checkpoint import read_state

    check_trainable(catalogue, job.projections)
    fingerprint = _fingerprint(catalogue, job, recipe, seed)
    bundle, state = folder / "model.json", folder / TRAINING / STATE
    if bundle.is_file():
        record = read_json(bundle).get("training")
        if isinstance(record, dict) and record.get("fingerprint") == fingerprint:
            return TrainingStatus(int(record["epochs"]), record)
        raise DensightError(
            "the folder holds a model of another training", folder, "choose another output folder, or delete this one"
        )
    return TrainingStatus(len(read_state(state, fingerprint).history) if state.is_file() else 0)


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

    Parameters
    ----------
    catalogue : Catalogue
    job : Job
        One of :func:`plan`.
    recipe : Recipe
    folder : Path
        Of the bundle.
    recipe_name : str
        What the record calls the recipe.
    seed : int
        Of the first weights, of shuffling, augmentation and dropout.
    device : {"cpu", "cuda", "mps", "auto"}
    watcher : Watcher

    Returns
    -------
    list of Failure
        Images that could not be read, and were left out.

    Raises
    ------
    DensightError
        If the device is not there, a class has no training image, there is no validation image, ``folder`` holds
        another training, or the loss is no longer a number.
    """
    import torch

    from densight.training.fit import open_device
    from densight.training.material import keep_left_out, read_left_out, read_material

    place = folder / TRAINING
    clear_leftovers(folder)
    clear_leftovers(place)
    if training_status(catalogue, job, recipe, folder, seed=seed).record is not None:
        delete(place / STATE)
        return read_left_out(catalogue, place)
    fabric = open_device(device, recipe.precision)
    torch.manual_seed(seed)
    architecture = Architecture(recipe.network, len(catalogue.classes), recipe.prepared().channels)
    network = build_network(architecture)
    rows = {split: _rows(catalogue, job, split) for split in LEARNT_FROM}
    material = read_material(catalogue, rows, recipe, seed, watcher.reading)
    keep_left_out(catalogue, place, material.failures, begun=(place / STATE).is_file())
    fingerprint = _fingerprint(catalogue, job, recipe, seed)
    state = _fit(network, material, recipe, place, fabric=fabric, seed=seed, fingerprint=fingerprint, watcher=watcher)
    draw_curves(place / "curves.png", state.history, state.best_epoch, 1 / len(catalogue.classes))
    record = {"recipe_name": recipe_name, "recipe": recipe.record(), "seed": seed, "device": fabric.device.type}
    facts = BundleFacts(
        architecture,
        recipe.prepared(),
        catalogue.classes,
        job.projections,
        record | material.record(catalogue.classes) | _outcome(state),
        licence="that of the training images; none is implied",
    )
    write_bundle(folder, state.best, facts)
    delete(place / STATE)
    return material.failures


def _fit(
    network: DensityNetwork,
    material: Material,
    recipe: Recipe,
    place: Path,
    *,
    fabric: Fabric,
    seed: int,
    fingerprint: str,
    watcher: Watcher,
) -> State:
    """Fit the network and keep its learning curves up to date."""
    from densight.training.fit import fit

    batches = -(-len(material.train) // recipe.batch_size)
    with closing(TensorBoardLog(place / "tensorboard")) as log:

        def keep_curves(state: State) -> None:
            write_curves(place / "curves.csv", state.history)
            log.write(state.history)

        def on_epoch(state: State) -> None:
            keep_curves(state)
            watcher.epoch(state)

        state = fit(
            network,
            material.train,
            material.validation,
            recipe,
            fabric=fabric,
            seed=seed,
            fingerprint=fingerprint,
            state_path=place / STATE,
            on_batch=lambda epoch, batch, loss: watcher.batch(epoch, batch, batches, loss),
            on_epoch=on_epoch,
        )
        keep_curves(state)  # for a training that was stopped between its last state and its curves
    return state


def _rows(catalogue: Catalogue, job: Job, split: str) -> pd.DataFrame:
    """The labelled images of a split that the job learns from."""
    table = catalogue.select(split=split, projection=job.projections).table
    return table[table["density"] != ""]


def _fingerprint(catalogue: Catalogue, job: Job, recipe: Recipe, seed: int) -> str:
    identity = ["path", "density", "split"]
    rows = [_rows(catalogue, job, split)[identity].to_numpy().tolist() for split in LEARNT_FROM]
    content = [recipe.record(), seed, catalogue.classes, job.projections, rows]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _outcome(state: State) -> dict[str, Any]:
    import torch

    best = state.history[state.best_epoch - 1]
    packages = ("densight", "torch", "lightning", "numpy", "opencv-python-headless", "pillow")
    return {
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "validation_accuracy": best.validation_accuracy,
        "validation_loss": best.validation_loss,
        "fingerprint": state.fingerprint,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in packages},
    }
