"""Alternatives measured on the same exams: rules that fuse projections, scalings of probabilities.

Whatever is fitted is cross-validated by patient, so that no exam is measured with what was fitted on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.folds import cross_fit
from densight.assessment.fusion import by_projection, class_indices, patients_of
from densight.assessment.pooling import LEARNED, RULES, fit_weights, pool
from densight.assessment.scaling import SCALINGS, fit_scaling
from densight.figures.data import Cases
from densight.figures.metrics import MAIN_METRICS, Row, measure_row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_fusions", "compare_scalings"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def compare_fusions(
    images: pd.DataFrame, exams: pd.DataFrame, classes: Sequence[str], dense_from: int | None
) -> tuple[Row, ...]:
    """Measure the exams under each rule of fusion.

    Parameters
    ----------
    images : DataFrame
        One row per image, including those of unlabelled exams.
    exams : DataFrame
        The labelled exams.
    classes : sequence of str
    dense_from : int or None

    Returns
    -------
    tuple of Row
        One row per rule of `densight.assessment.pooling.RULES`; ``learned`` only with two patients or more.
    """
    units, by_exam = by_projection(images, classes)
    rows = {key: row for row, key in enumerate(zip(units["patient_id"], units["exam_id"], strict=True))}
    keys = zip(exams["patient_id"], exams["exam_id"], strict=True)
    probabilities = by_exam[[rows[key] for key in keys]]
    y_true = class_indices(exams["density"].tolist(), classes)
    patients = patients_of(exams)
    rules = [rule for rule in RULES if rule != LEARNED or len(set(patients)) > 1]

    def learn(training: Booleans, held_out: Booleans) -> Floats:
        return pool(probabilities[held_out], LEARNED, fit_weights(probabilities[training], y_true[training]))

    def measure(rule: str) -> Row:
        learned = rule == LEARNED
        fused = cross_fit(patients, probabilities[:, 0].shape, learn) if learned else pool(probabilities, rule)
        description = f"{RULES[rule]}, cross-validated by patient" if learned else RULES[rule]
        cases = Cases.of(y_true, fused.argmax(axis=1), patients, len(classes), fused)
        return measure_row(rule, description, cases, dense_from)

    with ThreadPoolExecutor(max_workers=2) as threads:
        return tuple(threads.map(measure, rules))


def compare_scalings(cases: Cases, patients: Sequence[str], dense_from: int | None) -> tuple[Row, ...]:
    """Measure the probabilities unscaled and under each scaling, cross-validated by patient.

    Parameters
    ----------
    cases : Cases
        With probabilities.
    patients : sequence of str, length n
    dense_from : int or None

    Returns
    -------
    tuple of Row
        ``none`` first, then one row per scaling of `densight.assessment.scaling.SCALINGS`.
    """
    y_prob, y_true = cases.y_prob, cases.y_true
    assert y_prob is not None
    names = (*MAIN_METRICS, "brier")
    rows = [measure_row("none", "as they are", cases, dense_from, names)]
    for method, description in SCALINGS.items() if cases.patients > 1 else ():

        def scale(training: Booleans, held_out: Booleans, method: str = method) -> Floats:
            return fit_scaling(y_prob[training], y_true[training], method).apply(y_prob[held_out])

        scaled = cross_fit(patients, y_prob.shape, scale)
        scaled_cases = replace(cases, y_pred=scaled.argmax(axis=1), y_prob=scaled)
        rows.append(measure_row(method, description, scaled_cases, dense_from, names))
    return tuple(rows)
