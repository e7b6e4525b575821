"""Figures of merit on the terminal: what fits on a screen; ``figures.json`` and the report show everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from densight.cli.terminal import TABLE, count, print_line
from densight.figures.metrics import METRICS, SCALING_METRICS, TABLE_METRICS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from densight.figures.evaluate import Figures

__all__ = ["show_figures", "show_scalings"]

_OF_LEVELS = {"accuracy": True, "macro_recall": False, "macro_precision": False}
_AGREEMENT = {"kappa_linear": False, "kappa_quadratic": True, "dense_accuracy": False, "macro_auc": True}
_OF_COMPARISON = (*_OF_LEVELS, "kappa", *_AGREEMENT, "brier", "log_score", "ece")
_TESTS = {"mcnemar": "McNemar", "stuart_maxwell": "Stuart–Maxwell", "delong": "DeLong, dense"}


def show_figures(console: Console, figures: Figures) -> None:
    """Print the tables of the levels, of the exam, and of the further results.

    Parameters
    ----------
    console : Console
    figures : Figures
    """
    content = figures.as_dict()
    levels = content["levels"]
    console.print(_levels("Figures of merit, with the accuracy's 95 % interval", levels, _OF_LEVELS, counts=True))
    console.print(_levels("Agreement beyond chance, and dense against non-dense", levels, _AGREEMENT, counts=False))
    if "exam" in levels:
        console.print(_confusion(levels["exam"], figures.classes))
    if "fusions" in content:
        console.print(_rows("Exam, rules of fusion", "rule", content["fusions"]))
    if "scalings" in content:
        show_scalings(console, content["scalings"])
    if content.get("sets"):
        console.print(_sets(content["sets"]))
    for groups in content.get("groups", []):
        console.print(_rows(f"Exam, by {groups['column']}", groups["column"], groups["rows"], few=groups["few"]))
    for comparison in content.get("against", []):
        _show_comparison(console, comparison)
    for drift in content.get("drift", []):
        _show_drift(console, drift)
    if "readers" in content:
        _show_readers(console, content["readers"])
    for times in content.get("over", []):
        console.print(_chart(times["column"], times["chart"]))
    for remark in figures.assumed:
        print_line(console, f"note: {remark}")


def show_scalings(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the metrics of the exams under each scaling of their probabilities.

    Parameters
    ----------
    console : Console
    rows : sequence of mapping
        The result of `densight.figures.alternatives.compare_scalings`, as plain values.
    """
    title = "Exam, scalings of its probabilities, cross-validated by patient"
    console.print(_rows(title, "scaling", rows, names=SCALING_METRICS))


def _levels(title: str, levels: Mapping[str, Any], names: Mapping[str, bool], *, counts: bool) -> Table:
    from rich.table import Table

    table = Table(title=title, **TABLE)
    table.add_column("level", no_wrap=True)
    shown = {name: interval for name, interval in names.items() if any(name in merit for merit in levels.values())}
    numbers = ("n", "patients") if counts else ()
    for heading in numbers:
        table.add_column(heading, justify="right")
    for name, interval in shown.items():
        table.add_column(METRICS[name].short, justify="right", no_wrap=interval)
    for level, merit in levels.items():
        cells = [_metric(name, merit.get(name), interval=interval, precise=True) for name, interval in shown.items()]
        table.add_row(level, *(str(merit[number]) for number in numbers), *cells)
    return table


def _rows(
    title: str,
    first: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    names: Sequence[str] = TABLE_METRICS,
    few: Sequence[str] | None = None,
) -> Table:
    """Rows of metrics; with their numbers of exams if ``few``, the rows of few patients, is given."""
    from rich.table import Table

    table = Table(title=title, caption="* fewer than 30 patients" if few else None, **TABLE)
    table.add_column(first, no_wrap=True)
    if few is not None:
        table.add_column("n", justify="right")
    shown = [name for name in names if any(name in row["estimates"] for row in rows)]
    for name in shown:
        table.add_column(METRICS[name].short, justify="right", no_wrap=name == "kappa_quadratic")
    for row in rows:
        numbers = [] if few is None else [str(row["n"])]
        cells = [_metric(name, row["estimates"].get(name), interval=name == "kappa_quadratic") for name in shown]
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
        table.add_row(label, *map(str, counts), _value(recall, spec=".4f"))
    return table


