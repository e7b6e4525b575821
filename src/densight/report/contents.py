"""The contents of a run folder for its report: exams, images, figures, failures, how it was made."""

from __future__ import annotations

import csv
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from densight.assessment.fusion import fuse_exams, probability_columns
from densight.assessment.priors import PRIORS
from densight.assessment.record import RunRecord, read_fusion, read_record
from densight.assessment.tables import EXAMS, read_assessments, read_exams, read_table
from densight.figures.evaluate import FIGURES, are_current
from densight.intake.failures import FAILURES, NOT_ASSESSED
from densight.storage import read_json
from densight.trials.verdicts import read_trials
from densight.vocabulary import Laterality, Projection, View, projection_label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Contents", "ExamRow", "FailureRow", "ImageRow", "read_contents"]

_PATHS = re.compile(r"(?<![\w.])(?:[A-Za-z]:\\(?:[^\s\\]+\\)*|/(?:[^\s/]+/)+)")
"""The folders of an absolute path within a text."""

_IDS = ["exam_id", "patient_id"]
_PERCENT = ["percent_density", "percent_density_images", "percent_density_missing"]

_OPTIONS = {"split": "", "layer": "", "device": "", "engine": "torch", "precision": "fp32"}
"""Options of a run that its command may contain, and the values that it leaves out."""


@dataclass(frozen=True)
class ImageRow:
    """An image of ``assessments.csv``.

    Parameters
    ----------
    projection : str
        As printed on films, ``R-CC``.
    file : str
        The image's path in the catalogue, without folders of the machine.
    probabilities : tuple of float
    predicted : str
    percent_density : float or None
    preparation, warnings : str
        As text.
    maps : str
        The prefix of the file names of the image's pictures, relative to the run folder; empty without pictures.
    """

    projection: str
    file: str
    probabilities: tuple[float, ...]
    predicted: str
    percent_density: float | None
    preparation: str
    warnings: str
    maps: str


@dataclass(frozen=True)
class ExamRow:
    """An exam of ``exams.csv`` with its images.

    Parameters
    ----------
    exam_id, patient_id : str
    reference : str
        The reference density; empty where unknown.
    predicted : str
    probabilities : tuple of float
    missing : tuple of str
        The missing projections, as printed on films.
    assumed : str
    images : tuple of ImageRow
        In the tutorial's order of projections.
    set : tuple of str
        The classes that the model's calibration cannot rule out; empty without calibration.
    percent_density : float or None
        Of the exam, by the rule of `densight.assessment.percent_density`.
    percent_density_note : str
        Of how many images it is the mean, and why others have none; empty where all have one.
    """

    exam_id: str
    patient_id: str
    reference: str
    predicted: str
    probabilities: tuple[float, ...]
    missing: tuple[str, ...]
    assumed: str
    images: tuple[ImageRow, ...]
    set: tuple[str, ...] = ()
    percent_density: float | None = None
    percent_density_note: str = ""

    @property
    def expected(self) -> float:
        """The expected class, 0 for the least dense: the order of the exams."""
        return sum(place * value for place, value in enumerate(self.probabilities))


@dataclass(frozen=True)
class FailureRow:
    """A row of ``failures.csv``: the file without its folders, its fault, and the remedy."""

    file: str
    fault: str
    remedy: str


