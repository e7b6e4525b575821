"""Figures of merit by level: every projection, the right and left breast, the exam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.assessment.fusion import class_indices, patients_of, predicted_class, probability_columns
from densight.figures.bootstrap import DRAWS, SEED
from densight.figures.dense import find_dense
from densight.figures.intervals import CONFIDENCE
from densight.figures.material import Material, fingerprint, read_material, read_predicted
from densight.figures.merit import FEW_PATIENTS, Merit, measure
from densight.figures.record import merit_as_dict
from densight.storage import write_json
from densight.vocabulary import BIRADS, DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FIGURES",
    "Figures",
    "are_of",
    "figures_of_predictions",
    "figures_of_run",
    "measure_levels",
    "measure_table",
    "write_figures",
]

FIGURES = "figures.json"
"""The file's name in a run folder."""

_FORMAT = 1


@dataclass(frozen=True)
class Figures:
    """Figures of merit by level.

    Parameters
    ----------
    classes : tuple of str
        The labels in order.
    source : Mapping
        ``kind`` (``run``, ``exams`` or ``predictions``), the names of the files, and of a run the checksum of its
        assessments.
    levels : Mapping of str to Merit
        Keys among ``CC_R, CC_L, MLO_R, MLO_L, right, left, exam``, in this order. A level without labelled images is
        left out.
    assumed : tuple of str
        What was left out or assumed, in words.
    dense : tuple of str
        The classes that count as dense; empty where none does.
    further : Mapping
        What else was measured, by name, as plain values: ``fusions``, ``recalibrated``, ``sets``, ``against``,
        ``readers``, ``groups``, ``over``.
    """

    classes: tuple[str, ...]
    source: Mapping[str, Any]
    levels: Mapping[str, Merit]
    assumed: tuple[str, ...] = ()
    dense: tuple[str, ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The figures as ``figures.json`` holds them, keys in a fixed order."""
        return {
            "format": _FORMAT,
            "classes": list(self.classes),
            "dense": list(self.dense),
            "source": dict(self.source),
            "intervals": {"confidence": CONFIDENCE, "bootstrap_draws": DRAWS, "bootstrap_seed": SEED},
            "levels": {level: merit_as_dict(merit, self.classes) for level, merit in self.levels.items()},
            **self.further,
            "assumed": list(self.assumed),
        }


def figures_of_run(
    run: str | Path,
    classes: Sequence[str] | None = None,
    *,
    dense: Sequence[str] | None = None,
    thresholds: Sequence[float] = (),
) -> Figures:
    """The figures of merit of a run folder's assessments, or of a table of exams.

    Parameters
    ----------
    run : path-like
        As `densight.figures.material.read_material` takes it.
    classes : sequence of str, optional
        The class order that the table must have.
    dense : sequence of str, optional
        The classes that count as dense; C and D of A, B, C, D where not given.
    thresholds : sequence of float
        Further operating points of dense against non-dense.

    Returns
    -------
    Figures

    Raises
    ------
    DensightError
        If the table is missing or faulty, or no case has a reference density.
    """
    return measure_levels(read_material(run, classes), dense=dense, thresholds=thresholds)


def figures_of_predictions(
    predictions: Sequence[str | Path],
    labels: str | Path,
    classes: Sequence[str] = BIRADS,
    *,
    dense: Sequence[str] | None = None,
    thresholds: Sequence[float] = (),
) -> Figures:
    r"""The figures of merit of the tutorial's prediction files.

    Parameters
    ----------
    predictions : sequence of path-like
    labels : path-like
    classes : sequence of str
        As `densight.figures.material.read_predicted` takes them.
    dense : sequence of str, optional
    thresholds : sequence of float
        As for `figures_of_run`.

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
    >>> from densight.assessment.predictions import write_predictions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file, labels = Path(folder) / "predictions_ccr.txt", Path(folder) / "labels.csv"
    ...     write_predictions(file, [[0.9, 0.1], [0.6, 0.4]])
    ...     _ = labels.write_text("density\nA\nB\n")
    ...     figures = figures_of_predictions([file], labels, ["A", "B"])
    >>> list(figures.levels), figures.levels["exam"]["accuracy"].value
    (['CC_R', 'right', 'exam'], 0.5)
    """
    return measure_levels(read_predicted(predictions, labels, classes), dense=dense, thresholds=thresholds)


def measure_levels(
    material: Material, *, dense: Sequence[str] | None = None, thresholds: Sequence[float] = ()
) -> Figures:
    """The figures of merit of every level that has labelled cases.

    Parameters
    ----------
    material : Material
    dense : sequence of str, optional
    thresholds : sequence of float
        As for `figures_of_run`.

    Raises
    ------
    DensightError
        If no case has a reference density, or the dense classes are not the last of the classes.
    """
    dense_from = find_dense(material.classes, dense)
    assumed: list[str] = []
    tables = {level: material.labelled(level) for level in material.tables}
    for level, labelled in tables.items():
        assumed += _remarks(level, material.tables[level], labelled, material.classes)
    # Nearly all of the time is spent in numpy, which lets other threads run; two, for each takes memory.
    with ThreadPoolExecutor(max_workers=2) as pool:
        made = {
            level: pool.submit(measure_table, labelled, material.classes, dense_from, thresholds)
            for level, labelled in tables.items()
            if not labelled.empty
        }
    levels = {level: merit.result() for level, merit in made.items()}
    if not levels:
        raise DensightError(
            "no image has a reference density, so there is nothing to compare with",
            material.path,
            "fill the column density, or assess a catalogue that has it",
        )
    whole = material.tables["exam"]
    if whole["patient_id"].eq("").any():
        assumed.insert(0, "no patient_id: each exam counts as a patient of its own")
    last, merit = list(levels.items())[-1]
    if few := _few(merit, material.classes):
        assumed.append(f"{last}: fewer than {FEW_PATIENTS} patients of {few}, so that their figures are rough")
    counted = () if dense_from is None else material.classes[dense_from:]
    return Figures(material.classes, material.source, levels, tuple(assumed), counted)


def measure_table(
    table: pd.DataFrame, classes: Sequence[str], dense_from: int | None = None, thresholds: Sequence[float] = ()
) -> Merit:
    """The figures of merit of a table of labelled cases.

    Parameters
    ----------
    table : DataFrame
        As a table of `densight.figures.material.Material`, every row labelled.
    classes : sequence of str
        The labels in order.
    dense_from : int, optional
    thresholds : sequence of float
        As for `densight.figures.merit.measure`.
    """
    columns = probability_columns(classes)
    return measure(
        class_indices(table["density"].tolist(), classes),
        class_indices(table["predicted"].tolist(), classes),
        patients_of(table),
        len(classes),
        probabilities=table[columns].to_numpy(dtype=float) if columns[0] in table else None,
        dense_from=dense_from,
        thresholds=thresholds,
    )


def are_of(figures: Mapping[str, Any], images: pd.DataFrame, classes: Sequence[str]) -> bool:
    """Whether the content of a ``figures.json`` is of this form, and of these assessments and not of earlier ones.

    Parameters
    ----------
    figures : Mapping
        As `Figures.as_dict` gives it.
    images : DataFrame
        As `densight.assessment.tables.read_assessments` gives it.
    classes : sequence of str
    """
    return figures.get("format") == _FORMAT and figures["source"].get("assessments") == fingerprint(images, classes)


def write_figures(figures: Figures, folder: str | Path) -> Path:
    """Write ``figures.json`` into a folder and return its path."""
    path = Path(folder) / FIGURES
    write_json(path, figures.as_dict())
    return path


def _few(merit: Merit, classes: Sequence[str]) -> str:
    """The classes of few patients, with their number."""
    pairs = zip(classes, merit.by_class, strict=True)
    return ", ".join(f"{label} ({one.patients})" for label, one in pairs if 0 < one.patients < FEW_PATIENTS)


def _remarks(level: str, table: pd.DataFrame, labelled: pd.DataFrame, classes: Sequence[str]) -> list[str]:
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
    columns = probability_columns(classes)
    if columns[0] in labelled:
        told = predicted_class(labelled[columns].to_numpy(dtype=float), classes)
        if other := int((labelled["predicted"] != told).sum()):
            remarks.append(f"{level}: in {other} of {len(labelled)} the predicted class is not that of the greatest p")
    return remarks
