"""``densight demo``: every step on phantom exams, in a few minutes, without further data."""

from __future__ import annotations

import shlex
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json, with_common_options
from densight.cli.explain import explain
from densight.cli.figures import figures
from densight.cli.phantom import phantom
from densight.cli.terminal import count, open_console, print_line
from densight.cli.train import train

if TYPE_CHECKING:
    from rich.console import Console

    from densight.figures.intervals import Estimate

__all__ = ["demo", "run_demo"]

EXAMS = 160
"""Two cores make that many in about a minute; a quarter of them are held out."""

MIX = "25,25,25,25"
"""All classes equally often: at the 10 % that A and D have in screening, there would be too few to learn from."""

SIZE = "384x312"
"""Twice the size of the network's input."""

STEPS = typer.Typer()
"""The commands that the demonstration runs: not those of `densight.cli.main`, which imports this module."""
for command in (phantom, train, explain, figures):
    STEPS.command()(with_common_options(command))


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The demonstration's folder: a new one, or its own.")
    ] = Path("demo"),
) -> None:
    """Show every step on phantom exams, in a few minutes.

    Makes phantom exams, trains a small network on some of them, assesses and
    explains the exams of the split test, which the network has never seen, and
    computes the figures. Prints the command of each step. Takes about six
    minutes on two cores and needs no data.

    A demonstration that was stopped resumes when the command is given again.

    densight demo -o demo/
    """
    run_demo(output)


def run_demo(folder: Path, *, exams: int = EXAMS, size: str = SIZE, epochs: int | None = None) -> None:
    """Run every step of the demonstration as the command line does, and print the result.

    Parameters
    ----------
    folder : Path
        A new folder, or that of the same demonstration.
    exams : int
        How many to make.
    size : str
        Rows and columns of their images, in the form of ``densight phantom --size``.
    epochs : int, optional
        Replaces the recipe's epochs.

    Raises
    ------
    DensightError
        If a step fails.
    typer.Exit
        If a step was stopped, or could not use an image.
    """
    console = open_console()
    phantoms, models, run = folder / "exams", folder / "models", folder / "run"
    catalogue = phantoms / "catalogue.csv"
    epochs_option = [] if epochs is None else ["--epochs", epochs]

    print_line(console, "1. Make exams of synthetic patients, whose tissue is known.")
    _step(console, "phantom", "-n", exams, "--mix", MIX, "--size", size, "-o", phantoms)
    print_line(console, "\n2. Train a small network on the exams of the split train.")
    _step(console, "train", catalogue, "--recipe", "demo", *epochs_option, "--projection", "all", "-o", models)
    print_line(console, "\n3. Assess and explain the exams of the split test, which the network has never seen.")
    _step(console, "explain", catalogue, "--split", "test", "--model", models, "-o", run)
    print_line(console, "\n4. Compute the figures of merit.")
    _step(console, "figures", run)

    kappa, held_out = _kappa(run)
    add_to_json(kappa_linear=kappa, held_out=held_out, run=run, report=run / "report.html")
    print_line(console, f"\nLinear κ of {count(held_out, 'held-out exam')}: {_describe(kappa)}")
    print_line(console, f"The report: {run / 'report.html'}")


def _step(console: Console, *arguments: object) -> None:
    """Print a command and run it."""
    words = [str(argument) for argument in arguments]
    print_line(console, f"$ densight {shlex.join(words)}")
    if status := STEPS(words, standalone_mode=False):
        raise typer.Exit(status)


def _kappa(run: Path) -> tuple[Estimate, int]:
    """Linear κ between predicted and true classes of a run's exams, and the number of exams."""
    from densight.figures.evaluate import figures_of_run

    merit = figures_of_run(run).levels["exam"]
    return merit["kappa_linear"], merit.n


def _describe(kappa: Estimate) -> str:
    if isnan(kappa.value):
        return "undefined, because all exams have one class"
    if kappa.interval is None:
        return f"{kappa.value:.2f}"
    low, high = kappa.interval
    return f"{kappa.value:.2f}, 95 % interval {low:.2f} to {high:.2f}"
