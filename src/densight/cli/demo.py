"""``densight demo``: the whole job on phantom exams, in a few minutes, with nothing but the package."""

from __future__ import annotations

import shlex
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import reply
from densight.cli.terminal import count, open_console, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from densight.figures.intervals import Estimate

__all__ = ["demo", "run_demo"]

EXAMS = 160
"""So many are made in about a minute on two cores, and a quarter of them are held out."""

MIX = "25,25,25,25"
"""Every class alike: of a screening population's 10 % of A and of D, too few would be there to learn from."""

SIZE = "384x312"
"""Twice the network's frame."""


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of the demonstration, new or its own.")
    ] = Path("demo"),
) -> None:
    """Show the whole job on phantom exams, in a few minutes.

    Makes phantom exams, trains a small network on some, lets it assess and
    explain the exams of the split test, which it has never seen, and computes
    the figures. Each step is shown as the command that does it. Takes about
    six minutes on two cores and needs nothing but densight.

    A demonstration that was stopped goes on when it is given again.

    densight demo -o demo/
    """
    run_demo(output)


def run_demo(folder: Path, *, exams: int = EXAMS, size: str = SIZE, epochs: int | None = None) -> None:
    """Run every step of the demonstration as the command line does, and tell what came of it.

    Parameters
    ----------
    folder : Path
        New, or that of the same demonstration.
    exams : int
        How many are made.
    size : str
        Rows and columns of their images, as ``densight phantom --size`` has it.
    epochs : int, optional
        Epochs instead of the recipe's.

    Raises
    ------
    DensightError
        If a step cannot do its work.
    typer.Exit
        If a step was stopped, or could not use an image.
    """
    console = open_console()
    phantoms, models, run = folder / "exams", folder / "models", folder / "run"
    catalogue = phantoms / "catalogue.csv"
    few = [] if epochs is None else ["--epochs", epochs]

    print_line(console, "1. Exams of synthetic patients, of whom everything is known.")
    _step(console, "phantom", "-n", exams, "--mix", MIX, "--size", size, "-o", phantoms)
    print_line(console, "\n2. A small network learns from the exams of the split train.")
    _step(console, "train", catalogue, "--recipe", "demo", *few, "--projection", "all", "-o", models)
    print_line(console, "\n3. It assesses the exams of the split test, which it has never seen, and explains itself.")
    _step(console, "explain", catalogue, "--split", "test", "--model", models, "-o", run)
    print_line(console, "\n4. How good it is.")
    _step(console, "figures", run)

    agreement, held_out = _agreement(run)
    reply(kappa_linear=agreement, held_out=held_out, run=run, report=run / "report.html")
    print_line(console, f"\nLinear κ of {count(held_out, 'held-out exam')}: {_words(agreement)}")
    print_line(console, f"The report: {run / 'report.html'}")


def _step(console: Console, *arguments: object) -> None:
    """Show a command and run it."""
    from densight.cli.main import app

    words = [str(argument) for argument in arguments]
    print_line(console, f"$ densight {shlex.join(words)}")
    if status := app(words, standalone_mode=False):
        raise typer.Exit(status)


def _agreement(run: Path) -> tuple[Estimate, int]:
    """How far the network's classes of a run's exams agree with their own, and of how many exams."""
    from densight.figures.levels import figures_of_run

    merit = figures_of_run(run).levels["exam"]
    return merit["kappa_linear"], merit.n


def _words(kappa: Estimate) -> str:
    if isnan(kappa.value):
        return "undefined, for there is one class alone"
    if kappa.interval is None:
        return f"{kappa.value:.2f}"
    low, high = kappa.interval
    return f"{kappa.value:.2f}, 95 % interval {low:.2f} to {high:.2f}"
