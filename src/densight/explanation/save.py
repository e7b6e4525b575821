"""Writing the explanations of an image or an exam: raw maps, pictures, layers for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.calibration import Fusion
from densight.assessment.fusion import mean_of
from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.explanation.hanging_protocol import draw_hanging
from densight.explanation.overlay import make_overlays
from densight.explanation.page_layers import save_film
from densight.explanation.panels import draw_classes, draw_methods, save_raw, save_tutorial_pictures
from densight.explanation.picture_names import EXAM_PICTURES, MAPS, exam_picture_name
from densight.intake.mammogram import Mammogram
from densight.storage import replacing
from densight.vocabulary import Projection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_exam", "save_image"]

DOTS_PER_INCH = 150


def save_image(
    folder: Path,
    name: str,
    mammogram: Mammogram,
    framed_image: npt.NDArray[np.float32],
    explanations: Sequence[Explanation],
    first: str,
) -> None:
    """Write the pictures and the raw maps of one image.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        Part of the pictures' file names; see `densight.explanation.picture_names.image_names`.
    mammogram : Mammogram
        Of known projection.
    framed_image : ndarray of float32, shape (rows, columns)
        The image as the network sees it.
    explanations : sequence of Explanation
        One per method, at least one.
    first : str
        The method whose pictures lie directly in the projection's folder. Other methods have a folder each.
    """
    assert mammogram.projection is not None
    place = folder / MAPS / mammogram.projection
    overlays = [
        make_overlays(mammogram, explanation, (*explanation.classes, EXPECTED_CLASS)) for explanation in explanations
    ]
    for explanation, of_explanation in zip(explanations, overlays, strict=True):
        of_method = place if explanation.method == first else place / explanation.method
        save_tutorial_pictures(mammogram, framed_image, explanation, of_method, name)
        save_raw(explanation, of_method, name)
        figure = draw_classes(mammogram, explanation, of_explanation)
        _save_figure(of_method / f"{explanation.predicted}_{name}_classes.png", figure)
    start = f"{explanations[0].predicted}_{name}"
    save_film(mammogram, explanations, place / start, overlays)
    if len(explanations) > 1:
        _save_figure(place / f"{start}_methods.png", draw_methods(mammogram, explanations))


def save_exam(
    folder: Path,
    patient: str,
    exam: str,
    views: Mapping[Projection, list[tuple[Mammogram, Explanation]]],
    fusion: Fusion,
    warning: str,
) -> None:
    """Hang the first image of each projection. The probabilities are the exam's, from all images."""
    probabilities = {
        projection: mean_of([explanation.probabilities for _, explanation in images])
        for projection, images in views.items()
    }
    first = [images[0] for images in views.values()]
    figure = draw_hanging(
        first,
        title=f"Exam {exam}",
        probabilities=fusion.of_views(probabilities),
        label=EXPECTED_CLASS if first[0][1].method == "expected-class" else None,
        warning=warning,
    )
    _save_figure(folder / EXAM_PICTURES / exam_picture_name(patient, exam), figure)


def _save_figure(path: Path, figure: Figure) -> None:
    """Write a drawing as PNG."""
    with replacing(path) as temporary:
        # The lowest level of compression: the others take many times as long and save a tenth of the size.
        quickly = {"compress_level": 1}
        figure.savefig(temporary, dpi=DOTS_PER_INCH, facecolor=figure.get_facecolor(), pil_kwargs=quickly)
