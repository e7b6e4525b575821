"""Phantom exams: mammograms of women who never were, of whom everything is known.

Examples
--------
>>> import densight
>>> made = densight.phantom.exam(seed=1, density="C", shape=(128, 104))
>>> made.truth.density, len(made)
('C', 4)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densight.phantom.imaging import exam, intervene
    from densight.phantom.regions import Ball, Rays

__all__ = ["Ball", "Rays", "exam", "intervene"]

_HOMES = {"Ball": "regions", "Rays": "regions", "exam": "imaging", "intervene": "imaging"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'densight.phantom' has no attribute {name!r}")
    return getattr(import_module(f"densight.phantom.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
