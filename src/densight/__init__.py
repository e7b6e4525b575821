"""Breast density from mammograms, with explanations.

Research software: not a medical device.

Examples
--------
>>> import densight
>>> model = densight.load_model("models/")                      # doctest: +SKIP
>>> exam = densight.read_exam("exam_folder/")                   # doctest: +SKIP
>>> model.assess(exam).density                                  # doctest: +SKIP
'C'
>>> model.explain(exam)["MLO_R"].map("C").shape                 # doctest: +SKIP
(3328, 2560)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densight import anatomy, phantom
    from densight.intake.exam import read_exam
    from densight.intake.image import read_mammogram
    from densight.model import Model, load_model
    from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality, Projection, View

__all__ = [
    "BIRADS",
    "PROJECTIONS",
    "DensightError",
    "Laterality",
    "Model",
    "Projection",
    "View",
    "anatomy",
    "load_model",
    "phantom",
    "read_exam",
    "read_mammogram",
]

_HOMES = {
    "read_exam": "densight.intake.exam",
    "read_mammogram": "densight.intake.image",
    "Model": "densight.model",
    "load_model": "densight.model",
}
"""Where names live that are loaded when they are first used, so that ``import densight`` is instant."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'densight' has no attribute {name!r}")
    if name in ("anatomy", "phantom"):
        return import_module(f"densight.{name}")
    return getattr(import_module(_HOMES.get(name, "densight.vocabulary")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
