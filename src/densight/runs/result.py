"""The result of a run: its tables, what failed, and where the report lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from densight.assessment.tables import read_breasts, read_exams
from densight.intake.failures import Failure, LeftOut
from densight.report.report import REPORT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunResult"]


@dataclass(frozen=True, eq=False, repr=False)
class RunResult:
    """The result of a run.

    Parameters
    ----------
    folder : Path
        The run folder.
    images : DataFrame or None
        The rows of ``assessments.csv``; None where no image could be assessed.
    failures : list of Failure
        The images that could not be assessed, explained or written, and why.
    resumed : int
        Images that an earlier, stopped run had done.
    left_out : tuple of LeftOut
        Files that show none of the views that are assessed.
    notes : tuple of str
        What was noticed about input and model before the first image.
    """

    folder: Path
    images: pd.DataFrame | None
    failures: list[Failure]
    resumed: int
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def exams(self) -> pd.DataFrame | None:
        """The rows of ``exams.csv``; None where no image could be assessed."""
        return None if self.images is None else read_exams(self.folder)[0]

    @cached_property
    def breasts(self) -> pd.DataFrame | None:
        """The rows of ``breasts.csv``; None where no image could be assessed."""
        return None if self.images is None else read_breasts(self.folder)[0]

    @property
    def report(self) -> Path | None:
        """The report; None where no image could be assessed."""
        return None if self.images is None else self.folder / REPORT

    def __repr__(self) -> str:
        images = 0 if self.images is None else len(self.images)
        return f"<RunResult {self.folder}: {images} images assessed, {len(self.failures)} failures>"
