"""Figures of merit as the terminal shows them: what fits on a screen; ``figures.json`` and the report have all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from densight.cli.terminal import TABLE, count, print_line
from densight.figures.drawn import FIGURES, SHOWN, SHOWN_OF_SCALINGS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from densight.figures.levels import Figures

__all__ = ["show_figures", "show_scalings"]

_OF_LEVELS = {"accuracy": True, "macro_recall": False, "macro_precision": False}
_AGREEMENT = {"kappa_linear": False, "kappa_quadratic": True, "dense_accuracy": False, "macro_auc": True}
_OF_COMPARISON = (*_OF_LEVELS, "kappa", *_AGREEMENT, "brier", "log_score", "ece")
_TESTS = {"mcnemar": "McNemar", "stuart_maxwell": "Stuart–Maxwell", "delong": "DeLong, dense"}


def show_figures(console: Console, figures: Figures) -> None:
    """Print the tables of the levels, of the exam, and of what was asked beside.

    Parameters
    ----------
    console : Console
    figures : Figures
    """
    said = figures.as_dict()
    levels = said["levels"]
    console.print(_levels("Figures of merit, with the accuracy's 95 % interval", levels, _OF_LEVELS, counts=True))
    console.print(_levels("Beyond chance, and dense against non-dense", levels, _AGREEMENT, counts=False))
    if "exam" in levels:
        console.print(_confusion(levels["exam"], figures.classes))
    if "fusions" in said:
        console.print(_rows("Exam, rules of fusion", "rule", said["fusions"]))
    if "scalings" in said:
        show_scalings(console, said["scalings"])
    if said.get("sets"):
        console.print(_sets(said["sets"]))
    for one in said.get("groups", []):
        console.print(_rows(f"Exam, by {one['column']}", one["column"], one["rows"], few=one["few"]))
    for one in said.get("against", []):
        _show_comparison(console, one)
    for one in said.get("drift", []):
        _show_drift(console, one)
    if "readers" in said:
        _show_readers(console, said["readers"])
    for one in said.get("over", []):
        console.print(_chart(one["column"], one["chart"]))
    for remark in figures.assumed:
        print_line(console, f"note: {remark}")


def show_scalings(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what scalings of an exam's probabilities change.

    Parameters
    ----------
    console : Console
    rows : sequence of mapping
        Of `densight.figures.alternatives.compare_scalings`, as plain values.
    """
    title = "Exam, scalings of its probabilities, cross-validated by patient"
    console.print(_rows(title, "scaling", rows, names=SHOWN_OF_SCALINGS))


def _levels(title: str, levels: Mapping[str, Any], names: Mapping[str, bool], *, counts: bool) -> Table:
    from rich.table import Table

    table = Table(title=title, **TABLE)
    table.add_column("level", no_wrap=True)
    shown = {name: interval for name, interval in names.items() if any(name in merit for merit in levels.values())}
    numbers = ("n", "patients") if counts else ()
    for heading in numbers:
        table.add_column(heading, justify="right")
    for name, interval in shown.items():
        table.add_column(_short(name), justify="right", no_wrap=interval)
    for level, merit in levels.items():
        cells = [_value(merit.get(name), interval) for name, interval in shown.items()]
        table.add_row(level, *(str(merit[number]) for number in numbers), *cells)
    return table


def _rows(
    title: str,
    first: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    names: Sequence[str] = SHOWN,
    few: Sequence[str] | None = None,
) -> Table:
    """Rows of figures; with the number of exams where the rows are of different ones, as ``few`` being given tells."""
    from rich.table import Table

    table = Table(title=title, caption="* fewer than 30 patients" if few else None, **TABLE)
    table.add_column(first, no_wrap=True)
    if few is not None:
        table.add_column("n", justify="right")
    shown = [name for name in names if any(name in row["estimates"] for row in rows)]
    for name in shown:
        table.add_column(_short(name), justify="right", no_wrap=name == "kappa_quadratic")
    for row in rows:
        numbers = [] if few is None else [str(row["n"])]
        cells = [_value(row["estimates"].get(name), name == "kappa_quadratic", 3) for name in shown]
        table.add_row(f"{row['name']}{' *' if row['name'] in (few or ()) else ''}", *numbers, *cells)
    return table


def _confusion(merit: Mapping[str, Any], classes: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title="Confusion matrix, exam", caption="rows true, columns predicted", **TABLE)
    table.add_column("")
    for label in classes:
        table.add_column(label, justify="right")
    table.add_column("recall", justify="right")
    for label, counts in zip(classes, merit["confusion"], strict=True):
        recall = merit["per_class"][label]["recall"]
        table.add_row(label, *map(str, counts), _value(recall, False))
    return table


