"""Explaining a run: maps and pictures of every exam, beside its assessments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densight.assessment.assess import ImageResult
from densight.assessment.calibration import Fusion
from densight.assessment.models import Models
from densight.explanation.explain import explain
from densight.explanation.explanation import Explanation
from densight.explanation.methods.methods import choose_methods
from densight.explanation.picture_names import MAPS, image_names
from densight.explanation.save import save_exam, save_image
from densight.intake.failures import Failure
from densight.intake.mammogram import Entry, Mammogram
from densight.runs.drawing_pool import DrawingPool, Task, draw_in_turn
from densight.trials.verdicts import read_trials
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    pass

__all__ = ["Explainer"]


@dataclass(frozen=True, eq=False)
class Explainer:
    """What `densight.runs.run.assess_run` calls with each exam in order to explain it.

    Every image gets the tutorial's four pictures, its maps of all classes as a picture and as raw numbers, under
    ``maps/<PROJECTION>/``; those of methods beyond the first lie in a folder of the method's name there. Every exam
    gets one picture of its images as they are hung, under ``maps/exams/``, with the first method's maps.

    Parameters
    ----------
    folder : Path
        The run folder.
    names : dict of Path to str
        What the names of each image's pictures hold; see `densight.explanation.picture_names.image_names`.
    methods : tuple of str
        Of `densight.explanation.methods.methods.METHODS`, at least one.
    layer : str or None
        The layer that is mapped.
    warning : str
        What earlier trials of the run found against the first method, to be written on the exams' drawings.
    fusion : Fusion
        How the images' probabilities become the exam's.
    paint : callable
        What does the drawing; see `densight.runs.drawing_pool.drawing_pool`.
    """

    folder: Path
    names: dict[Path, str]
    methods: tuple[str, ...]
    layer: str | None
    warning: str
    fusion: Fusion
    paint: DrawingPool = draw_in_turn

    @classmethod
    def of(
        cls,
        folder: Path,
        entries: Sequence[Entry],
        base: Path,
        models: Models,
        methods: Sequence[str],
        layer: str | None,
        paint: DrawingPool = draw_in_turn,
    ) -> Explainer:
        """Check what is asked for before anything is done.

        Parameters
        ----------
        folder : Path
        entries : sequence of Entry
            All images of the run.
        base : Path
            The folder to which the images' paths in the run's tables are relative.
        models : Models
        methods : sequence of str
        layer : str or None
        paint : callable
            What does the drawing.

        Raises
        ------
        DensightError
            If there is no such method or layer.
        """
        chosen = choose_methods(methods, layer=layer)
        if layer is not None:
            _check_layer(models, layer)
        trials = (read_trials(folder) or {}).get("cards", {})
        warning = trials.get(chosen[0], {}).get("warning", "")
        return cls(folder, image_names(entries, base), chosen, layer, warning, models.fusion, paint)

    @property
    def said(self) -> str:
        """What is done, in a word."""
        return ",".join(self.methods) + (f"@{self.layer}" if self.layer else "")

    def __call__(self, examined: list[tuple[Entry, ImageResult]]) -> tuple[dict[Path, str], list[Failure]]:
        """Explain the images of an exam; give what each one's row has in the column ``maps``, and what failed."""
        maps: dict[Path, str] = {}
        failures: list[Failure] = []
        tasks: list[Task] = []
        views: dict[Projection, list[tuple[Mammogram, Explanation]]] = {}
        for entry, one in examined:
            made: list[Explanation] = []
            for method in self.methods:
                try:
                    made.append(explain(one, method, self.layer))
                except DensightError as error:
                    failures.append(Failure(entry.path, f"{method}: {error.fault}", error.remedy or ""))
            if not made:
                continue
            name, first = self.names[entry.path], self.methods[0]
            tasks.append((save_image, (self.folder, name, one.mammogram, one.prepared.image, made, first)))
            maps[entry.path] = f"{MAPS}/{one.assessment.projection}/{made[0].predicted}_{name}"
            if made[0].method == self.methods[0]:
                views.setdefault(one.assessment.projection, []).append((one.mammogram, made[0]))
        if views:
            entry = examined[0][0]
            given = (self.folder, entry.patient_id, entry.exam_id, views, self.fusion, self.warning)
            tasks.append((save_exam, given))
        self.paint(tasks)
        return maps, failures


def _check_layer(models: Models, layer: str) -> None:
    import torch

    from densight.explanation.methods.layers import layer_output

    for bundle in models.bundles:
        facts, device = bundle.facts, bundle.network.classifier.weight.device
        blank = torch.zeros(1, facts.architecture.channels, *facts.preparation.shape, device=device)
        layer_output(bundle.network, blank, layer)
