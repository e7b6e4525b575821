"""Drawings of what lies behind the figures: reliability, ROC, risk and coverage, groups, control charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from densight.figures.drawn import FIGURES
from densight.figures.merit import Merit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["INK", "LINE", "QUIET", "draw_chart", "draw_groups", "draw_reliability", "draw_risk", "draw_roc"]

INK, QUIET, LINE = "#1b1b1f", "#6b6b75", "#e4e4ea"
"""Text, small print and grid of every plot."""
_BLUE, _RED = "#20507f", "#c8553d"


def draw_reliability(merit: Merit) -> Figure:
    """Draw the reliability diagram: said against true, with Wilson's intervals, and below how many said so.

    Parameters
    ----------
    merit : Merit
        With probabilities.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from densight.figures.merit import measure
    >>> merit = measure([0, 1], [0, 0], ["a", "b"], 2, probabilities=[[0.9, 0.1], [0.6, 0.4]])
    >>> len(draw_reliability(merit).axes)
    2
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    above.plot((0, 1), (0, 1), color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for one in merit.reliability:
        above.plot((one.confidence, one.confidence), one.interval, color=_BLUE, linewidth=2, alpha=0.4, zorder=2)
        above.scatter(one.confidence, one.accuracy, s=34, color=_BLUE, edgecolors="white", zorder=3)
        below.bar(one.confidence, one.n, width=0.05, color=_BLUE, alpha=0.55)
    gap = merit["ece"]
    _title(above, "Reliability", f"expected calibration error {gap.value:.3f}")
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share classified correctly")
    below.set(xlabel="greatest probability", ylabel="cases")
    for axes in (above, below):
        _plain(axes)
    return figure


def draw_roc(merit: Merit) -> Figure:
    """Draw the ROC curve of dense against non-dense with its operating points.

    Parameters
    ----------
    merit : Merit
        With ``dense``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    assert merit.dense is not None
    figure = Figure(figsize=(4.6, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    if merit.dense.curve:
        axes.plot(*zip(*merit.dense.curve, strict=True), color=_BLUE, linewidth=2)
    points = [(f"p ≥ {one.threshold:g}", one.sensitivity, one.specificity) for one in merit.dense.points]
    points.append(("class", merit["dense_sensitivity"], merit["dense_specificity"]))
    for marker, (name, sensitivity, specificity) in zip("osD^vP*X" * len(points), points, strict=False):
        place = (1 - specificity.value, sensitivity.value)
        axes.scatter(*place, marker=marker, s=46, color=_RED, edgecolors="white", zorder=3, label=name)
    area = merit["dense_auc"]
    limits = f" [{area.interval[0]:.3f}, {area.interval[1]:.3f}]" if area.interval else ""
    _title(axes, "Dense against non-dense", f"AUC {area.value:.3f}{limits}")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    _plain(axes)
    return figure


def draw_risk(risk: Mapping[str, Any]) -> Figure:
    """Draw the risk–coverage curve.

    Parameters
    ----------
    risk : mapping
        `densight.figures.selective.RiskCoverage` as plain values.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> len(draw_risk({"kept": [0.5, 1.0], "risk": [0.0, 0.5], "area": 0.25}).axes)
    1
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.step(risk["kept"], risk["risk"], color=_BLUE, linewidth=2, where="pre")
    axes.axhline(risk["risk"][-1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    _title(
        axes, "Leaving the least certain to a reader", f"mean error {risk['area']:.3f}, of all {risk['risk'][-1]:.3f}"
    )
    top = max(0.05, 1.15 * max(risk["risk"]))
    axes.set(xlim=(0, 1), ylim=(0, top), xlabel="share of exams kept", ylabel="share of them told wrong")
    _plain(axes)
    return figure


def draw_groups(column: str, rows: Sequence[Mapping[str, Any]], few: Sequence[str]) -> Figure:
    """Draw a figure of merit of each group with its interval; small groups are drawn pale.

    Parameters
    ----------
    column : str
        What groups them.
    rows : sequence of mapping
        `densight.figures.rows.Row` as plain values.
    few : sequence of str
        The groups of few patients.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    names = [name for name in ("accuracy", "kappa_quadratic") if any(name in row["estimates"] for row in rows)]
    figure = Figure(figsize=(7.6, 1.2 + 0.5 * len(rows)), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        for place, row in enumerate(rows):
            estimate, alpha = row["estimates"][name], 0.45 if row["name"] in few else 1.0
            if estimate["value"] is None:
                continue
            if estimate["interval"]:
                axes.plot(estimate["interval"], (place, place), color=_BLUE, linewidth=2.2, alpha=0.5 * alpha)
            axes.scatter(estimate["value"], place, s=36, color=_BLUE, edgecolors="white", alpha=alpha, zorder=3)
        axes.set_yticks(range(len(rows)), [f"{row['name']}\nn = {row['n']}" for row in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(min(0.0, axes.get_xlim()[0]), 1.0))
        axes.set_xlabel(f"{FIGURES[name].words}, 95 % interval", color=INK)
        _plain(axes)
    figure.suptitle(f"By {column}", x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    return figure


def draw_chart(column: str, chart: Mapping[str, Any]) -> Figure:
    """Draw a control chart: the figure of each time, its limits, and what lies outside.

    Parameters
    ----------
    column : str
        What tells the time.
    chart : mapping
        `densight.figures.groups.Chart` as plain values.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    points = chart["points"]
    places = range(len(points))
    figure = Figure(figsize=(max(4.6, 0.62 * len(points) + 1.6), 3.8), layout="constrained")
    axes = figure.subplots()
    axes.axhline(chart["centre"], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    for side in ("low", "high"):
        axes.step(places, [point[side] for point in points], where="mid", color=QUIET, linewidth=1)
    known = [place for place in places if points[place]["value"] is not None]
    axes.plot(known, [points[place]["value"] for place in known], color=_BLUE, linewidth=1.5, zorder=2)
    for place in known:
        colour = _RED if points[place]["out"] else _BLUE
        axes.scatter(place, points[place]["value"], s=44, color=colour, edgecolors="white", zorder=3)
    axes.set_xticks(places, [point["name"] for point in points], rotation=45, ha="right")
    axes.set(xlabel=column, ylabel=FIGURES[chart["figure"]].words)
    out = sum(point["out"] for point in points)
    _title(axes, "Over time", f"{out} of {len(points)} outside three standard errors")
    _plain(axes)
    return figure


def _title(axes: Axes, words: str, note: str) -> None:
    axes.set_title(words, fontsize=13, fontweight="bold", color=INK, loc="left", pad=22)
    axes.annotate(note, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=QUIET)


def _plain(axes: Axes) -> None:
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
