"""What ``assess`` and ``explain`` share: a run from the command line, and what the terminal shows of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from densight.cli.common_options import add_to_json
from densight.cli.terminal import INTERRUPTED, count, open_bar, open_console, print_failures, print_left_out, print_line

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from densight.runs.request import RunRequest
    from densight.runs.result import RunResult

__all__ = ["exit_status", "run_request"]

SHOWN_EXAMS = 12


def run_request(request: RunRequest) -> RunResult:
    """Do a run, and show its progress and result."""
    from densight.runs.run import prepare_run

    console = open_console()
    prepared = prepare_run(request)
    for note in prepared.notes:
        print_line(console, f"note: {note}")
    with open_bar(console) as bar:
        task = bar.add_task("Explaining" if prepared.methods else "Assessing", total=len(prepared.entries))
        try:
            result = prepared.run(lambda done, total: bar.update(task, completed=done, total=total))
        except KeyboardInterrupt:
            print_line(console, "Stopped. The same command goes on with the exams that are left.")
            raise typer.Exit(INTERRUPTED) from None
    _print_result(console, result)
    exams = [] if result.exams is None else result.exams.to_dict("records")
    add_to_json(
        run=result.folder,
        failures=result.failures,
        exams=exams,
        report=result.report,
        not_assessed=result.left_out,
    )
    return result


def exit_status(result: RunResult) -> int:
    """1 if an image failed, or none could be assessed; else 0."""
    return 1 if result.failures or result.images is None else 0


def _print_result(console: Console, result: RunResult) -> None:
    from densight.assessment.priors import PRIORS
    from densight.assessment.tables import EXAMS, read_exams
    from densight.intake.failures import FAILURES, NOT_ASSESSED

    output = result.folder
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
        numbers = ", ".join(f"{int((exams['predicted'] == label).sum())} {label}" for label in classes)
        print_line(console, f"{count(len(result.images), 'image')} of {count(len(exams), 'exam')}: {numbers}")
    if result.failures:
        print_failures(console, result.failures, output / FAILURES)
    if (output / PRIORS).is_file():
        with (output / PRIORS).open(encoding="utf-8") as file:
            compared = sum(1 for _ in file) - 1
        print_line(
            console,
            f"{count(compared, 'exam')} compared with an earlier one of the patient: {output / PRIORS}",
        )
    print_left_out(console, result.left_out, output / NOT_ASSESSED)
    if result.report is not None:
        print_line(console, f"Report: {result.report}")


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
