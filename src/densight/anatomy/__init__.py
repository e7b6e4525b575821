"""Anatomy of a mammogram: breast, pectoral muscle, fibroglandular tissue, percent density.

Examples
--------
>>> import densight
>>> made = densight.phantom.exam(seed=3, density="C", shape=(256, 208))
>>> anatomy = densight.anatomy.read(made.mammograms[2])
>>> anatomy.dense.shape, anatomy.verdict.good
((256, 208), True)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densight.anatomy.reading import Anatomy, read
    from densight.anatomy.verdict import Verdict

__all__ = ["Anatomy", "Verdict", "read"]

_HOMES = {"Anatomy": "reading", "Verdict": "verdict", "read": "reading"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'densight.anatomy' has no attribute {name!r}")
    return getattr(import_module(f"densight.anatomy.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
