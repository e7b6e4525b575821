"""Plots of an evaluation as PNG and SVG: confusion matrices, intervals, reliability, ROC, risk and coverage, groups and
control charts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from densight.figures.evaluate import Figures
from densight.figures.intervals import Estimate
from densight.figures.merit import Merit
from densight.figures.metrics import METRICS
from densight.storage import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

__all__ = [
    "PLOTS",
    "draw_chart",
    "draw_confusion",
    "draw_confusions",
    "draw_groups",
    "draw_intervals",
    "draw_reliability",
    "draw_risk",
    "draw_roc",
    "plot_name",
    "save_plots",
]

PLOTS = "figures"
"""The folder's name in a run folder."""

# Colours of text, of small print, and of grids.
_INK, _GREY, _LINE = "#1b1b1f", "#6b6b75", "#e4e4ea"
_BLUE, _RED, _GREEN = "#20507f", "#c8553d", "#588157"
# White text is easier to read than dark text on the colours of shares above this one.
_WHITE_ABOVE = 0.66
_OF_INTERVALS = {"accuracy": (_BLUE, "o"), "macro_recall": (_RED, "s"), "macro_precision": (_GREEN, "D")}
_OF_GROUPS = ("accuracy", "kappa_quadratic")


def draw_confusion(figures: Figures, level: str) -> Figure:
    """Draw the confusion matrix of one level: counts large, each row's shares small.

    Parameters
    ----------
    figures : Figures
    level : str
        A key of ``figures.levels``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from densight.figures.merit import measure
    >>> merit = measure([0, 1], [0, 1], ["a", "b"], 2)
    >>> figure = draw_confusion(Figures(("A", "B"), {}, {"exam": merit}), "exam")
    >>> [text.get_text() for text in figure.axes[0].texts[:2]]
    ['1', '100 %']
    """
    from matplotlib.figure import Figure

    size = 1.9 + 0.75 * len(figures.classes)
    figure = Figure(figsize=(size + 0.9, size), layout="constrained")
    axes = figure.subplots()
    _draw_matrix(axes, figures, level, scale=1.0)
    _colour_bar(figure, [axes], location="right", shrink=0.6, aspect=24)
    return figure


def draw_confusions(figures: Figures) -> Figure:
    """Draw the confusion matrices of all levels on one page: projections above, breasts and exam below.

    Parameters
    ----------
    figures : Figures

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    levels = list(figures.levels)
    columns = min(4, len(levels))
    rows = -(-len(levels) // columns)
    spacing = ConstrainedLayoutEngine(wspace=0.04, hspace=0.06)
    figure = Figure(figsize=(3.1 * columns, 0.9 + 3.6 * rows), layout=spacing)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, level in zip(grid, levels, strict=False):
        _draw_matrix(axes, figures, level, scale=0.8)
    for axes in grid[len(levels) :]:
        axes.set_axis_off()
    _colour_bar(figure, list(grid), location="bottom", shrink=min(1.0, 1.6 / columns), aspect=36)
    return figure


def draw_intervals(figures: Figures) -> Figure:
    """Draw accuracy, macro recall and macro precision of every level with their 95 % intervals.

    Parameters
    ----------
    figures : Figures

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    levels = list(figures.levels)
    figure = Figure(figsize=(7.6, 1.3 + 0.68 * len(levels)), layout="constrained")
    axes = figure.subplots()
    for offset, (name, (colour, marker)) in zip((-0.25, 0.0, 0.25), _OF_INTERVALS.items(), strict=True):
        for index, level in enumerate(levels):
            estimate, place = figures.levels[level][name], index + offset
            if estimate.interval is not None:
                axes.plot(estimate.interval, (place, place), color=colour, linewidth=2.2, alpha=0.5, zorder=2)
            axes.scatter(
                estimate.value,
                place,
                color=colour,
                marker=marker,
                s=36,
                edgecolors="white",
                zorder=3,
                label=METRICS[name].title if index == 0 else None,
            )
            axes.text(1.015, place, f"{estimate.value:.2f}", color=colour, fontsize=8.5, va="center_baseline")
    for boundary in range(1, len(levels)):
        axes.axhline(boundary - 0.5, color=_LINE, linewidth=0.8, zorder=0)
    chance = 1 / len(figures.classes)
    axes.axvline(chance, color=_GREY, linewidth=1, linestyle=(0, (4, 3)), label="macro recall by chance", zorder=1)
    axes.set_yticks(range(len(levels)), [f"{level}\nn = {figures.levels[level].n}" for level in levels])
    axes.set(xlim=(0, 1), ylim=(len(levels) - 0.5, -0.5), xlabel="value and 95 % interval")
    axes.grid(axis="x", color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=_INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9, handletextpad=0.4)
    return figure


