"""Drawings of what was measured, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from densight.report.embed import Picture, embed_plot
from densight.storage import replacing
from realism.images import SETS
from realism.measures import BAND, DISTANCES, LEVELS, Measured, Values, ring_centres

PredictionSets = Mapping[str, Sequence[Measured]]

COLOURS = {"phantom": "#20507f", "infn": "#c8553d", "mias": "#588157", "msynth": "#8d6cab"}
NAMES = {"phantom": "phantoms", "infn": "INFN", "mias": "mini-MIAS", "msynth": "M-SYNTH"}
QUIET = "#6b6b75"

PERCENT_DENSITY = {"A": (4.3, 4.3), "B": (19.3, 11.3), "C": (40.4, 14.8), "D": (62.3, 11.7)}
"""Mean and standard deviation of area-based percent density by BI-RADS class, by hand-set thresholds, 403 women.

Source: Gierach et al., "Comparison of mammographic density assessed as volumes and areas among women undergoing
diagnostic image-guided breast biopsy", Cancer Epidemiol. Biomarkers Prev. 23:2338-2348, 2014.
"""


def draw_all(sets: PredictionSets, densities: Sequence[tuple[str, float]], folder: Path) -> dict[str, Picture]:
    """Draw everything into a folder and embed it; ``densities`` are classes and percent densities of phantoms."""
    drawings = {
        "histograms": (histograms(sets), "Histograms of grey values inside the breast, by class and set"),
        "spectra": (spectra(sets), "Power spectra inside the breast, by class and set"),
        "exponents": (exponents(sets), "Exponents of the power law, an image a dot, by set and class"),
        "skin": (skin(sets), "Mean grey against the distance from the skin edge, by set"),
    }
    if densities:
        drawings["density"] = (density(densities), "Percent density of phantoms by class, and of patients")
    pictures = {}
    for name, (figure, alt) in drawings.items():
        path = folder / f"{name}.svg"
        with mpl.rc_context({"svg.hashsalt": "densight"}), replacing(path) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
        pictures[name] = embed_plot(path, alt)
    return pictures


def _by_class(
    sets: PredictionSets, draw: Callable[[Axes, str, Sequence[Measured], str], None], height: float
) -> Figure:
    """Two rows of panels, one a class: above in units of contrast, digital displays only; below all, normalised."""
    figure = Figure(figsize=(10.4, height), layout="constrained")
    grid = figure.subplots(2, 5, sharex="row", sharey="row")
    columns = {label: f"class {label}" for label in "ABCD"} | {"film": "F ―, G - -, D ···"}
    for row, kind in enumerate(("contrast", "shape")):
        for axes, (label, title) in zip(grid[row], columns.items(), strict=True):
            _plain(axes)
            for name in ("phantom", "infn") if kind == "contrast" else ("phantom", "infn", "msynth"):
                own = [one for one in sets.get(name, ()) if one.listed.density == label]
                if own:
                    draw(axes, kind, own, COLOURS[name])
            if (row == 0) is (label in "ABCD"):
                axes.set_title(title, fontsize=10)
    grid[0, 4].set_axis_off()
    for label, style in zip("FGD", ("-", "--", ":"), strict=True):
        own = [one for one in sets["mias"] if one.listed.density == label]
        draw(grid[1, 4], "shape", own, COLOURS["mias"])
        grid[1, 4].lines[-1].set_linestyle(style)
    present = [name for name in SETS if name in sets]
    handles = [mpl.lines.Line2D([], [], color=COLOURS[name], label=NAMES[name]) for name in present]
    grid[0, 4].legend(handles=handles, loc="center", frameon=False, fontsize=10)
    return figure


def histograms(sets: PredictionSets) -> Figure:
    """Mean histograms."""

    def draw(axes: Axes, kind: str, own: Sequence[Measured], colour: str) -> None:
        edges = LEVELS[kind]
        share = np.mean([one.histograms[kind] for one in own], axis=0) / np.diff(edges)
        axes.plot((edges[1:] + edges[:-1]) / 2, share, color=colour, linewidth=1.4)

    figure = _by_class(sets, draw, 4.6)
    figure.axes[2].set_xlabel("contrast: fat at 0, air at −1", fontsize=9)
    figure.axes[7].set_xlabel("median at 0, from the 10th to the 90th percentile 1", fontsize=9)
    for axes in figure.axes:
        axes.set_yticks([])
    return figure


def spectra(sets: PredictionSets) -> Figure:
    """Geometric mean spectra; those of the lower row have the power 1 in the band of the power law."""
    centres = ring_centres()
    band = (centres >= BAND[0]) & (centres <= BAND[1])

    def draw(axes: Axes, kind: str, own: Sequence[Measured], colour: str) -> None:
        power = np.log10([one.spectrum for one in own])
        if kind == "shape":
            power -= np.nanmean(power[:, band], axis=1, keepdims=True)
        known = np.isfinite(power).all(axis=0)
        axes.plot(centres[known], power.mean(axis=0)[known], color=colour, linewidth=1.4)
        axes.set_xscale("log")

    figure = _by_class(sets, draw, 5.0)
    for axes in (one for one in figure.axes if one.axison):
        axes.axvspan(*BAND, color=QUIET, alpha=0.12, linewidth=0)
        axes.set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    figure.axes[0].set_ylabel("log₁₀ power (contrast², mm²)", fontsize=9)
    figure.axes[5].set_ylabel("log₁₀ power, scaled", fontsize=9)
    figure.axes[7].set_xlabel("cycles/mm; grey: the band of the fit", fontsize=9)
    return figure


def exponents(sets: PredictionSets) -> Figure:
    """An image a dot, the mean a bar."""
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    axes = figure.subplots()
    _plain(axes)
    ticks, labels, at = [], [], 0.0
    generator = np.random.default_rng(0)
    for name, measured in sets.items():
        start = at
        for label in sorted({one.listed.density for one in measured}, key="ABCFGD".index):
            slopes = [one.slope for one in measured if one.listed.density == label]
            axes.plot(at + generator.uniform(-0.2, 0.2, len(slopes)), slopes, ".", color=COLOURS[name], alpha=0.6)
            axes.hlines(np.mean(slopes), at - 0.32, at + 0.32, color=COLOURS[name], linewidth=2)
            ticks.append(at)
            labels.append(label)
            at += 1
        axes.text((start + at - 1) / 2, 1.01, NAMES[name], ha="center", transform=axes.get_xaxis_transform())
        at += 0.8
    axes.set_xticks(ticks, labels)
    axes.set_ylabel("exponent β")
    axes.grid(axis="y", color=QUIET, alpha=0.15)
    return figure


def skin(sets: PredictionSets) -> Figure:
    """The mean over images, and a standard deviation on either side."""
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    axes = figure.subplots()
    _plain(axes)
    centres = (DISTANCES[1:] + DISTANCES[:-1]) / 2
    for name, measured in sets.items():
        profiles = np.array([one.profile for one in measured])
        mean, spread = np.nanmean(profiles, axis=0), np.nanstd(profiles, axis=0)
        axes.plot(centres, mean, color=COLOURS[name], linewidth=1.6, label=NAMES[name])
        axes.fill_between(centres, mean - spread, mean + spread, color=COLOURS[name], alpha=0.1, linewidth=0)
    axes.set_xlim(-3, 15)
    axes.set_ylim(0, 1.25)
    axes.set_xlabel("mm from the skin edge")
    axes.set_ylabel("air 0, median of the interior 1", fontsize=9)
    axes.legend(frameon=False, loc="lower right")
    return figure


def density(densities: Sequence[tuple[str, float]]) -> Figure:
    """Truth of phantoms, an image a dot, beside mean and standard deviation of patients."""
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    axes = figure.subplots()
    _plain(axes)
    generator = np.random.default_rng(0)
    for place, (label, (mean, spread)) in enumerate(PERCENT_DENSITY.items()):
        own = [value for density, value in densities if density == label]
        axes.plot(place - 0.15 + generator.uniform(-0.1, 0.1, len(own)), own, ".", color=COLOURS["phantom"], alpha=0.35)
        axes.errorbar(place + 0.15, mean, spread, fmt="o", color=COLOURS["infn"], capsize=4)
    axes.set_xticks(range(4), list(PERCENT_DENSITY))
    axes.set_ylim(0, 100)
    axes.set_ylabel("percent density")
    handles = [
        mpl.lines.Line2D([], [], color=COLOURS["phantom"], marker=".", linestyle="", label="phantoms, the truth"),
        mpl.lines.Line2D([], [], color=COLOURS["infn"], marker="o", linestyle="", label="403 women, mean ± SD"),
    ]
    axes.legend(handles=handles, frameon=False, loc="upper left")
    return figure


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=QUIET, labelsize=8)


def spread_of(values: Sequence[float] | Values) -> str:
    """Mean and standard deviation."""
    return f"{np.mean(values):.2f} ± {np.std(values):.2f}"
