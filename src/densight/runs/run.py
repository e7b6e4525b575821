"""The run: every exam of an input assessed once, in a folder in which a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from densight.assessment.assess import ImageResult, assess_image, prepare_image
from densight.assessment.fusion import predicted_class, probability_columns
from densight.assessment.models import Models
from densight.assessment.predictions import write_predictions
from densight.assessment.record import RUN
from densight.assessment.tables import ASSESSMENTS, BREASTS, EXAMS, write_assessments
from densight.intake.exam import group_exams, read_entry
from densight.intake.failures import FAILURES, Failure, write_failures
from densight.intake.mammogram import Entry
from densight.runs.journal import Journal
from densight.storage import delete, read_json, write_json
from densight.vocabulary import PROJECTIONS, DensightError
from densight.workers import workers_for

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OnExam", "RunResult", "assess_run"]

OnExam = Callable[[list[tuple[Entry, ImageResult]]], tuple[dict[Path, str], list[Failure]]]
"""What is done with the examined images of an exam; gives for each file what its row has in the column ``maps``, and
what could not be done."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run gave.

    Parameters
    ----------
    images : DataFrame or None
        The rows of ``assessments.csv``; None where no image could be assessed.
    failures : list of Failure
    resumed : int
        Images that an earlier, stopped run had done.
    """

    images: pd.DataFrame | None
    failures: list[Failure]
    resumed: int


def assess_run(
    models: Models,
    entries: Sequence[Entry],
    folder: Path,
    facts: dict[str, Any],
    *,
    base: Path,
    known: Sequence[Failure] = (),
    on_exam: OnExam | None = None,
    explained: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RunResult:
    """Assess the exams of an input and write ``run.json``, the tables and ``failures.csv`` into the run folder.

    Images are read and examined by several workers, some images ahead; exams are noted in the journal in their order,
    each when it is done. The same run again takes from there what has not changed, does what is new, and tries failures
    again.

    Parameters
    ----------
    models : Models
    entries : sequence of Entry
    folder : Path
        The run folder.
    facts : dict
        What the run is besides its models, for ``run.json``: command, input, method and the like.
    base : Path
        The folder to which the paths in the table are relative.
    known : sequence of Failure
        Files of the input that are damaged as far as is known, to be listed with those that turn out to be.
    on_exam : callable, optional
        Explains the images of an exam.
    explained : str
        How it does, in a word. An exam that a run has done without it, or with another, is done again.
    progress : callable
        Called with the number of images done and of all images.

    Raises
    ------
    DensightError
        If the folder holds a run of other models, or cannot be written.
    """
    facts = _begin(models, folder, facts)
    journal = Journal(folder, base, explained)
    exams = group_exams(entries)
    waiting = [exam for exam in exams if not all(map(journal.knows, exam))]
    resumed = done = len(entries) - sum(map(len, waiting))
    progress(done, len(entries))
    failures = list(known)
    # Made here, for workers would each begin to make them.
    engines = models.engines if waiting else {}
    with workers_for(len(entries) - resumed) as workers:
        found = workers.in_order(partial(_examine, models=models), chain.from_iterable(waiting))
        for exam in waiting:
            said = list(islice(found, len(exam)))
            failures += [one for one in said if isinstance(one, Failure)]
            examined = [(entry, one) for entry, one in zip(exam, said, strict=True) if isinstance(one, ImageResult)]
            if examined:
                maps, faults = on_exam(examined) if on_exam else ({}, [])
                failures += faults
                journal.note(examined, maps, {one.path for one in faults})
            done += len(exam)
            progress(done, len(entries))
    rows = [_row(entry, journal, models) for entry in entries if journal.has_assessed(entry)]
    images = _write_tables(models, rows, failures, folder)
    computed = [*facts["computed"], *(engine.description for engine in engines.values())]
    write_json(folder / RUN, facts | {"computed": list(dict.fromkeys(computed)), "finished": _now()})
    return RunResult(images, failures, resumed)


def _begin(models: Models, folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Claim the folder for these models; give all that ``run.json`` says."""
    described = [
        {
            "name": bundle.folder.resolve().name,
            "sha256": bundle.checksum,
            "network": bundle.facts.architecture.name,
            "preparation": f"{bundle.facts.preparation.preset}, {'×'.join(map(str, bundle.facts.preparation.shape))}",
            "projections": list(bundle.facts.projections),
            "licence": bundle.facts.licence,
            "training": bundle.facts.training,
            "calibration": bundle.facts.calibration if models.calibrated else None,
        }
        for bundle in models.bundles
    ]
    earlier: dict[str, Any] = {}
    if (folder / RUN).is_file():
        earlier = read_json(folder / RUN)
        if _identities(earlier.get("models")) != _identities(described):
            raise DensightError(
                "the folder holds a run of another model, or of another calibration",
                folder,
                "choose another folder with -o",
            )
    facts = facts | {
        "classes": list(models.classes),
        "models": described,
        "fusion": models.fusion.to_json(),
        "calibration": models.said,
        "started": earlier.get("started", _now()),
        "computed": earlier.get("computed", []),
    }
    write_json(folder / RUN, facts)
    return facts


def _identities(models: Any) -> set[str]:
    """What tells the models that ``run.json`` names, in whatever order they were given."""
    known = (model for model in models or () if isinstance(model, dict))
    return {json.dumps([model.get("sha256"), model.get("calibration")], sort_keys=True) for model in known}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _examine(entry: Entry, models: Models) -> ImageResult | Failure:
    """Read and examine one image."""
    try:
        bundle = models.of(entry.projection, entry.path)
        return assess_image(models, prepare_image(bundle, read_entry(entry)))
    except DensightError as error:
        return Failure.of(error, entry.path)


def _row(entry: Entry, journal: Journal, models: Models) -> dict[str, object]:
    """A row of ``assessments.csv``; ids and label are the input's of today."""
    said = journal.said(entry)
    assert entry.projection is not None
    probabilities = np.array(said["probabilities"], np.float32)
    return {
        "path": journal.key(entry),
        "patient_id": entry.patient_id,
        "exam_id": entry.exam_id,
        "laterality": entry.projection.laterality.value,
        "view": entry.projection.view.value,
        "density": entry.density or "",
        **dict(zip(probability_columns(models.classes), probabilities.tolist(), strict=True)),
        "predicted": predicted_class(probabilities[None], models.classes)[0],
        "percent_density": said["percent_density"],
        "preparation": said["preparation"],
        "warnings": said["warnings"],
        "model": said["model"],
        "maps": said["maps"],
    }


def _write_tables(
    models: Models, rows: list[dict[str, object]], failures: list[Failure], folder: Path
) -> pd.DataFrame | None:
    import pandas as pd

    write_failures(folder / FAILURES, failures)
    images = pd.DataFrame(rows) if rows else None
    if images is not None:
        write_assessments(folder, images, models.classes, models.fusion)
    else:  # nothing stays of another input that was assessed here before
        for name in (ASSESSMENTS, BREASTS, EXAMS):
            delete(folder / name)
    columns = probability_columns(models.classes)
    for projection in PROJECTIONS:
        path = folder / f"predictions_{projection.value.replace('_', '').lower()}.txt"
        place = (projection.view, projection.laterality)
        of_one = [[row[name] for name in columns] for row in rows if (row["view"], row["laterality"]) == place]
        if of_one:
            write_predictions(path, np.array(of_one))
        else:
            delete(path)
    return images
