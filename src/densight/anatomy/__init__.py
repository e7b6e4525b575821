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

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from densight.anatomy.reading import Anatomy, read
    from densight.anatomy.verdict import Verdict

__all__ = ["Anatomy", "Verdict", "read"]

# The type checker reads the imports above; these names are loaded at their first use.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"reading": ["Anatomy", "read"], "verdict": ["Verdict"]}
)
