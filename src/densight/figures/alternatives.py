"""What could be chosen otherwise, on the same exams: the rule that fuses projections, the scaling of probabilities.

What is fitted is fitted on the other patients of a cross-validation, so that no exam tells how it should be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.folds import crossed
from densight.assessment.fusion import by_projection, class_indices, patients_of
from densight.assessment.pooling import LEARNED, RULES, fit_weights, pool
from densight.assessment.scaling import SCALINGS, fit_scaling
from densight.figures.drawn import MAIN, Cases
from densight.figures.rows import Row, measure_row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_fusions", "compare_scalings"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


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
    truth = class_indices(exams["density"].tolist(), classes)
    patients = patients_of(exams)
    rules = [rule for rule in RULES if rule != LEARNED or len(set(patients)) > 1]

    def learn(fitted: Booleans, inside: Booleans) -> Floats:
        return pool(cube[inside], LEARNED, fit_weights(cube[fitted], truth[fitted]))

    def measure(rule: str) -> Row:
        learned = rule == LEARNED
        fused = crossed(patients, cube[:, 0].shape, learn) if learned else pool(cube, rule)
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
    said, truth = cases.said, cases.truth
    assert said is not None
    names = (*MAIN, "brier")
    rows = [measure_row("none", "as they are", cases, dense_from, names)]
    for method, words in SCALINGS.items() if cases.patients > 1 else ():

        def scale(fitted: Booleans, inside: Booleans, method: str = method) -> Floats:
            return fit_scaling(said[fitted], truth[fitted], method).apply(said[inside])

        scaled = crossed(patients, said.shape, scale)
        again = replace(cases, told=scaled.argmax(axis=1), said=scaled)
        rows.append(measure_row(method, words, again, dense_from, names))
    return tuple(rows)
