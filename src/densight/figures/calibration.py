"""Whether probabilities are calibrated: calibration errors, the Brier score and its parts, the log score.

Calibration errors compare, in bins of cases, the mean probability with the observed frequency. The probabilities of all
cases fix the bins, so that each error is a function of sums over cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.figures.intervals import wilson_interval

__all__ = [
    "BINS",
    "BrierParts",
    "ReliabilityBin",
    "bin_gaps",
    "brier_losses",
    "brier_parts",
    "calibration_error",
    "equal_mass_bins",
    "equal_width_bins",
    "log_losses",
    "reliability",
]

BINS = 10
"""The number of bins of the calibration errors and the reliability diagram."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReliabilityBin:
    """The cases whose greatest probability lies in one bin.

    Parameters
    ----------
    n : int
        The number of cases.
    confidence : float
        Their mean greatest probability.
    accuracy : float
        The share classified correctly.
    interval : tuple of float
        Wilson's 95 % interval of the accuracy.
    """

    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class BrierParts:
    """The parts of the Brier score: ``score = reliability - resolution + uncertainty``.

    Parameters
    ----------
    reliability : float
        The squared difference of observed frequencies and probabilities; 0 is best.
    resolution : float
        The variance of the observed frequencies between bins, less the variation within bins; greater is better.
    uncertainty : float
        The score of predicting each class's frequency for every case.
    """

    reliability: float
    resolution: float
    uncertainty: float


def equal_width_bins(confidences: npt.ArrayLike, bins: int = BINS) -> Integers:
    """The bin of each probability among bins of equal width; a probability on an edge belongs to the upper bin.

    Parameters
    ----------
    confidences : array-like of float, shape (...)
    bins : int

    Returns
    -------
    ndarray of int64, shape (...)

    Examples
    --------
    >>> equal_width_bins([0.0, 0.34, 0.5, 1.0])
    array([0, 3, 5, 9])
    """
    places = (np.asarray(confidences, dtype=np.float64) * bins).astype(np.int64)
    return np.minimum(places, bins - 1)


def equal_mass_bins(confidences: npt.ArrayLike, bins: int = BINS) -> Integers:
    """The bin of each probability among bins with the same number of cases; equal probabilities share a bin.

    Parameters
    ----------
    confidences : array-like of float, shape (n,)
    bins : int

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> equal_mass_bins([0.9, 0.3, 0.5, 0.5], bins=2)
    array([1, 0, 0, 0])
    """
    values = np.asarray(confidences, dtype=np.float64)
    edges = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.asarray(np.searchsorted(edges, values, side="left"), dtype=np.int64)


def bin_gaps(outcomes: npt.ArrayLike, confidences: npt.ArrayLike, places: npt.ArrayLike, bins: int = BINS) -> Floats:
    """What each case adds to its bin's difference between outcomes and probabilities.

    Parameters
    ----------
    outcomes : array-like of float, shape (n,)
        1 where the case has the predicted class, else 0.
    confidences : array-like of float, shape (n,)
    places : array-like of int, shape (n,)
        The bin of each case.
    bins : int

    Returns
    -------
    ndarray of float64, shape (n, bins + 1)
        The last column is 1, so that sums over cases end with the number of cases.

    Examples
    --------
    >>> bin_gaps([1, 0], [0.75, 0.5], [1, 0], bins=2)
    array([[ 0.  ,  0.25,  1.  ],
           [-0.5 ,  0.  ,  1.  ]])
    """
    places = np.asarray(places)
    gaps = np.zeros((len(places), bins + 1))
    gaps[np.arange(len(places)), places] = np.asarray(outcomes) - np.asarray(confidences)
    gaps[:, -1] = 1
    return gaps


def calibration_error(sums: npt.ArrayLike) -> Floats:
    """The calibration error: the mean difference of frequency and probability, bins weighted by their number of cases.

    For the greatest probability it is the expected calibration error (ECE) in bins of equal width, the adaptive one in
    bins of equal mass. The classwise error is the mean over the classes of the error of each class's probability.

    Parameters
    ----------
    sums : array-like of float, shape (..., bins + 1)
        Sums of `bin_gaps` over cases.

    Returns
    -------
    ndarray of float64, shape (...)
        0 is best. It is above 0 by chance even for perfect probabilities, and more so with fewer cases per bin.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, equation 3; Nixon et al.,
    "Measuring calibration in deep learning", CVPR workshops 2019, adaptive bins; Kull et al., "Beyond temperature
    scaling", NeurIPS 2019, section 2, classwise.

    Examples
    --------
    >>> calibration_error(bin_gaps([1, 0], [0.75, 0.5], [1, 0], bins=2).sum(axis=0)).item()
    0.375
    """
    values = np.asarray(sums, dtype=np.float64)
    return np.asarray(np.abs(values[..., :-1]).sum(axis=-1) / values[..., -1])


