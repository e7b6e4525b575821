"""Writing what explains an image or an exam: maps, pictures, films; by processes beside the one that assesses.

Drawing an image takes several times as long as assessing it, and Python's threads cannot share that.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.assessment.calibration import Fusion
from densight.assessment.fusion import mean_of
from densight.explanation.explanation import EXPECTED, Explanation
from densight.explanation.hanging_protocol import draw_hanging
from densight.explanation.overlay import make_overlays
from densight.explanation.page_layers import save_film
from densight.explanation.panels import draw_classes, draw_methods, save_raw, save_tutorial_pictures
from densight.explanation.picture_names import EXAM_PICTURES, MAPS, exam_picture_name
from densight.intake.mammogram import Mammogram
from densight.storage import replacing
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DrawingPool", "Task", "in_turn", "painters_for", "save_exam", "save_image"]

DOTS_PER_INCH = 150

FEW = 8
"""Images for which no processes are begun, for that takes as long as drawing one of them."""

MOST = 5
"""Processes at the same time: the pictures of an exam's four images, and of the exam."""

Task = tuple[Callable[..., None], tuple[Any, ...]]
"""A function of a module and what it is called with."""

DrawingPool = Callable[[Sequence[Task]], None]
"""Does tasks, all of them before it returns."""


def in_turn(tasks: Sequence[Task]) -> None:
    """Do tasks one after the other, in this process."""
    for task, given in tasks:
        task(*given)


@contextmanager
def painters_for(images: int) -> Iterator[DrawingPool]:
    """What does the drawing of so many images: other processes if it is many, else this one.

    Raises
    ------
    DensightError
        When tasks are done: as they raise it, and if a process was ended from outside.
    """
    import torch

    count = min(torch.get_num_threads(), MOST)
    if images <= FEW or count < 2:
        yield in_turn
        return
    # Not by fork: PyTorch's threads do not survive it.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin)

    def shared(tasks: Sequence[Task]) -> None:
        try:
            for future in [pool.submit(task, *given) for task, given in tasks]:
                future.result()
        except BrokenProcessPool as error:
            raise DensightError(
                "a process that draws was ended", remedy="free some memory; the same command then goes on"
            ) from error

    try:
        yield shared
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that assesses, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def save_image(
    folder: Path,
    name: str,
    mammogram: Mammogram,
    framed_image: npt.NDArray[np.float32],
    made: Sequence[Explanation],
    first: str,
) -> None:
    """Write the pictures and the raw maps of one image.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        What the pictures' names hold.
    mammogram : Mammogram
        Of known projection.
    framed_image : ndarray of float32, shape (rows, columns)
        What the network saw.
    made : sequence of Explanation
        One a method, at least one.
    first : str
        The method whose pictures lie beside each other; those of others have a folder each.
    """
    assert mammogram.projection is not None
    place = folder / MAPS / mammogram.projection
    overlays = [make_overlays(mammogram, one, (*one.classes, EXPECTED)) for one in made]
    for explanation, of_one in zip(made, overlays, strict=True):
        of_method = place if explanation.method == first else place / explanation.method
        save_tutorial_pictures(mammogram, framed_image, explanation, of_method, name)
        save_raw(explanation, of_method, name)
        drawn = draw_classes(mammogram, explanation, of_one)
        _save_figure(of_method / f"{explanation.predicted}_{name}_classes.png", drawn)
    start = f"{made[0].predicted}_{name}"
    save_film(mammogram, made, place / start, overlays)
    if len(made) > 1:
        _save_figure(place / f"{start}_methods.png", draw_methods(mammogram, made))


def save_exam(
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
