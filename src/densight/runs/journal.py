"""The journal of a run: a line an exam as soon as it is done, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from densight.assessment.assess import ImageResult
from densight.intake.files import stamp
from densight.intake.mammogram import Entry
from densight.storage import cannot_append

__all__ = ["JOURNAL", "Journal"]

JOURNAL = "journal.jsonl"
"""The file's name in a run folder."""


_SAID = ("file", "probabilities", "preparation", "model", "percent_density", "warnings", "maps", "explained")
"""What a line says of each image."""


class Journal:
    """What is done already: of each file its size and time when it was read, and what was said of it.

    Lines are appended, each whole exam at once; of several about a file the last counts. A run that was killed while
    it wrote leaves a broken last line, whose exam is done again.

    Parameters
    ----------
    folder : Path
        The run folder.
    base : Path
        The folder to which the images' paths are relative.
    explained : str
        An image counts as done only if it has been explained so; empty where it need not be.
    """

    def __init__(self, folder: Path, base: Path, explained: str = "") -> None:
        self.path = folder / JOURNAL
        self.base = base
        self.explained = explained
        self._said: dict[str, dict[str, Any]] = {}
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        for line in text.splitlines():
            self._said |= _read_line(line)
        self._broken = bool(text) and not text.endswith("\n")

    def key(self, entry: Entry) -> str:
        """The image's path as the run's tables give it."""
        return Path(os.path.relpath(entry.path, self.base)).as_posix()

    def has_assessed(self, entry: Entry) -> bool:
        """Whether the image is assessed and its file has not changed since."""
        said = self._said.get(self.key(entry))
        return said is not None and said["file"] == stamp(entry.path)

    def knows(self, entry: Entry) -> bool:
        """Whether the image is done: assessed, and explained as it should be."""
        return self.has_assessed(entry) and self.explained in ("", self.said(entry)["explained"])

    def said(self, entry: Entry) -> dict[str, Any]:
        """What was said of an image that is assessed: its probabilities and the words of its row."""
        return self._said[self.key(entry)]

    def note(self, examined: list[tuple[Entry, ImageResult]], maps: dict[Path, str], unexplained: set[Path]) -> None:
        """Add the images of an exam; those of ``unexplained`` were not explained as they should have been.

        Raises
        ------
        DensightError
            If the disk is full or the folder cannot be written.
        """
        said = {
            self.key(entry): {
                "file": stamp(entry.path),
                "probabilities": one.assessment.probabilities.tolist(),
                "preparation": "; ".join(one.assessment.preparation),
                "model": one.assessment.model,
                "percent_density": one.assessment.percent_density,
                "warnings": "; ".join(one.assessment.warnings),
                "maps": maps.get(entry.path, ""),
                "explained": "" if entry.path in unexplained else self.explained,
            }
            for entry, one in examined
        }
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._broken + json.dumps(said) + "\n")
        except OSError as error:
            raise cannot_append(self.path, error) from error
        self._broken = False
        self._said |= said


def _read_line(line: str) -> dict[str, dict[str, Any]]:
    """What a line says of the images of an exam; nothing where it is damaged, so that they are done again."""
    try:
        said = json.loads(line)
        return {str(key): {name: one[name] for name in _SAID} for key, one in said.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
