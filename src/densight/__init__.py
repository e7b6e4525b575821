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

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from densight import anatomy, phantom
    from densight.assessment.assess import Assessment
    from densight.explanation.explanation import Explanation
    from densight.intake.exam import read_exam
    from densight.intake.image import read_mammogram
    from densight.intake.mammogram import Exam, Mammogram
    from densight.model import Model, load_model, run
    from densight.runs.result import RunResult
    from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality, Projection, View

__all__ = [
    "BIRADS",
    "PROJECTIONS",
    "Assessment",
    "DensightError",
    "Exam",
    "Explanation",
    "Laterality",
    "Mammogram",
    "Model",
    "Projection",
    "RunResult",
    "View",
    "anatomy",
    "load_model",
    "phantom",
    "read_exam",
    "read_mammogram",
    "run",
]

# Loaded when they are first used, so that ``import densight`` is instant.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submodules=["anatomy", "phantom"],
    submod_attrs={
        "assessment.assess": ["Assessment"],
        "explanation.explanation": ["Explanation"],
        "intake.exam": ["read_exam"],
        "intake.image": ["read_mammogram"],
        "intake.mammogram": ["Exam", "Mammogram"],
        "model": ["Model", "load_model", "run"],
        "runs.result": ["RunResult"],
        "vocabulary": ["BIRADS", "PROJECTIONS", "DensightError", "Laterality", "Projection", "View"],
    },
)
