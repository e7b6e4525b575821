"""The command ``densight``: its commands, its global options and its entry point."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from densight.cli.anatomy import anatomy
from densight.cli.assess import assess
from densight.cli.calibrate import calibrate
from densight.cli.common_options import (
    FAULT,
    JsonOption,
    OutputMode,
    QuietOption,
    VerboseOption,
    set_global,
    with_common_options,
)
from densight.cli.convert import convert
from densight.cli.demo import demo
from densight.cli.doctor import doctor
from densight.cli.explain import explain
from densight.cli.figures import figures
from densight.cli.index import index
from densight.cli.models import card, models
from densight.cli.pacs import pacs
from densight.cli.phantom import phantom
from densight.cli.plan import plan
from densight.cli.train import train
from densight.cli.trial import trial
from densight.cli.tutorial import tutorial
from densight.process import own_process
from densight.vocabulary import DensightError

__all__ = ["app", "run"]

STATUSES = (
    "Exit status: 0 done; 1 done, except for some images, which failures.csv lists; 2 not done; 130 stopped by Ctrl-C."
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=STATUSES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for command in (
    index,
    train,
    calibrate,
    assess,
    explain,
    trial,
    figures,
    plan,
    models,
    card,
    anatomy,
    convert,
    phantom,
    demo,
    tutorial,
    doctor,
):
    app.command()(with_common_options(command))
app.add_typer(pacs, name="pacs")


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"densight {version('densight')}")
        raise typer.Exit


@app.callback()
def densight(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Breast density from mammograms, with explanations.

    The usual order: index a folder of images into a catalogue, train a model on
    it, assess and explain images with the model, and compute the figures of
    merit. Research software: not a medical device.
    """
    set_global(OutputMode(as_json, quiet, verbose))


def run() -> None:
    """Run the command line; a fault that the user can fix is one message, not a traceback."""
    own_process()
    # densight reports itself what is unusual in a DICOM file.
    for module in ("pydicom", "highdicom"):
        warnings.filterwarnings("ignore", module=module)
    try:
        app()
    except DensightError as error:
        print(f"densight: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(FAULT)
