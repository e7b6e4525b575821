"""An exam hung as radiologists do, with the maps of its predicted class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import Side
from densight.assessment.fusion import mean_of
from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.explanation.methods.methods import method_name
from densight.explanation.overlay import (
    CONTOURS,
    GROUND,
    INK,
    QUIET,
    WINDOW,
    Overlay,
    add_colour_bar,
    draw_overlay,
    make_overlays,
    map_unit,
    shared_scale,
)
from densight.intake.mammogram import Mammogram
from densight.vocabulary import (
    DensightError,
    Laterality,
    Projection,
    View,
    describe_class,
    format_probability,
    projection_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_hanging"]

# Inches.
_IMAGES, _SIDE, _EDGE, _GAP = 7.6, 2.9, 0.25, 0.08
_TALLEST, _EMPTY, _HEAD, _FOOT = 4.4, 0.8, 0.8, 0.5
_LEAST_BODY = 4.9
_PREDICTED, _DIM, _FAINT, _WARN = "#e8963a", "#7d8592", "#2b2f37", "#ff7a6b"


class _Page:
    """A figure in inches from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor=GROUND)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in a place."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def text(self, left: float, top: float, words: str, **look: Any) -> None:
        """Text in a place, readable over an image."""
        from matplotlib import patheffects

        text = self.figure.text(left / self.width, 1 - top / self.height, words, **({"color": INK} | look))
        text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground=GROUND)])


@dataclass(frozen=True, eq=False)
class _Hung:
    """An image in its place."""

    explanation: Explanation
    overlay: Overlay
    moved: str
    spacing: tuple[float, float]

    @property
    def size(self) -> tuple[float, float]:
        """Rows and columns of the part shown, in mm where the spacing is known, else in pixels."""
        return self.overlay.size[0] * self.spacing[0], self.overlay.size[1] * self.spacing[1]


def draw_hanging(
    views: Sequence[tuple[Mammogram, Explanation]],
    *,
    title: str = "",
    probabilities: npt.ArrayLike | None = None,
    label: str | None = None,
    warning: str = "",
) -> Figure:
    """Hang an exam: CC above, MLO below, chest walls back to back, the right breast at the viewer's left.

    All images carry the map of the same class on the same scale, so that they can be compared. An image whose chest
    wall lies on the other side is mirrored, with a note. The images of a row have the same magnification.

    Parameters
    ----------
    views : sequence of (Mammogram, Explanation)
        One to four, of known and different projections.
    title : str
        For instance ``Exam 1302``.
    probabilities : array-like of float, shape (k,), optional
        Those of the exam. If None, the mean of the images', as in the tutorial.
    label : str, optional
        The class whose maps are drawn, or `densight.explanation.explanation.EXPECTED_CLASS`; the exam's if None.
    warning : str
        The warning to write on the drawing, such as trials that the maps did not pass.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DensightError
        If there is no view, a projection is unknown or occurs twice, or the classes differ.

    Examples
    --------
    >>> from densight.geometry import Geometry
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90; pixels[90:150, :60] = 180
    >>> explanation = Explanation(np.ones((2, 4, 4), np.float32), ("A", "B"), np.array([0.9, 0.1], np.float32),
    ...                           "grad-cam", "add_12", Geometry.stretched((256, 256), (64, 64)), (8, 8), (16, 16))
    >>> figure = draw_hanging([(Mammogram(pixels, Projection.MLO_R), explanation)], title="Exam 7")
    >>> [text.get_text() for text in figure.texts[:4]]
    ['R-CC', 'not in this exam', 'L-CC', 'not in this exam']
    """
    classes, fused = _check(views, probabilities)
    predicted = classes[int(fused.argmax())]
    label = label or predicted
    in_mm = all(mammogram.spacing for mammogram, _ in views)
    hung = {m.projection: _hang(m, e, label, in_mm) for m, e in views if m.projection is not None}
    scale = shared_scale([image.overlay for image in hung.values()])
    rows = {view: [image for projection, image in hung.items() if projection.view is view] for view in View}
    body = max(sum(map(_row_height, rows.values())) + _GAP, _LEAST_BODY)
    page = _Page(2 * _EDGE + _IMAGES + _SIDE, _HEAD + body + _FOOT)
    top = _HEAD
    for view, row in rows.items():
        for side in Laterality:
            projection = Projection.of(view, side)
            if projection in hung:
                _draw_hung(page, top, projection, hung[projection], row, scale, label)
            else:
                _draw_missing(page, top, projection, _row_height(row))
        top += _row_height(row) + _GAP
    _draw_probabilities(page, hung, classes, fused)
    _draw_scale(page, body, scale, label, map_unit(views[0][1], label))
    _write_head_and_foot(page, title, describe_class(predicted, classes), float(fused.max()), views[0][1])
    if warning:
        page.text(_EDGE, 0.7, warning, fontsize=8.5, color=_WARN, fontweight="bold")
    return page.figure


