"""Folders of phantom exams, each made once for all workers of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from densight.phantom.exams import write_exams
from densight.phantom.settings import Settings


class Shared:
    """Folders below one place that every worker of a run sees. Read them, and copy what a test is to change."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def folder(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder of a name; the first that asks makes it, and the others wait."""
        self.place.mkdir(exist_ok=True)
        folder, finished = self.place / name, self.place / f"{name}.finished"
        with FileLock(self.place / f"{name}.lock"):
            if not finished.exists():
                make(folder)
                finished.touch()
        return folder

    def phantoms(self, n: int, seed: int, settings: Settings, suffix: str = ".png") -> Path:
        """Phantom exams as ``write_exams`` makes them."""
        name = f"phantoms_{n}_{seed}_{hashlib.sha256(repr(settings).encode()).hexdigest()[:12]}_{suffix[1:]}"
        return self.folder(name, lambda folder: write_exams(n, seed, folder, settings, suffix=suffix, jobs=1))
