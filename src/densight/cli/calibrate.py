"""``densight calibrate``: make a model's probabilities worth their word, on exams that it has not learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from densight.cli.common_options import reply
from densight.cli.options import DeviceOption, InputArgument, OwnModelOption, RunOption
from densight.cli.terminal import count, open_console, print_line
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

    from densight.assessment.models import Models

__all__ = ["calibrate"]


def calibrate(
    source: InputArgument,
    model: OwnModelOption,
    output: RunOption = Path("calibration"),
    split: Annotated[
        str, typer.Option(metavar="NAME", help="The split whose exams it is fitted on: never one learnt from.")
    ] = "validation",
    method: Annotated[
        str, typer.Option(metavar="NAME", help="How probabilities are scaled: temperature, ordinal or vector.")
    ] = "temperature",
    fusion: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How projections become an exam: mean, logit-mean, median, denser-breast or learned.",
        ),
    ] = "mean",
    coverage: Annotated[
        float, typer.Option(metavar="SHARE", help="How often sets of classes shall hold the true one.")
    ] = 0.9,
    each: Annotated[bool, typer.Option("--each", help="Promise the coverage for each true class.")] = False,
    device: DeviceOption = "cpu",
) -> None:
    """Calibrate a model on exams it has not learnt from.

    Assesses the exams of the split validation, fits on them how the network's
    probabilities and those of breasts and exams are scaled, and how far sets of
    classes must reach to hold the true one as often as promised. All is stored
    in the model's bundle, and used by assess and explain from then on.

    Folders of single models are calibrated together, for an exam is of all.

    densight calibrate catalogue.csv --model models/ -o calibration/
    """
    from importlib.metadata import version

    from densight.assessment.calibrate import FEWEST, fit_calibration, store_calibration
    from densight.assessment.conformal import check_coverage
    from densight.assessment.models import load_models
    from densight.assessment.pooling import RULES
    from densight.assessment.scaling import SCALINGS
    from densight.assessment.tables import read_assessments
    from densight.cli.runs import exit_status, run_request
    from densight.network.shipped import is_shipped, model_folder
    from densight.runs.request import RunRequest

    for name, known, words in ((method, SCALINGS, "scaling"), (fusion, RULES, "rule of fusion")):
        if name not in known:
            raise DensightError(f"unknown {words} {name!r}", remedy=f"use one of {', '.join(known)}")
    check_coverage(coverage)
    for one in filter(is_shipped, model):
        remedy = f"copy its folder, {model_folder(one)}, and calibrate the copy"
        raise DensightError("the models that come with densight are not changed", one, remedy)
    if split == "train":
        raise DensightError("a model is not calibrated on what it has learnt from", remedy="use --split validation")
    request = RunRequest(source, output, tuple(model), split=split, device=device, calibrated=False)
    status = exit_status(run_request(request))
    models = load_models(model, device, calibrated=False)
    images, _ = read_assessments(output, models.classes)
    record: dict[str, Any] = {"input": source.resolve().name, "split": split, "densight": version("densight")}
    fitted = fit_calibration(
        models, images, method=method, coverage=coverage, by_class=each, rule=fusion, record=record
    )
    calibrated = store_calibration(models, fitted)
    console = open_console()
    reply(bundles=[bundle.folder for bundle in calibrated.bundles], calibration=calibrated.calibration_notes)
    _tell_change(images, calibrated)
    for words in calibrated.calibration_notes:
        print_line(console, words)
    sets = calibrated.fusion.sets
    if sets is not None and sets.patients < FEWEST:
        print_line(console, f"note: {count(sets.patients, 'patient')} are too few to believe it; take hundreds")
    print_line(
        console,
        f"Written into {', '.join(str(bundle.folder) for bundle in calibrated.bundles)}; assess uses it from now on.",
    )
    raise typer.Exit(status)


def _tell_change(images: pd.DataFrame, models: Models) -> None:
    """Show what scaling changes for exams, each scaled as the others tell."""
    from densight.assessment.fusion import fuse_exams, patients_of
    from densight.cli.figures_shown import show_scalings
    from densight.figures.alternatives import compare_scalings
    from densight.figures.dense import find_dense
    from densight.figures.rows import cases_of
    from densight.storage import plain

    exams = fuse_exams(images, models.classes)
    exams = exams[exams["density"] != ""]
    rows = compare_scalings(cases_of(exams, models.classes), patients_of(exams), find_dense(models.classes))
    show_scalings(open_console(), plain(rows))
