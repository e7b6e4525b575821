"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DeviceOption",
    "DicomOption",
    "EngineOption",
    "IdentifiedOption",
    "InputArgument",
    "ModelOption",
    "OwnModelOption",
    "PrecisionOption",
    "RunOption",
    "SplitOption",
    "read_classes",
    "read_names",
]

InputArgument = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="An image, a folder or zip archive of exams, a DICOMDIR, a data set's folder, or a catalogue.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="DIR",
        help="A model that comes with densight (see densight models), a model bundle, a folder of bundles, or Keras "
        "weights (.h5). Give the option once a projection where each has its own.  [default: starter]",
        show_default=False,
    ),
]
OwnModelOption = Annotated[
    list[Path],
    typer.Option(
        "--model",
        "-m",
        metavar="DIR",
        help="A model bundle or a folder of bundles. Give the option once a projection where each has its own.",
        show_default=False,
    ),
]
RunOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The run folder.")]
DicomOption = Annotated[
    bool,
    typer.Option("--dicom", help="Write results as DICOM objects, too, into the studies of the exams, and as FHIR."),
]
IdentifiedOption = Annotated[
    bool,
    typer.Option(
        "--identified",
        help="With --dicom: take over the patient's name and id and the exam's dates, as a PACS needs them. Otherwise "
        "a pseudonym stands for them.",
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only the images of this split: train, validation or test.", show_default=False),
]
DeviceOption = Annotated[str, typer.Option(metavar="NAME", help="Where the network runs: cpu, cuda or mps.")]

EngineOption = Annotated[
    str, typer.Option(metavar="NAME", help="What runs the network's convolutions: torch or openvino.")
]
PrecisionOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="In which precision: fp32, bf16, or auto, bf16 where the processor has it."),
]


def read_names(texts: list[str] | None) -> list[str]:
    """The names that an option gives, which may be given several times and hold several, separated by commas.

    Examples
    --------
    >>> read_names(["grad-cam,rise", "deep-lift"]), read_names(None)
    (['grad-cam', 'rise', 'deep-lift'], [])
    """
    return [name for text in texts or [] for name in text.replace(",", " ").split()]


def read_classes(text: str | None) -> list[str] | None:
    """The labels that ``--classes`` names, in its order; None where it is not given.

    Examples
    --------
    >>> read_classes("F,G,D"), read_classes("F, G D")
    (['F', 'G', 'D'], ['F', 'G', 'D'])
    """
    return None if text is None else text.replace(",", " ").split()
