"""Columns that group exams: of the table that is measured, or of the catalogue that it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from densight.assessment.record import RUN
from densight.figures.material import Material
from densight.intake.catalogue import read_catalogue
from densight.storage import read_json
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_column"]

_KEYS = ["patient_id", "exam_id"]


def find_column(
    material: Material, exams: pd.DataFrame, column: str, catalogue: str | Path | None = None
) -> pd.Series[str]:
    """The value of a column for each exam.

    Parameters
    ----------
    material : Material
    exams : DataFrame
        Exams of it, with ``patient_id`` and ``exam_id``.
    column : str
        Of the table of exams, else of the table of images, else of the catalogue.
    catalogue : path-like, optional
        By default that which the run assessed.

    Returns
    -------
    Series of str
        In the order of the exams; empty where it is not known, and "several" where an exam's images differ.

    Raises
    ------
    DensightError
        If no table has the column, or it knows none of the exams.
    """
    if column in exams:
        return exams[column].astype(str)
    table, where = _table_with(material, column, catalogue)
    words = table.assign(**{column: table[column].fillna("").astype(str)})
    of_exam = words.groupby(_KEYS, sort=False)[column].agg(lambda values: _one(values.tolist()))
    found = exams[_KEYS].merge(of_exam.reset_index(), on=_KEYS, how="left")[column].fillna("")
    if not found.ne("").any():
        raise DensightError(f"its column {column} says nothing of the exams measured", where, "give their catalogue")
    return found.set_axis(exams.index)


def _table_with(material: Material, column: str, catalogue: str | Path | None) -> tuple[pd.DataFrame, Path | None]:
    if catalogue is None and material.images is not None and column in material.images:
        return material.images, material.path
    path = Path(catalogue) if catalogue else _assessed(material)
    if path is None:
        known = material.tables["exam"] if material.images is None else material.images
        raise DensightError(
            f"no column {column}; the columns are: {', '.join(map(str, known))}",
            material.path,
            "name one of them, or give the catalogue that has it",
        )
    table = read_catalogue(path).table
    if column not in table:
        raise DensightError(
            f"no column {column}; its columns are: {', '.join(map(str, table))}", path, "name one of its columns"
        )
    return table, path


def _assessed(material: Material) -> Path | None:
    """The catalogue that a run assessed, where it is one and still lies there."""
    if material.path is None or not (material.path / RUN).is_file():
        return None
    source = read_json(material.path / RUN).get("sources", {}).get("input")
    path = material.path / source if source else None
    return path.resolve() if path and path.is_file() and path.suffix.lower() in (".csv", ".parquet") else None


def _one(values: list[str]) -> str:
    different = {value for value in values if value}
    return different.pop() if len(different) == 1 else "several" if different else ""
