"""Pictures of trials: a table of methods and trials, and the values of all images with chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from densight.explanation.methods.methods import method_name
from densight.trials.measure import MEASURES, Summary, Trial
from densight.trials.verdicts import JUDGED, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_table", "draw_values"]

_COLOURS = {"passes": "#2f7d4f", "at chance": "#b07a1f", "fails": "#b23b35", "told": "#6b7280", "nothing": "#9aa1ac"}
_SIGNS = {"passes": "✓", "at chance": "≈", "fails": "✗", "told": "", "nothing": "–"}
_SHORT = {
    "tissue.auc": "tissue\nAUC",
    "tissue.inside": "tissue\nin breast",
    "deletion": "deletion",
    "insertion": "insertion",
    "sanity.cascade": "sanity\nweights",
    "sanity.labels": "sanity\nlabels",
    "repeatability.shift": "repeat\nshift",
    "repeatability.noise": "repeat\nnoise",
    "repeatability.seed": "repeat\nseed",
    "infidelity": "infidelity",
    "sensitivity": "sensitivity",
    "cause.rank": "cause\nrank",
    "cause.effect": "cause\neffect",
    "cause.beside": "cause\nbeside",
}


def draw_table(summaries: Mapping[str, Mapping[str, Summary]]) -> Figure:
    """Draw a table with one row per method and one column per deciding measure: value, 95 % interval, verdict.

    Parameters
    ----------
    summaries : mapping of str to mapping of str to Summary
        By method, then by measure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    columns = [name for names in JUDGED.values() for name in names if any(name in of for of in summaries.values())]
    wide, tall, left, head, foot = 0.92, 0.42, 1.75, 0.55, 0.42
    width, height = left + wide * len(columns) + 0.1, head + tall * len(summaries) + foot
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for place, name in enumerate(columns):
        axes.text(left + wide * (place + 0.5), head - 0.1, _SHORT[name], ha="center", va="bottom", fontsize=7.5)
    for row, (method, of_method) in enumerate(summaries.items()):
        top = head + tall * row
        axes.axhline(top, color="#d8dbe0", linewidth=0.6)
        axes.text(0.1, top + tall / 2, method_name(method), va="center", fontsize=8.5)
        for place, name in enumerate(columns):
            if name not in of_method:
                continue
            summary = of_method[name]
            middle, colour = left + wide * (place + 0.5), _COLOURS[summary.verdict]
            words = f"{number(summary.value)} {_SIGNS[summary.verdict]}"
            axes.text(middle, top + 0.16, words, ha="center", va="center", fontsize=8.5, color=colour, weight="bold")
            if summary.verdict != "nothing":
                interval = f"{number(summary.interval[0])} … {number(summary.interval[1])}"
                axes.text(middle, top + 0.32, interval, ha="center", va="center", fontsize=6, color="#6b7280")
    legend = "✓ better than chance   ≈ no better than chance   ✗ worse than chance   (95 % intervals, by patient)"
    axes.text(0.1, height - 0.16, legend, fontsize=7, color="#4b5563")
    return figure


def draw_values(trials: Sequence[Trial]) -> Figure:
    """Draw one panel per deciding measure and one row per method: the values of all images, their mean, and chance.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    names = [name for of in JUDGED.values() for name in of if any(trial.measure == name for trial in trials)]
    methods = list(dict.fromkeys(trial.method for trial in trials))
    across = 3
    down = -(-len(names) // across)
    figure = Figure(figsize=(11, 0.4 + down * (0.55 + 0.22 * len(methods))), layout="constrained", facecolor="white")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, name in zip(grid.flat, names, strict=False):
        for place, method in enumerate(methods):
            for trial in [trial for trial in trials if (trial.method, trial.measure) == (method, name)]:
                summary = trial.summary()
                colour = _COLOURS[summary.verdict]
                spread = place + np.linspace(-0.25, 0.25, len(trial.values))
                axes.scatter(trial.values, spread, s=5, color=colour, alpha=0.45, linewidths=0)
                axes.plot([summary.value] * 2, [place - 0.38, place + 0.38], color=colour, linewidth=1.6)
                axes.plot([summary.chance] * 2, [place - 0.38, place + 0.38], color="black", linewidth=1, linestyle=":")
        axes.set_title(_SHORT[name].replace("\n", ", "), fontsize=8.5, loc="left")
        axes.set_xlabel(MEASURES[name].better + " is better; dotted: chance", fontsize=6.5, color="#4b5563")
        axes.set_yticks(range(len(methods)), [method_name(method) for method in methods], fontsize=7)
        axes.tick_params(axis="x", labelsize=6.5)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    grid[0, 0].invert_yaxis()
    return figure
