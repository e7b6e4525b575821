"""Figures of merit as plain values, as ``figures.json`` holds them: what is undefined is null, keys in fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from densight.figures.merit import FEW_PATIENTS, Merit
from densight.storage import plain

__all__ = ["merit_as_dict"]


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
