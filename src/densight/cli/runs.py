"""What ``assess`` and ``explain`` share: an input through a model into a run folder, and what the terminal shows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from densight.cli.common_options import reply
from densight.cli.terminal import INTERRUPTED, count, keep_left_out, open_bar, open_console, print_failures, print_line
from densight.vocabulary import SPLITS, DensightError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from densight.assessment.models import Models
    from densight.intake.mammogram import Entry
    from densight.network.engine import Computing
    from densight.runs.run import OnExam, RunResult

__all__ = ["run_input"]

SHOWN_EXAMS = 12


def run_input(
    source: Path,
    model: list[Path],
    output: Path,
    *,
    split: str | None,
    device: str,
    methods: Sequence[str] = (),
    layer: str | None = None,
    dicom: bool = False,
    identified: bool = False,
    calibrated: bool = True,
    computing: Computing | None = None,
) -> bool:
    """Assess, and where methods are named explain, the exams of an input; tell whether any image failed, or all did."""
    from densight.anatomy.projection import told_by_pictures
    from densight.assessment.models import load_models
    from densight.assessment.tables import read_exams
    from densight.intake.exam import find_labelled
    from densight.report.report import write_report
    from densight.runs.dicom import DicomWriter
    from densight.runs.drawing_pool import drawing_pool
    from densight.runs.maps import Explainer
    from densight.runs.run import assess_run

    if split not in (None, *SPLITS):
        raise DensightError(f"unknown split {split!r}", remedy=f"use one of {', '.join(SPLITS)}")
    if identified and not dicom:
        raise DensightError("--identified goes with --dicom alone", remedy="give both, or neither")
    models = load_models(model, device, calibrated=calibrated, computing=computing)
    console = open_console()
    inputs = find_labelled(source, split, models.classes)
    entries = told_by_pictures(inputs.entries)
    learnt_from = _learnt_from(entries) if split is None else ""
    for words in (inputs.remark, _calibrated(models), models.not_calibrated, learnt_from):
        if words:
            print_line(console, f"note: {words}")
    base = source if source.is_dir() else source.parent
    with drawing_pool(len(entries) if methods else 0) as paint:
        explainer = Explainer.of(output, entries, base, models, methods, layer, paint) if methods else None
        on_exam: OnExam | None = explainer
        said = [explainer.said] if explainer else []
        writer: DicomWriter | None = None
        if dicom:
            on_exam = writer = DicomWriter.of(
                output,
                models,
                entries,
                identified=identified,
                explainer=explainer,
                method=explainer.methods[0] if explainer else "",
                layer=layer,
            )
            said.append(writer.said)
        asked = {"split": split, "device": device, "layer": layer, "dicom": writer.said if writer else ""}
        facts = _facts(source, model, output, explainer.methods if explainer else ()) | asked | asdict(models.computing)
        with open_bar(console) as bar:
            task = bar.add_task("Explaining" if methods else "Assessing", total=len(entries))

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            try:
                result = assess_run(
                    models,
                    entries,
                    output,
                    facts,
                    base=base,
                    known=inputs.failures,
                    on_exam=on_exam,
                    explained="; ".join(said),
                    progress=show,
                )
            except KeyboardInterrupt:
                print_line(console, "Stopped. The same command goes on with the exams that are left.")
                raise typer.Exit(INTERRUPTED) from None
    _tell(console, result, output)
    _compare(console, result, entries, output)
    keep_left_out(console, inputs.left_out, output)
    reply(run=output, failures=result.failures, exams=[], report=None)
    if result.images is not None:
        report = write_report(output)
        reply(exams=read_exams(output)[0].to_dict("records"), report=report)
        print_line(console, f"Report: {report}")
    return bool(result.failures) or result.images is None


def _calibrated(models: Models) -> str:
    """That probabilities and sets are calibrated, if they are."""
    sets = models.fusion.sets
    held = f", sets hold the true class of {100 * sets.coverage:g} % of exams" if sets else ""
    return f"probabilities are calibrated{held}; the report says how" if models.said else ""


def _learnt_from(entries: Sequence[Entry]) -> str:
    """A warning where images are among those that a model may have learnt from."""
    learnt_from = sum(entry.split in ("train", "validation") for entry in entries)
    among = f"{count(learnt_from, 'image')} of the splits train and validation"
    return f"the input has {among}; --split test leaves them out" if learnt_from else ""


def _facts(source: Path, model: Sequence[Path], output: Path, methods: Sequence[str]) -> dict[str, Any]:
    """What ``run.json`` says of what is asked for, so that other verbs go on with it."""
    from densight.network.shipped import is_shipped

    return {
        "densight": version("densight"),
        "command": "explain" if methods else "assess",
        "input": source.resolve().name,
        "methods": list(methods),
        "sources": {
            "input": _beside(source, output),
            "models": [str(one) if is_shipped(one) else _beside(one, output) for one in model],
        },
    }


def _compare(console: Console, result: RunResult, entries: Sequence[Entry], output: Path) -> None:
    """Set the earlier exams of patients beside the later ones, where the input has several of a patient."""
    from densight.assessment.priors import PRIORS, compare_with_priors, write_priors
    from densight.assessment.tables import read_exams
    from densight.intake.dicom.identity import exam_day

    of_patient: dict[str, dict[str, Path]] = {}
    for entry in entries:
        of_patient.setdefault(entry.patient_id, {}).setdefault(entry.exam_id, entry.path)
    several = [exams for exams in of_patient.values() if len(exams) > 1]
    days = {exam: day for exams in several for exam, path in exams.items() if (day := exam_day(path))}
    rows = []
    if result.images is not None and days:
        exams, classes = read_exams(output)
        rows = compare_with_priors(result.images, exams, classes, days)
    write_priors(output, rows)
    if rows:
        compared = f"{count(len(rows), 'exam')} compared with an earlier one of the patient"
        print_line(console, f"{compared}: {output / PRIORS}")


def _beside(path: Path, output: Path) -> str:
    """The way from the run folder to a file, for the verbs that go on with the run."""
    return Path(os.path.relpath(path.resolve(), output.resolve())).as_posix()


def _tell(console: Console, result: RunResult, output: Path) -> None:
    from densight.assessment.tables import EXAMS, read_exams
    from densight.intake.failures import FAILURES

    if result.resumed:
        print_line(console, f"{count(result.resumed, 'image')} had been done by an earlier run in this folder.")
    if result.images is None:
        print_line(console, "No image could be assessed.")
    else:
        exams, classes = read_exams(output)
        console.print(_exams_table(exams, classes))
        if len(exams) > SHOWN_EXAMS:
            print_line(console, f"… and {len(exams) - SHOWN_EXAMS} more exams in {output / EXAMS}")
        assumed = Counter(text for texts in exams["assumed"] for text in filter(None, texts.split("; ")))
        for text, times in assumed.items():
            print_line(console, f"note: {count(times, 'exam')}: {text}")
        told = ", ".join(f"{int((exams['predicted'] == label).sum())} {label}" for label in classes)
        print_line(console, f"{count(len(result.images), 'image')} of {count(len(exams), 'exam')}: {told}")
    if result.failures:
        print_failures(console, result.failures, output / FAILURES)


def _exams_table(exams: pd.DataFrame, classes: tuple[str, ...]) -> Table:
    from rich.table import Table

    from densight.assessment.fusion import probability_columns
    from densight.cli.terminal import TABLE

    labelled = bool(exams["density"].ne("").any())
    table = Table(title="Exams", **TABLE)
    table.add_column("exam", overflow="fold")
    if labelled:
        table.add_column("reference")
    table.add_column("predicted")
    if "set" in exams:
        table.add_column("set")
    for name in probability_columns(classes):
        table.add_column(name, justify="right")
    lacking = bool(exams["missing"].head(SHOWN_EXAMS).ne("").any())
    if lacking:
        table.add_column("missing")
    for row in exams.head(SHOWN_EXAMS).to_dict("records"):
        numbers = [f"{row[name]:.3f}" for name in probability_columns(classes)]
        words = [str(row["exam_id"]), *([str(row["density"] or "–")] if labelled else []), str(row["predicted"])]
        words += [str(row["set"])] if "set" in row else []
        table.add_row(*words, *numbers, *([str(row["missing"])] if lacking else []))
    return table
