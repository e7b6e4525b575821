"""What could be chosen otherwise, on the same exams: the rule that fuses projections, the scaling of probabilities.

What is fitted is fitted on the other patients of a cross-validation, so that no exam tells how it should be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.folds import folds_of
from densight.assessment.fusion import by_projection
from densight.assessment.pooling import LEARNED, RULES, fit_weights, pool
from densight.assessment.scaling import SCALINGS, fit_scaling
from densight.figures.drawn import MAIN, Cases
from densight.figures.material import patients_of
from densight.figures.rows import Row, measure_row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_fusions", "compare_scalings"]

Floats = npt.NDArray[np.float64]


def compare_fusions(
    images: pd.DataFrame, exams: pd.DataFrame, classes: Sequence[str], dense_from: int | None
) -> tuple[Row, ...]:
    """The figures of the exams under each rule of fusion.

    Parameters
    ----------
    images : DataFrame
        One row an image, of labelled exams and others.
    exams : DataFrame
        The labelled exams.
    classes : sequence of str
    dense_from : int or None

    Returns
    -------
    tuple of Row
        One a rule of `densight.assessment.pooling.RULES`; ``learned`` only where there are two patients or more.
    """
    units, cube = by_projection(images, classes)
    place = {key: row for row, key in enumerate(zip(units["patient_id"], units["exam_id"], strict=True))}
    keys = zip(exams["patient_id"], exams["exam_id"], strict=True)
    cube = cube[[place[key] for key in keys]]
    number = {label: index for index, label in enumerate(classes)}
    truth = np.asarray(exams["density"].map(number), dtype=np.int64)
    patients = patients_of(exams)
    rules = [rule for rule in RULES if rule != LEARNED or len(set(patients)) > 1]

    def measure(rule: str) -> Row:
        learned = rule == LEARNED
        fused = _cross_learn(cube, truth, patients) if learned else pool(cube, rule)
        words = f"{RULES[rule]}, cross-validated by patient" if learned else RULES[rule]
        cases = Cases.of(truth, fused.argmax(axis=1), patients, len(classes), fused)
        return measure_row(rule, words, cases, dense_from)

    with ThreadPoolExecutor(max_workers=2) as threads:
        return tuple(threads.map(measure, rules))


def compare_scalings(cases: Cases, patients: Sequence[str], dense_from: int | None) -> tuple[Row, ...]:
    """The figures of the probabilities as they are and under each scaling, cross-validated by patient.

    Parameters
    ----------
    cases : Cases
        With probabilities.
    patients : sequence of str, length n
    dense_from : int or None

    Returns
    -------
    tuple of Row
        ``none`` first, then one a scaling of `densight.assessment.scaling.SCALINGS`.
    """
    assert cases.said is not None
    names = (*MAIN, "brier")
    rows = [measure_row("none", "as they are", cases, dense_from, names)]
    folds = folds_of(patients)
    for method, words in SCALINGS.items() if folds.max() else ():
        scaled = np.empty(cases.said.shape)
        for fold in np.unique(folds):
            inside = folds == fold
            scaled[inside] = fit_scaling(cases.said[~inside], cases.truth[~inside], method).apply(cases.said[inside])
        again = Cases(cases.truth, scaled.argmax(axis=1), cases.classes, cases.owners, cases.patients, scaled)
        rows.append(measure_row(method, words, again, dense_from, names))
    return tuple(rows)


def _cross_learn(cube: Floats, truth: npt.NDArray[np.int64], patients: Sequence[str]) -> Floats:
    folds = folds_of(patients)
    fused = np.empty((len(cube), cube.shape[2]))
    for fold in np.unique(folds):
        inside = folds == fold
        fused[inside] = pool(cube[inside], LEARNED, fit_weights(cube[~inside], truth[~inside]))
    return fused
