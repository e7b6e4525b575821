"""The data of an evaluation: assessed cases by level, from a run, a table or the tutorial's prediction files.

A projection is evaluated on its images, a side on its breasts, the exam on all its projections fused.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.assessment.calibration import Fusion
from densight.assessment.fusion import (
    MEAN,
    class_indices,
    fuse_breasts,
    fuse_exams,
    patients_of,
    predicted_class,
    probability_columns,
)
from densight.assessment.predictions import read_classified, read_labels, read_predictions
from densight.assessment.record import has_record, read_fusion, read_record
from densight.assessment.tables import ASSESSMENTS, read_assessments
from densight.figures.bootstrap import bootstrap_units
from densight.figures.confusion import check_indices
from densight.intake.catalogue import read_catalogue
from densight.vocabulary import (
    BIRADS,
    PROJECTIONS,
    DensightError,
    Laterality,
    Projection,
    check_classes,
    find_projection,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KEYS",
    "Cases",
    "EvaluationData",
    "cases_of",
    "data_of_images",
    "find_column",
    "fingerprint",
    "read_evaluation_data",
    "read_prediction_files",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

KEYS = ["patient_id", "exam_id"]
"""The columns that identify an exam."""

_SIDES = {"right": Laterality.R, "left": Laterality.L}


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """Assessed cases by level.

    Parameters
    ----------
    classes : tuple of str
        The labels in order.
    tables : mapping of str to DataFrame
        Keys among ``CC_R, CC_L, MLO_R, MLO_L, right, left, exam``, in this order. Columns ``patient_id``, ``exam_id``,
        ``density`` (empty where unknown), ``predicted``, and ``p_<class>`` if probabilities are known. Tables of
        breasts and exams also have ``missing`` and ``assumed``.
    images : DataFrame or None
        One row per image, if single images are known.
    source : mapping
        Where the tables come from: ``kind`` (``run``, ``images``, ``exams`` or ``predictions``), the names of the
        files, and for a run the checksum of its assessments.
    """

    classes: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    images: pd.DataFrame | None
    source: Mapping[str, Any]
    path: Path | None = None
    """The run folder or the table, for messages."""
    fusion: Fusion = MEAN
    """How images were fused into breasts and exams."""

    @property
    def name(self) -> str:
        """Its name in comparisons."""
        return self.path.resolve().name if self.path else "predictions"

    def labelled(self, level: str) -> pd.DataFrame:
        """The cases of a level that have a reference density."""
        table = self.tables[level]
        return table[table["density"] != ""]


@dataclass(frozen=True, eq=False)
class Cases:
    """Classified cases with their reference classes.

    Parameters
    ----------
    y_true, y_pred : ndarray of int64, shape (n,)
        Class indices.
    n_classes : int
        The number of classes, k.
    groups : ndarray of int64, shape (n,)
        The bootstrap unit of each case; see `densight.figures.bootstrap.bootstrap_units`.
    patients : int
        The number of patients.
    y_prob : ndarray of float64, shape (n, k), or None
        The probabilities.
    """

    y_true: Integers
    y_pred: Integers
    n_classes: int
    groups: Integers
    patients: int
    y_prob: Floats | None

    @classmethod
    def of(
        cls,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        patients: Sequence[str],
        n_classes: int,
        probabilities: npt.ArrayLike | None = None,
    ) -> Cases:
        """Checked cases; parameters as for `densight.figures.merit.measure`."""
        true, predicted = check_indices(y_true, y_pred, n_classes)
        if len(patients) != len(true):
            raise DensightError(
                f"there are {len(true)} rows but {len(patients)} patients; there must be one patient per row"
            )
        groups, n_patients = bootstrap_units(patients)
        y_prob = None if probabilities is None else np.asarray(probabilities, dtype=np.float64)
        return cls(true, predicted, n_classes, groups, n_patients, y_prob)

    @property
    def one_case_per_patient(self) -> bool:
        """Whether each patient has one case, so that shares are proportions of independent cases."""
        return self.patients == len(self.y_true)


def read_evaluation_data(path: str | Path, classes: Sequence[str] | None = None) -> EvaluationData:
    """Read a run folder, its ``assessments.csv``, or a table of exams.

    Parameters
    ----------
    path : path-like
        A run folder; a CSV with one row per image, as ``assessments.csv``; or a CSV with one row per exam: ``density``,
        ``p_<class>`` for every class or ``predicted`` or both, ``exam_id`` and ``patient_id`` if known.
    classes : sequence of str, optional
        The class order that the table must have.

    Returns
    -------
    EvaluationData

    Raises
    ------
    DensightError
        If the table is missing or faulty; the message names the row.
    """
    path = Path(path)
    table = path if path.is_file() or path.suffix.lower() == ".csv" else path / ASSESSMENTS
    if table.name == ASSESSMENTS or {"view", "laterality"} <= set(_header(table)):
        images, labels = read_assessments(table, classes)
        source = {"kind": "run", "files": [table.name], "assessments": fingerprint(images, labels)}
        return data_of_images(images, labels, source, path)
    exams, labels = read_classified(table, classes)
    return EvaluationData(labels, {"exam": exams}, None, {"kind": "exams", "files": [table.name]}, path)


def read_prediction_files(
    predictions: Sequence[str | Path], labels: str | Path, classes: Sequence[str] = BIRADS
) -> EvaluationData:
    """Read the tutorial's prediction files with the labels of their exams.

    Parameters
    ----------
    predictions : sequence of path-like
        One file per projection, which is read from the file's name (``predictions_ccr.txt``). One row per exam, one
        column per class.
    labels : path-like
        A CSV with the column ``density``, one row per exam in the files' order. ``patient_id``, ``exam_id`` and further
        columns are used if present; else every row is an exam of a patient of its own.
    classes : sequence of str
        The labels in the columns' order.

    Returns
    -------
    EvaluationData

    Raises
    ------
    DensightError
        If a file is missing or faulty, names no projection or the projection of another file, has another number of
        rows than the labels, or a label is unknown.
    """
    import pandas as pd

    classes = check_classes(classes)
    files = _by_projection([Path(path) for path in predictions])
    exams = read_labels(Path(labels), classes)
    tables = []
    for projection, path in files.items():
        probabilities = read_predictions(path, classes)
        if len(probabilities) != len(exams):
            raise DensightError(
                f"it has {len(probabilities)} rows but {labels} has {len(exams)}",
                path,
                "give labels and predictions of the same exams, in the same order",
            )
        table = exams.assign(view=projection.view.value, laterality=projection.laterality.value)
        table[probability_columns(classes)] = probabilities
        table["predicted"] = predicted_class(probabilities, classes)
        tables.append(table)
    source = {"kind": "predictions", "files": [path.name for path in files.values()], "labels": Path(labels).name}
    return data_of_images(pd.concat(tables, ignore_index=True), classes, source)


def data_of_images(
    images: pd.DataFrame, classes: Sequence[str], source: Mapping[str, Any], path: Path | None = None
) -> EvaluationData:
    """Make the tables of all levels from a table of images.

    Parameters
    ----------
    images : DataFrame
        As `densight.assessment.tables.read_assessments` returns it.
    classes : sequence of str
        The labels in order.
    source : mapping
        As in `EvaluationData`.
    path : Path, optional
    """
    fusion = MEAN if path is None else read_fusion(path)
    breasts, exams = fuse_breasts(images, classes, fusion), fuse_exams(images, classes, fusion)
    tables: dict[str, pd.DataFrame] = {
        projection.value: images[(images["view"] == projection.view) & (images["laterality"] == projection.laterality)]
        for projection in PROJECTIONS
    }
    tables |= {level: breasts[breasts["laterality"] == side] for level, side in _SIDES.items()}
    tables["exam"] = exams
    return EvaluationData(tuple(classes), tables, images, source, path, fusion)


def cases_of(table: pd.DataFrame, classes: Sequence[str]) -> Cases:
    """The cases of a table whose rows all have a reference density.

    Parameters
    ----------
    table : DataFrame
        As a table of `EvaluationData`.
    classes : sequence of str
        The labels in order.
    """
    columns = probability_columns(classes)
    return Cases.of(
        class_indices(table["density"].tolist(), classes),
        class_indices(table["predicted"].tolist(), classes),
        patients_of(table),
        len(classes),
        table[columns].to_numpy(dtype=float) if columns[0] in table else None,
    )


def fingerprint(images: pd.DataFrame, classes: Sequence[str]) -> str:
    """The checksum of all data that the metrics of a run depend on."""
    columns = ["patient_id", "exam_id", "laterality", "view", "density", "predicted"]
    content = images[[*columns, *probability_columns(classes)]].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(content.encode()).hexdigest()


def find_column(
    data: EvaluationData, exams: pd.DataFrame, column: str, catalogue: str | Path | None = None
) -> pd.Series[str]:
    """The value of a column for each exam.

    Parameters
    ----------
    data : EvaluationData
    exams : DataFrame
        Exams of the data, with ``patient_id`` and ``exam_id``.
    column : str
        A column of the table of exams, else of the table of images, else of the catalogue.
    catalogue : path-like, optional
        By default the catalogue that the run assessed.

    Returns
    -------
    Series of str
        In the order of the exams; empty where unknown, and "several" where an exam's images differ.

    Raises
    ------
    DensightError
        If no table has the column, or it has no value for any of the exams.
    """
    if column in exams:
        return exams[column].astype(str)
    table, path = _table_with(data, column, catalogue)
    texts = table.assign(**{column: table[column].fillna("").astype(str)})
    by_exam = texts.groupby(KEYS, sort=False)[column].agg(lambda values: _common_value(values.tolist()))
    values = exams[KEYS].merge(by_exam.reset_index(), on=KEYS, how="left")[column].fillna("")
    if not values.ne("").any():
        raise DensightError(
            f"its column {column} has no value for the exams measured", path, "give the catalogue of these exams"
        )
    return values.set_axis(exams.index)


def _table_with(data: EvaluationData, column: str, catalogue: str | Path | None) -> tuple[pd.DataFrame, Path | None]:
    if catalogue is None and data.images is not None and column in data.images:
        return data.images, data.path
    path = Path(catalogue) if catalogue else _assessed_catalogue(data)
    if path is None:
        searched = data.tables["exam"] if data.images is None else data.images
        raise DensightError(
            f"no column {column}; the columns are: {', '.join(map(str, searched))}",
            data.path,
            "name one of them, or give the catalogue that has it",
        )
    table = read_catalogue(path).table
    if column not in table:
        raise DensightError(
            f"no column {column}; its columns are: {', '.join(map(str, table))}", path, "name one of its columns"
        )
    return table, path


def _assessed_catalogue(data: EvaluationData) -> Path | None:
    """The catalogue that the run assessed, if it assessed one that still exists."""
    if data.path is None or not has_record(data.path):
        return None
    sources = read_record(data.path).sources
    path = data.path / sources.input if sources and sources.input else None
    return path.resolve() if path and path.is_file() and path.suffix.lower() in (".csv", ".parquet") else None


def _common_value(values: list[str]) -> str:
    different = {value for value in values if value}
    return different.pop() if len(different) == 1 else "several" if different else ""


def _header(path: Path) -> list[str]:
    """The names in a table's first line; none if the file cannot be read, which its reader reports."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip() for name in next(csv.reader(file), [])]
    except (OSError, UnicodeError):
        return []


def _by_projection(paths: Sequence[Path]) -> dict[Projection, Path]:
    """The files in the order of the projections."""
    files: dict[Projection, Path] = {}
    for path in paths:
        projection = find_projection(path.stem)
        if projection is None:
            raise DensightError(
                "its name contains no projection",
                path,
                "rename it, for example to predictions_ccr.txt or predictions_mlol.txt",
            )
        if projection in files:
            raise DensightError(
                f"it is of {projection}, and so is {files[projection]}", path, "give one file per projection"
            )
        files[projection] = path
    if not files:
        raise DensightError("there is no prediction file", remedy="give at least one")
    return {projection: files[projection] for projection in PROJECTIONS if projection in files}
