"""Files that could not be used, in ``failures.csv``, and those that are none of the views that are assessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from densight.storage import write_list
from densight.vocabulary import DensightError

__all__ = ["FAILURES", "NOT_ASSESSED", "Failure", "LeftOut", "write_failures", "write_left_out"]

FAILURES = "failures.csv"
"""The list's file name, wherever a command writes one."""

NOT_ASSESSED = "not_assessed.csv"
"""The file name of the list of what is no view that is assessed."""


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


@dataclass(frozen=True)
class LeftOut:
    """One file with which nothing is wrong, but which is none of the views that are assessed.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        What it is instead.
    """

    path: Path
    reason: str


def write_failures(path: str | Path, failures: Sequence[Failure]) -> None:
    """Write ``failures.csv``: the columns path, fault, remedy; one row per file. Where there is none, no list stays.

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
    rows = [{"path": failure.path.as_posix(), "fault": failure.fault, "remedy": failure.remedy} for failure in failures]
    write_list(path, ("path", "fault", "remedy"), rows)


def write_left_out(path: str | Path, left_out: Sequence[LeftOut]) -> None:
    """Write ``not_assessed.csv``: the columns path, reason; one row per file. Where there is none, no list stays.

    Raises
    ------
    DensightError
        If the list cannot be written, or an earlier one not be deleted.

    Examples
    --------
    >>> write_left_out("build/not_assessed.csv", [LeftOut(Path("IM7"), "a tomosynthesis volume of 60 slices")])
    >>> print(Path("build/not_assessed.csv").read_text(), end="")
    path,reason
    IM7,a tomosynthesis volume of 60 slices
    """
    rows = [{"path": image.path.as_posix(), "reason": image.reason} for image in left_out]
    write_list(path, ("path", "reason"), rows)
