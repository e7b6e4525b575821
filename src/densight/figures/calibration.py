"""How far probabilities can be taken at their word: calibration errors, the Brier score and its parts, the log score.

Calibration errors sort the cases into bins and compare in each the mean probability with the share that it came true.
Bins are fixed beforehand, by the probabilities of all cases, so that each error is a function of sums over cases.
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
"""Bins of the calibration errors and the reliability diagram."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReliabilityBin:
    """Cases whose greatest probability lies in one bin.

    Parameters
    ----------
    n : int
    confidence : float
        Their mean greatest probability.
    accuracy : float
        The share of them classified correctly.
    interval : tuple of float
        Wilson's 95 % interval of that share.
    """

    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class BrierParts:
    """The Brier score taken apart: ``score = reliability - resolution + uncertainty``.

    Parameters
    ----------
    reliability : float
        How far the shares that came true lie from the probabilities; 0 is best.
    resolution : float
        How far they differ from bin to bin, less what varies within the bins; more is better.
    uncertainty : float
        The score of always saying each class's share.
    """

    reliability: float
    resolution: float
    uncertainty: float


def equal_width_bins(confidences: npt.ArrayLike, bins: int = BINS) -> Integers:
    """The bin of each probability among bins of equal width; a probability on an edge belongs to the upper one.

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
    """The bin of each probability among bins of as many cases each; equal probabilities share a bin.

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
    """What each case adds to its bin's gap between what came true and what was said.

    Parameters
    ----------
    outcomes : array-like of float, shape (n,)
        1 where it came true, 0 where not.
    confidences : array-like of float, shape (n,)
    places : array-like of int, shape (n,)
        The bin of each.
    bins : int

    Returns
    -------
    ndarray of float64, shape (n, bins + 1)
        The last column is 1, so that sums over cases end with their number.

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
    """The calibration error: the mean gap between share and mean probability, each bin weighing as many as its cases.

    Of the greatest probabilities in bins of equal width it is the expected calibration error (ECE), in bins of equal
    mass the adaptive one; the classwise error is the mean over the classes of each probability's own.

    Parameters
    ----------
    sums : array-like of float, shape (..., bins + 1)
        Sums of `bin_gaps` over cases.

    Returns
    -------
    ndarray of float64, shape (...)
        0 is best. It is above 0 by chance even for perfect probabilities, the more the fewer cases a bin has.

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


def brier_losses(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> Floats:
    """The squared distance of each case's probabilities from what came true, summed over the classes.

    Parameters
    ----------
    truth : array-like of int, shape (n,)
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
    return np.asarray(((values - np.eye(values.shape[1])[np.asarray(truth)]) ** 2).sum(axis=1))


def log_losses(truth: npt.ArrayLike, probabilities: npt.ArrayLike) -> Floats:
    """Minus the logarithm of the probability of each case's true class; a probability of 0 is taken as 2.2e-16.

    Parameters
    ----------
    truth : array-like of int, shape (n,)
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
    said = values[np.arange(len(values)), np.asarray(truth)]
    return np.asarray(-np.log(np.clip(said, np.finfo(np.float64).eps, 1)))


def brier_parts(truth: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> BrierParts:
    """Take the Brier score apart, each class in bins of equal width, summed over the classes.

    Parameters
    ----------
    truth : array-like of int, shape (n,)
    probabilities : array-like of float, shape (n, k)
    bins : int

    Returns
    -------
    BrierParts

    References
    ----------
    Murphy, "A new vector partition of the probability score", J. Appl. Meteorology 12:595-600, 1973; what varies
    within the bins goes to the resolution, so that the parts add up: Stephenson, Coelho, Jolliffe, "Two extra
    components in the Brier score decomposition", Weather and Forecasting 23:752-757, 2008.

    Examples
    --------
    >>> brier_parts([0, 1], [[1.0, 0.0], [0.0, 1.0]])
    BrierParts(reliability=0.0, resolution=0.5, uncertainty=0.5)
    """
    said = np.asarray(probabilities, dtype=np.float64)
    n, k = said.shape
    came = np.eye(k)[np.asarray(truth)]
    cells = (equal_width_bins(said, bins) + bins * np.arange(k)).ravel()

    def means(values: Floats) -> Floats:
        counts = np.bincount(cells, minlength=k * bins)
        sums = np.bincount(cells, values.ravel(), minlength=k * bins)
        return np.asarray(np.divide(sums, counts, out=np.zeros(k * bins), where=counts > 0)[cells].reshape(n, k))

    of_bin, share, base = means(said), means(came), came.mean(axis=0)
    reliability = ((of_bin - share) ** 2).sum() / n
    within = ((said - of_bin) ** 2 - 2 * (said - of_bin) * (came - share)).sum() / n
    resolution = ((share - base) ** 2).sum() / n - within
    return BrierParts(float(reliability), float(resolution), float((base * (1 - base)).sum()))


def reliability(truth: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram: by bin of the greatest probability, how often the predicted class was the true one.

    Parameters
    ----------
    truth : array-like of int, shape (n,)
    probabilities : array-like of float, shape (n, k)
    bins : int

    Returns
    -------
    tuple of ReliabilityBin
        Those with cases, in ascending order.

    References
    ----------
    Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised learning", ICML 2005.

    Examples
    --------
    >>> [(one.n, one.confidence, one.accuracy) for one in reliability([0, 0], [[0.75, 0.25], [0.25, 0.75]])]
    [(2, 0.75, 0.5)]
    """
    said = np.asarray(probabilities, dtype=np.float64)
    confidence, right = said.max(axis=1), said.argmax(axis=1) == np.asarray(truth)
    places = equal_width_bins(confidence, bins)
    return tuple(
        ReliabilityBin(
            int(inside.sum()),
            float(confidence[inside].mean()),
            float(right[inside].mean()),
            wilson_interval(int(right[inside].sum()), int(inside.sum())),
        )
        for inside in (places == place for place in np.unique(places))
    )
