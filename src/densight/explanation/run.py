"""Explaining a run: maps and pictures of every exam, beside its assessments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from densight.assessment.assess import Examined
from densight.assessment.fusion import mean_of
from densight.assessment.run import OnExam
from densight.explanation.explain import explain
from densight.explanation.explanation import Explanation
from densight.explanation.hanging import draw_hanging
from densight.explanation.naming import EXAM_PICTURES, MAPS, exam_picture_name, image_names
from densight.explanation.pictures import draw_classes, save_raw, save_tutorial_pictures
from densight.intake.mammogram import Mammogram
from densight.intake.naming import Entry
from densight.storage import replacing
from densight.vocabulary import Projection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["explaining"]

DOTS_PER_INCH = 150


def explaining(folder: Path, entries: Sequence[Entry], base: Path, method: str) -> OnExam:
    """What `densight.assessment.run.assess_run` calls with each exam in order to explain it.

    Every image gets the tutorial's four pictures, its maps of all classes as a picture and as raw numbers, under
    ``maps/<PROJECTION>/``; every exam one picture of its images as they are hung, under ``maps/exams/``.

    Parameters
    ----------
    folder : Path
        The run folder.
    entries : sequence of Entry
        All images of the run.
    base : Path
        The folder to which the images' paths in the run's tables are relative.
    method : str
        One of `densight.explanation.explain.METHODS`.
    """
    names = image_names(entries, base)

    def on_exam(examined: list[tuple[Entry, Examined]]) -> dict[Path, str]:
        maps: dict[Path, str] = {}
        views: dict[Projection, list[tuple[Mammogram, Explanation]]] = {}
        for entry, one in examined:
            explanation = explain(one, method)
            maps[entry.path] = _save_image(folder, names[entry.path], one, explanation)
            views.setdefault(one.assessment.projection, []).append((one.mammogram, explanation))
        _save_exam(folder, examined[0][0], list(views.values()))
        return maps

    return on_exam


def _save_image(folder: Path, name: str, examined: Examined, explanation: Explanation) -> str:
    """Write the pictures of one image; give what their paths in the run folder begin with."""
    mammogram, projection = examined.mammogram, examined.assessment.projection
    place = folder / MAPS / projection
    save_tutorial_pictures(mammogram, examined.prepared.image, explanation, place, name)
    save_raw(explanation, place, name)
    start = f"{explanation.predicted}_{name}"
    _save_figure(place / f"{start}_classes.png", draw_classes(mammogram, explanation))
    return f"{MAPS}/{projection}/{start}"


def _save_exam(folder: Path, entry: Entry, views: list[list[tuple[Mammogram, Explanation]]]) -> None:
    """Hang the first image of each projection; the probabilities are the exam's, of all images."""
    fused = mean_of([mean_of([explanation.probabilities for _, explanation in images]) for images in views])
    path = folder / EXAM_PICTURES / exam_picture_name(entry.patient_id, entry.exam_id)
    title = f"Exam {entry.exam_id}"
    _save_figure(path, draw_hanging([images[0] for images in views], title=title, probabilities=fused))


def _save_figure(path: Path, figure: Figure) -> None:
    with replacing(path) as temporary:
        # The first level of compression: the others take many times as long for a tenth of the size.
        quickly = {"compress_level": 1}
        figure.savefig(temporary, dpi=DOTS_PER_INCH, facecolor=figure.get_facecolor(), pil_kwargs=quickly)
