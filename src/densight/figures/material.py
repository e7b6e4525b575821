"""What is measured: tables of assessed cases by level, from a run, a table or the tutorial's prediction files.

A projection is measured over its images, a side over its breasts, the exam over all its projections fused.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.assessment.calibration import Fusion
from densight.assessment.fusion import MEAN, fuse_breasts, fuse_exams, predicted_class, probability_columns
from densight.assessment.predictions import read_classified, read_labels, read_predictions
from densight.assessment.record import read_fusion
from densight.assessment.tables import ASSESSMENTS, read_assessments
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

__all__ = ["Material", "fingerprint", "material_of_images", "read_material", "read_predicted"]

_SIDES = {"right": Laterality.R, "left": Laterality.L}


@dataclass(frozen=True, eq=False)
class Material:
    """Assessed cases by level.

    Parameters
    ----------
    classes : tuple of str
        The labels in order.
    tables : mapping of str to DataFrame
        Keys among ``CC_R, CC_L, MLO_R, MLO_L, right, left, exam``, in this order. Columns ``patient_id``, ``exam_id``,
        ``density`` (empty where unknown), ``predicted``, and ``p_<class>`` where probabilities are known; of breasts
        and exams also ``missing`` and ``assumed``.
    images : DataFrame or None
        One row an image, where single images are known.
    source : mapping
        Where the tables come from: ``kind`` (``run``, ``images``, ``exams`` or ``predictions``), the names of the
        files, and of a run the checksum of its assessments.
    """

    classes: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    images: pd.DataFrame | None
    source: Mapping[str, Any]
    path: Path | None = None
    """The run folder or the table, for messages."""
    fusion: Fusion = MEAN
    """How images became breasts and exams."""

    @property
    def name(self) -> str:
        """What it is called beside others."""
        return self.path.resolve().name if self.path else "predictions"

    def labelled(self, level: str) -> pd.DataFrame:
        """The cases of a level that have a reference density."""
        table = self.tables[level]
        return table[table["density"] != ""]


def read_material(path: str | Path, classes: Sequence[str] | None = None) -> Material:
    """A run folder, its ``assessments.csv``, or a table of exams.

    Parameters
    ----------
    path : path-like
        A run folder; a CSV with a row an image as ``assessments.csv`` has it; or a CSV with a row an exam: ``density``,
        ``p_<class>`` for every class or ``predicted`` or both, ``exam_id`` and ``patient_id`` where known.
    classes : sequence of str, optional
        The class order that the table must have.

    Returns
    -------
    Material

    Raises
    ------
    DensightError
        If the table is missing or faulty; the message names the row.
    """
    path = Path(path)
    table = path if path.is_file() or path.suffix.lower() == ".csv" else path / ASSESSMENTS
    if table.name == ASSESSMENTS or {"view", "laterality"} <= set(_columns(table)):
        images, found = read_assessments(table, classes)
        source = {"kind": "run", "files": [table.name], "assessments": fingerprint(images, found)}
        return material_of_images(images, found, source, path)
    exams, found = read_classified(table, classes)
    return Material(found, {"exam": exams}, None, {"kind": "exams", "files": [table.name]}, path)


def read_predicted(predictions: Sequence[str | Path], labels: str | Path, classes: Sequence[str] = BIRADS) -> Material:
    """The tutorial's prediction files with the labels of their exams.

    Parameters
    ----------
    predictions : sequence of path-like
        One file a projection, which is read from the file's name (``predictions_ccr.txt``). A row an exam, a column a
        class.
    labels : path-like
        A CSV with the column ``density``, a row an exam in the files' order. ``patient_id``, ``exam_id`` and further
        columns are used where present; else every row is an exam and a patient of its own.
    classes : sequence of str
        The labels in the columns' order.

    Returns
    -------
    Material

    Raises
    ------
    DensightError
        If a file is missing or faulty, names no projection or one twice, has another number of rows than the labels,
        or a label is unknown.
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
    return material_of_images(pd.concat(tables, ignore_index=True), classes, source)


def material_of_images(
    images: pd.DataFrame, classes: Sequence[str], source: Mapping[str, Any], path: Path | None = None
) -> Material:
    """The levels of a table of images.

    Parameters
    ----------
    images : DataFrame
        As `densight.assessment.tables.read_assessments` gives it.
    classes : sequence of str
        The labels in order.
    source : mapping
        As `Material` has it.
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
    return Material(tuple(classes), tables, images, source, path, fusion)


def fingerprint(images: pd.DataFrame, classes: Sequence[str]) -> str:
    """The checksum of all that the figures of a run depend on."""
    known = ["patient_id", "exam_id", "laterality", "view", "density", "predicted"]
    content = images[[*known, *probability_columns(classes)]].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(content.encode()).hexdigest()


def _columns(path: Path) -> list[str]:
    """The names in a table's first line; a file that cannot be read has none, which its reader will say."""
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
                "its name names no projection", path, "name it for instance predictions_ccr.txt or predictions_mlol.txt"
            )
        if projection in files:
            raise DensightError(
                f"it is of {projection}, and so is {files[projection]}", path, "give one file a projection"
            )
        files[projection] = path
    if not files:
        raise DensightError("there is no prediction file", remedy="give at least one")
    return {projection: files[projection] for projection in PROJECTIONS if projection in files}