def brier_losses(y_true: npt.ArrayLike, probabilities: npt.ArrayLike) -> Floats:
    """The squared difference of each case's probabilities and its true class as 0 and 1, summed over the classes.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
    probabilities : array-like of float, shape (n, k)

    Returns
    -------
    ndarray of float64, shape (n,)
        0 to 2; their mean is the Brier score.

    References
    ----------
    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78:1-3, 1950.

    Examples
    --------
    >>> brier_losses([0], [[0.5, 0.5, 0.0]])
    array([0.5])
    """
    values = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(((values - np.eye(values.shape[1])[np.asarray(y_true)]) ** 2).sum(axis=1))


def log_losses(y_true: npt.ArrayLike, probabilities: npt.ArrayLike) -> Floats:
    """Minus the logarithm of the probability of each case's true class; a probability of 0 counts as 2.2e-16.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
    probabilities : array-like of float, shape (n, k)

    Returns
    -------
    ndarray of float64, shape (n,)
        0 is best; their mean is the log score, scikit-learn's ``log_loss``.

    References
    ----------
    Good, "Rational decisions", J. R. Statist. Soc. B 14:107-114, 1952.

    Examples
    --------
    >>> log_losses([1], [[0.5, 0.5]]).round(4)
    array([0.6931])
    """
    values = np.asarray(probabilities, dtype=np.float64)
    of_true_class = values[np.arange(len(values)), np.asarray(y_true)]
    return np.asarray(-np.log(np.clip(of_true_class, np.finfo(np.float64).eps, 1)))


def brier_parts(y_true: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> BrierParts:
    """Decompose the Brier score: each class in bins of equal width, summed over the classes.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
    probabilities : array-like of float, shape (n, k)
    bins : int

    Returns
    -------
    BrierParts

    References
    ----------
    Murphy, "A new vector partition of the probability score", J. Appl. Meteorology 12:595-600, 1973; the variation
    within bins is part of the resolution, so that the parts add up: Stephenson, Coelho, Jolliffe, "Two extra
    components in the Brier score decomposition", Weather and Forecasting 23:752-757, 2008.

    Examples
    --------
    >>> brier_parts([0, 1], [[1.0, 0.0], [0.0, 1.0]])
    BrierParts(reliability=0.0, resolution=0.5, uncertainty=0.5)
    """
    y_prob = np.asarray(probabilities, dtype=np.float64)
    n, k = y_prob.shape
    outcomes = np.eye(k)[np.asarray(y_true)]
    cells = (equal_width_bins(y_prob, bins) + bins * np.arange(k)).ravel()

    def means(values: Floats) -> Floats:
        counts = np.bincount(cells, minlength=k * bins)
        sums = np.bincount(cells, values.ravel(), minlength=k * bins)
        return np.asarray(np.divide(sums, counts, out=np.zeros(k * bins), where=counts > 0)[cells].reshape(n, k))

    of_bin, frequency, base = means(y_prob), means(outcomes), outcomes.mean(axis=0)
    reliability = ((of_bin - frequency) ** 2).sum() / n
    within = ((y_prob - of_bin) ** 2 - 2 * (y_prob - of_bin) * (outcomes - frequency)).sum() / n
    resolution = ((frequency - base) ** 2).sum() / n - within
    return BrierParts(float(reliability), float(resolution), float((base * (1 - base)).sum()))


def reliability(y_true: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram: the accuracy in bins of the greatest probability.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
    probabilities : array-like of float, shape (n, k)
    bins : int

    Returns
    -------
    tuple of ReliabilityBin
        The bins with cases, in ascending order.

    References
    ----------
    Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised learning", ICML 2005.

    Examples
    --------
    >>> [(part.n, part.confidence, part.accuracy) for part in reliability([0, 0], [[0.75, 0.25], [0.25, 0.75]])]
    [(2, 0.75, 0.5)]
    """
    y_prob = np.asarray(probabilities, dtype=np.float64)
    confidence, correct = y_prob.max(axis=1), y_prob.argmax(axis=1) == np.asarray(y_true)
    places = equal_width_bins(confidence, bins)
    return tuple(
        ReliabilityBin(
            int(inside.sum()),
            float(confidence[inside].mean()),
            float(correct[inside].mean()),
            wilson_interval(int(correct[inside].sum()), int(inside.sum())),
        )
        for inside in (places == place for place in np.unique(places))
    )
