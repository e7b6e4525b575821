"""The evaluation of assessments: metrics by level, and the comparisons that are asked for.

Levels are every projection, the right and the left breast, and the exam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.assessment.fusion import class_indices, patients_of, predicted_class, probability_columns
from densight.figures.alternatives import compare_fusions, compare_scalings
from densight.figures.bootstrap import DRAWS, SEED
from densight.figures.comparison import adjust, compare, shared_exams
from densight.figures.data import (
    Cases,
    EvaluationData,
    cases_of,
    find_column,
    fingerprint,
    read_evaluation_data,
    read_prediction_files,
)
from densight.figures.dense import find_dense
from densight.figures.drift import measure_drift
from densight.figures.groups import chart_over, measure_groups
from densight.figures.intervals import CONFIDENCE
from densight.figures.merit import FEW_PATIENTS, Merit, measure
from densight.figures.readers import measure_readers, read_readings
from densight.figures.selective import SetMerit, cross_sets, measure_sets, risk_coverage
from densight.storage import plain, write_json
from densight.vocabulary import BIRADS, DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COVERAGE",
    "FIGURES",
    "EvaluationOptions",
    "Figures",
    "are_current",
    "evaluate",
    "figures_of_predictions",
    "figures_of_run",
    "measure_levels",
    "measure_table",
    "write_figures",
]

FIGURES = "figures.json"
"""The file's name in a run folder."""
COVERAGE = 0.9
"""The default coverage of sets of classes."""

_FORMAT = 1


@dataclass(frozen=True)
class EvaluationOptions:
    """What to measure beside the metrics by level.

    Parameters
    ----------
    dense : tuple of str or None
        The classes that count as dense; C and D of A, B, C, D if None.
    thresholds : tuple of float
        Operating points of dense against non-dense.
    coverage : float
        The coverage of sets of classes, between 0 and 1.
    by, over : tuple of str
        Columns that group the exams, and columns with their time.
    against : tuple of EvaluationData
        Other models' assessments of the same exams, or the same model's of other exams.
    readings : Path or None
        A table of readings.
    catalogue : Path or None
        The table with the columns, if not the run's own catalogue.
    """

    dense: tuple[str, ...] | None = None
    thresholds: tuple[float, ...] = ()
    coverage: float = COVERAGE
    by: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    against: tuple[EvaluationData, ...] = ()
    readings: Path | None = None
    catalogue: Path | None = None


