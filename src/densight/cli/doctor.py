"""``densight doctor``: what densight sees in a file, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import DeviceOption, ModelOption
from densight.cli.terminal import open_console, print_line
from densight.vocabulary import PROJECTIONS, DensightError, find_projection

__all__ = ["doctor"]


def doctor(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A DICOM file or an image.", show_default=False)],
    projection: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What it shows, if the file does not say so: MLO_R.", show_default=False),
    ] = None,
    model: ModelOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of the page.")] = Path(
        "doctor"
    ),
    device: DeviceOption = "cpu",
) -> None:
    """Show what densight sees in a file, step by step.

    From the stored values to the model's answer: what each step found, did and
    assumed, and a picture of it. Writes doctor.html and the pictures (PNG).
    The exit status is 1 where the file cannot be assessed; the last step says
    why. No name, id or date of the file is shown.

    densight doctor exam/IM0001 -o doctor/
    """
    from densight.assessment.models import load_models
    from densight.intake.dicom.identity import shown_name
    from densight.network.shipped import DEFAULT
    from densight.report.doctor import look_into, write_page

    given = None if projection is None else find_projection(projection)
    if projection is not None and given is None:
        raise DensightError(f"unknown projection {projection!r}", remedy=f"use one of {', '.join(PROJECTIONS)}")
    models = load_models(model or [Path(DEFAULT)], device)
    console = open_console()
    steps = []
    for number, step in enumerate(look_into(file, models, given), start=1):
        steps.append(step)
        print_line(console, f"{number}. {step.title}")
        for name, words in step.facts:
            print_line(console, f"     {name}: {words}")
        if step.fault:
            print_line(console, f"     {step.fault}")
    page = write_page(output, shown_name(file), steps)
    add_to_json(
        page=page, steps=[{"title": step.title, "facts": dict(step.facts), "fault": step.fault} for step in steps]
    )
    print_line(console, f"With pictures: {page}")
    raise typer.Exit(1 if steps[-1].fault else 0)
