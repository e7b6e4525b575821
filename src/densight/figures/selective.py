"""Selective classification: sets of neighbouring classes, and exams left to a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.assessment.conformal import fit_sets
from densight.assessment.folds import cross_fit, group_folds
from densight.figures.bootstrap import resample, sums_by_patient
from densight.figures.data import Cases
from densight.figures.intervals import Estimate

__all__ = ["RiskCoverage", "SetMerit", "cross_sets", "measure_sets", "risk_coverage"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

_MAX_POINTS = 100


@dataclass(frozen=True)
class SetMerit:
    """The coverage and size of sets of classes.

    Parameters
    ----------
    promise : float
        The coverage that the sets were fitted for.
    by_class : bool
        Whether they were fitted for this coverage of each true class.
    how : str
        How they were fitted: the folds of a cross-validation, or the model's calibration.
    coverage : Estimate
        The share of sets that contain the true class.
    coverage_of : mapping of str to Estimate
        The same for the cases of each true class.
    size : Estimate
        The mean number of classes in a set.
    single : Estimate
        The share of sets with one class.
    sizes : tuple of int
        The number of sets with one class, with two, and so on.
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
    """The share of errors among the cases kept if the least certain cases are left to a reader.

    Parameters
    ----------
    kept, risk : tuple of float
        The share of cases kept, and the share of them classified wrongly.
    area : float
        The mean risk over all shares kept; less is better.
    """

    kept: tuple[float, ...]
    risk: tuple[float, ...]
    area: float


def cross_sets(
    cases: Cases, patients: Sequence[str], classes: Sequence[str], promise: float, *, by_class: bool = False
) -> SetMerit:
    """Measure sets that are cross-validated by patient.

    Parameters
    ----------
    cases : Cases
        With probabilities.
    patients : sequence of str, length n
    classes : sequence of str
    promise : float
        The coverage to fit for.
    by_class : bool
        Whether to fit for this coverage of each true class.

    Raises
    ------
    DensightError
        If the coverage does not lie between 0 and 1, or there is only one patient.
    """
    assert cases.y_prob is not None
    y_prob, y_true, names = cases.y_prob, cases.y_true, np.asarray(patients, dtype=object)

    def fit(training: Booleans, held_out: Booleans) -> Booleans:
        sets = fit_sets(y_prob[training], y_true[training], names[training].tolist(), promise, by_class=by_class)
        return sets.of(y_prob[held_out])

    sets = cross_fit(patients, y_prob.shape, fit).astype(bool)
    how = f"{int(group_folds(patients).max()) + 1} folds"
    return measure_sets(sets, cases, classes, promise, how, by_class=by_class)


def measure_sets(
    sets: Booleans, cases: Cases, classes: Sequence[str], promise: float, how: str, *, by_class: bool
) -> SetMerit:
    """Measure the coverage and size of sets.

    Parameters
    ----------
    sets : ndarray of bool, shape (n, k)
        Which classes are in each case's set.
    cases : Cases
    classes : sequence of str
    promise : float
    how : str
    by_class : bool
        As in `SetMerit`.

    Examples
    --------
    >>> cases = Cases.of([0, 1], [0, 0], ["a", "b"], 2)
    >>> merit = measure_sets(np.array([[True, False], [True, True]]), cases, "AB", 0.9, "by hand", by_class=False)
    >>> merit.coverage.value, merit.size.value, merit.sizes
    (1.0, 1.5, (1, 1))
    """
    n, k = sets.shape
    covered = sets[np.arange(n), cases.y_true]
    sizes = sets.sum(axis=1)
    of_class = np.eye(k)[cases.y_true]
    parts = np.concatenate(
        [np.stack([covered, sizes, sizes == 1, np.ones(n)], axis=1), of_class, of_class * covered[:, None]], axis=1
    )
    sums = resample(sums_by_patient(parts, cases.groups))

    def share(place: int, whole: int, *, proportion: bool = True) -> Estimate:
        def ratio(values: Floats) -> Floats:
            counts = values[..., whole]
            shares = np.divide(values[..., place], counts, out=np.full(counts.shape, np.nan), where=counts > 0)
            return np.asarray(shares)

        independent = proportion and cases.one_case_per_patient
        counts = (int(sums.total[place]), int(sums.total[whole])) if independent else None
        return sums.estimate(ratio, proportion=counts)

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
    """The risk–coverage curve of the greatest probability; cases with equal probability are kept or left together.

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
    assert cases.y_prob is not None
    confidence = cases.y_prob.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum((cases.y_true != cases.y_pred)[order])
    ends = np.flatnonzero(np.diff(confidence[order], append=-1.0) != 0)
    kept, risk = (ends + 1) / len(order), wrong[ends] / (ends + 1)
    area = float((risk * np.diff(kept, prepend=0.0)).sum())
    shown = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), _MAX_POINTS)).astype(np.int64))
    return RiskCoverage(tuple(kept[shown].tolist()), tuple(risk[shown].tolist()), area)