def _check(
    views: Sequence[tuple[Mammogram, Explanation]], probabilities: npt.ArrayLike | None
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    if not views:
        raise DensightError("there is no image to hang", remedy="give at least one")
    projections = [mammogram.projection for mammogram, _ in views]
    if None in projections or len(set(projections)) < len(projections):
        raise DensightError(
            f"an exam is hung from different, known projections, these are {[str(p) for p in projections]}",
            views[0][0].path,
            "name the projections, and keep one image of each",
        )
    classes = views[0][1].classes
    if any(explanation.classes != classes for _, explanation in views):
        raise DensightError("the images of the exam were assessed into different classes")
    fused = mean_of([explanation.probabilities for _, explanation in views])
    if probabilities is not None:
        fused = np.asarray(probabilities, np.float64)
    if fused.shape != (len(classes),):
        raise DensightError(f"there are {len(classes)} classes but probabilities {fused.shape}")
    return classes, fused


def _hang(mammogram: Mammogram, explanation: Explanation, label: str, in_mm: bool) -> _Hung:
    """Mirror or turn the image if its chest wall would not lie toward the middle."""
    assert mammogram.projection is not None
    side: Side = "left" if mammogram.projection.laterality is Laterality.L else "right"
    overlay, moved = make_overlays(mammogram, explanation, [label])[0].facing(side)
    spacing = mammogram.spacing if in_mm and mammogram.spacing else (1.0, 1.0)
    return _Hung(explanation, overlay, moved, spacing)


def _magnification(row: Sequence[_Hung]) -> float:
    """Inches per millimetre or pixel at which every image of the row fits its half."""
    half = (_IMAGES - _GAP) / 2
    return min(half / max(image.size[1] for image in row), _TALLEST / max(image.size[0] for image in row))


def _row_height(row: Sequence[_Hung]) -> float:
    return _magnification(row) * max(image.size[0] for image in row) if row else _EMPTY


def _draw_hung(
    page: _Page, top: float, projection: Projection, image: _Hung, row: Sequence[_Hung], scale: float, label: str
) -> None:
    rows, columns = (length * _magnification(row) for length in image.size)
    height, half = _row_height(row), (_IMAGES - _GAP) / 2
    right = projection.laterality is Laterality.R
    inner = _EDGE + half - columns if right else _EDGE + half + _GAP
    draw_overlay(page.axes(inner, top + (height - rows) / 2, columns, rows), image.overlay, scale)
    outer = _EDGE + 0.06 if right else _EDGE + _IMAGES - 0.06
    side = "left" if right else "right"
    page.text(outer, top + 0.22, projection_label(projection), fontsize=13, weight="bold", ha=side)
    page.text(outer, top + 0.29, _describe_probability(image.explanation, label), fontsize=8.5, ha=side, va="top")
    page.text(outer, top + height - 0.06, _describe_map(image), fontsize=7, color=QUIET, ha=side, va="bottom")


def _describe_probability(explanation: Explanation, label: str) -> str:
    """The probability of the map's class, and the image's predicted class if it differs."""
    if label == EXPECTED_CLASS:
        return f"{EXPECTED_CLASS} {explanation.expected:.2f}"
    values = dict(zip(explanation.classes, explanation.probabilities, strict=True))
    described = [f"{name} {format_probability(values[name])}" for name in dict.fromkeys((label, explanation.predicted))]
    return "\nits own class: ".join(described)


def _describe_map(image: _Hung) -> str:
    overlay = image.overlay
    notes = [image.moved, "" if overlay.chest_wall else "no breast found:\nthe whole image is shown", overlay.lack]
    if overlay.positive and overlay.chest_wall and overlay.inside is not None:
        notes.append(f"{100 * overlay.inside:.0f} % of the positive\nevidence lies in the breast")
    return "\n".join(filter(None, notes))


def _draw_missing(page: _Page, top: float, projection: Projection, height: float) -> None:
    half = (_IMAGES - _GAP) / 2
    left = _EDGE if projection.laterality is Laterality.R else _EDGE + half + _GAP
    axes = page.axes(left, top, half, height)
    axes.set(facecolor=GROUND, xticks=[], yticks=[])
    axes.spines[:].set(color=_FAINT, linestyle=(0, (3, 3)))
    middle = left + half / 2, top + height / 2
    page.text(
        middle[0], middle[1] - 0.03, projection_label(projection), fontsize=11, color=QUIET, weight="bold", ha="center"
    )
    page.text(middle[0], middle[1] + 0.05, "not in this exam", fontsize=8, color=QUIET, ha="center", va="top")


def _draw_probabilities(
    page: _Page, hung: Mapping[Projection, _Hung], classes: Sequence[str], fused: npt.NDArray[np.float64]
) -> None:
    """A table of small bars: one row for the exam and one per image, one column per class."""
    rows = [("exam", fused)]
    rows += [
        (projection_label(p), hung[p].explanation.probabilities.astype(np.float64)) for p in Projection if p in hung
    ]
    axes = page.axes(_EDGE + _IMAGES + 0.35, _HEAD, _SIDE - 0.35, 0.44 * len(rows) + 0.3)
    axes.set(xlim=(-1.15, len(classes)), ylim=(len(rows) - 0.35, -1.0))
    axes.set_axis_off()
    for column, name in enumerate(classes):
        axes.text(column + 0.04, -0.75, name, fontsize=10, color=INK, fontweight="bold", va="center")
    for place, (name, values) in enumerate(rows):
        weight = "bold" if place == 0 else "normal"
        axes.text(-1.15, place, name, fontsize=9, color=INK, fontweight=weight, va="center")
        for column, value in enumerate(values):
            highlighted = column == int(values.argmax())
            axes.text(
                column + 0.04,
                place - 0.02,
                format_probability(value),
                fontsize=9,
                color=INK if highlighted else QUIET,
                fontweight="bold" if highlighted else "normal",
                va="bottom",
            )
            axes.barh(place + 0.16, 0.86, height=0.13, left=column + 0.04, color=_FAINT)
            axes.barh(
                place + 0.16, 0.86 * value, height=0.13, left=column + 0.04, color=_PREDICTED if highlighted else _DIM
            )
    axes.axhline(0.5, color=_FAINT, linewidth=0.8)


def _draw_scale(page: _Page, body: float, scale: float, label: str, unit: str) -> None:
    tall, left = 1.6, _EDGE + _IMAGES + 0.35
    top = _HEAD + body - tall - 0.08
    unit = add_colour_bar(page.axes(left, top, 0.18, tall), scale, unit)
    speaks = ("for denser", "for fattier") if label == EXPECTED_CLASS else (f"for {label}", f"against {label}")
    page.text(left, top - 0.17, unit, fontsize=8, color=QUIET)
    for place, words in zip((0.0, 1.0), speaks, strict=True):
        page.text(left + 0.78, top + place * tall, f"speaks {words}", fontsize=8, va="center")
    fractions = ", ".join(f"{fraction * 100:g}" for fraction in CONTOURS)
    note = f"contours at {fractions} %\nof the scale"
    page.text(left + 0.78, top + 0.25 * tall, note, fontsize=7, color=QUIET, va="center")


def _write_head_and_foot(page: _Page, title: str, words: str, value: float, explanation: Explanation) -> None:
    page.text(_EDGE, 0.47, title or "Exam", fontsize=17, fontweight="bold")
    page.text(page.width - _EDGE, 0.47, f"{words} · {format_probability(value)}", fontsize=13, ha="right")
    page.text(
        _EDGE,
        page.height - 0.2,
        f"{method_name(explanation.method)} at {explanation.layer}, raw and signed, inside the breast; "
        "one scale for all images. "
        f"Grey values from the {WINDOW[0]:g} % to the {WINDOW[1]:g} % quantile in the breast. "
        "Research software, not a medical device.",
        fontsize=7,
        color=QUIET,
    )
