"""Figures of merit as plain values, as ``figures.json`` holds them: what is undefined is null, keys in fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

from densight.figures.merit import FEW_PATIENTS, Merit

__all__ = ["merit_as_dict", "plain"]


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as dictionaries and lists, all the way down.

    Examples
    --------
    >>> from densight.figures.intervals import Estimate
    >>> plain((Estimate(float("nan"), None, "none"),))
    [{'value': None, 'interval': None, 'method': 'none', 'intervals': {}}]
    """
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    return value


def merit_as_dict(merit: Merit, classes: Sequence[str]) -> dict[str, Any]:
    """The figures of one set of cases.

    Parameters
    ----------
    merit : Merit
    classes : sequence of str
        The labels in order.
    """
    by_class = zip(classes, merit.by_class, strict=True)
    return {
        "n": merit.n,
        "patients": merit.patients,
        **plain(merit.estimates),
        "per_class": {label: plain(one) | {"few": one.patients < FEW_PATIENTS} for label, one in by_class},
        "confusion": plain(merit.confusion),
        "dense": plain(merit.dense),
        "brier_parts": plain(merit.brier),
        "reliability": plain(merit.reliability),
    }
