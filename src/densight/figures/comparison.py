"""Comparison of two models on the same exams: the difference of every metric, with intervals and tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from densight.assessment.fusion import patients_of
from densight.figures.bootstrap import BootstrapDistribution
from densight.figures.data import KEYS, Cases, EvaluationData, cases_of
from densight.figures.intervals import Estimate
from densight.figures.metrics import bootstrap_metrics
from densight.figures.paired_tests import delong, mcnemar, stuart_maxwell
from densight.vocabulary import DensightError

__all__ = ["Comparison", "Difference", "Tested", "adjust", "compare", "compare_cases", "shared_exams"]


@dataclass(frozen=True)
class Difference:
    """A metric of two models.

    Parameters
    ----------
    one, other : float
        Its values.
    difference : Estimate
        ``one`` minus ``other``; `densight.figures.metrics.METRICS` has the direction of each metric.
    p : float
        The p value of the bootstrap: twice the share of draws on the smaller side of zero. NaN if all draws are equal.
    """

    one: float
    other: float
    difference: Estimate
    p: float


@dataclass(frozen=True)
class Tested:
    """The result of a paired test.

    Parameters
    ----------
    question : str
    statistic : float
    p, adjusted : float
        The p value, and the p value adjusted after Holm for the number of models compared with.
    """

    question: str
    statistic: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class Comparison:
    """The comparison of a model with another on the exams that both have.

    Parameters
    ----------
    one, other : str
        Their names.
    n, patients : int
        The number of exams that both have, and of their patients.
    left_out : int
        The number of exams that only one of them has.
    differences : mapping of str to Difference
        Keys of `densight.figures.metrics.METRICS`.
    tests : mapping of str to Tested
        ``mcnemar``, ``stuart_maxwell``, ``delong``.
    """

    one: str
    other: str
    n: int
    patients: int
    left_out: int
    differences: Mapping[str, Difference]
    tests: Mapping[str, Tested]


def shared_exams(one: EvaluationData, other: EvaluationData) -> int:
    """The number of labelled exams that two runs or tables share."""
    return len(one.labelled("exam").merge(other.labelled("exam")[KEYS], on=KEYS))


def compare(one: EvaluationData, other: EvaluationData, dense_from: int | None) -> Comparison:
    """Compare two runs or tables on the labelled exams that both have.

    Parameters
    ----------
    one, other : EvaluationData
        With the same classes; ``patient_id`` and ``exam_id`` identify an exam.
    dense_from : int or None

    Raises
    ------
    DensightError
        If the classes differ, no exam is shared, or the references differ.
    """
    if one.classes != other.classes:
        raise DensightError(
            f"its classes are {', '.join(other.classes)}, not {', '.join(one.classes)}",
            other.path,
            "compare models of the same classes",
        )
    first, second = one.labelled("exam"), other.labelled("exam")
    both = first[KEYS].merge(second[KEYS], on=KEYS)
    left_out = len(first) + len(second) - 2 * len(both)
    if both.empty:
        raise DensightError(
            f"it shares no labelled exam with {one.name}", other.path, "compare assessments of the same exams"
        )
    first, second = both.merge(first, on=KEYS), both.merge(second, on=KEYS)
    if (differs := (first["density"] != second["density"]).to_numpy()).any():
        row = int(differs.argmax())
        exam, here, there = both["exam_id"].iloc[row], first["density"].iloc[row], second["density"].iloc[row]
        raise DensightError(
            f"exam {exam} has the reference {there}, but {here} in {one.name}",
            other.path,
            "give both the same references",
        )
    differences, tests = compare_cases(cases_of(first, one.classes), cases_of(second, one.classes), dense_from)
    patients = len(set(patients_of(both)))
    return Comparison(one.name, other.name, len(both), patients, left_out, differences, tests)


def compare_cases(
    one: Cases, other: Cases, dense_from: int | None, names: Collection[str] | None = None
) -> tuple[dict[str, Difference], dict[str, Tested]]:
    """Compare two classifications of the same cases, in the same order.

    Parameters
    ----------
    one, other : Cases
    dense_from : int or None
    names : collection of str, optional
        Keys of `densight.figures.metrics.METRICS`; all of them if None.

    Examples
    --------
    >>> y_true, patients = [0, 0, 0, 1, 1, 1], list("abcdef")
    >>> one = Cases.of(y_true, [0, 0, 0, 1, 1, 0], patients, 2)
    >>> other = Cases.of(y_true, [0, 1, 1, 1, 1, 1], patients, 2)
    >>> differences, tests = compare_cases(one, other, None, ["accuracy"])
    >>> round(differences["accuracy"].difference.value, 3), tests["mcnemar"].question
    (0.167, 'is one right more often than the other?')
    """
    first, second = bootstrap_metrics(one, dense_from, names), bootstrap_metrics(other, dense_from, names)
    differences = {
        name: _difference(metric.distribution, second[name].distribution)
        for name, metric in first.items()
        if name in second
    }
    errors = mcnemar(one.y_pred == one.y_true, other.y_pred == other.y_true, one.groups)
    use = stuart_maxwell(one.y_pred, other.y_pred, one.n_classes, one.groups)
    tests = {
        "mcnemar": Tested("is one right more often than the other?", errors.statistic, errors.p, errors.p),
        "stuart_maxwell": Tested("do they use the classes equally often?", use.statistic, use.p, use.p),
    }
    if dense_from is not None and one.y_prob is not None and other.y_prob is not None:
        dense = one.y_true >= dense_from
        if 0 < dense.sum() < len(dense):
            first_scores, second_scores = (y_prob[:, dense_from:].sum(axis=1) for y_prob in (one.y_prob, other.y_prob))
            areas = delong(dense, first_scores, second_scores, one.groups)
            tests["delong"] = Tested("does one tell dense from non-dense better?", areas.z, areas.p, areas.p)
    return differences, tests


def adjust(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Adjust the p values of each test for the number of comparisons.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6:65-70, 1979.
    """
    from statsmodels.stats.multitest import multipletests

    adjusted: dict[tuple[int, str], float] = {}
    for name in ("mcnemar", "stuart_maxwell", "delong"):
        places = [i for i, of in enumerate(comparisons) if name in of.tests and np.isfinite(of.tests[name].p)]
        if places:
            values = multipletests([comparisons[i].tests[name].p for i in places], method="holm")[1]
            adjusted |= {(i, name): float(value) for i, value in zip(places, values, strict=True)}
    return tuple(
        replace(
            comparison,
            tests={
                name: replace(test, adjusted=adjusted.get((i, name), test.p)) for name, test in comparison.tests.items()
            },
        )
        for i, comparison in enumerate(comparisons)
    )


def _difference(one: BootstrapDistribution, other: BootstrapDistribution) -> Difference:
    difference = one - other
    draws = difference.resampled[np.isfinite(difference.resampled)]
    p = float("nan")
    if draws.size and draws.min() < draws.max():
        # 1 is added to both counts because a finite number of draws cannot show that p is 0.
        fewer = min((draws <= 0).sum(), (draws >= 0).sum())
        p = float(min(1.0, 2 * (fewer + 1) / (len(draws) + 1)))
    return Difference(one.value, other.value, difference.estimate_difference(), p)
