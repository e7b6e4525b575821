"""Published data sets that come with a table of their images: their rows to catalogues."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.intake.catalogue import COLUMNS
from densight.intake.failures import Failure, LeftOut
from densight.intake.listing import Listing
from densight.vocabulary import DensightError, Laterality, View

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "REASON",
    "DataSet",
    "columns_of",
    "find_table",
    "list_data_set",
    "read_table",
    "table_beside",
    "with_columns",
]

BESIDE = ("", "tables", "csv")
"""Folders in a data set's in which its tables are looked for."""

REASON = "reason"
"""The column that says why a row's image is left out; empty where it is used."""


@dataclass(frozen=True)
class DataSet:
    """A published data set.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    marks : mapping of str to tuple of str
        Files by one of which it is known, and columns that such a file has if it is a table.
    read : callable
        From its folder to a table with the columns of a catalogue, `REASON`, perhaps ``assumed``, and further ones to
        be kept. Of an exam's images of one projection the first is used.
    classes : tuple of str
        Its labels, from the least to the most dense.
    source : str
        Where it, its files and its labels are described.
    access : str
        Where to ask for it, and on which terms.
    """

    name: str
    marks: Mapping[str, tuple[str, ...]]
    read: Callable[[Path], pd.DataFrame]
    classes: tuple[str, ...]
    source: str
    access: str


def list_data_set(root: Path, dataset: DataSet, labels: tuple[str, ...] | None) -> Listing:
    """Images as the data set's own tables list them; rows that do not fit are failures.

    Parameters
    ----------
    root : Path
        The data set's folder.
    dataset : DataSet
    labels : tuple of str, optional
        Other labels than the data set's own.

    Raises
    ------
    DensightError
        If its table is not there or lacks a column.
    """
    table = dataset.read(root)
    left_out = [LeftOut(root / row["path"], row[REASON]) for row in table.to_dict("records") if row[REASON]]
    table = table[table[REASON] == ""].drop(columns=REASON)
    classes = labels or dataset.classes
    known: dict[str, list[str]] = {"density": ["", *classes], "laterality": list(Laterality), "view": list(View)}
    good, failures = [], []
    for row in table.to_dict("records"):
        wrong = [column for column, values in known.items() if row[column] not in values]
        good.append(not wrong)
        failures += [
            Failure(root / row["path"], f"unknown {column} {row[column]!r}", "correct it in the data set's table")
            for column in wrong[:1]
        ]
    table = table[good]
    place = table["exam_id"] + "|" + table["laterality"] + "|" + table["view"]
    first = dict(zip(place[::-1], table["path"][::-1], strict=True))
    repeats = place.duplicated()
    left_out += [
        LeftOut(root / path, f"another image of its exam and projection is used: {first[where]}")
        for path, where in zip(table["path"][repeats], place[repeats], strict=True)
    ]
    return Listing(table[~repeats].reset_index(drop=True), classes, tuple(failures), tuple(left_out))


def table_beside(root: Path, name: str) -> Path | None:
    """A table in a data set's folder, or in one of `BESIDE`; None where it is not there."""
    return next((path for folder in BESIDE if (path := root / folder / name).is_file()), None)


def find_table(root: Path, name: str) -> Path | None:
    """As `table_beside`, or in any folder of the data set's, as where an archive was unpacked into one."""
    return table_beside(root, name) or next(iter(sorted(root.glob(f"*/{name}"))), None)


def columns_of(path: Path) -> set[str]:
    """The columns of a table; none where it is not one."""
    try:
        return set(_head(path)[1])
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _head(path: Path) -> tuple[str, list[str]]:
    """What separates a table's columns, and their names."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        line = file.readline(1 << 16)
    separator = max(",;\t", key=line.count)
    return separator, [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]


def read_table(root: Path, name: str, wanted: Sequence[str]) -> pd.DataFrame:
    """A data set's table, all of it text, whatever separates its columns.

    Raises
    ------
    DensightError
        If it is not there, no table, or lacks a column.
    """
    import pandas as pd

    path = find_table(root, name)
    if path is None:
        raise DensightError("the data set has its table here, but there is none", root / name, "check the folder")
    try:
        table = pd.read_csv(path, sep=_head(path)[0], dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DensightError(f"the table cannot be read ({error})", path, "get the data set again") from error
    table.columns = [str(column).strip() for column in table.columns]
    absent = [column for column in wanted if column not in table]
    if absent:
        fault = f"the table has not the columns {', '.join(absent)}"
        raise DensightError(fault, path, "check the name of the data set and its release")
    stripped: pd.DataFrame = table.apply(lambda column: column.str.strip())
    return stripped


def with_columns(table: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """A data set's table with a catalogue's columns and `REASON` before its own, which are kept under their names.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : mapping
        Of the catalogue's columns, `REASON` and ``assumed``, each a series or one value for all; those that are not
        given are empty.
    """
    import pandas as pd

    made = pd.DataFrame({name: columns.get(name, "") for name in (*COLUMNS, REASON)}, index=table.index, dtype=str)
    if "assumed" in columns:
        made["assumed"] = columns["assumed"]
    others = [name for name in table if name not in made]
    return pd.concat([made, table[others]], axis=1)
