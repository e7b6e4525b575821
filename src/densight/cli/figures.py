"""``densight figures``: figures of merit from a run folder, a table of exams or prediction files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import read_classes, read_names
from densight.cli.terminal import count, open_console, print_line
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.figures.data import EvaluationData

__all__ = ["figures"]


def _option(metavar: str, text: str) -> Any:
    """An option without a default."""
    return typer.Option(metavar=metavar, help=text, show_default=False)


def figures(
    source: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN|CSV|TXT",
            help="Run folder of densight assess; or a CSV with one row per exam: density, and p_A, p_B, p_C, p_D or "
            "predicted; or prediction files, as for --predictions.",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        _option(
            "FILE",
            "Prediction file of the projection in its name (predictions_ccr.txt): one row per exam, one column per "
            "class, no header. Give the option once per projection.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        _option(
            "FILE",
            "CSV with the column density, one row per exam in the prediction files' order; patient_id, exam_id and "
            "further columns are used if present.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        _option(
            "LIST",
            "Class labels from the least to the most dense, separated by commas. By default those of the run, or "
            "A,B,C,D for prediction files.",
        ),
    ] = None,
    dense: Annotated[
        str | None, _option("LIST", "The classes that count as dense. By default C,D of A,B,C,D, else none.")
    ] = None,
    at: Annotated[
        list[float] | None,
        _option("P", "A further operating point: from this probability of a dense class on, an exam counts as dense."),
    ] = None,
    coverage: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of sets of classes that shall contain the true class.")
    ] = 0.9,
    by: Annotated[
        list[str] | None,
        _option("COLUMN", "Figures of each group of exams: a column of the table, the labels or the catalogue."),
    ] = None,
    over: Annotated[
        list[str] | None,
        _option("COLUMN", "κ over time as a control chart: a column whose values sort by time, such as 2025-03."),
    ] = None,
    against: Annotated[
        list[Path] | None,
        _option(
            "OTHER",
            "Compare with another run, table, or folder of prediction files: with tests if it has the same exams, for "
            "drift if it has others. Repeat the option to compare with several.",
        ),
    ] = None,
    readers: Annotated[
        Path | None,
        _option("FILE", "CSV with exam_id and one column per reader: agreement with the model and among readers."),
    ] = None,
    catalogue: Annotated[
        Path | None, _option("FILE", "Catalogue with the columns of --by and --over, if not the one that was assessed.")
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

    Measures accuracy, recall, precision, κ, AUC, calibration and more, with
    95 % intervals by patient, for every projection, the right and the left
    breast and the exam. Measures other rules of fusion, scalings, and sets of
    classes that contain the true class. Compares with other models, with
    readers, between groups and over time. Writes figures.json and the plots,
    and into a run folder the report.

    densight figures run/ --by vendor --against other_run/

    densight figures --predictions ccr.txt --labels labels.csv -o out/
    """
    from densight.assessment.record import has_record
    from densight.cli.figures_shown import show_figures
    from densight.figures.evaluate import EvaluationOptions, evaluate, write_figures
    from densight.figures.plots import PLOTS, save_plots
    from densight.report.report import write_report

    data, folder = _read_source(source or [], predictions or [], labels, classes, output)
    options = EvaluationOptions(
        dense=None if dense is None else tuple(read_classes(dense) or ()),
        thresholds=tuple(at or ()),
        coverage=coverage,
        by=tuple(read_names(by)),
        over=tuple(read_names(over)),
        against=tuple(_read_other(path, labels, data) for path in against or ()),
        readings=readers,
        catalogue=catalogue,
    )
    result = evaluate(data, options)
    written = write_figures(result, folder)
    plots = save_plots(result, folder)

    add_to_json(written=written, figures=result.as_dict(), plots=plots)
    console = open_console()
    show_figures(console, result)
    print_line(console, f"Figures: {written}, {count(len(plots), 'plot')} in {folder / PLOTS}")
    if folder == data.path and has_record(folder):
        print_line(console, f"Report: {write_report(folder)}")


def _read_source(
    source: Sequence[Path], predictions: Sequence[Path], labels: Path | None, classes: str | None, output: Path | None
) -> tuple[EvaluationData, Path]:
    """The data and the output folder; options that exclude each other are refused."""
    from densight.figures.data import read_evaluation_data, read_prediction_files
    from densight.vocabulary import BIRADS, check_classes

    named = read_classes(classes)
    order = None if named is None else check_classes(named)
    files = [*predictions, *(path for path in source if path.suffix.lower() == ".txt")]
    others = [path for path in source if path not in files]
    if others and (files or labels):
        raise DensightError("a run folder and prediction files were given together", remedy="give one of the two")
    if len(others) > 1:
        raise DensightError(
            f"{len(others)} runs or tables were given", remedy="give one, and the others with --against"
        )
    if others:
        data = read_evaluation_data(others[0], order)
        if output is None and not others[0].is_dir():
            raise DensightError("for a table, --output must be given", remedy="give -o DIR")
        return data, output or others[0]
    if not files or labels is None or output is None:
        needed = (("--predictions", files), ("--labels", labels), ("--output", output))
        missing = [name for name, value in needed if not value]
        raise DensightError(
            f"without a run folder, {' and '.join(missing)} must be given",
            remedy="give a run folder, or --predictions FILE --labels FILE -o DIR",
        )
    return read_prediction_files(files, labels, order or BIRADS), output


def _read_other(path: Path, labels: Path | None, data: EvaluationData) -> EvaluationData:
    """The data to compare with: a run, a table, or a folder of prediction files with the same labels."""
    from dataclasses import replace

    from densight.assessment.tables import ASSESSMENTS
    from densight.figures.data import read_evaluation_data, read_prediction_files

    files = sorted(path.glob("*.txt")) if path.is_dir() and not (path / ASSESSMENTS).is_file() else []
    if files and labels is not None:
        return replace(read_prediction_files(files, labels, data.classes), path=path)
    return read_evaluation_data(path, data.classes)
