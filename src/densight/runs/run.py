"""The run: every exam of an input assessed and explained once, in a folder in which a stopped run is resumed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densight.anatomy.projection import projections_from_pictures
from densight.assessment.assess import ImageResult, assess_image, prepare_image
from densight.assessment.fusion import predicted_class, probability_columns
from densight.assessment.models import Models, load_models
from densight.assessment.predictions import write_predictions
from densight.assessment.record import RunRecord, Sources, describe_models, has_record, read_record
from densight.assessment.tables import ASSESSMENTS, BREASTS, EXAMS, write_assessments
from densight.explanation.picture_names import image_names
from densight.intake.exam import find_labelled, group_exams, read_entry
from densight.intake.failures import FAILURES, NOT_ASSESSED, Failure, LeftOut, write_failures, write_left_out
from densight.intake.mammogram import Entry
from densight.network.shipped import is_shipped
from densight.report.report import REPORT, write_report
from densight.runs.dicom import IDENTIFIED, PSEUDONYMOUS
from densight.runs.drawing_pool import drawing_pool
from densight.runs.journal import Journal
from densight.runs.maps import MapsOutput, check_methods, explain_exam
from densight.runs.outputs import AssessedImage, Output, RunContext
from densight.runs.priors import PriorsOutput
from densight.runs.request import RunRequest
from densight.runs.result import RunResult
from densight.storage import delete
from densight.vocabulary import PROJECTIONS, DensightError
from densight.workers import workers_for

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PreparedRun", "Progress", "assess_entries", "prepare_run", "run"]

Progress = Callable[[int, int], None]
"""Called with the number of images that are done and of all images."""


def _no_progress(done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run before its first image: its request is checked, its models are loaded, its images are found.

    Made by `prepare_run`.

    Parameters
    ----------
    request : RunRequest
    models : Models
    entries : tuple of Entry
        The images that will be assessed.
    known : tuple of Failure
        Files that are known to be damaged before their pixels are read.
    left_out : tuple of LeftOut
    methods : tuple of str
        The methods of explanation, checked.
    notes : tuple of str
        What users should know of input and model before they wait for the run.
    """

    request: RunRequest
    models: Models
    entries: tuple[Entry, ...]
    known: tuple[Failure, ...]
    left_out: tuple[LeftOut, ...]
    methods: tuple[str, ...]
    notes: tuple[str, ...]

    def run(self, progress: Progress = _no_progress) -> RunResult:
        """Assess, explain and write all exams.

        Raises
        ------
        DensightError
            If the folder holds a run of other models, an output cannot be made of these images, or a file cannot be
            written.
        """
        request = self.request
        base = request.source if request.source.is_dir() else request.source.parent
        with drawing_pool(len(self.entries) if self.methods else 0) as draw:
            context = RunContext(request.output, base, self.models, self.entries, self.methods, request.layer, draw)
            # Maps come first: DICOM captures are made of their pictures.
            outputs: list[Output] = [MapsOutput.of(context)] if self.methods else []
            outputs += [option.open(context) for option in request.outputs]
            outputs.append(PriorsOutput(context))
            result = assess_entries(context, outputs, self._record(outputs), known=self.known, progress=progress)
        write_left_out(request.output / NOT_ASSESSED, self.left_out)
        result = replace(result, left_out=self.left_out, notes=self.notes)
        for output in outputs:
            output.finish(result)
        if result.images is not None:  # the report shows what all outputs have written
            write_report(request.output)
        return result

    def _record(self, outputs: Sequence[Output]) -> RunRecord:
        """What ``run.json`` holds of the request, so that other commands continue with the run."""
        request = self.request
        written = [output.key for output in outputs if output.key in (IDENTIFIED, PSEUDONYMOUS)]
        return RunRecord(
            densight=version("densight"),
            command="explain" if self.methods else "assess",
            input=request.source.resolve().name,
            methods=list(self.methods),
            sources=Sources(
                input=_from_folder(request.source, request.output),
                models=[
                    str(source) if is_shipped(source) else _from_folder(Path(source), request.output)
                    for source in self.models.sources
                ],
            ),
            split=request.split,
            device=request.device,
            layer=request.layer,
            dicom=written[0] if written else "",
            outputs=[flag for option in request.outputs for flag in option.flags],
            **asdict(self.models.computing),
        )


