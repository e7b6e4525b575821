"""Scaling of probabilities, so that they can be taken at their word.

It is fitted on exams that the network has not learnt from. A scaling changes how sure the network is, not what it has
seen. Temperature has one number, ordinal two, vector two a class; the more numbers, the more exams they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["SCALINGS", "Scaling", "fit_scaling"]

Floats = npt.NDArray[np.float64]

SCALINGS: Mapping[str, str] = {
    "temperature": "the logarithms divided by a temperature",
    "ordinal": "the log-odds of being at most each class, times a slope, plus a shift",
    "vector": "the logarithms times a factor, plus a shift, for each class",
}
"""The scalings by name."""

_LEAST = 1e-12
"""Probabilities below it are taken as it where logarithms are."""


@dataclass(frozen=True)
class Scaling:
    """A fitted scaling.

    Parameters
    ----------
    method : str
        A key of `SCALINGS`.
    parameters : tuple of float
        Of ``temperature`` the temperature; of ``ordinal`` slope and shift; of ``vector`` the factors, then the shifts.
    cases, patients : int
        How many it was fitted on.

    Examples
    --------
    >>> Scaling("temperature", (2.0,), 100, 100).apply([[0.9, 0.1]]).round(2)
    array([[0.75, 0.25]])
    """

    method: str
    parameters: tuple[float, ...]
    cases: int
    patients: int

    def __post_init__(self) -> None:
        if self.method not in SCALINGS:
            raise DensightError(f"unknown scaling {self.method!r}", remedy=f"use one of {', '.join(SCALINGS)}")

    def apply(self, probabilities: npt.ArrayLike) -> Floats:
        """Scale probabilities.

        Parameters
        ----------
        probabilities : array-like of float, shape (n, k)

        Returns
        -------
        ndarray of float64, shape (n, k)
        """
        return _APPLY[self.method](np.asarray(probabilities, dtype=np.float64), np.array(self.parameters))

    @property
    def words(self) -> str:
        """What it is, in words."""
        numbers = ", ".join(f"{value:.3g}" for value in self.parameters)
        return f"{self.method} scaling ({numbers}), fitted on {self.cases} cases of {self.patients} patients"


def fit_scaling(
    probabilities: npt.ArrayLike, y_true: npt.ArrayLike, method: str = "temperature", patients: int | None = None
) -> Scaling:
    """The scaling under which the true classes are likeliest.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, k)
        Of cases that the network has not learnt from.
    y_true : array-like of int, shape (n,)
    method : str
        A key of `SCALINGS`.
    patients : int, optional
        How many they are of, for the record; as many as cases if None.

    Raises
    ------
    DensightError
        If there is no such method or no case.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2: temperature and
    vector scaling. ``ordinal`` is Platt's scaling of every cumulative probability with one slope and one shift, the
    proportional odds of McCullagh, "Regression models for ordinal data", J. R. Statist. Soc. B 42:109-142, 1980.

    Examples
    --------
    Said with 90 %, right in three of four: the temperature is ln 9 / ln 3 = 2.

    >>> fit_scaling([[0.9, 0.1]] * 4, [0, 0, 0, 1]).parameters[0].__round__(3)
    2.0
    """
    y_prob, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(y_true, dtype=np.int64)
    if method not in SCALINGS:
        raise DensightError(f"unknown scaling {method!r}", remedy=f"use one of {', '.join(SCALINGS)}")
    if not len(labels):
        raise DensightError("there is no case to fit a scaling on")
    fitted = _fit_ordinal(y_prob, labels) if method == "ordinal" else _fit_softmax(y_prob, labels, method)
    return Scaling(method, fitted, len(labels), len(labels) if patients is None else patients)


def _fit_softmax(y_prob: Floats, labels: npt.NDArray[np.int64], method: str) -> tuple[float, ...]:
    """Temperature or vector scaling: logits are the logarithms times factors plus shifts."""
    from scipy.optimize import minimize

    logs, k, n = np.ascontiguousarray(_logs(y_prob).T), y_prob.shape[1], len(labels)
    cases = np.arange(n)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        factors, shifts = np.split(parameters, 2) if method == "vector" else (parameters, np.zeros(1))
        logits = logs * factors[:, None] + shifts[:, None]
        logits -= logits.max(axis=0)
        powers = np.exp(logits)
        total = powers.sum(axis=0)
        value = float((np.log(total) - logits[labels, cases]).mean())
        slope = powers / total
        slope[labels, cases] -= 1
        of_factors = (slope * logs).sum(axis=1) / n
        whole = np.concatenate([of_factors, slope.sum(axis=1) / n]) if method == "vector" else of_factors.sum()[None]
        return value, whole

    if method == "vector":
        start, bounds = np.repeat([1.0, 0.0], k), [(0.0, 20.0)] * k + [(-20.0, 20.0)] * k
        return tuple(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x.tolist())
    found = minimize(loss, np.ones(1), jac=True, method="L-BFGS-B", bounds=[(0.05, 20.0)]).x
    return (float(1 / found[0]),)


def _fit_ordinal(y_prob: Floats, labels: npt.NDArray[np.int64]) -> tuple[float, ...]:
    from scipy.optimize import minimize

    odds, n = np.ascontiguousarray(_log_odds(y_prob).T), len(labels)
    cases = np.arange(n)
    edges = np.concatenate([np.zeros((1, n)), odds, np.ones((1, n))])

    def loss(parameters: Floats) -> float:
        edges[1:-1] = 1 / (1 + np.exp(parameters[1] - parameters[0] * odds))
        scaled = edges[labels + 1, cases] - edges[labels, cases]
        return float(-np.log(np.maximum(scaled, _LEAST)).mean())

    bounds = [(0.05, 20.0), (-20.0, 20.0)]
    return tuple(minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds).x.tolist())


def _temperature(y_prob: Floats, parameters: Floats) -> Floats:
    return _softmax(_logs(y_prob) / parameters[0])


def _vector(y_prob: Floats, parameters: Floats) -> Floats:
    factors, shifts = np.split(parameters, 2)
    return _softmax(_logs(y_prob) * factors + shifts)


def _ordinal(y_prob: Floats, parameters: Floats) -> Floats:
    slope, shift = parameters
    cumulative = 1 / (1 + np.exp(shift - slope * _log_odds(y_prob)))
    ends = np.zeros((len(y_prob), 1)), np.ones((len(y_prob), 1))
    return np.diff(np.concatenate([ends[0], cumulative, ends[1]], axis=1), axis=1)


def _log_odds(y_prob: Floats) -> Floats:
    """The log-odds of being at most each class but the last, shape (n, k - 1)."""
    below = np.cumsum(y_prob, axis=1)[:, :-1]
    above = np.cumsum(y_prob[:, ::-1], axis=1)[:, -2::-1]
    return np.asarray(np.log(np.maximum(below, _LEAST)) - np.log(np.maximum(above, _LEAST)))


def _logs(y_prob: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(y_prob, _LEAST)))


def _softmax(logits: Floats) -> Floats:
    from scipy.special import softmax

    return np.asarray(softmax(logits, axis=1))


_APPLY: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "temperature": _temperature,
    "ordinal": _ordinal,
    "vector": _vector,
}
