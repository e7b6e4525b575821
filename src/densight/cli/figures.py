"""``densight figures``: figures of merit from a run folder or from prediction files."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.options import read_classes
from densight.cli.terminal import TABLE, count, open_console, print_line
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from rich.table import Table

    from densight.figures.intervals import Estimate
    from densight.figures.levels import Figures

__all__ = ["figures"]


def figures(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN", help="Run folder with assessments.csv, as densight assess makes it.", show_default=False
        ),
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Prediction file of one projection, named by it (predictions_ccr.txt): a row an exam, a column a "
            "class, no header. Give the option once a projection.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV with the column density, a row an exam in the prediction files' order; patient_id and exam_id "
            "are used where present.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Class labels from the least to the most dense, separated by commas. By default those of the run, or "
            "A,B,C,D for prediction files.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for figures.json and figures/. By default the run folder.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare assessments with the reference densities.

    Gives accuracy, macro recall, macro precision and the confusion matrix, with
    95 % intervals, for every projection, the right and the left breast and the
    exam. Writes figures.json and the plots. Measures a run, or prediction files
    such as the tutorial's.

    densight figures run/

    densight figures --predictions ccr.txt --labels labels.csv -o out/
    """
    from densight.assessment.run import RUN
    from densight.figures.levels import write_figures
    from densight.figures.plots import PLOTS, save_plots
    from densight.report.report import write_report

    folder = _output_folder(run, predictions, labels, output)
    result = _measure(run, predictions, labels, classes)
    written = write_figures(result, folder)
    plots = save_plots(result, folder)

    console = open_console()
    console.print(_levels_table(result))
    if "exam" in result.levels:
        console.print(_confusion_table(result, "exam"))
    for remark in result.assumed:
        print_line(console, f"note: {remark}")
    print_line(console, f"Figures: {written}, {count(len(plots), 'plot')} in {folder / PLOTS}")
    if folder == run and (run / RUN).is_file():
        print_line(console, f"Report: {write_report(run)}")


def _output_folder(run: Path | None, predictions: list[Path] | None, labels: Path | None, output: Path | None) -> Path:
    """Where to write; refuses options that do not go together."""
    if run is not None and (predictions or labels):
        raise DensightError(
            "a run folder and prediction files were given together", remedy="give the run folder alone, or leave it out"
        )
    if run is not None:
        return output or run
    if not predictions or labels is None or output is None:
        missing = [
            name
            for name, value in (("--predictions", predictions), ("--labels", labels), ("--output", output))
            if not value
        ]
        raise DensightError(
            f"without a run folder, {' and '.join(missing)} must be given",
            remedy="give a run folder, or --predictions FILE --labels FILE -o DIR",
        )
    return output


def _measure(run: Path | None, predictions: list[Path] | None, labels: Path | None, classes: str | None) -> Figures:
    from densight.figures.levels import figures_of_predictions, figures_of_run
    from densight.vocabulary import BIRADS, check_classes

    named = read_classes(classes)
    order = None if named is None else check_classes(named)
    if run is not None:
        return figures_of_run(run, order)
    assert predictions is not None
    assert labels is not None
    return figures_of_predictions(predictions, labels, order or BIRADS)


def _levels_table(result: Figures) -> Table:
    from rich.table import Table

    table = Table(title="Figures of merit, with the accuracy's 95 % interval", **TABLE)
    table.add_column("level", no_wrap=True)
    for heading in ("n", "patients", "accuracy", "macro recall", "macro precision"):
        table.add_column(heading, justify="right", no_wrap=heading == "accuracy")
    for level, merit in result.levels.items():
        table.add_row(
            level,
            str(merit.n),
            str(merit.patients),
            _with_interval(merit["accuracy"]),
            f"{merit['macro_recall'].value:.4f}",
            f"{merit['macro_precision'].value:.4f}",
        )
    return table


def _with_interval(estimate: Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.value:.4f}"
    low, high = estimate.interval
    return f"{estimate.value:.4f} [{low:.3f}, {high:.3f}]"


def _confusion_table(result: Figures, level: str) -> Table:
    from rich.table import Table

    merit = result.levels[level]
    table = Table(title=f"Confusion matrix, {level}", caption="rows true, columns predicted", **TABLE)
    table.add_column("")
    for label in result.classes:
        table.add_column(label, justify="right")
    table.add_column("recall", justify="right")
    for index, label in enumerate(result.classes):
        recall = merit.by_class[index].recall.value
        counts = map(str, merit.confusion[index])
        table.add_row(label, *counts, "undefined" if isnan(recall) else f"{recall:.4f}")
    return table
