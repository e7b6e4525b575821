"""From a catalogue and a recipe to model bundles: one per projection, or one for all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.intake.catalogue import Catalogue, check_trainable, read_catalogue
from densight.intake.failures import Failure
from densight.network.architecture import Architecture, build_network
from densight.network.bundle import write_bundle
from densight.network.facts import BundleFacts
from densight.storage import clear_leftovers, delete, read_json
from densight.training.curves import TensorBoardLog, draw_curves, write_curves
from densight.training.recipe import Recipe, read_recipe
from densight.vocabulary import PROJECTIONS, DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd
    from lightning.fabric import Fabric

    from densight.network.blocks import DensityNetwork
    from densight.training.checkpoint import Epoch, State
    from densight.training.training_data import TrainingData

__all__ = [
    "BatchTrained",
    "EpochTrained",
    "ImageRead",
    "Job",
    "ProgressCallback",
    "TrainingStatus",
    "plan",
    "train",
    "training_status",
]

TRAINING = "training"
"""The bundle's folder for learning curves, and for the state of a training that is not finished."""

STATE = "state.safetensors"
USED_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Job:
    """One network to train: its folder's name and the projections it learns from."""

    name: str
    projections: tuple[Projection, ...]


@dataclass(frozen=True)
class ImageRead:
    """An image was read: ``done`` of ``total``."""

    done: int
    total: int


@dataclass(frozen=True)
class BatchTrained:
    """The network was trained on a batch; ``epoch`` and ``batch`` count from one, an epoch has ``batches``."""

    epoch: int
    batch: int
    batches: int
    loss: float


@dataclass(frozen=True)
class EpochTrained:
    """An epoch is complete; ``measured`` has its losses and accuracies."""

    measured: Epoch