def prepare_run(request: RunRequest, models: Models | None = None) -> PreparedRun:
    """Check a request, load its models and find its images.

    Parameters
    ----------
    request : RunRequest
    models : Models, optional
        The request's models where they are loaded already.

    Raises
    ------
    DensightError
        If a model cannot be loaded, the input has no image, or there is no such method or layer.
    """
    if models is None:
        models = load_models(request.models, request.device, calibrated=request.calibrated, computing=request.computing)
    inputs = find_labelled(request.source, request.split, models.classes)
    entries = tuple(projections_from_pictures(inputs.entries))
    notes = (
        inputs.remark,
        _calibration_note(models),
        models.not_calibrated,
        _training_note(entries) if request.split is None else "",
    )
    return PreparedRun(
        request,
        models,
        entries,
        inputs.failures,
        inputs.left_out,
        check_methods(models, request.methods, request.layer),
        tuple(filter(None, notes)),
    )


def run(request: RunRequest, *, models: Models | None = None, progress: Progress = _no_progress) -> RunResult:
    """Assess, and where methods are named explain, the exams of an input, and write all that is requested of them.

    The same request again continues a run that was stopped: it does what is left, what has changed and what is new, and
    tries failures again.

    Parameters
    ----------
    request : RunRequest
    models : Models, optional
        The request's models where they are loaded already.
    progress : callable
        Called with the number of images that are done and of all images.

    Returns
    -------
    RunResult

    Raises
    ------
    DensightError
        As `prepare_run` and `PreparedRun.run`. An image that cannot be used is in ``failures``, not raised.
    """
    return prepare_run(request, models).run(progress)


def assess_entries(
    context: RunContext,
    outputs: Sequence[Output] = (),
    record: RunRecord | None = None,
    *,
    known: Sequence[Failure] = (),
    progress: Progress = _no_progress,
) -> RunResult:
    """Assess and explain the images of a run, and write ``run.json``, the tables and ``failures.csv``.

    Images are read and assessed by several workers, some images ahead; exams are written and noted in the journal in
    their order, each when it is done.

    Parameters
    ----------
    context : RunContext
    outputs : sequence of Output
        They write each exam; `Output.finish` is the caller's.
    record : RunRecord, optional
        What is known of the run besides its models.
    known : sequence of Failure
        Files that are known to be damaged, listed with those that turn out to be.
    progress : callable

    Raises
    ------
    DensightError
        If the folder holds a run of other models, or cannot be written.
    """
    models, entries, folder = context.models, context.entries, context.folder
    record = _begin(models, folder, record or RunRecord())
    journal = Journal(folder, context.base, "; ".join(filter(None, (output.key for output in outputs))))
    exams = group_exams(entries)
    waiting = [exam for exam in exams if not all(map(journal.is_done, exam))]
    resumed = done = len(entries) - sum(map(len, waiting))
    progress(done, len(entries))
    failures = list(known)
    names = image_names(entries, context.base)
    # Built here: otherwise each worker would begin to build them.
    engines = models.engines if waiting else {}
    with workers_for(len(entries) - resumed) as workers:
        coming = workers.in_order(partial(_assess, models=models), chain.from_iterable(waiting))
        for exam in waiting:
            results = list(islice(coming, len(exam)))
            failures += [result for result in results if isinstance(result, Failure)]
            images = [
                AssessedImage(entry, result, names[entry.path])
                for entry, result in zip(exam, results, strict=True)
                if isinstance(result, ImageResult)
            ]
            if images:
                explained, faults = explain_exam(images, context.methods, context.layer)
                for output in outputs:
                    faults += output.write_exam(explained)
                failures += faults
                journal.add(explained, {fault.path for fault in faults})
            done += len(exam)
            progress(done, len(entries))
    rows = [_row(entry, journal, models) for entry in entries if journal.is_assessed(entry)]
    assessed = _write_tables(models, rows, failures, folder)
    computed = [*record.computed, *(engine.description for engine in engines.values())]
    finished = record.model_copy(update={"computed": list(dict.fromkeys(computed)), "finished": _now()})
    finished.write(folder)
    return RunResult(folder, assessed, failures, resumed)


