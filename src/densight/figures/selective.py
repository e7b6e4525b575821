"""What is gained by saying less: sets of neighbouring classes, and exams left to a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.assessment.conformal import fit_sets
from densight.assessment.folds import crossed, group_folds
from densight.figures.bootstrap import resample, sums_by_patient
from densight.figures.drawn import Cases
from densight.figures.intervals import Estimate

__all__ = ["RiskCoverage", "SetMerit", "cross_sets", "measure_sets", "risk_coverage"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

_POINTS = 100


@dataclass(frozen=True)
class SetMerit:
    """How sets of classes do.

    Parameters
    ----------
    promise : float
        The coverage that they were made for.
    by_class : bool
        Whether it was promised for each true class.
    how : str
        What the sets were fitted by: the folds of a cross-validation, or the model's calibration.
    coverage : Estimate
        The share of sets that hold the true class.
    coverage_of : mapping of str to Estimate
        The same of the cases of each true class.
    size : Estimate
        The mean number of classes in a set.
    single : Estimate
        The share of sets that are one class.
    sizes : tuple of int
        How many sets have one class, two, and so on.
    """

    promise: float
    by_class: bool
    how: str
    coverage: Estimate
    coverage_of: Mapping[str, Estimate]
    size: Estimate
    single: Estimate
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class RiskCoverage:
    """The share of errors among the cases that are not left to a reader, the least certain being left first.

    Parameters
    ----------
    kept, risk : tuple of float
        The share of cases kept and the share of them told wrong.
    area : float
        The mean risk over all shares kept; less is better.
    """

    kept: tuple[float, ...]
    risk: tuple[float, ...]
    area: float


def cross_sets(
    cases: Cases, patients: Sequence[str], classes: Sequence[str], promise: float, *, by_class: bool = False
) -> SetMerit:
    """How sets do that were fitted on the patients of the other parts of a cross-validation.

    Parameters
    ----------
    cases : Cases
        With probabilities.
    patients : sequence of str, length n
    classes : sequence of str
    promise : float
        The coverage.
    by_class : bool

    Raises
    ------
    DensightError
        If the promise is no share, or there is one patient alone.
    """
    assert cases.said is not None
    said, names = cases.said, np.asarray(patients, dtype=object)

    def made(fitted: Booleans, inside: Booleans) -> Booleans:
        sets = fit_sets(said[fitted], cases.truth[fitted], names[fitted].tolist(), promise, by_class=by_class)
        return sets.of(said[inside])

    sets = crossed(patients, said.shape, made).astype(bool)
    how = f"{int(group_folds(patients).max()) + 1} folds"
    return measure_sets(sets, cases, classes, promise, how, by_class=by_class)


def measure_sets(
    sets: Booleans, cases: Cases, classes: Sequence[str], promise: float, how: str, *, by_class: bool
) -> SetMerit:
    """How sets do.

    Parameters
    ----------
    sets : ndarray of bool, shape (n, k)
        Which classes are in each case's set.
    cases : Cases
    classes : sequence of str
    promise : float
    how : str
    by_class : bool

    Examples
    --------
    >>> cases = Cases.of([0, 1], [0, 0], ["a", "b"], 2)
    >>> merit = measure_sets(np.array([[True, False], [True, True]]), cases, "AB", 0.9, "by hand", by_class=False)
    >>> merit.coverage.value, merit.size.value, merit.sizes
    (1.0, 1.5, (1, 1))
    """
    n, k = sets.shape
    held = sets[np.arange(n), cases.truth]
    sizes = sets.sum(axis=1)
    of_class = np.eye(k)[cases.truth]
    parts = np.concatenate(
        [np.stack([held, sizes, sizes == 1, np.ones(n)], axis=1), of_class, of_class * held[:, None]], axis=1
    )
    sums = resample(sums_by_patient(parts, cases.owners))

    def share(place: int, whole: int, *, proportion: bool = True) -> Estimate:
        def figure(values: Floats) -> Floats:
            counts = values[..., whole]
            shares = np.divide(values[..., place], counts, out=np.full(counts.shape, np.nan), where=counts > 0)
            return np.asarray(shares)

        counts = (int(sums.total[place]), int(sums.total[whole])) if proportion and cases.alone else None
        return sums.estimate(figure, proportion=counts)

    return SetMerit(
        promise,
        by_class,
        how,
        share(0, 3),
        {label: share(4 + k + place, 4 + place) for place, label in enumerate(classes)},
        share(1, 3, proportion=False),
        share(2, 3),
        tuple(int((sizes == size).sum()) for size in range(1, k + 1)),
    )


def risk_coverage(cases: Cases) -> RiskCoverage:
    """The risk–coverage curve of the greatest probability; cases of equal certainty are kept or left together.

    Parameters
    ----------
    cases : Cases
        With probabilities.

    References
    ----------
    El-Yaniv and Wiener, "On the foundations of noise-free selective classification", J. Machine Learning Research
    11:1605-1641, 2010; the area: Geifman, Uziel, El-Yaniv, "Bias-reduced uncertainty estimation for deep neural
    classifiers", ICLR 2019.

    Examples
    --------
    >>> curve = risk_coverage(Cases.of([0, 1], [0, 0], ["a", "b"], 2, [[0.9, 0.1], [0.6, 0.4]]))
    >>> curve.kept, curve.risk, curve.area
    ((0.5, 1.0), (0.0, 0.5), 0.25)
    """
    assert cases.said is not None
    confidence = cases.said.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum((cases.truth != cases.told)[order])
    ends = np.flatnonzero(np.diff(confidence[order], append=-1.0) != 0)
    kept, risk = (ends + 1) / len(order), wrong[ends] / (ends + 1)
    area = float((risk * np.diff(kept, prepend=0.0)).sum())
    shown = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), _POINTS)).astype(np.int64))
    return RiskCoverage(tuple(kept[shown].tolist()), tuple(risk[shown].tolist()), area)
