"""Published data sets that come with a table of their images."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from densight.intake.catalogue import COLUMNS
from densight.intake.failures import Failure
from densight.intake.listing import Listing
from densight.vocabulary import DensightError, Laterality, View

__all__ = ["DATA_SETS", "DataSet", "columns_of", "list_manifest"]


@dataclass(frozen=True)
class DataSet:
    """A published data set that comes with a table of its images.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    manifest : str
        The table's file name; CSV, its paths relative to its folder.
    columns : mapping of str to str
        Which of its columns each column of the catalogue is taken from. Its other columns are kept.
    classes : tuple of str
        Its labels, from the least to the most dense.
    source : str
        Where it is described.
    """

    name: str
    manifest: str
    columns: Mapping[str, str]
    classes: tuple[str, ...]
    source: str


DATA_SETS = {
    "mias": DataSet(
        name="mias",
        manifest="manifest.csv",
        columns={
            "path": "path",
            "patient_id": "patient_id",
            "exam_id": "patient_id",
            "laterality": "laterality",
            "view": "view",
            "density": "tissue",
        },
        classes=("F", "G", "D"),
        source="Suckling et al., The Mammographic Image Analysis Society digital mammogram database, 1994",
    ),
}
"""The data sets known by name. In mini-MIAS, F is fatty, G fatty-glandular and D dense-glandular: not BI-RADS."""


def list_manifest(root: Path, dataset: DataSet, labels: tuple[str, ...] | None) -> Listing:
    """Images as the data set's own table lists them; rows that do not fit are failures."""
    import pandas as pd

    path = root / dataset.manifest
    if not path.is_file():
        raise DensightError(
            f"the data set {dataset.name} has its table here, but there is none", path, "check the folder"
        )
    wanted = set(dataset.columns.values())
    if not wanted <= columns_of(path):
        raise DensightError(
            f"the table has not the columns {', '.join(sorted(wanted))}", path, "check the data set's name"
        )
    source = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = pd.DataFrame({column: source[name] for column, name in dataset.columns.items()})
    table["split"] = ""
    others = [name for name in source if name not in wanted]
    table = pd.concat([table[list(COLUMNS)], source[others]], axis=1)
    classes = labels or dataset.classes
    known: dict[str, list[str]] = {"density": ["", *classes], "laterality": list(Laterality), "view": list(View)}
    good, failures = [], []
    for row in table.to_dict("records"):
        wrong = [column for column, values in known.items() if row[column] not in values]
        good.append(not wrong)
        failures += [
            Failure(root / row["path"], f"unknown {column} {row[column]!r}", f"correct it in {dataset.manifest}")
            for column in wrong[:1]
        ]
    return Listing(table[good].reset_index(drop=True), classes, tuple(failures))


def columns_of(path: Path) -> set[str]:
    """The columns of a CSV file; none where it is not one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()
