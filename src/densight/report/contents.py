"""What a run folder holds, gathered for its report: exams, images, figures, failures, how it was made."""

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
from densight.figures.levels import FIGURES, are_of
from densight.intake.failures import FAILURES, NOT_ASSESSED
from densight.storage import read_json
from densight.trials.verdicts import read_trials
from densight.vocabulary import Laterality, Projection, View, projection_label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Contents", "ExamRow", "FailureRow", "ImageRow", "read_contents"]

_PATHS = re.compile(r"(?<![\w.])(?:[A-Za-z]:\\(?:[^\s\\]+\\)*|/(?:[^\s/]+/)+)")
"""The folders of an absolute path within a sentence."""

_IDS = ["exam_id", "patient_id"]
_PERCENT = ["percent_density", "percent_density_images", "percent_density_missing"]

_OPTIONS = {"split": "", "layer": "", "device": "", "engine": "torch", "precision": "fp32"}
"""Options of a run that its command names, and what need not be named."""


@dataclass(frozen=True)
class ImageRow:
    """An image of ``assessments.csv``.

    Parameters
    ----------
    projection : str
        As on a film, ``R-CC``.
    file : str
        The image's path as the catalogue has it, without folders of the machine.
    probabilities : tuple of float
    predicted : str
    percent_density : float or None
    preparation, warnings : str
        In words.
    maps : str
        What the names of the image's pictures begin with, relative to the run folder; empty where it has none.
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
        The density that readers gave; empty where unknown.
    predicted : str
    probabilities : tuple of float
    missing : tuple of str
        Projections that are not there, as on a film.
    assumed : str
    images : tuple of ImageRow
        In the tutorial's order of projections.
    set : tuple of str
        The classes that the model's calibration leaves open; empty without one.
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
        """The mean place of the class, 0 for the least dense: what the exams are ordered by."""
        return sum(place * value for place, value in enumerate(self.probabilities))


@dataclass(frozen=True)
class FailureRow:
    """A row of ``failures.csv``: the file without its folders, what is wrong with it, what to do."""

    file: str
    fault: str
    remedy: str


@dataclass(frozen=True)
class Contents:
    """All that the report says.

    Parameters
    ----------
    classes : tuple of str
    run : RunRecord
        ``run.json``.
    exams : tuple of ExamRow
    figures : dict or None
        ``figures.json``; None too where it was measured on other assessments.
    outdated : bool
        Whether there are figures of other assessments.
    failures : tuple of FailureRow
    trials : dict or None
        ``trials.json``; None too where other models were tried.
    priors : tuple of dict
        The rows of ``priors.csv``.
    left_out : tuple of (str, int)
        Why files were not assessed, and how many, the most frequent first.
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
        """What the trials say against the maps that the run shows."""
        cards = self.trials["cards"] if self.trials else {}
        return [cards[name]["warning"] for name in self.run.methods if cards.get(name, {}).get("warning")]

    @property
    def images(self) -> tuple[ImageRow, ...]:
        """The images of all exams."""
        return tuple(image for exam in self.exams for image in exam.images)

    @property
    def command(self) -> str:
        """The command that makes the run again, but for where the input and the models lie."""
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
        """The projections as they are hung: CC above, the right breast at the left."""
        return tuple(
            (projection_label(Projection.of(view, Laterality.R)), projection_label(Projection.of(view, Laterality.L)))
            for view in View
        )

    def assumed(self) -> list[tuple[str, int]]:
        """What reading and preparation did and assumed, with the number of images; numbers are left out."""
        said: Counter[str] = Counter()
        for image in self.images:
            said.update({re.sub(r"\d+(?:\.\d+)?", "…", part) for part in _parts(image.preparation)})
            said.update(set(_parts(image.warnings)))
        for exam in self.exams:
            said.update({part: len(exam.images) for part in _parts(exam.assumed)})
        return said.most_common()


def read_contents(run: Path) -> Contents:
    """Gather what a run folder holds.

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
    outdated = figures is not None and not are_of(figures, images, classes)
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
    """The rows of a table of the run; none where it is not there."""
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
        found = sorted(by_exam.get((row["patient_id"], row["exam_id"]), []), key=lambda pair: order.index(pair[0]))
        yield ExamRow(
            row["exam_id"],
            row["patient_id"],
            row["density"],
            row["predicted"],
            tuple(row[name] for name in names),
            tuple(projection_label(Projection(name)) for name in row["missing"].split()),
            row["assumed"],
            tuple(image for _, image in found),
            tuple(row.get("set", "").split()),
            None if row["percent_density"] in ("", None) else float(row["percent_density"]),
            _percent_note(row),
        )


def _percent_note(row: Mapping[Any, Any]) -> str:
    """Of how many images an exam's percent density is, where some have none."""
    missing = str(row["percent_density_missing"])
    if not missing:
        return ""
    number = int(row["percent_density_images"])
    return f"{f'mean of {number} images' if number else 'not measured'}; without: {missing}"


def _failure_rows(run: Path) -> tuple[FailureRow, ...]:
    if not (run / FAILURES).is_file():
        return ()
    rows = read_table(run / FAILURES, ["path", "fault", "remedy"], "assess again, which writes it anew")
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


def _parts(words: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;\n]", words) if part.strip()]


def _without_folders(path: str) -> str:
    """A path as it may be shown: whole where it lies below the input, else only its name."""
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(path).is_absolute() or ".." in kind(path).parts:
            return kind(path).name
    return path
