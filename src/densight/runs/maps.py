"""Maps as an output of a run: the pictures and raw maps of every exam, and the explanations that all outputs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from densight.assessment.models import Models
from densight.explanation.explain import explain
from densight.explanation.explanation import Explanation
from densight.explanation.methods.methods import choose_methods
from densight.explanation.save import save_exam, save_image
from densight.intake.failures import Failure
from densight.intake.mammogram import Mammogram
from densight.runs.drawing_pool import Task
from densight.runs.outputs import AssessedExam, AssessedImage, RunContext
from densight.runs.result import RunResult
from densight.trials.verdicts import read_trials
from densight.vocabulary import DensightError, Projection

__all__ = ["MapsOutput", "check_methods", "explain_exam"]


def check_methods(models: Models, methods: Sequence[str], layer: str | None) -> tuple[str, ...]:
    """The methods of explanation in full, checked before anything is done.

    Parameters
    ----------
    models : Models
    methods : sequence of str
        Of `densight.explanation.methods.methods.METHODS`, or ``all``; none where exams are not explained.
    layer : str or None
        The layer that is mapped.

    Raises
    ------
    DensightError
        If there is no such method or layer, or a layer is given without a method.
    """
    if not methods:
        return ()
    chosen = choose_methods(methods, layer=layer)
    if layer is not None:
        _check_layer(models, layer)
    return chosen


def explain_exam(
    images: Sequence[AssessedImage], methods: Sequence[str], layer: str | None
) -> tuple[AssessedExam, list[Failure]]:
    """Explain each image of an exam by each method, once for all outputs.

    Returns
    -------
    exam : AssessedExam
    failures : list of Failure
        Images that a method could not explain.
    """
    failures: list[Failure] = []
    explained = []
    for image in images:
        made: list[Explanation] = []
        for method in methods:
            try:
                made.append(explain(image.result, method, layer))
            except DensightError as error:
                failures.append(Failure(image.entry.path, f"{method}: {error.fault}", error.remedy or ""))
        explained.append(replace(image, explanations=tuple(made)))
    return AssessedExam(tuple(explained)), failures


@dataclass(frozen=True, eq=False)
class MapsOutput:
    """The pictures and raw maps of a run that explains.

    Every image gets the tutorial's four pictures, its maps of all classes as a picture and as raw numbers, under
    ``maps/<PROJECTION>/``; those of methods beyond the first lie in a folder of the method's name there. Every exam
    gets one picture of its images as they are hung, under ``maps/exams/``, with the first method's maps.

    Parameters
    ----------
    context : RunContext
        With at least one method.
    warning : str
        What earlier trials of the run found against the first method, for the exams' pictures.
    """

    context: RunContext
    warning: str

    @classmethod
    def of(cls, context: RunContext) -> MapsOutput:
        """The output, with the warning of earlier trials in the run folder."""
        verdicts = (read_trials(context.folder) or {}).get("cards", {})
        return cls(context, verdicts.get(context.methods[0], {}).get("warning", ""))

    @property
    def key(self) -> str:
        """The methods and the layer."""
        return ",".join(self.context.methods) + (f"@{self.context.layer}" if self.context.layer else "")

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        """Draw the images and the hung exam."""
        context, first = self.context, self.context.methods[0]
        tasks: list[Task] = []
        views: dict[Projection, list[tuple[Mammogram, Explanation]]] = {}
        for image in exam.images:
            if not image.explanations:
                continue
            result = image.result
            framed = result.prepared.image
            tasks.append(
                (save_image, (context.folder, image.name, result.mammogram, framed, image.explanations, first))
            )
            if (explanation := image.explanation(first)) is not None:
                views.setdefault(result.assessment.projection, []).append((result.mammogram, explanation))
        if views:
            given = (context.folder, exam.patient_id, exam.exam_id, views, context.models.fusion, self.warning)
            tasks.append((save_exam, given))
        context.draw(tasks)
        return []

    def finish(self, result: RunResult) -> None:
        """Do nothing: every exam is written already."""


def _check_layer(models: Models, layer: str) -> None:
    import torch

    from densight.explanation.methods.layers import layer_output

    for bundle in models.bundles:
        facts, device = bundle.facts, bundle.network.classifier.weight.device
        blank = torch.zeros(1, facts.architecture.channels, *facts.preparation.shape, device=device)
        layer_output(bundle.network, blank, layer)
