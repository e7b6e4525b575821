"""Explaining a run: maps and pictures of every exam, beside its assessments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densight.assessment.assess import Examined
from densight.assessment.calibration import Fusion
from densight.assessment.fusion import mean_of
from densight.assessment.models import Models
from densight.assessment.run import read_fusion
from densight.explanation.explain import explain
from densight.explanation.explanation import EXPECTED, Explanation
from densight.explanation.film import save_film
from densight.explanation.hanging import draw_hanging
from densight.explanation.methods.methods import choose_methods
from densight.explanation.naming import EXAM_PICTURES, MAPS, exam_picture_name, image_names
from densight.explanation.overlay import make_overlays
from densight.explanation.pictures import draw_classes, draw_methods, read_raw, save_raw, save_tutorial_pictures
from densight.explanation.trial.card import read_trials
from densight.intake.failures import Failure
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.intake.naming import Entry
from densight.storage import replacing
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Explainer", "hang_again"]

DOTS_PER_INCH = 150


@dataclass(frozen=True, eq=False)
class Explainer:
    """What `densight.assessment.run.assess_run` calls with each exam in order to explain it.

    Every image gets the tutorial's four pictures, its maps of all classes as a picture and as raw numbers, under
    ``maps/<PROJECTION>/``; those of methods beyond the first lie in a folder of the method's name there. Every exam
    gets one picture of its images as they are hung, under ``maps/exams/``, with the first method's maps.

    Parameters
    ----------
    folder : Path
        The run folder.
    names : dict of Path to str
        What the names of each image's pictures hold; see `densight.explanation.naming.image_names`.
    methods : tuple of str
        Of `densight.explanation.methods.methods.METHODS`, at least one.
    layer : str or None
        The layer that is mapped.
    warning : str
        What earlier trials of the run found against the first method, to be written on the exams' drawings.
    fusion : Fusion
        How the images' probabilities become the exam's.
    """

    folder: Path
    names: dict[Path, str]
    methods: tuple[str, ...]
    layer: str | None
    warning: str
    fusion: Fusion

    @classmethod
    def of(
        cls,
        folder: Path,
        entries: Sequence[Entry],
        base: Path,
        models: Models,
        methods: Sequence[str],
        layer: str | None,
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
        return cls(folder, image_names(entries, base), chosen, layer, warning, models.fusion)

    @property
    def said(self) -> str:
        """What is done, in a word."""
        return ",".join(self.methods) + (f"@{self.layer}" if self.layer else "")

    def __call__(self, examined: list[tuple[Entry, Examined]]) -> tuple[dict[Path, str], list[Failure]]:
        """Explain the images of an exam; give what each one's row has in the column ``maps``, and what failed."""
        maps: dict[Path, str] = {}
        failures: list[Failure] = []
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
            maps[entry.path] = self._save_image(self.names[entry.path], one, made)
            if made[0].method == self.methods[0]:
                views.setdefault(one.assessment.projection, []).append((one.mammogram, made[0]))
        if views:
            entry = examined[0][0]
            _save_exam(self.folder, entry.patient_id, entry.exam_id, views, self.fusion, self.warning)
        return maps, failures

    def _save_image(self, name: str, examined: Examined, made: Sequence[Explanation]) -> str:
        """Write the pictures of one image; give what their paths in the run folder begin with."""
        mammogram, projection = examined.mammogram, examined.assessment.projection
        overlays = [make_overlays(mammogram, one, (*one.classes, EXPECTED)) for one in made]
        for explanation, of_one in zip(made, overlays, strict=True):
            place = self.folder / MAPS / projection
            if explanation.method != self.methods[0]:
                place /= explanation.method
            save_tutorial_pictures(mammogram, examined.prepared.image, explanation, place, name)
            save_raw(explanation, place, name)
            drawn = draw_classes(mammogram, explanation, of_one)
            _save_figure(place / f"{explanation.predicted}_{name}_classes.png", drawn)
        start = f"{made[0].predicted}_{name}"
        save_film(mammogram, made, self.folder / MAPS / projection / start, overlays)
        if len(made) > 1:
            _save_figure(self.folder / MAPS / projection / f"{start}_methods.png", draw_methods(mammogram, made))
        return f"{MAPS}/{projection}/{start}"


def _check_layer(models: Models, layer: str) -> None:
    import torch

    from densight.explanation.methods.layers import look_at

    for bundle in models.bundles:
        facts, device = bundle.facts, bundle.network.classifier.weight.device
        blank = torch.zeros(1, facts.architecture.channels, *facts.preparation.shape, device=device)
        look_at(bundle.network, blank, layer)


def hang_again(run: Path, base: Path, table: pd.DataFrame, warning: str) -> None:
    """Draw the exams of a run as they are hung once more, with a warning on the maps.

    Parameters
    ----------
    run : Path
        The run folder; the maps are those in it.
    base : Path
        The folder to which the paths in the table are relative.
    table : DataFrame
        ``assessments.csv``.
    warning : str
    """
    fusion = read_fusion(run)
    for (patient, exam), rows in table[table["maps"] != ""].groupby(["patient_id", "exam_id"], sort=False):
        views: dict[Projection, list[tuple[Mammogram, Explanation]]] = {}
        for row in rows.to_dict("records"):
            projection = Projection.of(row["view"], row["laterality"])
            mammogram = read_mammogram(base / str(row["path"]), projection)
            views.setdefault(projection, []).append((mammogram, read_raw(run / f"{row['maps']}_raw.json")))
        _save_exam(run, str(patient), str(exam), views, fusion, warning)


def _save_exam(
    folder: Path,
    patient: str,
    exam: str,
    views: Mapping[Projection, list[tuple[Mammogram, Explanation]]],
    fusion: Fusion,
    warning: str,
) -> None:
    """Hang the first image of each projection; the probabilities are the exam's, of all images."""
    said = {
        projection: mean_of([explanation.probabilities for _, explanation in images])
        for projection, images in views.items()
    }
    first = [images[0] for images in views.values()]
    figure = draw_hanging(
        first,
        title=f"Exam {exam}",
        probabilities=fusion.of_views(said),
        label=EXPECTED if first[0][1].method == "expected-class" else None,
        warning=warning,
    )
    _save_figure(folder / EXAM_PICTURES / exam_picture_name(patient, exam), figure)


def _save_figure(path: Path, figure: Figure) -> None:
    """Write a drawing as PNG."""
    with replacing(path) as temporary:
        # The first level of compression: the others take many times as long for a tenth of the size.
        quickly = {"compress_level": 1}
        figure.savefig(temporary, dpi=DOTS_PER_INCH, facecolor=figure.get_facecolor(), pil_kwargs=quickly)
