"""Phantom exams: mammograms of synthetic patients, with a known truth.

Examples
--------
>>> import densight
>>> made = densight.phantom.exam(seed=1, density="C", shape=(128, 104))
>>> made.truth.density, len(made)
('C', 4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from densight.phantom.imaging import exam, intervene
    from densight.phantom.regions import Ball, Rays

__all__ = ["Ball", "Rays", "exam", "intervene"]

# The type checker reads the imports above; these names are loaded at their first use.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"imaging": ["exam", "intervene"], "regions": ["Ball", "Rays"]}
)