@dataclass(frozen=True)
class Figures:
    """The result of an evaluation: metrics by level, and what else was measured.

    Parameters
    ----------
    classes : tuple of str
        The labels in order.
    source : Mapping
        ``kind`` (``run``, ``exams`` or ``predictions``), the names of the files, and for a run the checksum of its
        assessments.
    levels : Mapping of str to Merit
        Keys among ``CC_R, CC_L, MLO_R, MLO_L, right, left, exam``, in this order. A level without labelled images is
        left out.
    assumed : tuple of str
        Remarks on what was left out or assumed.
    dense : tuple of str
        The classes that count as dense; empty if none does.
    further : Mapping
        What else was measured, as plain values. Keys among ``fusions``, ``sets``, ``scalings``, ``risk``, ``against``,
        ``drift``, ``readers``, ``groups``, ``over``.
    """

    classes: tuple[str, ...]
    source: Mapping[str, Any]
    levels: Mapping[str, Merit]
    assumed: tuple[str, ...] = ()
    dense: tuple[str, ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The content of ``figures.json``, keys in a fixed order."""
        return {
            "format": _FORMAT,
            "classes": list(self.classes),
            "dense": list(self.dense),
            "source": dict(self.source),
            "intervals": {"confidence": CONFIDENCE, "bootstrap_draws": DRAWS, "bootstrap_seed": SEED},
            "levels": {level: merit.as_dict(self.classes) for level, merit in self.levels.items()},
            **self.further,
            "assumed": list(self.assumed),
        }


def figures_of_run(
    run: str | Path,
    classes: Sequence[str] | None = None,
    *,
    dense: Sequence[str] | None = None,
    thresholds: Sequence[float] = (),
) -> Figures:
    """The metrics by level of a run folder's assessments, or of a table of exams.

    Parameters
    ----------
    run : path-like
        As for `densight.figures.data.read_evaluation_data`.
    classes : sequence of str, optional
        The class order that the table must have.
    dense : sequence of str, optional
        The classes that count as dense; C and D of A, B, C, D if None.
    thresholds : sequence of float
        Further operating points of dense against non-dense.

    Returns
    -------
    Figures

    Raises
    ------
    DensightError
        If the table is missing or faulty, or no case has a reference density.
    """
    return measure_levels(read_evaluation_data(run, classes), dense=dense, thresholds=thresholds)


def figures_of_predictions(
    predictions: Sequence[str | Path],
    labels: str | Path,
    classes: Sequence[str] = BIRADS,
    *,
    dense: Sequence[str] | None = None,
    thresholds: Sequence[float] = (),
) -> Figures:
    r"""The metrics by level of the tutorial's prediction files.

    Parameters
    ----------
    predictions : sequence of path-like
    labels : path-like
    classes : sequence of str
        As for `densight.figures.data.read_prediction_files`.
    dense : sequence of str, optional
    thresholds : sequence of float
        As for `figures_of_run`.

    Returns
    -------
    Figures

    Raises
    ------
    DensightError
        If a file is missing or faulty, names no projection or the projection of another file, has another number of
        rows than the labels, or a label is unknown.

    Examples
    --------
    >>> import tempfile
    >>> from densight.assessment.predictions import write_predictions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file, labels = Path(folder) / "predictions_ccr.txt", Path(folder) / "labels.csv"
    ...     write_predictions(file, [[0.9, 0.1], [0.6, 0.4]])
    ...     _ = labels.write_text("density\nA\nB\n")
    ...     figures = figures_of_predictions([file], labels, ["A", "B"])
    >>> list(figures.levels), figures.levels["exam"]["accuracy"].value
    (['CC_R', 'right', 'exam'], 0.5)
    """
    return measure_levels(read_prediction_files(predictions, labels, classes), dense=dense, thresholds=thresholds)


def evaluate(data: EvaluationData, options: EvaluationOptions | None = None) -> Figures:
    """Measure the metrics by level, and what the options ask for.

    Scalings, sets of classes and the risk–coverage curve are always measured for exams with probabilities, and rules of
    fusion for exams with several images.

    Parameters
    ----------
    data : EvaluationData
    options : EvaluationOptions, optional

    Returns
    -------
    Figures
        With the further results in ``further``.

    Raises
    ------
    DensightError
        If nothing is labelled, or an option cannot be applied to the data.
    """
    options = options or EvaluationOptions()
    figures = measure_levels(data, dense=options.dense, thresholds=options.thresholds)
    dense_from = find_dense(data.classes, options.dense)
    further: dict[str, Any] = {}
    if "exam" in figures.levels:
        further |= _evaluate_exams(data, options, dense_from)
    elif options.by or options.over or options.against or options.readings:
        raise DensightError("no exam has a reference density", data.path, "fill the column density")
    return replace(figures, further={name: plain(value) for name, value in further.items()})


def measure_levels(
    data: EvaluationData, *, dense: Sequence[str] | None = None, thresholds: Sequence[float] = ()
) -> Figures:
    """Measure the metrics of every level that has labelled cases.

    Parameters
    ----------
    data : EvaluationData
    dense : sequence of str, optional
    thresholds : sequence of float
        As for `figures_of_run`.

    Raises
    ------
    DensightError
        If no case has a reference density, or the dense classes are not the last of the classes.
    """
    dense_from = find_dense(data.classes, dense)
    assumed: list[str] = []
    tables = {level: data.labelled(level) for level in data.tables}
    for level, labelled in tables.items():
        assumed += _remarks(level, data.tables[level], labelled, data.classes)
    # numpy releases the lock for most of the time; more than two threads would need too much memory.
    with ThreadPoolExecutor(max_workers=2) as pool:
        merits = {
            level: pool.submit(measure_table, labelled, data.classes, dense_from, thresholds)
            for level, labelled in tables.items()
            if not labelled.empty
        }
    levels = {level: merit.result() for level, merit in merits.items()}
    if not levels:
        raise DensightError(
            "no image has a reference density, so there is nothing to compare with",
            data.path,
            "fill the column density, or assess a catalogue that has it",
        )
    if data.tables["exam"]["patient_id"].eq("").any():
        assumed.insert(0, "no patient_id: each exam counts as a patient of its own")
    level, merit = list(levels.items())[-1]
    if few := _small_classes(merit, data.classes):
        assumed.append(f"{level}: fewer than {FEW_PATIENTS} patients of {few}, so that their figures are rough")
    dense_classes = () if dense_from is None else data.classes[dense_from:]
    return Figures(data.classes, data.source, levels, tuple(assumed), dense_classes)


def measure_table(
    table: pd.DataFrame, classes: Sequence[str], dense_from: int | None = None, thresholds: Sequence[float] = ()
) -> Merit:
    """Measure the metrics of a table of labelled cases.

    Parameters
    ----------
    table : DataFrame
        As a table of `densight.figures.data.EvaluationData`, every row labelled.
    classes : sequence of str
        The labels in order.
    dense_from : int, optional
    thresholds : sequence of float
        As for `densight.figures.merit.measure`.
    """
    columns = probability_columns(classes)
    return measure(
        class_indices(table["density"].tolist(), classes),
        class_indices(table["predicted"].tolist(), classes),
        patients_of(table),
        len(classes),
        probabilities=table[columns].to_numpy(dtype=float) if columns[0] in table else None,
        dense_from=dense_from,
        thresholds=thresholds,
    )


def are_current(figures: Mapping[str, Any], images: pd.DataFrame, classes: Sequence[str]) -> bool:
    """Whether the content of a ``figures.json`` has the current format and belongs to these assessments.

    Parameters
    ----------
    figures : Mapping
        As `Figures.as_dict` returns it.
    images : DataFrame
        As `densight.assessment.tables.read_assessments` returns it.
    classes : sequence of str
    """
    return figures.get("format") == _FORMAT and figures["source"].get("assessments") == fingerprint(images, classes)


def write_figures(figures: Figures, folder: str | Path) -> Path:
    """Write ``figures.json`` into a folder and return its path."""
    path = Path(folder) / FIGURES
    write_json(path, figures.as_dict())
    return path


def _small_classes(merit: Merit, classes: Sequence[str]) -> str:
    """The classes with few patients, and their numbers of patients."""
    pairs = zip(classes, merit.by_class, strict=True)
    return ", ".join(
        f"{label} ({of_class.patients})" for label, of_class in pairs if 0 < of_class.patients < FEW_PATIENTS
    )


def _remarks(level: str, table: pd.DataFrame, labelled: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """What a reader must know of a level: left out, partly labelled, fused with a projection missing, averaged."""
    if labelled.empty:
        return [f"{level}: left out, for it has no {'' if table.empty else 'labelled '}image"]
    remarks = []
    if unlabelled := len(table) - len(labelled):
        remarks.append(f"{level}: {unlabelled} of {len(table)} without a reference density, left out")
    if "missing" in labelled:
        lacking, averaged = (int(labelled[column].ne("").sum()) for column in ("missing", "assumed"))
        if lacking:
            remarks.append(f"{level}: {lacking} of {len(labelled)} fused with a projection missing")
        if averaged:
            remarks.append(f"{level}: in {averaged} of {len(labelled)} images of one projection were averaged first")
    columns = probability_columns(classes)
    if columns[0] in labelled:
        most_probable = predicted_class(labelled[columns].to_numpy(dtype=float), classes)
        if other := int((labelled["predicted"] != most_probable).sum()):
            remarks.append(f"{level}: in {other} of {len(labelled)} the predicted class is not that of the greatest p")
    return remarks


def _evaluate_exams(data: EvaluationData, options: EvaluationOptions, dense_from: int | None) -> dict[str, Any]:
    exams, classes = data.labelled("exam"), data.classes
    results: dict[str, Any] = {}
    images = data.images
    if images is not None and len(images) > len(data.tables["exam"]):
        results["fusions"] = compare_fusions(images, exams, classes, dense_from)
    if probability_columns(classes)[0] in exams:
        cases, patients = cases_of(exams, classes), patients_of(exams)
        results["sets"] = _evaluate_sets(data, cases, patients, options.coverage)
        if cases.patients > 1:
            results["scalings"] = compare_scalings(cases, patients, dense_from)
        results["risk"] = risk_coverage(cases)
    results |= _evaluate_against(data, options.against, dense_from)
    if options.readings is not None:
        readings, readers = read_readings(options.readings, classes)
        results["readers"] = measure_readers(data.tables["exam"], readings, readers, classes, dense_from)
    if options.by:
        results["groups"] = [_evaluate_groups(data, options, column, dense_from) for column in options.by]
    if options.over:
        times = {column: find_column(data, exams, column, options.catalogue) for column in options.over}
        charts = {column: chart_over(exams, values, classes) for column, values in times.items()}
        results["over"] = [{"column": column, "chart": chart} for column, chart in charts.items()]
    return results


def _evaluate_sets(data: EvaluationData, cases: Cases, patients: Sequence[str], coverage: float) -> list[SetMerit]:
    """The sets of the model's calibration, and sets fitted on these exams by cross-validation."""
    results = []
    if (calibrated := data.fusion.sets) is not None and cases.y_prob is not None:
        sets = calibrated.of(cases.y_prob)
        results.append(
            measure_sets(sets, cases, data.classes, calibrated.coverage, "the model", by_class=calibrated.by_class)
        )
    if cases.patients > 1:
        results += [cross_sets(cases, patients, data.classes, coverage, by_class=each) for each in (False, True)]
    return results


def _evaluate_against(data: EvaluationData, others: Sequence[EvaluationData], dense_from: int | None) -> dict[str, Any]:
    """Comparisons with data of the same exams, drift from data of other exams."""
    same = [other for other in others if shared_exams(data, other)]
    comparisons = adjust([compare(data, other, dense_from) for other in same])
    drifts = [measure_drift(other, data) for other in others if other not in same]
    return ({"against": comparisons} if comparisons else {}) | ({"drift": drifts} if drifts else {})


def _evaluate_groups(
    data: EvaluationData, options: EvaluationOptions, column: str, dense_from: int | None
) -> dict[str, Any]:
    exams = data.labelled("exam")
    rows = measure_groups(exams, find_column(data, exams, column, options.catalogue), data.classes, dense_from)
    return {"column": column, "rows": rows, "few": [row.name for row in rows if row.patients < FEW_PATIENTS]}
