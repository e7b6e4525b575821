"""``densight explain``: which tissue made a model say what it said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densight.cli.options import DeviceOption, InputArgument, ModelOption, RunOption, SplitOption

__all__ = ["explain"]


def explain(
    source: InputArgument,
    model: ModelOption,
    output: RunOption = Path("run"),
    method: Annotated[str, typer.Option(metavar="NAME", help="The method: grad-cam.")] = "grad-cam",
    split: SplitOption = None,
    device: DeviceOption = "cpu",
) -> None:
    """Assess exams and show which tissue spoke for each class.

    Does what assess does, and for every image the Grad-CAM of every class from
    the same pass of the network. Under maps/ in the run folder: the tutorial's
    four pictures of each image, all classes side by side, each exam as
    radiologists hang it, and the raw signed maps (.npy, .tif). The report
    shows them.

    densight explain exams/ --model models/all -o run/
    """
    from densight.cli.runs import run_input

    failed = run_input(source, model, output, split=split, device=device, method=method)
    raise typer.Exit(1 if failed else 0)