def _begin(models: Models, folder: Path, record: RunRecord) -> RunRecord:
    """Claim the folder for these models; return the whole record."""
    started, computed = _now(), list[str]()
    if has_record(folder):
        earlier = read_record(folder)
        if not earlier.is_of(models):
            raise DensightError(
                "the folder holds a run of another model, or of another calibration",
                folder,
                "choose another folder with -o",
            )
        started, computed = earlier.started or started, earlier.computed
    whole = record.model_copy(
        update={
            "classes": list(models.classes),
            "models": describe_models(models),
            "fusion": models.fusion,
            "calibration": models.calibration_notes,
            "started": started,
            "computed": computed,
        }
    )
    whole.write(folder)
    return whole


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _from_folder(path: Path, folder: Path) -> str:
    """The way from the run folder to a file, for the commands that continue with the run."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _calibration_note(models: Models) -> str:
    """That probabilities and sets are calibrated, if they are."""
    sets = models.fusion.sets
    coverage = f", sets hold the true class of {100 * sets.coverage:g} % of exams" if sets else ""
    return f"probabilities are calibrated{coverage}; the report says how" if models.calibration_notes else ""


def _training_note(entries: Sequence[Entry]) -> str:
    """A warning where images are among those that a model may have learnt from."""
    number = sum(entry.split in ("train", "validation") for entry in entries)
    images = "1 image" if number == 1 else f"{number} images"
    among = f"the input has {images} of the splits train and validation"
    return f"{among}; --split test leaves them out" if number else ""


def _assess(entry: Entry, models: Models) -> ImageResult | Failure:
    """Read and assess one image."""
    try:
        bundle = models.of(entry.projection, entry.path)
        return assess_image(models, prepare_image(bundle, read_entry(entry)))
    except DensightError as error:
        return Failure.of(error, entry.path)


def _row(entry: Entry, journal: Journal, models: Models) -> dict[str, object]:
    """A row of ``assessments.csv``; ids and label are the input's of today."""
    noted = journal.noted(entry)
    assert entry.projection is not None
    probabilities = np.array(noted["probabilities"], np.float32)
    return {
        "path": journal.key(entry),
        "patient_id": entry.patient_id,
        "exam_id": entry.exam_id,
        "laterality": entry.projection.laterality.value,
        "view": entry.projection.view.value,
        "density": entry.density or "",
        **dict(zip(probability_columns(models.classes), probabilities.tolist(), strict=True)),
        "predicted": predicted_class(probabilities[None], models.classes)[0],
        "percent_density": noted["percent_density"],
        "preparation": noted["preparation"],
        "warnings": noted["warnings"],
        "model": noted["model"],
        "maps": noted["maps"],
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
        for name in (ASSESSMENTS, BREASTS, EXAMS, REPORT):
            delete(folder / name)
    columns = probability_columns(models.classes)
    for projection in PROJECTIONS:
        path = folder / f"predictions_{projection.value.replace('_', '').lower()}.txt"
        place = (projection.view, projection.laterality)
        of_projection = [[row[name] for name in columns] for row in rows if (row["view"], row["laterality"]) == place]
        if of_projection:
            write_predictions(path, np.array(of_projection))
        else:
            delete(path)
    return images
