"""Drawings of the figures of merit: confusion matrices and intervals, as PNG and SVG."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densight.figures.curves import INK, LINE, QUIET, draw_chart, draw_groups, draw_reliability, draw_risk, draw_roc
from densight.figures.intervals import Estimate
from densight.figures.levels import Figures
from densight.figures.merit import Merit
from densight.storage import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "draw_confusion", "draw_confusions", "draw_intervals", "plot_name", "save_plots"]

PLOTS = "figures"
"""The folder's name in a run folder."""

# From this share on, white stands out better than ink on the colours below.
_WHITE_ABOVE = 0.66
_MEASURES: dict[str, tuple[str, str, Callable[[Merit], Estimate]]] = {
    "accuracy": ("#20507f", "o", lambda merit: merit["accuracy"]),
    "macro recall": ("#c8553d", "s", lambda merit: merit["macro_recall"]),
    "macro precision": ("#588157", "D", lambda merit: merit["macro_precision"]),
}


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
    _confusion(axes, figures, level, scale=1.0)
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
        _confusion(axes, figures, level, scale=0.8)
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
    for offset, (name, (colour, marker, pick)) in zip((-0.25, 0.0, 0.25), _MEASURES.items(), strict=True):
        for index, level in enumerate(levels):
            estimate, place = pick(figures.levels[level]), index + offset
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
                label=name if index == 0 else None,
            )
            axes.text(1.015, place, f"{estimate.value:.2f}", color=colour, fontsize=8.5, va="center_baseline")
    for boundary in range(1, len(levels)):
        axes.axhline(boundary - 0.5, color=LINE, linewidth=0.8, zorder=0)
    chance = 1 / len(figures.classes)
    axes.axvline(chance, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), label="macro recall by chance", zorder=1)
    axes.set_yticks(range(len(levels)), [f"{level}\nn = {figures.levels[level].n}" for level in levels])
    axes.set(xlim=(0, 1), ylim=(len(levels) - 0.5, -0.5), xlabel="value and 95 % interval")
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9, handletextpad=0.4)
    return figure


def save_plots(figures: Figures, folder: str | Path) -> list[Path]:
    """Draw everything and save it under ``<folder>/figures/`` as PNG and SVG.

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
    drawings |= {"confusion": draw_confusions(figures), "intervals": draw_intervals(figures)} | _curves(figures)
    written = []
    # A fixed salt and no date give the same SVG byte for byte.
    with rc_context({"svg.hashsalt": "densight"}):
        for name, drawing in drawings.items():
            for suffix, metadata in ((".png", {}), (".svg", {"Date": None})):
                path = Path(folder) / PLOTS / f"{name}{suffix}"
                with replacing(path) as temporary:
                    drawing.savefig(temporary, dpi=160, metadata=metadata)
                # Laid out once: where things stand does not change from one format to the next.
                drawing.set_layout_engine("none")
                written.append(path)
    return written


def plot_name(kind: str, column: str) -> str:
    """The name of the file of a plot by a column, without its suffix.

    Examples
    --------
    >>> plot_name("groups", "age band"), plot_name("over", "month")
    ('by_age-band', 'over_month')
    """
    return f"{'by' if kind == 'groups' else kind}_{re.sub(r'[^A-Za-z0-9_-]', '-', column)}"


def _curves(figures: Figures) -> dict[str, Figure]:
    """What lies behind the figures of the exam, or of the one level there is."""
    merit = list(figures.levels.values())[-1]
    drawings = {}
    if merit.reliability:
        drawings["reliability"] = draw_reliability(merit)
    if merit.dense is not None:
        drawings["roc"] = draw_roc(merit)
    if "risk" in figures.further:
        drawings["risk"] = draw_risk(figures.further["risk"])
    for one in figures.further.get("groups", []):
        drawings[plot_name("groups", one["column"])] = draw_groups(one["column"], one["rows"], one["few"])
    for one in figures.further.get("over", []):
        drawings[plot_name("over", one["column"])] = draw_chart(one["column"], one["chart"])
    return drawings


def _confusion(axes: Axes, figures: Figures, level: str, scale: float) -> None:
    merit, classes = figures.levels[level], figures.classes
    counts = np.array(merit.confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap=_colours(), vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > _WHITE_ABOVE else INK if count else QUIET
        axes.text(column, row - 0.07, f"{count}", ha="center", va="center", color=colour, fontsize=17 * scale)
        if count:
            share = f"{shares[row, column]:.0%}".replace("%", " %")
            axes.text(column, row + 0.25, share, ha="center", va="center", color=colour, fontsize=9 * scale)
    axes.set_xticks(range(len(classes)), classes, fontsize=12 * scale)
    labels = [f"{label}\n({total})" for label, total in zip(classes, totals.ravel(), strict=True)]
    axes.set_yticks(range(len(classes)), labels, fontsize=12 * scale)
    axes.set_xlabel("predicted class", fontsize=11 * scale, color=INK)
    axes.set_ylabel("true class (cases)", fontsize=11 * scale, color=INK)
    axes.set_xticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_title(level, fontsize=14 * scale, fontweight="bold", color=INK, loc="left", pad=22 * scale)
    note = f"accuracy {_short(merit['accuracy'])}"
    axes.annotate(
        note, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=10 * scale, color=QUIET
    )


def _short(estimate: Estimate) -> str:
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
    bar.set_label("share of the true class", color=INK)
    bar.ax.tick_params(length=0, colors=INK)
    bar.outline.set_visible(False)


def _colours() -> ListedColormap:
    """From near white through mid to deep blue; lightness in CIELAB falls evenly, so equal steps look equal."""
    from matplotlib.colors import ListedColormap
    from skimage.color import lab2rgb

    white, blue, navy = (97.4, -0.6, -2.4), (61.4, -0.9, -36.0), (25.4, 12.0, -40.0)
    ramp = [np.interp(np.linspace(0, 2, 256), (0, 1, 2), channel) for channel in zip(white, blue, navy, strict=True)]
    return ListedColormap(lab2rgb(np.stack(ramp, axis=-1)))
