"""``densight calibrate``: calibrate a model's probabilities on exams that were not used to train it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from densight.cli.common_options import add_to_json
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
        str, typer.Option(metavar="NAME", help="The split to fit on. It must not have been used for training.")
    ] = "validation",
    method: Annotated[
        str, typer.Option(metavar="NAME", help="How to scale probabilities: temperature, ordinal or vector.")
    ] = "temperature",
    fusion: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How to combine projections into an exam: mean, logit-mean, median, denser-breast or learned.",
        ),
    ] = "mean",
    coverage: Annotated[
        float, typer.Option(metavar="SHARE", help="How often a set of classes must contain the true class.")
    ] = 0.9,
    each: Annotated[
        bool, typer.Option("--each", help="Guarantee the coverage for each true class separately.")
    ] = False,
    device: DeviceOption = "cpu",
) -> None:
    """Calibrate a model on exams that it was not trained on.

    Assesses the exams of the split validation. Fits on them a scaling of the
    probabilities of images, breasts and exams, and the size of the sets of
    classes that contain the true class as often as --coverage requires. Stores
    both in the model bundle. From then on assess and explain use them.

    Several models are calibrated together, because an exam combines them all.

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

    for name, known, noun in ((method, SCALINGS, "scaling"), (fusion, RULES, "rule of fusion")):
        if name not in known:
            raise DensightError(f"unknown {noun} {name!r}", remedy=f"use one of {', '.join(known)}")
    check_coverage(coverage)
    for shipped in filter(is_shipped, model):
        remedy = f"copy its folder, {model_folder(shipped)}, and calibrate the copy"
        raise DensightError("a model that comes with densight cannot be changed", shipped, remedy)
    if split == "train":
        raise DensightError(
            "a model cannot be calibrated on the split that trained it", remedy="use --split validation"
        )
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
    add_to_json(bundles=[bundle.folder for bundle in calibrated.bundles], calibration=calibrated.calibration_notes)
    _show_change(images, calibrated)
    for note in calibrated.calibration_notes:
        print_line(console, note)
    sets = calibrated.fusion.sets
    if sets is not None and sets.patients < FEWEST:
        print_line(
            console, f"note: {count(sets.patients, 'patient')} are too few for a reliable calibration; use hundreds"
        )
    print_line(
        console,
        f"Written into {', '.join(str(bundle.folder) for bundle in calibrated.bundles)}; assess uses it from now on.",
    )
    raise typer.Exit(status)


def _show_change(images: pd.DataFrame, models: Models) -> None:
    """Show what scaling changes for exams; each exam's scaling is fitted on other patients."""
    from densight.assessment.fusion import fuse_exams, patients_of
    from densight.cli.figures_shown import show_scalings
    from densight.figures.alternatives import compare_scalings
    from densight.figures.data import cases_of
    from densight.figures.dense import find_dense
    from densight.storage import plain

    exams = fuse_exams(images, models.classes)
    exams = exams[exams["density"] != ""]
    rows = compare_scalings(cases_of(exams, models.classes), patients_of(exams), find_dense(models.classes))
    show_scalings(open_console(), plain(rows))
