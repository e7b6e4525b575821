"""The same patient's earlier exam beside each: how much denser or less dense she has become, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.assessment.fusion import probability_columns
from densight.storage import write_list
from densight.vocabulary import PROJECTIONS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PRIORS", "compare_with_priors", "paired_change", "write_priors"]

PRIORS = "priors.csv"
"""A row for each exam of which an earlier one of the same patient is in the run, in the run folder."""

_COLUMNS = (
    "patient_id",
    "exam_id",
    "prior_exam_id",
    "years",
    "predicted",
    "prior_predicted",
    "projections",
    "change_expected_class",
    "change_expected_class_low",
    "change_expected_class_high",
    "change_percent_density",
    "change_percent_density_low",
    "change_percent_density_high",
)

_YEAR = 365.25


def compare_with_priors(
    images: pd.DataFrame, exams: pd.DataFrame, classes: Sequence[str], days: Mapping[str, date]
) -> list[dict[str, Any]]:
    """Compare each exam with the latest earlier one of the same patient.

    The change is the mean, over the projections that both exams have, of what the later image says more than the
    earlier: of the expected class ``Σ k p_k`` (0 for the least dense), and of the percent density. Its 95 % interval is
    Student's, over the projections: it shows how far the views agree about the change, and not how far the truth is.

    Parameters
    ----------
    images : DataFrame
        ``assessments.csv``.
    exams : DataFrame
        ``exams.csv``.
    classes : sequence of str
    days : mapping of str to date
        When an exam took place, by its id; exams without a day are left out. The days themselves are not written.

    Returns
    -------
    list of dict
        In the order of the exams.
    """
    predicted = dict(zip(exams["exam_id"], exams["predicted"], strict=True))
    by_exam = {str(exam): _by_projection(rows, classes) for exam, rows in images.groupby("exam_id", sort=False)}
    patients = dict(zip(exams["exam_id"], exams["patient_id"], strict=True))
    dated = [exam for exam in patients if exam in days and exam in by_exam]
    rows = []
    for exam in dated:
        earlier = [one for one in dated if patients[one] == patients[exam] and days[one] < days[exam]]
        if not earlier:
            continue
        prior = max(earlier, key=lambda one: days[one])
        common = [p.value for p in PROJECTIONS if p in by_exam[exam] and p in by_exam[prior]]
        row: dict[str, Any] = {
            "patient_id": patients[exam],
            "exam_id": exam,
            "prior_exam_id": prior,
            "years": round((days[exam] - days[prior]).days / _YEAR, 2),
            "predicted": predicted[exam],
            "prior_predicted": predicted[prior],
            "projections": " ".join(common),
        }
        for place, name in enumerate(("change_expected_class", "change_percent_density")):
            later, before = (np.array([by_exam[one][p][place] for p in common]) for one in (exam, prior))
            row |= _as_columns(name, paired_change(later, before))
        rows.append(row)
    return rows


def paired_change(
    later: npt.NDArray[np.float64], earlier: npt.NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """The mean of paired differences and its 95 % interval by Student's t; None of no pair.

    Parameters
    ----------
    later, earlier : ndarray of float64, shape (n,)
        Pairs of which one is not a number are left out.

    Returns
    -------
    mean, low, high : float
        The interval of a single pair is from minus to plus infinity.

    Examples
    --------
    >>> [round(value, 4) for value in paired_change(np.array([2.0, 4.0]), np.array([1.0, 1.0]))]
    [2.0, -10.7062, 14.7062]
    """
    from scipy.stats import t

    differences = later - earlier
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    if n == 0:
        return None
    mean = float(differences.mean())
    if n == 1:
        return mean, -np.inf, np.inf
    half = float(t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def write_priors(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``priors.csv``; where there is no row, no table stays.

    Raises
    ------
    DensightError
        If it cannot be written.
    """
    write_list(folder / PRIORS, _COLUMNS, rows)


def _by_projection(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The expected class and the percent density of each projection, of several images their mean."""
    expected = rows[probability_columns(classes)].to_numpy(np.float64) @ np.arange(len(classes))
    percent = np.array([np.nan if value in ("", None) else float(value) for value in rows["percent_density"]])
    places = (rows["view"] + "_" + rows["laterality"]).to_numpy()
    return {
        str(place): (float(expected[places == place].mean()), float(percent[places == place].mean()))
        for place in dict.fromkeys(places)
    }


def _as_columns(name: str, change: tuple[float, float, float] | None) -> dict[str, object]:
    values = ("", "", "") if change is None else tuple(round(value, 4) for value in change)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
