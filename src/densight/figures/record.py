"""Figures of merit as plain values, as ``figures.json`` holds them: what is undefined is null, keys in fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from densight.figures.intervals import Estimate
from densight.figures.merit import FEW_PATIENTS, ClassMerit, Merit

__all__ = ["estimate_as_dict", "merit_as_dict"]


def estimate_as_dict(estimate: Estimate) -> dict[str, Any]:
    """An estimate with its intervals.

    Examples
    --------
    >>> estimate_as_dict(Estimate(float("nan"), None, "none"))
    {'value': None, 'interval': None, 'method': 'none', 'intervals': {}}
    """
    return {
        "value": estimate.value if isfinite(estimate.value) else None,
        "interval": estimate.interval and list(estimate.interval),
        "method": estimate.method,
        "intervals": {name: list(limits) for name, limits in estimate.intervals.items()},
    }


def merit_as_dict(merit: Merit, classes: Sequence[str]) -> dict[str, Any]:
    """The figures of one set of cases.

    Parameters
    ----------
    merit : Merit
    classes : sequence of str
        The labels in order.
    """
    return {
        "n": merit.n,
        "patients": merit.patients,
        **{name: estimate_as_dict(estimate) for name, estimate in merit.estimates.items()},
        "per_class": {label: _class(one) for label, one in zip(classes, merit.by_class, strict=True)},
        "confusion": [list(row) for row in merit.confusion],
        "dense": merit.dense
        and {
            "points": [
                {"threshold": point.threshold}
                | {
                    name: estimate_as_dict(getattr(point, name))
                    for name in ("sensitivity", "specificity", "ppv", "npv")
                }
                for point in merit.dense.points
            ],
            "curve": [list(point) for point in merit.dense.curve],
        },
        "brier_parts": merit.brier and asdict(merit.brier),
        "reliability": [asdict(one) | {"interval": list(one.interval)} for one in merit.reliability],
    }


def _class(one: ClassMerit) -> dict[str, Any]:
    return {
        "n": one.n,
        "patients": one.patients,
        "few": one.patients < FEW_PATIENTS,
        **{name: estimate_as_dict(getattr(one, name)) for name in ("recall", "precision", "f1")},
        "auc": one.auc and estimate_as_dict(one.auc),
    }
