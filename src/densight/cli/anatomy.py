"""``densight anatomy``: breast, pectoral muscle, dense tissue and percent density of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import InputArgument, RunOption
from densight.cli.terminal import (
    INTERRUPTED,
    TABLE,
    count,
    keep_left_out,
    open_bar,
    open_console,
    print_failures,
    print_line,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["anatomy"]

SHOWN_IMAGES = 12


def anatomy(
    source: InputArgument,
    output: RunOption = Path("run"),
    weights: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="free: fitted on phantoms. research: fitted on films too, whose terms allow research only.",
        ),
    ] = "free",
) -> None:
    """Outline breast and dense tissue; measure percent density.

    Needs no model. Writes anatomy.csv, and for every image its mask
    (0 background, 1 breast, 2 dense tissue, 3 pectoral muscle) and a picture
    with outlines. Where the anatomy cannot be trusted the verdict says why,
    and no percent density is given.

    densight anatomy exams/ -o run/
    """
    from densight.anatomy.network import check_weights
    from densight.anatomy.run import anatomy_run
    from densight.intake.exam import find_inputs
    from densight.intake.failures import FAILURES

    check_weights(weights)
    console = open_console()
    inputs = find_inputs(source)
    entries = inputs.entries
    base = source if source.is_dir() else source.parent
    with open_bar(console) as bar:
        task = bar.add_task("Reading", total=len(entries))
        try:
            rows, failures = anatomy_run(
                entries,
                output,
                base=base,
                weights=weights,
                failures=inputs.failures,
                progress=lambda done, _: bar.update(task, completed=done),
            )
        except KeyboardInterrupt:
            print_line(console, "Stopped. The same command goes on with the images that are left.")
            raise typer.Exit(INTERRUPTED) from None
    add_to_json(run=output, images=rows, failures=failures)
    _tell(console, rows, output)
    keep_left_out(console, inputs.left_out, output)
    if failures:
        print_failures(console, failures, output / FAILURES)
    raise typer.Exit(1 if failures else 0)


def _tell(console: Console, rows: list[dict[str, object]], output: Path) -> None:
    from rich.table import Table

    from densight.anatomy.run import ANATOMY

    if not rows:
        print_line(console, "No image could be read.")
        return
    table = Table(title="Anatomy", **TABLE)
    table.add_column("image", overflow="fold")
    table.add_column("percent density", justify="right")
    table.add_column("verdict", overflow="fold")
    for row in rows[:SHOWN_IMAGES]:
        verdict = "; ".join(filter(None, (str(row["faults"]), str(row["notes"])))) or "good"
        table.add_row(str(row["path"]), str(row["percent_density"]) or "–", verdict)
    console.print(table)
    if len(rows) > SHOWN_IMAGES:
        print_line(console, f"… and {len(rows) - SHOWN_IMAGES} more images in {output / ANATOMY}")
    doubtful = sum(row["verdict"] != "good" for row in rows)
    print_line(console, f"{count(len(rows), 'image')}, of {doubtful} the anatomy is not to be trusted")
    print_line(console, f"Table, masks and pictures: {output}")
