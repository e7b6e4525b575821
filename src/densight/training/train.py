"""From a catalogue and a recipe to model bundles: one a projection, or one for all."""

from __future__ import annotations

import csv
import hashlib
import json
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from densight.intake.catalogue import Catalogue, Failure, check_trainable, write_failures
from densight.network.architecture import Architecture, build_network
from densight.network.bundle import BundleFacts, write_bundle
from densight.storage import clear_leftovers, read_json
from densight.training.curves import TensorBoardLog, draw_curves, write_curves
from densight.training.recipe import Recipe
from densight.vocabulary import PROJECTIONS, DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd

    from densight.training.checkpoint import State
    from densight.training.data import FramedImages

__all__ = ["Job", "Standing", "Watcher", "look_up", "plan", "train"]

TRAINING = "training"
"""The bundle's folder of what the training leaves: its curves, and its state until it is finished."""

STATE = "state.safetensors"


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
class Standing:
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


def look_up(catalogue: Catalogue, job: Job, recipe: Recipe, folder: Path, *, seed: int = 0) -> Standing:
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
            return Standing(int(record["epochs"]), record)
        raise DensightError(
            "the folder holds a model of another training", folder, "choose another output folder, or delete this one"
        )
    return Standing(len(read_state(state, fingerprint).history) if state.is_file() else 0)


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

    from densight.training.fit import fit, open_device

    state_path = folder / TRAINING / STATE
    for place in (folder, folder / TRAINING):
        clear_leftovers(place)
    if look_up(catalogue, job, recipe, folder, seed=seed).record is not None:
        state_path.unlink(missing_ok=True)
        return _read_left_out(catalogue, folder)
    fabric = open_device(device, recipe.precision)
    torch.manual_seed(seed)
    architecture = Architecture(recipe.network, len(catalogue.classes), recipe.prepared().channels)
    network = build_network(architecture)
    images = _read_images(catalogue, job, recipe, seed, watcher)
    _keep_left_out(catalogue, folder, images.failures)
    batches = -(-len(images.train) // recipe.batch_size)
    curves = folder / TRAINING / "curves.csv"
    with closing(TensorBoardLog(folder / TRAINING / "tensorboard")) as log:

        def on_epoch(state: State) -> None:
            write_curves(curves, state.history)
            log.write(state.history)
            watcher.epoch(state)

        state = fit(
            network,
            images.train,
            images.validation,
            recipe,
            fabric=fabric,
            seed=seed,
            fingerprint=_fingerprint(catalogue, job, recipe, seed),
            state_path=state_path,
            on_batch=lambda epoch, batch, loss: watcher.batch(epoch, batch, batches, loss),
            on_epoch=on_epoch,
        )
        # Once more, for a training that was stopped between the last state and its curves.
        write_curves(curves, state.history)
        log.write(state.history)
    draw_curves(curves.with_suffix(".png"), state.history, state.best_epoch, 1 / len(catalogue.classes))
    record = {"recipe_name": recipe_name, "recipe": recipe.record(), "seed": seed, "device": fabric.device.type}
    facts = BundleFacts(
        architecture,
        recipe.prepared(),
        catalogue.classes,
        job.projections,
        record | images.record(catalogue.classes) | _outcome(state),
        licence="that of the training images; none is implied",
    )
    write_bundle(folder, state.best, facts)
    state_path.unlink(missing_ok=True)
    return images.failures


@dataclass(frozen=True, eq=False)
class _Images:
    """What a network learns from and is validated on."""

    train: FramedImages
    validation: FramedImages
    patients: dict[str, int]
    failures: list[Failure]

    def record(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """How many images and patients there were; no path and no id, for bundles are passed on."""
        counts = {
            split: {label: int((part.labels == index).sum()) for index, label in enumerate(classes)}
            for split, part in (("train", self.train), ("validation", self.validation))
        }
        return {"images": counts, "patients": self.patients, "left_out": len(self.failures)}


def _read_images(catalogue: Catalogue, job: Job, recipe: Recipe, seed: int, watcher: Watcher) -> _Images:
    from densight.training.data import load_images

    rows = {split: _rows(catalogue, job, split) for split in ("train", "validation")}
    total, done = sum(map(len, rows.values())), 0

    def advance() -> None:
        nonlocal done
        done += 1
        watcher.reading(done, total)

    train, failures = load_images(catalogue, rows["train"], recipe, seed, advance)
    validation, others = load_images(catalogue, rows["validation"], recipe, None, advance)
    failures += others
    absent = [label for index, label in enumerate(catalogue.classes) if index not in train.labels]
    if absent or not len(validation):
        what = f"training image of class {', '.join(absent)}" if absent else "validation image"
        raise DensightError(f"no {what} can be read; here {failures[0].fault}", failures[0].path, failures[0].remedy)
    unread = {failure.path for failure in failures}
    patients = {
        split: len({row.patient_id for row in table.itertuples() if catalogue.root / str(row.path) not in unread})
        for split, table in rows.items()
    }
    return _Images(train, validation, patients, failures)


def _read_left_out(catalogue: Catalogue, folder: Path) -> list[Failure]:
    """The images that a training in this folder has left out."""
    path = folder / TRAINING / "failures.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Failure(catalogue.root / row["path"], row["fault"], row["remedy"]) for row in csv.DictReader(file)]


def _keep_left_out(catalogue: Catalogue, folder: Path, failures: list[Failure]) -> None:
    """Note the images that are left out, paths as in the catalogue; a training goes on only with the same ones."""
    state, path = folder / TRAINING / STATE, folder / TRAINING / "failures.csv"
    changed = {one.path for one in failures} ^ {one.path for one in _read_left_out(catalogue, folder)}
    if state.is_file() and changed:
        raise DensightError(
            "whether it can be read has changed since the training was begun", min(changed), f"delete {state}"
        )
    root = catalogue.root
    written = [
        replace(one, path=one.path.relative_to(root) if one.path.is_relative_to(root) else one.path) for one in failures
    ]
    if written:
        write_failures(path, written)
    else:
        path.unlink(missing_ok=True)


def _rows(catalogue: Catalogue, job: Job, split: str) -> pd.DataFrame:
    """The labelled images of a split that the job learns from."""
    table = catalogue.select(split=split, projection=job.projections).table
    return table[table["density"] != ""]


def _fingerprint(catalogue: Catalogue, job: Job, recipe: Recipe, seed: int) -> str:
    identity = ["path", "density", "split"]
    rows = [_rows(catalogue, job, split)[identity].to_numpy().tolist() for split in ("train", "validation")]
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
