"""Figures of merit by level: every projection, the right and left breast, the exam.

The numbers come from a run folder's assessments, or from the tutorial's prediction files and a table of labels. A
projection is measured over its images, a side over its breasts, the exam over all its projections fused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.assessment.fusion import fuse_breasts, fuse_exams, predicted_class, probability_columns
from densight.assessment.tables import ASSESSMENTS, read_assessments, read_predictions, read_table
from densight.figures.intervals import CONFIDENCE, DRAWS, SEED
from densight.figures.merit import Estimate, Merit, measure
from densight.storage import write_json
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
    "FIGURES",
    "Figures",
    "are_of",
    "figures_of_predictions",
    "figures_of_run",
    "measure_levels",
    "write_figures",
]

FIGURES = "figures.json"
"""The file's name in a run folder."""

_SIDES = {"right": Laterality.R, "left": Laterality.L}


@dataclass(frozen=True)
class Figures:
    """Figures of merit by level.

    Parameters
    ----------
    classes : tuple of str
        The labels in order.
    source : Mapping
        ``kind`` (``run`` or ``predictions``), the names of the files, and of a run the checksum of its assessments.
    levels : Mapping of str to Merit
        Keys among ``CC_R, CC_L, MLO_R, MLO_L, right, left, exam``, in this order. A level without labelled images is
        left out.
    assumed : tuple of str
        What was left out or assumed, in words.
    """

    classes: tuple[str, ...]
    source: Mapping[str, Any]
    levels: Mapping[str, Merit]
    assumed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The figures as ``figures.json`` holds them, keys in a fixed order."""
        return {
            "classes": list(self.classes),
            "source": dict(self.source),
            "intervals": {"confidence": CONFIDENCE, "bootstrap_draws": DRAWS, "bootstrap_seed": SEED},
            "levels": {level: _merit_as_dict(merit, self.classes) for level, merit in self.levels.items()},
            "assumed": list(self.assumed),
        }


def figures_of_run(run: str | Path, classes: Sequence[str] | None = None) -> Figures:
    """The figures of merit of a run folder's assessments.

    Parameters
    ----------
    run : path-like
        A folder with ``assessments.csv``.
    classes : sequence of str, optional
        The class order that the table must have.

    Returns
    -------
    Figures

    Raises
    ------
    DensightError
        If the table is missing or faulty, or no image has a reference density.
    """
    path = Path(run) / ASSESSMENTS
    images, found = read_assessments(path, classes)
    if not images["density"].any():
        raise DensightError(
            "no image has a reference density, so there is nothing to compare with",
            path,
            "fill the column density, or assess a catalogue that has it",
        )
    source = {"kind": "run", "files": [ASSESSMENTS], "assessments": _fingerprint(images, found)}
    return measure_levels(images, found, source)


def are_of(figures: Mapping[str, Any], images: pd.DataFrame, classes: Sequence[str]) -> bool:
    """Whether the content of a ``figures.json`` was measured on these assessments, and not on what a run held before.

    Parameters
    ----------
    figures : Mapping
        As `Figures.as_dict` gives it.
    images : DataFrame
        As `densight.assessment.tables.read_assessments` gives it.
    classes : sequence of str
    """
    return bool(figures["source"].get("assessments") == _fingerprint(images, classes))


def figures_of_predictions(
    predictions: Sequence[str | Path], labels: str | Path, classes: Sequence[str] = BIRADS
) -> Figures:
    r"""The figures of merit of the tutorial's prediction files.

    Parameters
    ----------
    predictions : sequence of path-like
        One file a projection, which is read from the file's name (``predictions_ccr.txt``). A row an exam, a column a
        class.
    labels : path-like
        A CSV with the column ``density``, a row an exam in the files' order. ``patient_id`` and ``exam_id`` are used
        where present; else every row is an exam and a patient of its own.
    classes : sequence of str
        The labels in the columns' order.

    Returns
    -------
    Figures

    Raises
    ------
    DensightError
        If a file is missing or faulty, names no projection or one twice, has another number of rows than the labels,
        or a label is unknown.

    Examples
    --------
    >>> import tempfile
    >>> from densight.assessment.tables import write_predictions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file, labels = Path(folder) / "predictions_ccr.txt", Path(folder) / "labels.csv"
    ...     write_predictions(file, [[0.9, 0.1], [0.6, 0.4]])
    ...     _ = labels.write_text("density\nA\nB\n")
    ...     figures = figures_of_predictions([file], labels, ["A", "B"])
    >>> list(figures.levels), figures.levels["exam"].accuracy.value
    (['CC_R', 'right', 'exam'], 0.5)
    """
    import pandas as pd

    classes = check_classes(classes)
    files = _by_projection([Path(path) for path in predictions])
    exams = _read_labels(Path(labels), classes)
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
    return measure_levels(pd.concat(tables, ignore_index=True), classes, source)


def measure_levels(images: pd.DataFrame, classes: Sequence[str], source: Mapping[str, Any]) -> Figures:
    """The figures of merit of a table of images, level by level.

    Parameters
    ----------
    images : DataFrame
        One row an image, with ``patient_id``, ``exam_id``, ``laterality``, ``view``, ``density`` (empty where unknown),
        ``predicted`` and ``p_<class>`` for every class.
    classes : sequence of str
        The labels in order.
    source : Mapping
        Where the table comes from, for the record.

    Returns
    -------
    Figures
    """
    breasts, exams = fuse_breasts(images, classes), fuse_exams(images, classes)
    tables = {
        projection.value: images[(images["view"] == projection.view) & (images["laterality"] == projection.laterality)]
        for projection in PROJECTIONS
    }
    tables |= {level: breasts[breasts["laterality"] == side] for level, side in _SIDES.items()}
    tables["exam"] = exams

    levels: dict[str, Merit] = {}
    assumed = ["no patient_id: each exam counts as a patient of its own"] if images["patient_id"].eq("").any() else []
    for level, table in tables.items():
        labelled = table[table["density"] != ""]
        assumed += _remarks(level, table, labelled)
        if not labelled.empty:
            truth = [classes.index(label) for label in labelled["density"]]
            told = [classes.index(label) for label in labelled["predicted"]]
            levels[level] = measure(truth, told, _patients(labelled), len(classes))
    return Figures(tuple(classes), source, levels, tuple(assumed))


def write_figures(figures: Figures, folder: str | Path) -> Path:
    """Write ``figures.json`` into a folder and return its path."""
    path = Path(folder) / FIGURES
    write_json(path, figures.as_dict())
    return path


def _fingerprint(images: pd.DataFrame, classes: Sequence[str]) -> str:
    """The checksum of all that the figures depend on."""
    known = ["patient_id", "exam_id", "laterality", "view", "density", "predicted"]
    content = images[[*known, *probability_columns(classes)]].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(content.encode()).hexdigest()


def _merit_as_dict(merit: Merit, classes: Sequence[str]) -> dict[str, Any]:
    def as_dict(estimate: Estimate) -> dict[str, Any]:
        return asdict(estimate) | {"interval": estimate.interval and list(estimate.interval)}

    return {
        "n": merit.n,
        "patients": merit.patients,
        "accuracy": as_dict(merit.accuracy),
        "balanced_accuracy": as_dict(merit.balanced_accuracy),
        "macro_recall": as_dict(merit.macro_recall),
        "macro_precision": as_dict(merit.macro_precision),
        "per_class": {
            label: {"n": sum(row), "recall": recall, "precision": precision}
            for label, row, recall, precision in zip(
                classes, merit.confusion, merit.recall, merit.precision, strict=True
            )
        },
        "confusion": [list(row) for row in merit.confusion],
    }


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


def _read_labels(path: Path, classes: Sequence[str]) -> pd.DataFrame:
    """The reference density and the ids of each exam, in the file's order."""
    import pandas as pd

    labels = read_table(path, ["density"], "write a comma-separated table with the column density, a row an exam")
    unknown = ~labels["density"].isin(list(classes)).to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        raise DensightError(
            f"row {row + 1}: the density {labels['density'].iloc[row]!r} is not one of {', '.join(classes)}",
            path,
            "mend the label, or name the classes in order",
        )
    numbers = [str(number + 1) for number in range(len(labels))]
    exams = pd.DataFrame(
        {
            "patient_id": labels.get("patient_id", ""),
            "exam_id": labels.get("exam_id", pd.Series(numbers)),
            "density": labels["density"],
        }
    )
    repeated = exams.duplicated(["patient_id", "exam_id"])
    for fault, bad in (("has no exam_id", exams["exam_id"].eq("")), ("repeats an exam", repeated)):
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DensightError(f"row {row + 1} {fault}", path, "give each row an exam_id of its own")
    return exams


def _patients(table: pd.DataFrame) -> list[str]:
    """The patient of each row; the exam stands in where the patient is unknown."""
    return [patient or f"exam {exam}" for patient, exam in zip(table["patient_id"], table["exam_id"], strict=True)]


def _remarks(level: str, table: pd.DataFrame, labelled: pd.DataFrame) -> list[str]:
    """What a reader must know of a level: left out, partly labelled, fused with a projection missing, averaged."""
    if labelled.empty:
        return [f"{level}: left out, for it has no {'' if table.empty else 'labelled '}image"]
    remarks = []
    if unlabelled := len(table) - len(labelled):
        remarks.append(f"{level}: {unlabelled} of {len(table)} without a reference density, left out")
    if "missing" in labelled:
        lacking, averaged = (int(labelled[column].ne("").sum()) for column in ("missing", "assumed"))
        if lacking:
            remarks.append(f"{level}: {lacking} of {len(labelled)} fused with a projection missing")
        if averaged:
            remarks.append(f"{level}: in {averaged} of {len(labelled)} images of one projection were averaged first")
    return remarks
