"""``densight convert``: Keras weights in, ONNX out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import read_classes
from densight.cli.terminal import open_console, print_line
from densight.vocabulary import PROJECTIONS, DensightError, Projection, find_projection

if TYPE_CHECKING:
    from densight.network.bundle import Bundle

__all__ = ["convert"]


def convert(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A Keras weights file (.h5) or the folder of a model bundle.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The model bundle to write, a folder; or an ONNX file, by the suffix .onnx.",
            show_default=False,
        ),
    ],
    projection: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the Keras network was trained for: CC_R, CC_L, MLO_R, MLO_L, or all. By default it is read "
            "from the name of the file or of its folder.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="The class labels from the least to the most dense, such as F,G,D. The Keras network's outputs are "
            "assumed to be in their alphabetical order, as Keras reads folders. By default A,B,C,D.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Convert Keras weights to a model bundle, or a model to ONNX.

    Reads the tutorial's network from the .h5 files of Keras 2.2 to 2.15, without
    Keras: full models, weights only, and .weights.h5. Another network is refused.

    densight convert CC_R_model/weights-improvement-46-0.80.h5 -o models/CC_R

    densight convert models/CC_R -o CC_R.onnx
    """
    console = open_console()
    to_onnx = output.suffix.lower() == ".onnx"
    if model.is_dir() and not to_onnx:
        raise DensightError("this is a model bundle already", model, "give -o FILE.onnx to write it as ONNX")
    bundle = _read(model, projection, classes)
    for line in _describe(bundle):
        print_line(console, line)
    if to_onnx:
        from densight.explanation.methods.gradcam import grad_cam
        from densight.network.onnx import write_onnx

        write_onnx(bundle, output, grad_cam if bundle.network.linear_head else None)
    else:
        from densight.network.bundle import write_bundle

        write_bundle(output, bundle.network.state_dict(), bundle.facts)
    add_to_json(written=output, form="onnx" if to_onnx else "bundle", description=_describe(bundle))
    print_line(console, f"{'ONNX' if to_onnx else 'Model bundle'}: {output}")


def _read(model: Path, projection: str | None, classes: str | None) -> Bundle:
    from densight.network.bundle import read_bundle
    from densight.network.keras import read_keras_bundle

    if not model.is_dir():
        return read_keras_bundle(model, classes=read_classes(classes), projections=_projections(projection))
    if projection or classes:
        raise DensightError("a model bundle stores its projections and classes", model, "leave these options out")
    return read_bundle(model)


def _projections(text: str | None) -> tuple[Projection, ...]:
    if text is None:
        return ()
    if text.strip().lower() == "all":
        return PROJECTIONS
    named = find_projection(text)
    if named is None:
        raise DensightError(f"unknown projection {text!r}", remedy=f"use one of {', '.join(PROJECTIONS)}, or all")
    return (named,)


def _describe(bundle: Bundle) -> list[str]:
    """Lines for the terminal that describe a model."""
    facts = bundle.facts
    rows, columns = facts.preparation.shape
    parameters = sum(value.numel() for value in bundle.network.state_dict().values() if value.is_floating_point())
    lines = [
        f"Network: {facts.architecture.name}, {parameters:,} parameters",
        f"Input: {rows}×{columns} pixels, {facts.architecture.channels} channel(s), preset {facts.preparation.preset}",
        f"Classes: {', '.join(facts.classes)}. Projections: {', '.join(facts.projections)}",
    ]
    if "converted_from" in facts.training:
        record = facts.training
        lines[0] += f" ({record['converted_from']['form']}, Keras version {record['converted_from']['keras_version']})"
        lines[1] += f" ({record['input_shape']})"
        lines[2] += f" ({record['projections']}); outputs {record['outputs']}"
    return lines