ProgressCallback = Callable[[ImageRead | BatchTrained | EpochTrained], None]
"""What `train` calls while it runs, if given."""


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
    catalogue: Catalogue | str | Path,
    folder: str | Path,
    *,
    recipe: Recipe | str | Path = "default",
    projection: str = "all",
    recipe_name: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> list[Failure]:
    """Train one network and write its bundle, learning curves and record into ``folder``.

    A training that was stopped, even killed, goes on after its last complete epoch and ends in the same weights. A
    finished one is left as it is.

    Parameters
    ----------
    catalogue : Catalogue or path-like
        Or the CSV or Parquet file of one. The splits ``train`` and ``validation`` are used.
    folder : path-like
        The folder of the bundle.
    recipe : Recipe or path-like
        Or the name of a recipe that comes with densight, or a YAML file.
    projection : str
        One of the four projections, or ``all`` for one network for all that the catalogue has. For several networks
        see :func:`plan`.
    recipe_name : str, optional
        What the bundle's record calls the recipe. By default its name or file name; ``custom`` for a `Recipe`.
    seed : int
        Seed of the first weights, shuffling, augmentation and dropout.
    device : {"cpu", "cuda", "mps", "auto"}
    progress : callable, optional
        Called after each image read with `ImageRead`, after each batch with `BatchTrained` and after each epoch with
        `EpochTrained`.

    Returns
    -------
    list of Failure
        Images that could not be read and were left out.

    Raises
    ------
    DensightError
        If the recipe does not fit, the device is not there, a class has no training image, there is no validation
        image, ``folder`` holds another training, or the loss is no longer a number.

    Examples
    --------
    Six images of two classes, and one epoch:

    >>> from pathlib import Path
    >>> import cv2, numpy as np, pandas as pd
    >>> Path("images").mkdir()
    >>> rows = []
    >>> for number in range(6):
    ...     density, split = "AB"[number % 2], "train" if number < 4 else "validation"
    ...     pixels = cv2.circle(np.zeros((96, 72), np.uint8), (0, 48), 40, 80 + 80 * (number % 2), -1)
    ...     _ = cv2.imwrite(f"images/{number}.png", pixels)
    ...     rows.append((f"{number}.png", number, number, "L", "CC", density, split, "A B"))
    >>> columns = ("path", "patient_id", "exam_id", "laterality", "view", "density", "split", "classes")
    >>> pd.DataFrame(rows, columns=columns).to_csv("images/catalogue.csv", index=False)
    >>> recipe = Recipe(
    ...     network="mobilenetv2-035", preparation="default", shape=(32, 32),
    ...     epochs=1, batch_size=2, optimizer="sgd", learning_rate=0.01,
    ... )
    >>> def show(event):
    ...     if isinstance(event, EpochTrained):
    ...         print("epoch", event.measured.epoch, "is complete")
    >>> train("images/catalogue.csv", "models/CC_L", recipe=recipe, projection="CC_L", progress=show)
    epoch 1 is complete
    []
    >>> sorted(path.name for path in Path("models/CC_L").iterdir())
    ['MODEL_CARD.md', 'model.json', 'training', 'weights.safetensors']
    """
    import torch

    from densight.training.fit import open_device
    from densight.training.training_data import keep_left_out, read_left_out, read_training_data

    if not isinstance(catalogue, Catalogue):
        catalogue = read_catalogue(catalogue)
    if not isinstance(recipe, Recipe):
        recipe_name = recipe_name or Path(recipe).name
        recipe = read_recipe(recipe)
    folder, notify = Path(folder), progress or _ignore
    job = _one_job(catalogue, projection)
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
    rows = {split: _rows(catalogue, job, split) for split in USED_SPLITS}
    data = read_training_data(catalogue, rows, recipe, seed, lambda done, total: notify(ImageRead(done, total)))
    keep_left_out(catalogue, place, data.failures, begun=(place / STATE).is_file())
    fingerprint = _fingerprint(catalogue, job, recipe, seed)
    state = _fit(network, data, recipe, place, fabric=fabric, seed=seed, fingerprint=fingerprint, notify=notify)
    draw_curves(place / "curves.png", state.history, state.best_epoch, 1 / len(catalogue.classes))
    record = {
        "recipe_name": recipe_name or "custom",
        "recipe": recipe.record(),
        "seed": seed,
        "device": fabric.device.type,
    }
    facts = BundleFacts(
        architecture,
        recipe.prepared(),
        catalogue.classes,
        job.projections,
        record | data.record(catalogue.classes) | _outcome(state),
        licence="that of the training images; none is implied",
    )
    write_bundle(folder, state.best, facts)
    delete(place / STATE)
    return data.failures


def _one_job(catalogue: Catalogue, projection: str) -> Job:
    jobs = plan(catalogue, projection)
    if len(jobs) > 1:
        raise DensightError(
            f"{projection!r} means {len(jobs)} networks, and train makes one",
            remedy=f"call it once for each of {', '.join(job.name for job in jobs)}, or give all",
        )
    return jobs[0]


def _ignore(_event: ImageRead | BatchTrained | EpochTrained) -> None:
    """Used where no progress is asked for."""


def _fit(
    network: DensityNetwork,
    data: TrainingData,
    recipe: Recipe,
    place: Path,
    *,
    fabric: Fabric,
    seed: int,
    fingerprint: str,
    notify: ProgressCallback,
) -> State:
    """Fit the network and keep its learning curves up to date."""
    from densight.training.fit import fit

    batches = -(-len(data.train) // recipe.batch_size)
    with closing(TensorBoardLog(place / "tensorboard")) as log:

        def keep_curves(state: State) -> None:
            write_curves(place / "curves.csv", state.history)
            log.write(state.history)

        def on_epoch(state: State) -> None:
            keep_curves(state)
            notify(EpochTrained(state.history[-1]))

        state = fit(
            network,
            data.train,
            data.validation,
            recipe,
            fabric=fabric,
            seed=seed,
            fingerprint=fingerprint,
            state_path=place / STATE,
            on_batch=lambda epoch, batch, loss: notify(BatchTrained(epoch, batch, batches, loss)),
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
    rows = [_rows(catalogue, job, split)[identity].to_numpy().tolist() for split in USED_SPLITS]
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
