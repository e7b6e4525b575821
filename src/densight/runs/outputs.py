"""What an output of a run is: it is opened before the first exam, writes each exam, and finishes the run.

A new output is a file of its own with an `Output` and the `OutputOption` that opens it, a row in
`densight.runs.output_table`, and an option of the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from densight.assessment.assess import ImageResult
from densight.assessment.models import Models
from densight.explanation.explanation import Explanation
from densight.explanation.picture_names import MAPS
from densight.intake.failures import Failure
from densight.intake.mammogram import Entry
from densight.runs.drawing_pool import DrawingPool
from densight.runs.result import RunResult

__all__ = ["AssessedExam", "AssessedImage", "Output", "OutputOption", "RunContext"]


@dataclass(frozen=True, eq=False)
class AssessedImage:
    """An image of an exam after the model, with its explanations.

    Parameters
    ----------
    entry : Entry
    result : ImageResult
    name : str
        The part of its pictures' names that identifies it; see `densight.explanation.picture_names.image_names`.
    explanations : tuple of Explanation
        One per method, in the order of the run's methods; a method that failed is left out.
    """

    entry: Entry
    result: ImageResult
    name: str
    explanations: tuple[Explanation, ...] = ()

    @property
    def maps(self) -> str:
        """How the names of its pictures begin, relative to the run folder; empty where it has no explanation."""
        if not self.explanations:
            return ""
        return f"{MAPS}/{self.result.assessment.projection}/{self.explanations[0].predicted}_{self.name}"

    def explanation(self, method: str) -> Explanation | None:
        """The explanation by a method; None where that method failed."""
        return next((one for one in self.explanations if one.method == method), None)


@dataclass(frozen=True, eq=False)
class AssessedExam:
    """The assessed images of an exam, at least one.

    Parameters
    ----------
    images : tuple of AssessedImage
    """

    images: tuple[AssessedImage, ...]

    @property
    def patient_id(self) -> str:
        """The patient's id as the input has it."""
        return self.images[0].entry.patient_id

    @property
    def exam_id(self) -> str:
        """The exam's id as the input has it."""
        return self.images[0].entry.exam_id


@dataclass(frozen=True, eq=False)
class RunContext:
    """What is known of a run before its first exam.

    Parameters
    ----------
    folder : Path
        The run folder.
    base : Path
        The folder to which the images' paths in the run's tables are relative.
    models : Models
    entries : tuple of Entry
        All images of the run.
    methods : tuple of str
        The methods of explanation; empty where exams are not explained.
    layer : str or None
        The layer that is mapped; None for the last.
    draw : callable
        Draws pictures; see `densight.runs.drawing_pool.drawing_pool`.
    """

    folder: Path
    base: Path
    models: Models
    entries: tuple[Entry, ...]
    methods: tuple[str, ...]
    layer: str | None
    draw: DrawingPool


class Output(Protocol):
    """Something that a run writes.

    An exam that was written without an output, or with another form of it, is assessed again when the run is resumed
    with that output: ``key`` enters the journal.
    """

    @property
    def key(self) -> str:
        """What is written of each exam, in a word; empty for what is made of the tables once the run is done."""
        ...

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        """Write an exam; what could not be written is returned, not raised."""
        ...

    def finish(self, result: RunResult) -> None:
        """Write what needs the whole run."""
        ...


class OutputOption(Protocol):
    """A request for an output."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The options of the command line that request it."""
        ...

    def open(self, context: RunContext) -> Output:
        """Check the request before anything is done.

        Raises
        ------
        DensightError
            If it cannot be fulfilled.
        """
        ...