def draw_reliability(merit: Merit) -> Figure:
    """Draw the reliability diagram: accuracy against probability with Wilson's intervals; below, the number of cases.

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
    above.plot((0, 1), (0, 1), color=_GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for part in merit.reliability:
        above.plot((part.confidence, part.confidence), part.interval, color=_BLUE, linewidth=2, alpha=0.4, zorder=2)
        above.scatter(part.confidence, part.accuracy, s=34, color=_BLUE, edgecolors="white", zorder=3)
        below.bar(part.confidence, part.n, width=0.05, color=_BLUE, alpha=0.55)
    error = METRICS["ece"]
    _title(above, "Reliability", f"{error.title} {merit['ece'].value:{error.format}}")
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share classified correctly")
    below.set(xlabel="greatest probability", ylabel="cases")
    for axes in (above, below):
        _style(axes)
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
    axes.plot((0, 1), (0, 1), color=_GREY, linewidth=1, linestyle=(0, (4, 3)))
    if merit.dense.curve:
        axes.plot(*zip(*merit.dense.curve, strict=True), color=_BLUE, linewidth=2)
    points = [(f"p ≥ {point.threshold:g}", point.sensitivity, point.specificity) for point in merit.dense.points]
    points.append(("class", merit["dense_sensitivity"], merit["dense_specificity"]))
    for marker, (name, sensitivity, specificity) in zip("osD^vP*X" * len(points), points, strict=False):
        place = (1 - specificity.value, sensitivity.value)
        axes.scatter(*place, marker=marker, s=46, color=_RED, edgecolors="white", zorder=3, label=name)
    area, spec = merit["dense_auc"], METRICS["dense_auc"].format
    limits = f" [{area.interval[0]:{spec}}, {area.interval[1]:{spec}}]" if area.interval else ""
    _title(axes, "Dense against non-dense", f"AUC {area.value:{spec}}{limits}")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    _style(axes)
    return figure


def draw_risk(risk: Mapping[str, Any]) -> Figure:
    """Draw the risk–coverage curve.

    Parameters
    ----------
    risk : mapping
        A `densight.figures.selective.RiskCoverage` as plain values.

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
    axes.axhline(risk["risk"][-1], color=_GREY, linewidth=1, linestyle=(0, (4, 3)))
    _title(
        axes, "Leaving the least certain to a reader", f"mean error {risk['area']:.3f}, of all {risk['risk'][-1]:.3f}"
    )
    top = max(0.05, 1.15 * max(risk["risk"]))
    axes.set(xlim=(0, 1), ylim=(0, top), xlabel="share of exams kept", ylabel="share of them told wrong")
    _style(axes)
    return figure


def draw_groups(column: str, rows: Sequence[Mapping[str, Any]], few: Sequence[str]) -> Figure:
    """Draw accuracy and κ of each group with their intervals; groups of few patients are drawn pale.

    Parameters
    ----------
    column : str
        The column with the groups.
    rows : sequence of mapping
        Each a `densight.figures.metrics.Row` as plain values.
    few : sequence of str
        The groups of few patients.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    names = [name for name in _OF_GROUPS if any(name in row["estimates"] for row in rows)]
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
        axes.set_xlabel(f"{METRICS[name].title}, 95 % interval", color=_INK)
        _style(axes)
    figure.suptitle(f"By {column}", x=0.01, ha="left", fontsize=13, fontweight="bold", color=_INK)
    return figure


def draw_chart(column: str, chart: Mapping[str, Any]) -> Figure:
    """Draw a control chart: a metric over time, its limits, and in red what lies outside.

    Parameters
    ----------
    column : str
        The column with the times.
    chart : mapping
        A `densight.figures.groups.Chart` as plain values.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    points = chart["points"]
    places = range(len(points))
    figure = Figure(figsize=(max(4.6, 0.62 * len(points) + 1.6), 3.8), layout="constrained")
    axes = figure.subplots()
    axes.axhline(chart["centre"], color=_GREY, linewidth=1, linestyle=(0, (4, 3)))
    for side in ("low", "high"):
        axes.step(places, [point[side] for point in points], where="mid", color=_GREY, linewidth=1)
    known = [place for place in places if points[place]["value"] is not None]
    axes.plot(known, [points[place]["value"] for place in known], color=_BLUE, linewidth=1.5, zorder=2)
    for place in known:
        colour = _RED if points[place]["out"] else _BLUE
        axes.scatter(place, points[place]["value"], s=44, color=colour, edgecolors="white", zorder=3)
    axes.set_xticks(places, [point["name"] for point in points], rotation=45, ha="right")
    axes.set(xlabel=column, ylabel=METRICS[chart["figure"]].title)
    out = sum(point["out"] for point in points)
    _title(axes, "Over time", f"{out} of {len(points)} outside three standard errors")
    _style(axes)
    return figure


