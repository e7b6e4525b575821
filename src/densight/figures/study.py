"""All that is measured of a run or a table: figures by level, and what was asked for beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from densight.assessment.fusion import patients_of, probability_columns
from densight.figures.alternatives import compare_fusions, compare_scalings
from densight.figures.columns import find_column
from densight.figures.comparison import adjust, compare, shared_exams
from densight.figures.dense import find_dense
from densight.figures.drawn import Cases
from densight.figures.drift import measure_drift
from densight.figures.groups import chart_over, measure_groups
from densight.figures.levels import Figures, measure_levels
from densight.figures.material import Material
from densight.figures.merit import FEW_PATIENTS
from densight.figures.readers import measure_readers, read_readings
from densight.figures.rows import cases_of
from densight.figures.selective import SetMerit, cross_sets, measure_sets, risk_coverage
from densight.storage import plain
from densight.vocabulary import DensightError

__all__ = ["COVERAGE", "Questions", "study"]

COVERAGE = 0.9
"""What sets of classes promise, where nothing else is asked for."""


@dataclass(frozen=True)
class Questions:
    """What is asked beside the figures.

    Parameters
    ----------
    dense : tuple of str or None
        The classes that count as dense; C and D of A, B, C, D if None.
    thresholds : tuple of float
        Operating points of dense against non-dense.
    coverage : float
        What sets of classes promise.
    by, over : tuple of str
        Columns that group the exams, and that tell their time.
    against : tuple of Material
        Other models' assessments of the same exams, or the same model's of others.
    readings : Path or None
        A table of readings.
    catalogue : Path or None
        Where the columns are, if not in the run's own catalogue.
    """

    dense: tuple[str, ...] | None = None
    thresholds: tuple[float, ...] = ()
    coverage: float = COVERAGE
    by: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    against: tuple[Material, ...] = ()
    readings: Path | None = None
    catalogue: Path | None = None


def study(material: Material, questions: Questions | None = None) -> Figures:
    """The figures by level, and the answers to the questions.

    Of exams with probabilities the scalings, the sets of classes and the risk–coverage curve are always told, and of
    exams of several projections the rules of fusion.

    Parameters
    ----------
    material : Material
    questions : Questions, optional

    Returns
    -------
    Figures
        With the answers in ``further``.

    Raises
    ------
    DensightError
        If nothing is labelled, or a question cannot be answered.
    """
    asked = questions or Questions()
    figures = measure_levels(material, dense=asked.dense, thresholds=asked.thresholds)
    dense_from = find_dense(material.classes, asked.dense)
    further: dict[str, Any] = {}
    if "exam" in figures.levels:
        further |= _of_exams(material, asked, dense_from)
    elif asked.by or asked.over or asked.against or asked.readings:
        raise DensightError("no exam has a reference density", material.path, "fill the column density")
    return replace(figures, further={name: plain(value) for name, value in further.items()})


def _of_exams(material: Material, asked: Questions, dense_from: int | None) -> dict[str, Any]:
    exams, classes = material.labelled("exam"), material.classes
    found: dict[str, Any] = {}
    images = material.images
    if images is not None and len(images) > len(material.tables["exam"]):
        found["fusions"] = compare_fusions(images, exams, classes, dense_from)
    if probability_columns(classes)[0] in exams:
        cases, patients = cases_of(exams, classes), patients_of(exams)
        found["sets"] = _sets(material, cases, patients, asked.coverage)
        if cases.patients > 1:
            found["scalings"] = compare_scalings(cases, patients, dense_from)
        found["risk"] = risk_coverage(cases)
    found |= _against(material, asked.against, dense_from)
    if asked.readings is not None:
        readings, readers = read_readings(asked.readings, classes)
        found["readers"] = measure_readers(material.tables["exam"], readings, readers, classes, dense_from)
    if asked.by:
        found["groups"] = [_groups(material, asked, column, dense_from) for column in asked.by]
    if asked.over:
        times = {column: find_column(material, exams, column, asked.catalogue) for column in asked.over}
        charts = {column: chart_over(exams, of_each, classes) for column, of_each in times.items()}
        found["over"] = [{"column": column, "chart": chart} for column, chart in charts.items()]
    return found


def _sets(material: Material, cases: Cases, patients: Sequence[str], coverage: float) -> list[SetMerit]:
    """The sets of the model's calibration, and those that a calibration on these exams would make."""
    found = []
    if (own := material.fusion.sets) is not None and cases.said is not None:
        sets = own.of(cases.said)
        how = "the model"
        found.append(measure_sets(sets, cases, material.classes, own.coverage, how, by_class=own.by_class))
    if cases.patients > 1:
        found += [
            cross_sets(cases, patients, material.classes, coverage, by_class=by_class) for by_class in (False, True)
        ]
    return found


def _against(material: Material, others: Sequence[Material], dense_from: int | None) -> dict[str, Any]:
    """Comparisons with those that share exams, drift from those that share none."""
    same = [other for other in others if shared_exams(material, other)]
    comparisons = adjust([compare(material, other, dense_from) for other in same])
    drifts = [measure_drift(other, material) for other in others if other not in same]
    return ({"against": comparisons} if comparisons else {}) | ({"drift": drifts} if drifts else {})


def _groups(material: Material, asked: Questions, column: str, dense_from: int | None) -> dict[str, Any]:
    exams = material.labelled("exam")
    rows = measure_groups(exams, find_column(material, exams, column, asked.catalogue), material.classes, dense_from)
    return {"column": column, "rows": rows, "few": [row.name for row in rows if row.patients < FEW_PATIENTS]}
