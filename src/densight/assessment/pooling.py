"""Rules that make one opinion of several projections': what an exam's probabilities are, given those of its images.

Every rule takes what there is: a missing projection leaves the opinion to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from densight.vocabulary import PROJECTIONS, DensightError, Laterality

__all__ = ["LEARNED", "RULES", "fit_weights", "pool"]

Floats = npt.NDArray[np.float64]

LEARNED = "learned"
"""The rule with weights of its own for each projection."""
RULES: Mapping[str, str] = {
    "mean": "mean of the probabilities",
    "logit-mean": "mean of the logarithms",
    "median": "median of each class",
    "denser-breast": "the denser breast",
    LEARNED: "logarithms with learned weights",
}
"""The rules by name; the first is the tutorial's."""

_ENOUGH = 5000
"""Exams, drawn at random where there are more, that four weights are learned from."""
_LEAST = 1e-12
"""Probabilities below it are taken as it where logarithms are."""


def pool(cube: npt.ArrayLike, rule: str = "mean", weights: Sequence[float] | None = None) -> Floats:
    """Join the opinions of the projections of each exam, or breast.

    Parameters
    ----------
    cube : array-like of float, shape (n, 4, k)
        The probabilities by projection, in the order of `densight.vocabulary.PROJECTIONS`; NaN where there is none.
    rule : str
        A key of `RULES`. ``mean`` and ``median`` (then divided by their sum) go class by class; ``logit-mean`` is the
        geometric mean, divided by its sum; ``denser-breast`` is the mean over the breast whose mean is of the greater
        expected class, as the ACR has the denser breast tell the report's class; ``learned`` is a product of powers.
    weights : sequence of float, length 4
        For ``learned``: the power of each projection. Where one is missing the others' are raised in proportion.

    Returns
    -------
    ndarray of float64, shape (n, k)

    Raises
    ------
    DensightError
        If there is no such rule, an exam has no projection, or ``learned`` has no weights.

    References
    ----------
    ACR BI-RADS Atlas, 5th edition (2013), Mammography, section III.A: "If the breasts are not of apparently equal
    density, the denser breast should be used to categorize breast density." Genest and Zidek, "Combining probability
    distributions", Statistical Science 1:114-135, 1986: linear and logarithmic pools.

    Examples
    --------
    >>> cube = np.full((1, 4, 2), np.nan); cube[0, 0] = [0.5, 0.5]; cube[0, 1] = [0.9, 0.1]
    >>> pool(cube).round(2), pool(cube, "logit-mean").round(2), pool(cube, "denser-breast")
    (array([[0.7, 0.3]]), array([[0.75, 0.25]]), array([[0.5, 0.5]]))
    """
    values = np.asarray(cube, dtype=np.float64)
    if rule not in RULES:
        raise DensightError(f"unknown rule of fusion {rule!r}", remedy=f"use one of {', '.join(RULES)}")
    if lacking := np.isnan(values).all(axis=(1, 2)).sum():
        raise DensightError(f"{lacking} of {len(values)} exams have no projection to fuse")
    if rule == LEARNED:
        if weights is None:
            raise DensightError("the rule learned needs weights", remedy="learn them with densight calibrate")
        return _product(values, np.asarray(weights, dtype=np.float64))
    return _POOLS[rule](values)


def fit_weights(cube: npt.ArrayLike, y_true: npt.ArrayLike) -> tuple[float, ...]:
    """The weights of the rule ``learned`` under which the true classes are likeliest.

    Parameters
    ----------
    cube : array-like of float, shape (n, 4, k)
        As for `pool`, of exams that the networks have not learnt from.
    y_true : array-like of int, shape (n,)

    Returns
    -------
    tuple of float, length 4
        None below 0. A projection that no exam has gets the mean of the others' weights, which
        go to the others where it is missing.

    Examples
    --------
    The second projection says the same of everyone, so that it gets no weight:

    >>> cube = np.full((4, 4, 2), np.nan); cube[:, 0] = [[0.8, 0.2], [0.2, 0.8], [0.8, 0.2], [0.8, 0.2]]
    >>> cube[:, 1] = [0.6, 0.4]
    >>> [round(weight, 2) for weight in fit_weights(cube, [0, 1, 0, 1])[:2]]
    [0.4, 0.0]
    """
    from scipy.optimize import minimize

    values, labels = np.asarray(cube, dtype=np.float64), np.asarray(y_true)
    if len(labels) > _ENOUGH:
        chosen = np.random.default_rng(0).permutation(len(labels))[:_ENOUGH]
        values, labels = values[chosen], labels[chosen]
    seen = _known(values).any(axis=0)
    rows = np.arange(len(labels))

    def loss(weights: Floats) -> float:
        full = np.where(seen, 0.0, weights.mean())
        full[seen] = weights
        return float(-np.log(np.maximum(_product(values, full)[rows, labels], _LEAST)).mean())

    start = np.full(int(seen.sum()), 1 / seen.sum())
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0, None)] * len(start)).x
    learned = np.full(len(PROJECTIONS), found.mean())
    learned[seen] = found
    return tuple(learned.tolist())


def _mean(cube: Floats) -> Floats:
    return np.asarray(np.nanmean(cube, axis=1))


def _median(cube: Floats) -> Floats:
    return _share(np.asarray(np.nanmedian(cube, axis=1)))


def _logit_mean(cube: Floats) -> Floats:
    return _product(cube, np.full(len(PROJECTIONS), 1 / len(PROJECTIONS)))


def _denser_breast(cube: Floats) -> Floats:
    sides = [[p.laterality == side for p in PROJECTIONS] for side in Laterality]
    known = _known(cube)
    sums = np.stack([np.where(known[:, side, None], cube[:, side], 0).sum(axis=1) for side in sides], axis=1)
    counts = np.stack([known[:, side].sum(axis=1) for side in sides], axis=1)[..., None]
    breasts = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    expected = np.nan_to_num(breasts @ np.arange(cube.shape[2]), nan=-1.0)
    return np.asarray(breasts[np.arange(len(cube)), expected.argmax(axis=1)])


def _product(cube: Floats, weights: Floats) -> Floats:
    """The product of powers, divided by its sum; the powers of those there are add up to those of all."""
    known = _known(cube)
    powers = np.where(known, weights, 0.0)
    there = powers.sum(axis=1, keepdims=True)
    powers = np.divide(powers * weights.sum(), there, out=np.zeros(powers.shape), where=there > 0)
    logs = np.log(np.maximum(np.where(known[..., None], cube, 1.0), _LEAST))
    summed = (logs * powers[..., None]).sum(axis=1)
    return _share(np.exp(summed - summed.max(axis=1, keepdims=True)))


def _known(cube: Floats) -> npt.NDArray[np.bool_]:
    """Which projections there are, shape (n, 4)."""
    return np.asarray(np.isfinite(cube).all(axis=2))


def _share(values: Floats) -> Floats:
    return np.asarray(values / values.sum(axis=1, keepdims=True))


_POOLS: Mapping[str, Callable[[Floats], Floats]] = {
    "mean": _mean,
    "logit-mean": _logit_mean,
    "median": _median,
    "denser-breast": _denser_breast,
}
