"""Sets of neighbouring classes that hold the true one as often as promised.

For an exam whose class is uncertain, the set contains the classes that cannot be ruled out: {B, C}. Sets are
contiguous and always hold the class of the greatest probability. They are so large that, of new exams from where the
fitted ones came, a share of at least ``coverage`` has its true class in its set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["PredictionSets", "check_coverage", "fit_sets", "mass_before"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PredictionSets:
    """How far sets reach.

    Parameters
    ----------
    coverage : float
        What they promise.
    thresholds : tuple of float
        For each class: it is in the set where the probability before it is at most this; see `mass_before`. All alike
        where the promise is of all exams together, and each its own where it is of each class.
    cases, patients : int
        How many they were fitted on.

    Examples
    --------
    >>> sets = PredictionSets(0.9, (0.7, 0.7, 0.7), 100, 100)
    >>> sets.of([[0.8, 0.15, 0.05], [0.6, 0.35, 0.05]])
    array([[ True, False, False],
           [ True,  True, False]])
    """

    coverage: float
    thresholds: tuple[float, ...]
    cases: int
    patients: int

    def of(self, probabilities: npt.ArrayLike) -> Booleans:
        """Which classes are in each case's set.

        Parameters
        ----------
        probabilities : array-like of float, shape (n, k)

        Returns
        -------
        ndarray of bool, shape (n, k)
            Contiguous in each row: where thresholds differ by class, what lies between two members is one too.
        """
        inside = mass_before(probabilities) <= np.array(self.thresholds)
        from_left = np.maximum.accumulate(inside, axis=1)
        from_right = np.maximum.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(from_left & from_right)

    @property
    def by_class(self) -> bool:
        """Whether the promise is of each class."""
        return len(set(self.thresholds)) > 1


def check_coverage(coverage: float) -> None:
    """Refuse what is no promise of sets.

    Raises
    ------
    DensightError
        If it does not lie between 0 and 1.

    Examples
    --------
    >>> check_coverage(90)
    Traceback (most recent call last):
    densight.vocabulary.DensightError: the coverage 90 is no share between 0 and 1. Fix: give one such as 0.9.
    """
    if not 0 < coverage < 1:
        raise DensightError(f"the coverage {coverage:g} is no share between 0 and 1", remedy="give one such as 0.9")


def mass_before(probabilities: npt.ArrayLike) -> Floats:
    """The probability that a contiguous set holds before each class enters it.

    The set begins with the likeliest class and grows by the likelier of its two neighbours, the less dense of equals.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, k)

    Returns
    -------
    ndarray of float64, shape (n, k)
        0 for the likeliest class.

    References
    ----------
    Lu, Angelopoulos, Pomerantz, "Improving trustworthiness of AI disease severity rating in medical imaging with
    ordinal conformal prediction sets", MICCAI 2022, algorithm 1.

    Examples
    --------
    >>> mass_before([[0.25, 0.5, 0.125, 0.125]])
    array([[0.5  , 0.   , 0.75 , 0.875]])
    """
    y_prob = np.asarray(probabilities, dtype=np.float64)
    n, k = y_prob.shape
    rows = np.arange(n)
    left = y_prob.argmax(axis=1)
    right = left.copy()
    before = np.zeros((n, k))
    mass = y_prob[rows, left].copy()
    edged = np.pad(y_prob, ((0, 0), (1, 1)), constant_values=-1.0)
    for _ in range(k - 1):
        down = edged[rows, left] >= edged[rows, right + 2]
        chosen = np.where(down, left - 1, right + 1)
        before[rows, chosen] = np.minimum(mass, 1.0)
        mass += y_prob[rows, chosen]
        left, right = np.where(down, chosen, left), np.where(down, right, chosen)
    return before


def fit_sets(
    probabilities: npt.ArrayLike,
    y_true: npt.ArrayLike,
    patients: Sequence[str],
    coverage: float = 0.9,
    *,
    by_class: bool = False,
) -> PredictionSets:
    """How far sets must reach, from cases that neither the network nor its scaling has learnt from.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, k)
    y_true : array-like of int, shape (n,)
    patients : sequence of str, length n
        Whose each case is; a patient counts once, however many cases she has.
    coverage : float
        The share of sets that shall hold the true class.
    by_class : bool
        Whether it shall hold for each true class, and not only for all cases together. A class of few patients then
        is in every set.

    Raises
    ------
    DensightError
        If the coverage is no share, or there is no case.

    References
    ----------
    Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005: the (n + 1)-th part of the mass is the new
    case's, and thresholds by class (section 4.5). Several cases of a patient share her part: Dunn, Wasserman, Ramdas,
    "Distribution-free prediction sets for two-layer hierarchical models", JASA 118:2491-2502, 2023, pooled CDFs.

    Examples
    --------
    Nine cases of nine patients, and the mass before the true class was 0 in eight and .6 in one: to promise .8 the
    likeliest class is enough, for 8 / (9 + 1) is no less; to promise .9 it is not.

    >>> y_prob = [[0.6, 0.4]] * 9
    >>> fit_sets(y_prob, [0] * 8 + [1], list("abcdefghi"), 0.8).thresholds
    (0.0, 0.0)
    >>> fit_sets(y_prob, [0] * 8 + [1], list("abcdefghi"), 0.9).thresholds
    (0.6, 0.6)
    """
    y_prob, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(y_true, dtype=np.int64)
    check_coverage(coverage)
    if not len(labels):
        raise DensightError("there is no case to fit sets on")
    before = mass_before(y_prob)[np.arange(len(labels)), labels]
    names = np.asarray(patients, dtype=object)
    k = y_prob.shape[1]
    if by_class:
        thresholds = tuple(_quantile(before[labels == place], names[labels == place], coverage) for place in range(k))
    else:
        thresholds = (_quantile(before, names, coverage),) * k
    return PredictionSets(coverage, thresholds, len(labels), len(set(patients)))


def _quantile(scores: Floats, patients: npt.NDArray[np.object_], coverage: float) -> float:
    """The least score that covers enough patients, one more than there are; 1, which takes every class in, if none."""
    _, groups, times = np.unique(patients, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum((1 / times[groups])[order]) / (len(times) + 1)
    reached = np.flatnonzero(mass >= coverage - 1e-9)
    return float(scores[order][reached[0]]) if len(reached) else 1.0
