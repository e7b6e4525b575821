"""Earlier exams as an output of a run: each exam beside the latest earlier one of the same patient."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densight.assessment.priors import compare_with_priors, write_priors
from densight.intake.dicom.identity import exam_day
from densight.intake.failures import Failure
from densight.runs.outputs import AssessedExam, RunContext
from densight.runs.result import RunResult

__all__ = ["PriorsOutput"]


@dataclass(frozen=True, eq=False)
class PriorsOutput:
    """The comparison of a run's exams with earlier ones of the same patients, ``priors.csv``.

    Parameters
    ----------
    context : RunContext
    """

    context: RunContext

    @property
    def key(self) -> str:
        """Nothing: it is made of the tables."""
        return ""

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        """Do nothing: exams are compared once all are assessed."""
        return []

    def finish(self, result: RunResult) -> None:
        """Write ``priors.csv``; where no exam has an earlier one, no table stays."""
        exams_of: dict[str, dict[str, Path]] = {}
        for entry in self.context.entries:
            exams_of.setdefault(entry.patient_id, {}).setdefault(entry.exam_id, entry.path)
        several = [exams for exams in exams_of.values() if len(exams) > 1]
        days = {exam: day for exams in several for exam, path in exams.items() if (day := exam_day(path))}
        rows = []
        if result.images is not None and result.exams is not None and days:
            rows = compare_with_priors(result.images, result.exams, self.context.models.classes, days)
        write_priors(self.context.folder, rows)
