"""What a folder's layout says of its images, before any is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.catalogue import COLUMNS
from densight.intake.failures import Failure, LeftOut
from densight.intake.mammogram import Entry

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Listing", "table_of"]


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder's layout says of its images, before any is read.

    Parameters
    ----------
    table : pandas.DataFrame
        The catalogue's columns and further ones; paths relative to the folder.
    classes : tuple of str
        The labels, from the least to the most dense.
    failures : tuple of Failure
        Images that have no place in the layout.
    left_out : tuple of LeftOut
        What is no view that is assessed.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    failures: tuple[Failure, ...]
    left_out: tuple[LeftOut, ...] = ()


def table_of(entries: list[Entry], root: Path) -> pd.DataFrame:
    """The table of a `Listing` of images of known projections."""
    import pandas as pd

    rows = []
    for entry in entries:
        assert entry.projection is not None
        row = {column: value for column, value in asdict(entry).items() if column in COLUMNS}
        row |= {
            "path": entry.path.relative_to(root).as_posix(),
            "laterality": entry.projection.laterality.value,
            "view": entry.projection.view.value,
            "density": entry.density or "",
        }
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    if any(entry.assumed for entry in entries):
        table["assumed"] = ["; ".join(entry.assumed) for entry in entries]
    return table
