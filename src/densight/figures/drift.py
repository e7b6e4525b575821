"""Drift between two sets of exams that share none: whether the distribution of predictions has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.fusion import patients_of, probability_columns
from densight.figures.bootstrap import bootstrap_units, resample, sums_by_patient
from densight.figures.data import EvaluationData
from densight.figures.intervals import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Drift", "Stability", "measure_drift", "population_stability"]

_PARTS = 10


@dataclass(frozen=True)
class Stability:
    """The population stability index of a distribution.

    Parameters
    ----------
    what : str
        The quantity whose distribution it is of.
    index : float
        0 if both distributions are equal; by convention .1 is a moderate and .25 a large change.
    p : float
        The probability of an index at least as large if both sets are from one population.
    """

    what: str
    index: float
    p: float


@dataclass(frozen=True)
class Drift:
    """The change from one set of exams to another.

    Parameters
    ----------
    one, other : str
        Their names.
    n : tuple of int
        The number of exams of each, labelled or not.
    patients : tuple of int
    mix : tuple of mapping of str to Estimate
        The share of each predicted class, in each.
    stability : tuple of Stability
        Of the predicted class, and if probabilities are known of the expected class.
    """

    one: str
    other: str
    n: tuple[int, int]
    patients: tuple[int, int]
    mix: tuple[Mapping[str, Estimate], Mapping[str, Estimate]]
    stability: tuple[Stability, ...]


def population_stability(one: npt.ArrayLike, other: npt.ArrayLike, what: str = "") -> Stability:
    """The population stability index of two counts.

    Parameters
    ----------
    one, other : array-like of int, shape (parts,)
        The number of exams in each part. Half an exam is added to each, so that the index stays finite.
    what : str

    References
    ----------
    Siddiqi, "Credit risk scorecards", 2006, page 136. If nothing has changed, the index divided by 1/n + 1/m is
    chi-squared with parts - 1 degrees of freedom: Yurdakul and Naranjo, "Statistical properties of the population
    stability index", J. Risk Model Validation 14(4), 2020.

    Examples
    --------
    >>> stability = population_stability([50, 50], [50, 50])
    >>> stability.index, stability.p
    (0.0, 1.0)
    >>> round(population_stability([50, 50], [25, 75]).index, 3)
    0.269
    """
    from scipy.special import chdtrc

    counts = np.stack([np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)])
    n, m = counts.sum(axis=1)
    first, second = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    index = float(((first - second) * np.log(first / second)).sum())
    return Stability(what, index, float(chdtrc(counts.shape[1] - 1, index / (1 / n + 1 / m))))


def measure_drift(one: EvaluationData, other: EvaluationData) -> Drift:
    """Compare the exams of two runs or tables of the same classes that share no exam.

    Parameters
    ----------
    one, other : EvaluationData
    """
    tables = one.tables["exam"], other.tables["exam"]
    classes = one.classes
    before, after = ([int((table["predicted"] == label).sum()) for label in classes] for table in tables)
    stability = [population_stability(before, after, "predicted class")]
    columns = probability_columns(classes)
    if all(columns[0] in table for table in tables):
        expected = [table[columns].to_numpy(dtype=float) @ np.arange(len(classes)) for table in tables]
        edges = np.unique(np.quantile(expected[0], np.arange(1, _PARTS) / _PARTS))
        first, second = (np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) for values in expected)
        stability.append(population_stability(first, second, "expected class, in tenths of the first"))
    mixes = [_mix(table, classes) for table in tables]
    patients = [len(set(patients_of(table))) for table in tables]
    return Drift(
        one.name,
        other.name,
        (len(tables[0]), len(tables[1])),
        (patients[0], patients[1]),
        (mixes[0], mixes[1]),
        tuple(stability),
    )


def _mix(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Estimate]:
    groups, patients = bootstrap_units(patients_of(table))
    of_class = [(table["predicted"] == label).to_numpy() for label in classes]
    sums = resample(sums_by_patient(np.stack([*of_class, np.ones(len(table), dtype=bool)], axis=1), groups))

    def share(place: int) -> Estimate:
        proportion = (int(sums.total[place]), len(table)) if patients == len(table) else None
        return sums.estimate(lambda values: values[..., place] / values[..., -1], proportion=proportion)

    return {label: share(place) for place, label in enumerate(classes)}
