"""The journal of a run: a line per exam as soon as it is done, so that a stopped run is resumed where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from densight.intake.files import stamp
from densight.intake.mammogram import Entry
from densight.runs.outputs import AssessedExam
from densight.storage import cannot_append

__all__ = ["JOURNAL", "Journal"]

JOURNAL = "journal.jsonl"
"""The file's name in a run folder."""


_FIELDS = ("file", "probabilities", "preparation", "model", "percent_density", "warnings", "maps", "explained")
"""What a line holds of each image; ``explained`` holds the keys of the outputs."""


class Journal:
    """What is done already: of each file its size and time when it was read, and its assessment.

    Lines are appended, each whole exam at once; of several about a file the last counts. A run that was killed while
    it wrote leaves a broken last line, whose exam is done again.

    Parameters
    ----------
    folder : Path
        The run folder.
    base : Path
        The folder to which the images' paths are relative.
    outputs : str
        The keys of the outputs; an image counts as done only if its line has the same, or where they are empty.
    """

    def __init__(self, folder: Path, base: Path, outputs: str = "") -> None:
        self.path = folder / JOURNAL
        self.base = base
        self.outputs = outputs
        self._noted: dict[str, dict[str, Any]] = {}
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        for line in text.splitlines():
            self._noted |= _read_line(line)
        self._broken = bool(text) and not text.endswith("\n")

    def key(self, entry: Entry) -> str:
        """The image's path as the run's tables give it."""
        return Path(os.path.relpath(entry.path, self.base)).as_posix()

    def is_assessed(self, entry: Entry) -> bool:
        """Whether the image is assessed and its file has not changed since."""
        noted = self._noted.get(self.key(entry))
        return noted is not None and noted["file"] == stamp(entry.path)

    def is_done(self, entry: Entry) -> bool:
        """Whether the image is done: assessed, and written by the same outputs."""
        return self.is_assessed(entry) and self.outputs in ("", self.noted(entry)["explained"])

    def noted(self, entry: Entry) -> dict[str, Any]:
        """The journal's line of an image that is assessed: its probabilities and the words of its row."""
        return self._noted[self.key(entry)]

    def add(self, exam: AssessedExam, incomplete: set[Path]) -> None:
        """Add the images of an exam; those of ``incomplete`` were not explained or written as they should have been.

        Raises
        ------
        DensightError
            If the disk is full or the folder cannot be written.
        """
        lines = {}
        for image in exam.images:
            path, assessment = image.entry.path, image.result.assessment
            lines[self.key(image.entry)] = {
                "file": stamp(path),
                "probabilities": assessment.probabilities.tolist(),
                "preparation": "; ".join(assessment.preparation),
                "model": assessment.model,
                "percent_density": assessment.percent_density,
                "warnings": "; ".join(assessment.warnings),
                "maps": image.maps,
                "explained": "" if path in incomplete else self.outputs,
            }
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._broken + json.dumps(lines) + "\n")
        except OSError as error:
            raise cannot_append(self.path, error) from error
        self._broken = False
        self._noted |= lines


def _read_line(line: str) -> dict[str, dict[str, Any]]:
    """The images of a line; none where it is damaged, so that they are assessed again."""
    try:
        images = json.loads(line)
        return {str(key): {name: noted[name] for name in _FIELDS} for key, noted in images.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
