"""One exam's images in a folder to everything that is written of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from densight.anatomy.projection import projections_from_pictures
from densight.assessment.models import Models
from densight.assessment.tables import read_exams
from densight.intake.exam import find_inputs
from densight.intake.failures import NOT_ASSESSED, write_left_out
from densight.runs.dicom import DicomWriter
from densight.runs.maps import Explainer
from densight.runs.run import assess_run

__all__ = ["Answered", "answer_exam"]


@dataclass(frozen=True)
class Answered:
    """What came of an exam.

    Parameters
    ----------
    density : str or None
        Its class; None where no image could be assessed.
    faults : tuple of str
        What was wrong with its images.
    """

    density: str | None
    faults: tuple[str, ...]


def answer_exam(models: Models, images: Path, folder: Path, method: str) -> Answered:
    """Assess, and where a method is named explain, the exam in a folder, and write its DICOM objects, identified.

    What an earlier call has done is not done again.

    Parameters
    ----------
    models : Models
    images : Path
        The folder of the exam's DICOM files.
    folder : Path
        The run folder.
    method : str

    Raises
    ------
    DensightError
        If the folder holds no image or the run folder cannot be written.
    """
    inputs = find_inputs(images)
    entries = projections_from_pictures(inputs.entries)
    explainer = Explainer.of(folder, entries, images, models, [method], None) if method else None
    writer = DicomWriter.of(folder, models, entries, identified=True, explainer=explainer, method=method)
    facts = {"densight": version("densight"), "command": "pacs watch", "input": images.name, "dicom": writer.said}
    said = "; ".join(filter(None, (method, writer.said)))
    result = assess_run(
        models, entries, folder, facts, base=images, known=inputs.failures, on_exam=writer, explained=said
    )
    write_left_out(folder / NOT_ASSESSED, inputs.left_out)
    faults = tuple(failure.fault for failure in result.failures)
    if result.images is None:
        return Answered(None, faults)
    exams, _ = read_exams(folder)
    return Answered(str(exams["predicted"].iloc[0]), faults)
