"""``densight trial``: tests of whether the explanations of a run are true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import DeviceOption, complete_methods, read_names
from densight.cli.terminal import INTERRUPTED, TABLE, count, open_bar, open_console, print_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from densight.trials.run import TrialRun

__all__ = ["trial"]


def trial(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)],
    methods: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            autocompletion=complete_methods,
            help="Methods, separated by commas, or all.  [default: those of the run]",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        int, typer.Option(metavar="N", help="The number of images, at most two per patient.", min=1)
    ] = 20,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Test the map of the predicted class, not of the expected class.")
    ] = False,
    second: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="The model trained again with another seed.", show_default=False),
    ] = None,
    shuffled: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A model trained on shuffled labels.", show_default=False)
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", "-m", metavar="DIR", help="The run's models, if moved.", show_default=False),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", metavar="PATH", help="The run's input, if moved.", show_default=False)
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="The seed of the choice of images, noise and random orders.", min=0)
    ] = 0,
    device: DeviceOption = "cpu",
) -> None:
    """Test whether the explanations of a run are true.

    Tests the maps of each method on images of the run: is the evidence in dense
    tissue, does the score fall when that tissue becomes fat, does the map change
    when the network forgets what it has learnt, is it the same when nothing
    relevant changes, and is its weight where tissue affects the score. Each is
    compared with chance, with intervals by patient. On phantoms the tissue is
    known and changed exactly.

    Writes trials.csv, trials.json and trials/ into the run folder, and the
    verdicts into its report. The same command continues a stopped trial.

    densight trial run/ --methods grad-cam,integrated-gradients
    """
    from densight.trials.run import try_run

    console = open_console()
    names = read_names(methods)
    with open_bar(console) as bar:
        task = bar.add_task("")

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"Testing {what}", completed=done, total=total)

        try:
            result = try_run(
                run,
                names,
                images=images,
                seed=seed,
                predicted=predicted,
                model=model or [],
                source=source,
                second=second or [],
                shuffled=shuffled or [],
                device=device,
                progress=show,
            )
        except KeyboardInterrupt:
            print_line(console, "Stopped. The same command continues with the methods that are left.")
            raise typer.Exit(INTERRUPTED) from None
    _print_result(console, result, run)
    raise typer.Exit(1 if result.failures else 0)


def _print_result(console: Console, result: TrialRun, run: Path) -> None:
    from densight.report.report import write_report

    for table in _tables(result):
        console.print(table)
    print_line(console, "+ better than chance, ~ no better than chance, - worse than chance")
    for card in result.cards:
        if card.warning:
            print_line(console, card.warning)
    for failure in result.failures:
        print_line(console, f"not tested: {failure.path}: {failure.fault}")
    print_line(
        console, f"{count(len(result.trials[0].values), 'image')} tested: {run / 'trials.csv'}, {run / 'trials.json'}"
    )
    report = write_report(run)
    add_to_json(run=run, methods=result.summaries, failures=result.failures, report=report)
    print_line(console, f"Report: {report}")


def _tables(result: TrialRun) -> list[Table]:
    from rich.table import Table

    from densight.explanation.methods.methods import method_name
    from densight.trials.measure import MEASURES
    from densight.trials.verdicts import number

    signs = {"passes": "+", "at chance": "~", "fails": "-"}
    summaries = result.summaries
    measures = [name for name in MEASURES if any(name in of for of in summaries.values())]
    methods = list(summaries)
    tables = []
    # Four methods beside their measures fill a terminal.
    for start in range(0, len(methods), 4):
        table = Table(title="Trials" if start == 0 else None, **TABLE)
        table.add_column("measure")
        for method in methods[start : start + 4]:
            table.add_column(method_name(method), justify="right")
        for name in measures:
            cells = []
            for method in methods[start : start + 4]:
                summary = summaries[method].get(name)
                known = summary is not None and summary.verdict != "nothing"
                cells.append(f"{number(summary.value)} {signs.get(summary.verdict, ' ')}" if summary and known else "")
            if any(cells):
                table.add_row(name, *cells)
        tables.append(table)
    return tables
