"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from densight.vocabulary import PROJECTIONS, SPLITS

__all__ = [
    "DeviceOption",
    "DicomOption",
    "EngineOption",
    "IdentifiedOption",
    "InputArgument",
    "ModelOption",
    "OwnModelOption",
    "PrecisionOption",
    "RedcapOption",
    "RunOption",
    "SplitOption",
    "complete",
    "complete_datasets",
    "complete_devices",
    "complete_methods",
    "complete_recipes",
    "complete_trainings",
    "read_classes",
    "read_names",
]


def complete(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """A completer that offers the names with the prefix typed so far; the names are computed when Tab is pressed."""

    def offer(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return offer


def _datasets() -> Iterable[str]:
    from densight.intake.layouts import LAYOUTS

    return LAYOUTS


def _methods() -> Iterable[str]:
    from densight.explanation.methods.methods import METHODS

    return (*METHODS, "all")


def _recipes() -> Iterable[str]:
    from densight.training.recipe import RECIPES

    return RECIPES


def _models() -> Iterable[str]:
    from densight.network.shipped import shipped_models

    return shipped_models()


complete_datasets = complete(_datasets)
complete_devices = complete(lambda: ("cpu", "cuda", "mps", "auto"))
complete_methods = complete(_methods)
complete_recipes = complete(_recipes)
complete_trainings = complete(lambda: (*PROJECTIONS, "each", "all"))

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
        autocompletion=complete(_models),
        help="A model that comes with densight (see densight models), a model bundle, a folder of bundles, or Keras "
        "weights (.h5). Repeat the option where each projection has its own model.  [default: starter]",
        show_default=False,
    ),
]
OwnModelOption = Annotated[
    list[Path],
    typer.Option(
        "--model",
        "-m",
        metavar="DIR",
        help="A model bundle or a folder of bundles. Repeat the option where each projection has its own model.",
        show_default=False,
    ),
]
RunOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The run folder.")]
DicomOption = Annotated[
    bool,
    typer.Option("--dicom", help="Also write the results as DICOM objects of the exams' studies, and as FHIR."),
]
IdentifiedOption = Annotated[
    bool,
    typer.Option(
        "--identified",
        help="With --dicom: copy the patient's name and id and the exam's dates, as a PACS needs them. Without it, a "
        "pseudonym replaces them.",
    ),
]
RedcapOption = Annotated[
    bool, typer.Option("--redcap", help="Write the exams in REDCap's import form, too, with the data dictionary.")
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Only the images of this split: train, validation or test.",
        show_default=False,
        autocompletion=complete(lambda: SPLITS),
    ),
]
DeviceOption = Annotated[str, typer.Option(metavar="NAME", help="Device on which the network runs: cpu, cuda or mps.")]

EngineOption = Annotated[
    str, typer.Option(metavar="NAME", help="Engine that computes the network's convolutions: torch or openvino.")
]
PrecisionOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="Precision: fp32, bf16, or auto (bf16 where the processor supports it)."),
]


def read_names(texts: list[str] | None) -> list[str]:
    """Names from an option that may be repeated; each value may hold several names, separated by commas.

    Examples
    --------
    >>> read_names(["grad-cam,rise", "deep-lift"]), read_names(None)
    (['grad-cam', 'rise', 'deep-lift'], [])
    """
    return [name for text in texts or [] for name in text.replace(",", " ").split()]


def read_classes(text: str | None) -> list[str] | None:
    """The labels of ``--classes`` in their order; None where the option is not given.

    Examples
    --------
    >>> read_classes("F,G,D"), read_classes("F, G D")
    (['F', 'G', 'D'], ['F', 'G', 'D'])
    """
    return None if text is None else text.replace(",", " ").split()
