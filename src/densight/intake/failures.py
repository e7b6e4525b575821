"""Files that could not be used: which, why, and what to do; listed in ``failures.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from densight.storage import delete, write_csv
from densight.vocabulary import DensightError

__all__ = ["FAILURES", "Failure", "write_failures"]

FAILURES = "failures.csv"
"""The list's file name, wherever a command writes one."""


@dataclass(frozen=True)
class Failure:
    """One file that could not be used, why, and what to do.

    Parameters
    ----------
    path : Path
        The file.
    fault, remedy : str
        What is wrong with it and what to do next.
    """

    path: Path
    fault: str
    remedy: str

    @classmethod
    def of(cls, error: DensightError, path: Path) -> Failure:
        """Turn an error into a row of ``failures.csv``."""
        return cls(error.path or path, error.fault, error.remedy or "")


def write_failures(path: str | Path, failures: Sequence[Failure]) -> None:
    """Write ``failures.csv``: the columns path, fault, remedy; a row a file. Where there is none, no list stays.

    Raises
    ------
    DensightError
        If the list cannot be written, or an earlier one not be deleted.

    Examples
    --------
    >>> write_failures("build/failures.csv", [Failure(Path("a.png"), "the file is empty", "export it again")])
    >>> print(Path("build/failures.csv").read_text(), end="")
    path,fault,remedy
    a.png,the file is empty,export it again
    >>> write_failures("build/failures.csv", [])
    >>> Path("build/failures.csv").exists()
    False
    """
    if not failures:
        delete(path)
        return
    rows = ({"path": one.path.as_posix(), "fault": one.fault, "remedy": one.remedy} for one in failures)
    write_csv(path, ("path", "fault", "remedy"), rows)