def save_plots(figures: Figures, folder: str | Path) -> list[Path]:
    """Draw all plots and save them under ``<folder>/figures/`` as PNG and SVG.

    Parameters
    ----------
    figures : Figures
    folder : path-like

    Returns
    -------
    list of Path
        The files written.
    """
    from matplotlib import rc_context

    drawings = {f"confusion_{level}": draw_confusion(figures, level) for level in figures.levels}
    drawings |= {"confusion": draw_confusions(figures), "intervals": draw_intervals(figures)} | _further_plots(figures)
    written = []
    # A fixed salt and no date make the SVG reproducible byte for byte.
    with rc_context({"svg.hashsalt": "densight"}):
        for name, drawing in drawings.items():
            for suffix, metadata in ((".png", {}), (".svg", {"Date": None})):
                path = Path(folder) / PLOTS / f"{name}{suffix}"
                with replacing(path) as temporary:
                    drawing.savefig(temporary, dpi=160, metadata=metadata)
                # The layout is computed once, because both formats share it.
                drawing.set_layout_engine("none")
                written.append(path)
    return written


def plot_name(kind: str, column: str) -> str:
    """The file name, without suffix, of a plot of a column.

    Examples
    --------
    >>> plot_name("groups", "age band"), plot_name("over", "month")
    ('by_age-band', 'over_month')
    """
    return f"{'by' if kind == 'groups' else kind}_{re.sub(r'[^A-Za-z0-9_-]', '-', column)}"


def _further_plots(figures: Figures) -> dict[str, Figure]:
    """The plots of the exam, or of the last level if there is no exam."""
    merit = list(figures.levels.values())[-1]
    drawings = {}
    if merit.reliability:
        drawings["reliability"] = draw_reliability(merit)
    if merit.dense is not None:
        drawings["roc"] = draw_roc(merit)
    if "risk" in figures.further:
        drawings["risk"] = draw_risk(figures.further["risk"])
    for groups in figures.further.get("groups", []):
        drawings[plot_name("groups", groups["column"])] = draw_groups(groups["column"], groups["rows"], groups["few"])
    for times in figures.further.get("over", []):
        drawings[plot_name("over", times["column"])] = draw_chart(times["column"], times["chart"])
    return drawings


def _draw_matrix(axes: Axes, figures: Figures, level: str, scale: float) -> None:
    merit, classes = figures.levels[level], figures.classes
    counts = np.array(merit.confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap=_colours(), vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > _WHITE_ABOVE else _INK if count else _GREY
        axes.text(column, row - 0.07, f"{count}", ha="center", va="center", color=colour, fontsize=17 * scale)
        if count:
            share = f"{shares[row, column]:.0%}".replace("%", " %")
            axes.text(column, row + 0.25, share, ha="center", va="center", color=colour, fontsize=9 * scale)
    axes.set_xticks(range(len(classes)), classes, fontsize=12 * scale)
    labels = [f"{label}\n({total})" for label, total in zip(classes, totals.ravel(), strict=True)]
    axes.set_yticks(range(len(classes)), labels, fontsize=12 * scale)
    axes.set_xlabel("predicted class", fontsize=11 * scale, color=_INK)
    axes.set_ylabel("true class (cases)", fontsize=11 * scale, color=_INK)
    axes.set_xticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0, colors=_INK)
    axes.spines[:].set_visible(False)
    axes.set_title(level, fontsize=14 * scale, fontweight="bold", color=_INK, loc="left", pad=22 * scale)
    note = f"{METRICS['accuracy'].title} {_two_decimals(merit['accuracy'])}"
    axes.annotate(
        note, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=10 * scale, color=_GREY
    )


def _two_decimals(estimate: Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.value:.2f}"
    low, high = estimate.interval
    return f"{estimate.value:.2f} [{low:.2f}, {high:.2f}]"


def _colour_bar(figure: Figure, axes: list[Axes], *, location: str, shrink: float, aspect: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import PercentFormatter

    mappable = ScalarMappable(Normalize(0, 1), _colours())
    percent = PercentFormatter(1.0, symbol=" %")
    bar = figure.colorbar(mappable, ax=axes, location=location, shrink=shrink, aspect=aspect, format=percent)
    bar.set_label("share of the true class", color=_INK)
    bar.ax.tick_params(length=0, colors=_INK)
    bar.outline.set_visible(False)


def _colours() -> ListedColormap:
    """From near white through blue to navy; CIELAB lightness falls linearly, so that equal steps look equal."""
    from matplotlib.colors import ListedColormap
    from skimage.color import lab2rgb

    white, blue, navy = (97.4, -0.6, -2.4), (61.4, -0.9, -36.0), (25.4, 12.0, -40.0)
    ramp = [np.interp(np.linspace(0, 2, 256), (0, 1, 2), channel) for channel in zip(white, blue, navy, strict=True)]
    return ListedColormap(lab2rgb(np.stack(ramp, axis=-1)))


def _title(axes: Axes, title: str, note: str) -> None:
    axes.set_title(title, fontsize=13, fontweight="bold", color=_INK, loc="left", pad=22)
    axes.annotate(note, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=_GREY)


def _style(axes: Axes) -> None:
    axes.grid(color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_LINE)
