"""``densight train``: model bundles from a catalogue and a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import complete_devices, complete_recipes, complete_trainings
from densight.cli.terminal import INTERRUPTED, TABLE, count, draws_bars, open_console, print_failures, print_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from densight.intake.catalogue import Catalogue
    from densight.intake.failures import Failure
    from densight.training.recipe import Recipe
    from densight.training.train import BatchTrained, EpochTrained, ImageRead, Job, ProgressCallback, TrainingStatus

__all__ = ["train"]


def train(
    catalogue: Annotated[
        Path,
        typer.Argument(help="The catalogue, as densight index writes it.", metavar="CATALOGUE", show_default=False),
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="tutorial, default, demo, or the path of your own YAML file.",
            autocompletion=complete_recipes,
        ),
    ] = "default",
    projection: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_trainings,
            help="CC_R, CC_L, MLO_R or MLO_L: one network for that projection. each: one network per projection in the "
            "catalogue. all: one network for all projections together.",
        ),
    ] = "each",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder for the bundles, one folder per network.")
    ] = Path("models"),
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the first weights, shuffling, augmentation and dropout.")
    ] = 0,
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Device to train on: cpu, cuda, mps, or auto for the best available.",
            autocompletion=complete_devices,
        ),
    ] = "cpu",
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Epochs instead of the recipe's.", show_default=False)
    ] = None,
) -> None:
    """Train networks and write them as model bundles.

    Trains on the images of the split train, measures each epoch on the split
    validation, and uses no other images. The recipe decides which epoch's weights
    are kept. Each bundle holds the weights, the training record and the learning
    curves.

    A training that was stopped, even killed, goes on when the same command is
    given again, and ends in the same weights. Images that cannot be read are left
    out and listed in failures.csv in the output folder; the exit status is then 1.

    densight train catalogue.csv --recipe tutorial --projection CC_R -o models/
    """
    from densight.intake.catalogue import read_catalogue
    from densight.intake.failures import FAILURES, write_failures
    from densight.training.recipe import read_recipe
    from densight.training.train import plan

    images = read_catalogue(catalogue)
    chosen, name = read_recipe(recipe), Path(recipe).name
    if epochs is not None and epochs != chosen.epochs:
        chosen, name = replace(chosen, epochs=epochs), f"{name} --epochs {epochs}"
    console = open_console()
    listed = output / FAILURES
    failures: list[Failure] = []
    trainings = [_Training(images, job, chosen, output / job.name, seed) for job in plan(images, projection)]
    for training in trainings:
        training.status()
    try:
        for training in trainings:
            failures += _train_one(console, training, name, device)
    except KeyboardInterrupt:
        done = training.status().epochs
        print_line(console, f"Stopped. The same command goes on with epoch {done + 1} of {training.job.name}.")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        write_failures(listed, failures)
    console.print(_table(trainings))
    add_to_json(
        networks=[
            {"network": training.job.name, "bundle": training.folder, "training": training.status().record}
            for training in trainings
        ],
        failures=failures,
    )
    if failures:
        print_failures(console, failures, listed)
        raise typer.Exit(1)


@dataclass(frozen=True, eq=False)
class _Training:
    """What decides how one network comes out, and where it goes."""

    catalogue: Catalogue
    job: Job
    recipe: Recipe
    folder: Path
    seed: int

    def status(self) -> TrainingStatus:
        from densight.training.train import training_status

        return training_status(self.catalogue, self.job, self.recipe, self.folder, seed=self.seed)


def _train_one(console: Console, training: _Training, recipe_name: str, device: str) -> list[Failure]:
    from densight.training.train import train as train_network

    job, epochs, status = training.job, training.recipe.epochs, training.status()
    if status.record is not None:
        print_line(console, f"{job.name}: finished already")
    elif status.epochs:
        print_line(console, f"{job.name}: goes on after epoch {status.epochs} of {epochs}")
    else:
        print_line(console, f"{job.name}: recipe {recipe_name}, {count(epochs, 'epoch')}")
    with _progress(console, job.name, epochs) as progress:
        return train_network(
            training.catalogue,
            training.folder,
            recipe=training.recipe,
            projection=job.name,
            recipe_name=recipe_name,
            seed=training.seed,
            device=device,
            progress=progress,
        )


@contextmanager
def _progress(console: Console, name: str, epochs: int) -> Iterator[ProgressCallback]:
    """A progress bar on a terminal, one line per epoch elsewhere."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    if not draws_bars(console):
        yield partial(_print_epoch, console, name, epochs)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=10), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress, name, epochs)


def _print_epoch(console: Console, name: str, epochs: int, event: ImageRead | BatchTrained | EpochTrained) -> None:
    from densight.training.train import EpochTrained

    if isinstance(event, EpochTrained):
        now = event.measured
        print_line(
            console,
            f"{name} epoch {now.epoch}/{epochs}: loss {now.train_loss:.4f}, accuracy "
            f"{now.train_accuracy:.3f}; validation loss {now.validation_loss:.4f}, accuracy "
            f"{now.validation_accuracy:.3f}",
        )


class _Bar:
    """Draws where a training is, and when it will be done."""

    def __init__(self, progress: Progress, name: str, epochs: int) -> None:
        self.progress, self.name, self.epochs = progress, name, epochs
        self.task = progress.add_task(f"{name} reading the images", total=None)
        self.accuracy = ""
        self.training = False

    def __call__(self, event: ImageRead | BatchTrained | EpochTrained) -> None:
        from densight.training.train import BatchTrained, EpochTrained

        if isinstance(event, BatchTrained):
            self.show_batch(event)
        elif isinstance(event, EpochTrained):
            self.accuracy = f" val. accuracy {event.measured.validation_accuracy:.3f}"
        else:
            self.progress.update(self.task, completed=event.done, total=event.total)

    def show_batch(self, event: BatchTrained) -> None:
        completed = (event.epoch - 1) * event.batches + event.batch
        if not self.training:
            # Started again, so that neither reading nor epochs of an earlier run count in the remaining time.
            self.progress.reset(self.task, total=self.epochs * event.batches, completed=completed)
            self.training = True
        place = f"epoch {event.epoch}/{self.epochs} batch {event.batch}/{event.batches}"
        text = f"{self.name} {place} loss {event.loss:.3f}{self.accuracy}"
        self.progress.update(self.task, completed=completed, description=text)


def _table(trainings: list[_Training]) -> Table:
    from rich.table import Table

    table = Table(title="Networks", **TABLE)
    table.add_column("network")
    for heading in ("kept epoch", "validation loss", "accuracy", "images"):
        table.add_column(heading, justify="right")
    table.add_column("bundle", overflow="fold")
    for training in trainings:
        record = training.status().record
        assert record is not None
        table.add_row(
            training.job.name,
            f"{record['best_epoch']} of {record['epochs']}",
            f"{record['validation_loss']:.4f}",
            f"{record['validation_accuracy']:.4f}",
            str(sum(record["images"]["validation"].values())),
            str(training.folder),
        )
    return table
