"""Two models on the same exams: the difference of every figure of merit, with intervals and tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from densight.assessment.fusion import patients_of
from densight.figures.bootstrap import Drawn
from densight.figures.delong import delong
from densight.figures.drawn import FIGURES, Cases, draw_figures
from densight.figures.intervals import Estimate
from densight.figures.marginal import mcnemar, stuart_maxwell
from densight.figures.material import Material
from densight.figures.rows import cases_of
from densight.vocabulary import DensightError

__all__ = ["Comparison", "Difference", "Tested", "adjust", "compare", "compare_cases", "shared_exams"]

_KEYS = ["patient_id", "exam_id"]


@dataclass(frozen=True)
class Difference:
    """A figure of merit of two models.

    Parameters
    ----------
    one, other : float
    difference : Estimate
        ``one`` less ``other``; above 0 speaks for ``one`` where the figure is better when higher.
    p : float
        Of the bootstrap: twice the share of draws on the lesser side of zero. NaN where no draw differs.
    """

    one: float
    other: float
    difference: Estimate
    p: float


@dataclass(frozen=True)
class Tested:
    """A test of a comparison.

    Parameters
    ----------
    question : str
    statistic : float
    p, adjusted : float
        As it is, and after Holm for all models compared with.
    """

    question: str
    statistic: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class Comparison:
    """A model compared with another on the exams that both have.

    Parameters
    ----------
    one, other : str
        Their names.
    n, patients : int
        Exams and patients that both have.
    left_out : int
        Cases that only one of them has.
    differences : mapping of str to Difference
        Keys of `densight.figures.drawn.FIGURES`.
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


def shared_exams(one: Material, other: Material) -> int:
    """How many labelled exams two runs or tables share."""
    return len(one.labelled("exam").merge(other.labelled("exam")[_KEYS], on=_KEYS))


def compare(one: Material, other: Material, dense_from: int | None) -> Comparison:
    """Compare two runs or tables on the labelled exams that both have.

    Parameters
    ----------
    one, other : Material
        Of the same classes; an exam is told by ``patient_id`` and ``exam_id``.
    dense_from : int or None

    Raises
    ------
    DensightError
        If the classes differ, they share no exam, or their references differ.
    """
    if one.classes != other.classes:
        raise DensightError(
            f"its classes are {', '.join(other.classes)}, not {', '.join(one.classes)}",
            other.path,
            "compare models of the same classes",
        )
    first, second = one.labelled("exam"), other.labelled("exam")
    both = first[_KEYS].merge(second[_KEYS], on=_KEYS)
    if both.empty:
        raise DensightError(
            f"it shares no labelled exam with {one.name}", other.path, "compare assessments of the same exams"
        )
    ours, theirs = both.merge(first, on=_KEYS), both.merge(second, on=_KEYS)
    if (differs := (ours["density"] != theirs["density"]).to_numpy()).any():
        row = int(differs.argmax())
        exam, said, known = both["exam_id"].iloc[row], theirs["density"].iloc[row], ours["density"].iloc[row]
        raise DensightError(
            f"exam {exam} has the reference {said}, but {known} in {one.name}",
            other.path,
            "give both the same references",
        )
    differences, tests = compare_cases(cases_of(ours, one.classes), cases_of(theirs, one.classes), dense_from)
    patients = len(set(patients_of(both)))
    left_out = len(first) + len(second) - 2 * len(both)
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
        Keys of `densight.figures.drawn.FIGURES`; all of them if None.

    Examples
    --------
    >>> one, other = (
    ...     Cases.of([0, 0, 0, 1, 1, 1], told, list("abcdef"), 2) for told in ([0, 0, 0, 1, 1, 0], [0, 1, 1, 1, 1, 1])
    ... )
    >>> differences, tests = compare_cases(one, other, None, ["accuracy"])
    >>> round(differences["accuracy"].difference.value, 3), tests["mcnemar"].question
    (0.167, 'is one right more often than the other?')
    """
    mine, theirs = draw_figures(one, dense_from, names), draw_figures(other, dense_from, names)
    differences = {
        name: _difference(mine[name].drawn, theirs[name].drawn) for name in FIGURES if name in mine and name in theirs
    }
    right = mcnemar(one.told == one.truth, other.told == other.truth, one.owners)
    use = stuart_maxwell(one.told, other.told, one.classes, one.owners)
    tests = {
        "mcnemar": Tested("is one right more often than the other?", right.statistic, right.p, right.p),
        "stuart_maxwell": Tested("do they use the classes equally often?", use.statistic, use.p, use.p),
    }
    if dense_from is not None and one.said is not None and other.said is not None:
        dense = one.truth >= dense_from
        if 0 < dense.sum() < len(dense):
            mine_said, their_said = (said[:, dense_from:].sum(axis=1) for said in (one.said, other.said))
            found = delong(dense, mine_said, their_said, one.owners)
            tests["delong"] = Tested("does one tell dense from non-dense better?", found.z, found.p, found.p)
    return differences, tests


def adjust(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with the p values of each test adjusted for their number.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6:65-70, 1979.
    """
    from statsmodels.stats.multitest import multipletests

    adjusted: dict[tuple[int, str], float] = {}
    for name in ("mcnemar", "stuart_maxwell", "delong"):
        places = [i for i, one in enumerate(comparisons) if name in one.tests and np.isfinite(one.tests[name].p)]
        if places:
            values = multipletests([comparisons[i].tests[name].p for i in places], method="holm")[1]
            adjusted |= {(i, name): float(value) for i, value in zip(places, values, strict=True)}
    return tuple(
        replace(
            one,
            tests={name: replace(test, adjusted=adjusted.get((i, name), test.p)) for name, test in one.tests.items()},
        )
        for i, one in enumerate(comparisons)
    )


def _difference(one: Drawn, other: Drawn) -> Difference:
    apart = one - other
    drawn = apart.drawn[np.isfinite(apart.drawn)]
    p = float("nan")
    if drawn.size and drawn.min() < drawn.max():
        # One is added to both counts, so that a test of few draws is never surer than it can be.
        lesser = min((drawn <= 0).sum(), (drawn >= 0).sum())
        p = float(min(1.0, 2 * (lesser + 1) / (len(drawn) + 1)))
    return Difference(one.value, other.value, apart.estimate_difference(), p)