def _sets(sets: Sequence[Mapping[str, Any]]) -> Table:
    """Sets of neighbouring classes: what they promise and hold, and how many have one class, two, and so on."""
    from rich.table import Table

    table = Table(title="Exam, sets of classes that hold the true one", **TABLE)
    for heading in ("fitted by", "promise"):
        table.add_column(heading, no_wrap=True)
    table.add_column("held", justify="right", no_wrap=True)
    table.add_column("worst", justify="right", no_wrap=True)
    for size in range(1, len(sets[0]["sizes"]) + 1):
        table.add_column(f"{size}", justify="right")
    for one in sets:
        shares = [of["value"] for of in one["coverage_of"].values() if of["value"] is not None]
        promise = f"{100 * one['promise']:g} % of {'each' if one['by_class'] else 'all'}"
        held = _value(one["coverage"], True, 3)
        sizes = map(str, one["sizes"])
        table.add_row(one["how"], promise, held, f"{min(shares):.3f}", *sizes)
    return table


def _show_comparison(console: Console, one: Mapping[str, Any]) -> None:
    from rich.table import Table

    title = f"{one['one']}, against {one['other']}, {count(one['n'], 'exam')}"
    table = Table(title=title, caption="p: paired bootstrap over patients", **TABLE)
    table.add_column("figure")
    for heading in ("this", "other", "difference", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in _OF_COMPARISON:
        if found := one["differences"].get(name):
            values = [_number(found[side]) for side in ("one", "other")]
            table.add_row(_short(name), *values, _value(found["difference"], True, 3), _p(found["p"]))
    console.print(table)
    for name, test in one["tests"].items():
        print_line(console, f"{_TESTS[name]}: {test['question']} p {_p(test['p'])}, Holm {_p(test['adjusted'])}")
    if one["left_out"]:
        print_line(console, f"note: {one['left_out']} that only one of them has are left out")


def _show_drift(console: Console, one: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"From {one['one']} to {one['other']}, classes predicted", **TABLE)
    table.add_column("class")
    for side, name in enumerate((one["one"], one["other"])):
        table.add_column(f"{name} ({one['n'][side]})", justify="right")
    for label in one["mix"][0]:
        table.add_row(label, *(_value(mix[label], True, 3) for mix in one["mix"]))
    console.print(table)
    for found in one["stability"]:
        words = f"Population stability index, {found['what']}: {found['index']:.3f}, p {_p(found['p'])}"
        print_line(console, words)


def _show_readers(console: Console, one: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="Readers and the model", **TABLE)
    for heading in ("", "", "n"):
        table.add_column(heading)
    names = ("accuracy", "kappa_linear", "kappa_quadratic")
    for heading in ("agree", _short("kappa_linear"), _short("kappa_quadratic")):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in one["pairs"]:
        cells = [_value(pair["estimates"].get(name), name == "kappa_quadratic", 3) for name in names]
        table.add_row(pair["one"], pair["other"], str(pair["n"]), *cells)
    console.print(table)
    if one["difference"]:
        print_line(
            console,
            f"On {count(one['complete'], 'exam')} read by all, mean quadratic κ: readers with each other "
            f"{_value(one['among_readers'], True, 3)}, the model with readers {_value(one['with_model'], True, 3)}, "
            f"difference {_value(one['difference'], True, 3)}",
        )
    if one["references"]:
        console.print(_rows("The model against the readers together", "reference", one["references"], few=[]))


def _chart(column: str, chart: Mapping[str, Any]) -> Table:
    from rich.table import Table

    title = f"{_short(chart['figure'])} over {column}; over all {_number(chart['centre'])}"
    table = Table(title=title, caption="limits: three standard errors", **TABLE)
    table.add_column(column)
    for heading in ("n", "value", "limits", ""):
        table.add_column(heading, justify="right")
    for point in chart["points"]:
        limits = f"{_number(point['low'])} to {_number(point['high'])}"
        said = "outside" if point["out"] else ""
        table.add_row(point["name"], str(point["n"]), _number(point["value"]), limits, said)
    return table


def _short(name: str) -> str:
    return FIGURES[name].short


def _value(estimate: Mapping[str, Any] | None, interval: bool, digits: int = 4) -> str:
    if estimate is None:
        return "–"
    if estimate["value"] is None:
        return "undefined"
    value = f"{estimate['value']:.{digits}f}"
    if not interval or not estimate["interval"]:
        return value
    low, high = estimate["interval"]
    return f"{value} [{low:.3f}, {high:.3f}]"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _p(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}" if value >= 0.001 else "< .001"