def _sets(sets: Sequence[Mapping[str, Any]]) -> Table:
    """Sets of neighbouring classes: promised and measured coverage, and how many have one class, two, and so on."""
    from rich.table import Table

    table = Table(title="Exam, sets of classes that contain the true class", **TABLE)
    for heading in ("fitted by", "promise"):
        table.add_column(heading, no_wrap=True)
    table.add_column("coverage", justify="right", no_wrap=True)
    table.add_column("worst", justify="right", no_wrap=True)
    for size in range(1, len(sets[0]["sizes"]) + 1):
        table.add_column(f"{size}", justify="right")
    for merit in sets:
        of_classes = [estimate["value"] for estimate in merit["coverage_of"].values() if estimate["value"] is not None]
        promise = f"{100 * merit['promise']:g} % of {'each' if merit['by_class'] else 'all'}"
        coverage = _value(merit["coverage"], interval=True)
        table.add_row(merit["how"], promise, coverage, f"{min(of_classes):.3f}", *map(str, merit["sizes"]))
    return table


def _show_comparison(console: Console, comparison: Mapping[str, Any]) -> None:
    from rich.table import Table

    title = f"{comparison['one']}, against {comparison['other']}, {count(comparison['n'], 'exam')}"
    table = Table(title=title, caption="p: paired bootstrap over patients", **TABLE)
    table.add_column("figure")
    for heading in ("this", "other", "difference", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in _OF_COMPARISON:
        if result := comparison["differences"].get(name):
            values = [_number(name, result[side]) for side in ("one", "other")]
            difference = _metric(name, result["difference"], interval=True)
            table.add_row(METRICS[name].short, *values, difference, _p(result["p"]))
    console.print(table)
    for name, test in comparison["tests"].items():
        print_line(console, f"{_TESTS[name]}: {test['question']} p {_p(test['p'])}, Holm {_p(test['adjusted'])}")
    if comparison["left_out"]:
        print_line(console, f"note: {count(comparison['left_out'], 'exam')} that only one of the two has, left out")


def _show_drift(console: Console, drift: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"From {drift['one']} to {drift['other']}, classes predicted", **TABLE)
    table.add_column("class")
    for side, name in enumerate((drift["one"], drift["other"])):
        table.add_column(f"{name} ({drift['n'][side]})", justify="right")
    for label in drift["mix"][0]:
        table.add_row(label, *(_value(mix[label], interval=True) for mix in drift["mix"]))
    console.print(table)
    for stability in drift["stability"]:
        index = f"{stability['index']:.3f}, p {_p(stability['p'])}"
        print_line(console, f"Population stability index, {stability['what']}: {index}")


def _show_readers(console: Console, merit: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="Readers and the model", **TABLE)
    for heading in ("", "", "n"):
        table.add_column(heading)
    names = ("accuracy", "kappa_linear", "kappa_quadratic")
    for heading in ("agree", *(METRICS[name].short for name in names[1:])):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in merit["pairs"]:
        cells = [_metric(name, pair["estimates"].get(name), interval=name == "kappa_quadratic") for name in names]
        table.add_row(pair["one"], pair["other"], str(pair["n"]), *cells)
    console.print(table)
    if merit["difference"]:
        among, with_model, difference = (
            _metric("kappa_quadratic", merit[key], interval=True)
            for key in ("among_readers", "with_model", "difference")
        )
        print_line(
            console,
            f"On {count(merit['complete'], 'exam')} read by all, mean quadratic κ: readers with each other {among}, "
            f"the model with readers {with_model}, difference {difference}",
        )
    if merit["references"]:
        console.print(_rows("The model against the readers together", "reference", merit["references"], few=[]))


def _chart(column: str, chart: Mapping[str, Any]) -> Table:
    from rich.table import Table

    name = chart["figure"]
    title = f"{METRICS[name].short} over {column}; over all {_number(name, chart['centre'])}"
    table = Table(title=title, caption="limits: three standard errors", **TABLE)
    table.add_column(column)
    for heading in ("n", "value", "limits", ""):
        table.add_column(heading, justify="right")
    for point in chart["points"]:
        limits = f"{_number(name, point['low'])} to {_number(name, point['high'])}"
        verdict = "outside" if point["out"] else ""
        table.add_row(point["name"], str(point["n"]), _number(name, point["value"]), limits, verdict)
    return table


def _metric(name: str, estimate: Mapping[str, Any] | None, *, interval: bool, precise: bool = False) -> str:
    """A metric in its format; ``precise`` for its value with one decimal more."""
    metric = METRICS[name]
    spec = metric.precise_format if precise else metric.format
    return _value(estimate, interval=interval, spec=spec, limits_spec=metric.format)


def _value(
    estimate: Mapping[str, Any] | None, *, interval: bool = False, spec: str = ".3f", limits_spec: str = ".3f"
) -> str:
    if estimate is None:
        return "–"
    if estimate["value"] is None:
        return "undefined"
    value = f"{estimate['value']:{spec}}"
    if not interval or not estimate["interval"]:
        return value
    low, high = estimate["interval"]
    return f"{value} [{low:{limits_spec}}, {high:{limits_spec}}]"


def _number(name: str, value: float | None) -> str:
    return "undefined" if value is None else f"{value:{METRICS[name].format}}"


def _p(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}" if value >= 0.001 else "< .001"