@dataclass(frozen=True)
class Contents:
    """The content of the report.

    Parameters
    ----------
    classes : tuple of str
    run : RunRecord
        ``run.json``.
    exams : tuple of ExamRow
    figures : dict or None
        ``figures.json``; None where it is missing or was computed from other assessments.
    outdated : bool
        Whether the figures in the folder were computed from other assessments.
    failures : tuple of FailureRow
    trials : dict or None
        ``trials.json``; None where it is missing or tested other models.
    priors : tuple of dict
        The rows of ``priors.csv``.
    left_out : tuple of (str, int)
        Reasons why files were not assessed, with counts, the most frequent first.
    """

    classes: tuple[str, ...]
    run: RunRecord
    exams: tuple[ExamRow, ...]
    figures: Mapping[str, Any] | None
    outdated: bool
    failures: tuple[FailureRow, ...]
    trials: Mapping[str, Any] | None
    priors: tuple[Mapping[str, str], ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The warnings of the trials about the maps in this run."""
        cards = self.trials["cards"] if self.trials else {}
        return [cards[name]["warning"] for name in self.run.methods if cards.get(name, {}).get("warning")]

    @property
    def images(self) -> tuple[ImageRow, ...]:
        """The images of all exams."""
        return tuple(image for exam in self.exams for image in exam.images)

    @property
    def command(self) -> str:
        """The command that reproduces the run, except for where the input and the models lie."""
        run = self.run
        words = ["densight", run.command or "assess", run.input or "INPUT"]
        for model in run.models:
            words += ["--model", model.name or "MODEL"]
        for method in run.methods:
            words += ["--method", method]
        for option, usual in _OPTIONS.items():
            value = getattr(run, option)
            if value and value != usual:
                words += [f"--{option}", value]
        words += run.outputs
        if run.dicom and not run.outputs:  # of a version that did not note the outputs' options
            words += ["--dicom", *(["--identified"] if "identified" in run.dicom else [])]
        return shlex.join([*map(str, words), "-o", "run/"])

    @property
    def hung(self) -> tuple[tuple[str, str], ...]:
        """The projections in hanging order: CC above, the right breast at the left."""
        return tuple(
            (projection_label(Projection.of(view, Laterality.R)), projection_label(Projection.of(view, Laterality.L)))
            for view in View
        )

    def assumed(self) -> list[tuple[str, int]]:
        """What reading and preparation did and assumed, with the number of images; numbers in the text become ``…``."""
        counts: Counter[str] = Counter()
        for image in self.images:
            # Not sets: texts that are equally frequent keep the order of the images, run after run.
            steps = (re.sub(r"\d+(?:\.\d+)?", "…", part) for part in _parts(image.preparation))
            counts.update(list(dict.fromkeys(steps)))
            counts.update(list(dict.fromkeys(_parts(image.warnings))))
        for exam in self.exams:
            counts.update({part: len(exam.images) for part in _parts(exam.assumed)})
        return counts.most_common()


def read_contents(run: Path) -> Contents:
    """Read the contents of a run folder.

    Parameters
    ----------
    run : Path
        A folder with at least ``assessments.csv`` and ``run.json``.

    Raises
    ------
    DensightError
        If one of the two is missing, or a table is faulty.
    """
    images, classes = read_assessments(run)
    exams = read_exams(run, classes)[0] if (run / EXAMS).is_file() else fuse_exams(images, classes, read_fusion(run))
    if "percent_density" not in exams:  # of a version without these columns
        exams = exams.merge(fuse_exams(images, classes)[[*_IDS, *_PERCENT]], on=_IDS)
    figures = read_json(run / FIGURES) if (run / FIGURES).is_file() else None
    outdated = figures is not None and not are_current(figures, images, classes)
    return Contents(
        classes,
        read_record(run),
        tuple(_exam_rows(exams, images, classes)),
        None if outdated else figures,
        outdated,
        _failure_rows(run),
        read_trials(run),
        tuple(_rows_of(run / PRIORS)),
        tuple(Counter(row["reason"] for row in _rows_of(run / NOT_ASSESSED)).most_common()),
    )


def _rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table of the run; empty where it is missing."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _exam_rows(exams: pd.DataFrame, images: pd.DataFrame, classes: Sequence[str]) -> Iterable[ExamRow]:
    names = probability_columns(classes)
    by_exam: dict[tuple[str, str], list[tuple[Projection, ImageRow]]] = {}
    for row in images.to_dict("records"):
        projection = Projection.of(row["view"], row["laterality"])
        image = ImageRow(
            projection_label(projection),
            _without_folders(row["path"]),
            tuple(row[name] for name in names),
            row["predicted"],
            row["percent_density"] if row["percent_density"] == row["percent_density"] else None,
            row["preparation"],
            row["warnings"],
            _without_folders(row.get("maps", "")),
        )
        by_exam.setdefault((row["patient_id"], row["exam_id"]), []).append((projection, image))
    order = list(Projection)
    for row in exams.to_dict("records"):
        in_order = sorted(by_exam.get((row["patient_id"], row["exam_id"]), []), key=lambda pair: order.index(pair[0]))
        yield ExamRow(
            row["exam_id"],
            row["patient_id"],
            row["density"],
            row["predicted"],
            tuple(row[name] for name in names),
            tuple(projection_label(Projection(name)) for name in row["missing"].split()),
            row["assumed"],
            tuple(image for _, image in in_order),
            tuple(row.get("set", "").split()),
            None if row["percent_density"] in ("", None) else float(row["percent_density"]),
            _percent_note(row),
        )


def _percent_note(row: Mapping[Any, Any]) -> str:
    """The number of images of an exam's percent density, where some have none."""
    missing = str(row["percent_density_missing"])
    if not missing:
        return ""
    number = int(row["percent_density_images"])
    return f"{f'mean of {number} images' if number else 'not measured'}; without: {missing}"


def _failure_rows(run: Path) -> tuple[FailureRow, ...]:
    if not (run / FAILURES).is_file():
        return ()
    rows = read_table(run / FAILURES, ["path", "fault", "remedy"], "assess again, which writes it again")
    return tuple(
        FailureRow(
            _without_folders(row["path"]),
            *(
                _PATHS.sub("", row[name].replace(row["path"], _without_folders(row["path"])))
                for name in ("fault", "remedy")
            ),
        )
        for row in rows.to_dict("records")
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]


def _without_folders(path: str) -> str:
    """A path that may be shown: complete where it lies below the input, otherwise only the file name."""
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(path).is_absolute() or ".." in kind(path).parts:
            return kind(path).name
    return path
