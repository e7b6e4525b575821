"""What densight asks of a PACS, whichever protocol it speaks, and its errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from densight.pacs.address import Address
from densight.vocabulary import DensightError

__all__ = ["Deliver", "Pacs", "Query", "check_held", "unreachable"]

Deliver = Callable[[str, bytes], None]
"""Takes each retrieved instance: its SOP instance UID and the whole file."""


@dataclass(frozen=True)
class Query:
    """Which studies are meant; empty values match all.

    Parameters
    ----------
    dates : str
        A day or a range, ``20240131`` or ``20240101-20240131``.
    modality : str
    patient_id : str
    study_uid : str
    """

    dates: str = ""
    modality: str = "MG"
    patient_id: str = ""
    study_uid: str = ""

    def __post_init__(self) -> None:
        if self.dates and not re.fullmatch(r"\d{8}(-\d{8})?|\d{8}-|-\d{8}", self.dates):
            raise DensightError(f"{self.dates!r} is no day or range of days", remedy="write it as 20240101-20240131")


class Pacs(Protocol):
    """A PACS; every method raises `DensightError` where it cannot be reached or refuses."""

    def find_studies(self, query: Query) -> list[str]:
        """The study instance UIDs that match, in the PACS' order."""
        ...

    def fetch(self, study_uid: str, modality: str, known: Callable[[str], bool], deliver: Deliver) -> int:
        """Retrieve the images of a study, but for those whose SOP instance UID is known; give how many came."""
        ...

    def store(self, paths: Sequence[Path]) -> None:
        """Store DICOM files; it has taken all of them when this returns."""
        ...

    def holds(self, path: Path) -> bool:
        """Whether the PACS has the instance that a file holds."""
        ...


def check_held(pacs: Pacs, paths: Sequence[Path]) -> None:
    """Ask a PACS for what it has taken.

    Raises
    ------
    DensightError
        If it does not find some of it.
    """
    missing = [path.name for path in paths if not pacs.holds(path)]
    if missing:
        raise DensightError(f"the PACS does not find what it has taken: {', '.join(missing)}", remedy="push it again")


def unreachable(address: Address, why: object) -> DensightError:
    """The error of a PACS that does not answer as it should."""
    cause = " ".join(str(why).split())[:200]
    return DensightError(
        f"the PACS {address} did not do it ({cause})", remedy="check that it runs, the address and what it lets in"
    )
