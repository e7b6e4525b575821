"""Explanations as files and drawings: the tutorial's four pictures, the raw maps, one panel per class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.explanation.methods.methods import method_name
from densight.explanation.overlay import (
    CONTOURS,
    GROUND,
    INK,
    QUIET,
    Overlay,
    add_colour_bar,
    draw_overlay,
    draw_plain,
    make_overlays,
    map_unit,
    shared_scale,
)
from densight.geometry import Geometry
from densight.intake.mammogram import Mammogram
from densight.storage import replacing, write_json
from densight.vocabulary import DensightError, describe_class, format_probability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_classes", "draw_methods", "read_raw", "save_raw", "save_tutorial_pictures"]

Image = npt.NDArray[np.float32]

_FORMAT = 2
_EXPECTED = "_expected.npy"
_OPAQUE = 0.7


def save_tutorial_pictures(
    mammogram: Mammogram, framed_image: Image, explanation: Explanation, folder: str | Path, name: str
) -> list[Path]:
    """Write the tutorial's four pictures of the predicted class's map, all in the network's frame.

    ``<predicted>_<name>_650.png`` is the network's input, in 8-bit grey; ``_map.png`` the signed map in the colours
    ``seismic``, zero at white; ``_overlay.png`` the same over the image, the more opaque the larger the value;
    ``_contours.png`` the image with contours at 25, 50 and 75 % of the largest absolute value, solid where the map
    speaks for the class, dashed where against.

    Parameters
    ----------
    mammogram : Mammogram
        The image, which errors name.
    framed_image : ndarray of float32, shape (rows, columns)
        What :func:`densight.preparation.prepare.frame` gave: 0–255, or 0–1.
    explanation : Explanation
    folder : path-like
    name : str
        The tutorial has the image's stem.

    Returns
    -------
    list of Path
        The four files.

    Raises
    ------
    DensightError
        If the frame is not that of the explanation, or a file cannot be written.
    """
    if framed_image.shape != tuple(explanation.geometry.frame_shape):
        raise DensightError(
            f"the framed image is {framed_image.shape}, the explanation's frame {explanation.geometry.frame_shape}",
            mammogram.path,
            "frame the image with the preparation of the model that explained it",
        )
    grey = _as_bytes(framed_image)
    values = explanation.framed()
    values = values / (float(np.abs(values).max()) or 1.0)
    pictures = {"650": grey, "map": _seismic(values), "overlay": _overlay(grey, values)}
    stem = Path(folder) / f"{explanation.predicted}_{name}"
    written = [_save_picture(f"{stem}_{suffix}.png", picture) for suffix, picture in pictures.items()]
    return [*written, _save_contours(f"{stem}_contours.png", grey, values)]


def save_raw(explanation: Explanation, folder: str | Path, name: str) -> list[Path]:
    """Write the raw maps: every class's cells as NumPy and JSON, the predicted class's map as TIFF.

    ``<predicted>_<name>_raw.npy`` holds the cells of all classes, float32 ``(k, rows, columns)``, and
    ``_raw_expected.npy`` those of the expected class; the JSON beside them all else that
    :func:`read_raw` needs. ``<predicted>_<name>_raw.tif`` is the predicted class's signed map in the image's own
    pixels, one channel of float32, deflated.

    Returns
    -------
    list of Path
        The four files.

    Raises
    ------
    DensightError
        If a file cannot be written.
    """
    from PIL import Image as PillowImage

    npy, expected, description, tif = (
        Path(folder) / f"{explanation.predicted}_{name}_raw{ending}" for ending in (".npy", _EXPECTED, ".json", ".tif")
    )
    for path, cells in ((npy, explanation.cells), (expected, explanation.expected_cells)):
        with replacing(path) as temporary:
            np.save(temporary, cells.astype(np.float32), allow_pickle=False)
    with replacing(tif) as temporary:
        PillowImage.fromarray(explanation.map()).save(temporary, compression="tiff_adobe_deflate")
    content = {
        "format": _FORMAT,
        "cells": npy.name,
        "expected_cells": expected.name,
        "unit": map_unit(explanation, explanation.predicted),
        "classes": list(explanation.classes),
        "probabilities": [float(value) for value in explanation.probabilities],
        "method": explanation.method,
        "layer": explanation.layer,
        "geometry": asdict(explanation.geometry),
        "origin": list(explanation.origin),
        "step": list(explanation.step),
        "passes": list(explanation.passes),
    }
    write_json(description, content)
    return [npy, expected, description, tif]


def read_raw(path: str | Path) -> Explanation:
    """Read the files of :func:`save_raw`, bit for bit.

    Parameters
    ----------
    path : path-like
        The JSON file; the cells lie beside it.

    Raises
    ------
    DensightError
        If a file is missing or damaged.
    """
    path = Path(path)
    remedy = "write it again with densight explain"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        cells, expected = (
            np.asarray(np.load(path.with_name(content[key]), allow_pickle=False), np.float32)
            for key in ("cells", "expected_cells")
        )
        return Explanation(
            cells,
            tuple(content["classes"]),
            np.array(content["probabilities"], np.float32),
            content["method"],
            content["layer"],
            Geometry(**{name: _as_tuple(value) for name, value in content["geometry"].items()}),
            _as_tuple(content["origin"]),
            _as_tuple(content["step"]),
            expected,
            _as_tuple(content["passes"]),
        )
    except OSError as error:
        raise DensightError(f"cannot be read ({error.strerror or error})", error.filename or path, remedy) from error
    except DensightError as error:
        raise DensightError(error.fault, path, remedy) from error
    except (KeyError, TypeError, ValueError, EOFError) as error:
        raise DensightError(f"this is no explanation of densight ({error!r})", path, remedy) from error


def draw_classes(mammogram: Mammogram, explanation: Explanation, overlays: Sequence[Overlay] | None = None) -> Figure:
    """Draw one row: each class's signed map over the breast, all on one scale, and the expected class's on its own.

    Parameters
    ----------
    mammogram : Mammogram
    explanation : Explanation
    overlays : sequence of Overlay, optional
        Of the classes and the expected one, if they are made already.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90; pixels[90:150, :60] = 180
    >>> explanation = Explanation(np.ones((2, 4, 4), np.float32), ("A", "B"), np.array([0.9, 0.1], np.float32),
    ...                           "grad-cam", "add_12", Geometry.stretched((256, 256), (64, 64)), (8, 8), (16, 16))
    >>> [axes.get_title("left") for axes in draw_classes(Mammogram(pixels), explanation).axes]
    ['A · .90', 'B · .10', '', 'expected class 0.10 of 0 to 1', '']
    """
    from matplotlib.figure import Figure

    labels = (*explanation.classes, EXPECTED_CLASS)
    overlays = overlays or make_overlays(mammogram, explanation, labels)
    rows, columns = overlays[0].size
    wide, edge, head, foot, side = 2.8, 0.2, 0.45, 0.45, 1.0
    tall = wide * rows / columns
    width = edge + len(labels) * (wide + edge) + 2 * side
    height = head + tall + foot
    figure = Figure(figsize=(width, height), facecolor=GROUND)
    left = edge
    for group in (labels[:-1], labels[-1:]):
        of_group = [overlays[labels.index(label)] for label in group]
        scale = shared_scale(of_group)
        for label, overlay in zip(group, of_group, strict=True):
            axes = figure.add_axes((left / width, foot / height, wide / width, tall / height))
            draw_overlay(axes, overlay, scale)
            _name_panel(axes, explanation, label, overlay.lack)
            left += wide + edge
        bar = min(tall, 1.8)
        place = (left / width, (foot + (tall - bar) / 2) / height, 0.16 / width, bar / height)
        unit = add_colour_bar(figure.add_axes(place), scale, map_unit(explanation, group[0]))
        style: dict[str, Any] = {"fontsize": 7, "color": QUIET, "ha": "right"}
        figure.text((left - edge) / width, 0.12 / height, unit, **style)
        left += side
    fractions = ", ".join(f"{fraction * 100:g}" for fraction in CONTOURS)
    words = f"{method_name(explanation.method)} at {explanation.layer}; contours at {fractions} % of the scale"
    figure.text(edge / width, 0.12 / height, words, fontsize=7, color=QUIET)
    return figure


def _name_panel(axes: Axes, explanation: Explanation, label: str, lack: str) -> None:
    if label == EXPECTED_CLASS:
        words = f"{EXPECTED_CLASS} {explanation.expected:.2f} of 0 to {len(explanation.classes) - 1}"
    else:
        value = explanation.probabilities[explanation.classes.index(label)]
        words = f"{describe_class(label, explanation.classes)} · {format_probability(value)}"
    highlighted = label in (explanation.predicted, EXPECTED_CLASS)
    axes.set_title(words, loc="left", fontsize=8, color=INK if highlighted else QUIET)
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    note = "orange: for denser, blue: for fattier" if label == EXPECTED_CLASS else lack
    axes.annotate(note, (0, 0), (0, -11), fontsize=8, color=QUIET, **below)


def draw_methods(mammogram: Mammogram, explanations: Sequence[Explanation]) -> Figure:
    """Draw the maps of the expected class of one image by several methods, one panel per method, each on its own scale.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    overlays = [make_overlays(mammogram, explanation, [EXPECTED_CLASS])[0] for explanation in explanations]
    rows, columns = overlays[0].size
    across = min(len(overlays) + 1, 6)
    down = -(-(len(overlays) + 1) // across)
    wide, edge, head, foot = 2.3, 0.15, 0.4, 0.3
    tall = wide * rows / columns
    width, height = edge + across * (wide + edge), down * (tall + head) + foot
    figure = Figure(figsize=(width, height), facecolor=GROUND)
    for place in range(len(overlays) + 1):
        row, column = divmod(place, across)
        left, bottom = edge + column * (wide + edge), height - (row + 1) * (tall + head)
        axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
        if place == 0:
            draw_plain(axes, overlays[0])
        else:
            draw_overlay(axes, overlays[place - 1], overlays[place - 1].peak or 1.0)
        words = method_name(explanations[place - 1].method) if place else "mammogram"
        axes.set_title(words, loc="left", fontsize=9, color=INK)
    expected = f"{EXPECTED_CLASS} {explanations[0].expected:.2f}; orange: for denser, blue: for fattier"
    note = f"{expected}; each map on its own scale, those of single pixels averaged over some millimetres"
    figure.text(edge / width, 0.1 / height, note, fontsize=7, color=QUIET)
    return figure


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_bytes(image: Image) -> npt.NDArray[np.uint8]:
    full = 255.0 if float(image.max()) > 1.0 else 1.0
    return np.asarray(np.rint(np.clip(image / full, 0, 1) * 255), np.uint8)


def _seismic(values: Image) -> npt.NDArray[np.uint8]:
    """The colours of -1 to 1, RGB."""
    from matplotlib import colormaps

    return np.asarray(colormaps["seismic"]((values + 1) / 2, bytes=True)[..., :3], np.uint8)


def _overlay(grey: npt.NDArray[np.uint8], values: Image) -> npt.NDArray[np.uint8]:
    alpha = (_OPAQUE * np.abs(values))[..., None]
    image = grey[..., None] * (1 - alpha) + _seismic(values) * alpha
    return np.rint(image).astype(np.uint8)


def _save_picture(path: str, picture: npt.NDArray[np.uint8]) -> Path:
    from PIL import Image as PillowImage

    with replacing(path) as temporary:
        PillowImage.fromarray(picture).save(temporary)
    return Path(path)


def _save_contours(path: str, grey: npt.NDArray[np.uint8], values: Image) -> Path:
    """The image with contours, in its own size, pixel for pixel."""
    from matplotlib.figure import Figure

    rows, columns = grey.shape
    figure = Figure(figsize=(columns / 100, rows / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
    for sign, colour, style in ((1, "#d62728", "solid"), (-1, "#1f77b4", "dashed")):
        levels = [fraction for fraction in CONTOURS if fraction < float((sign * values).max())]
        if levels:
            widths = [1.0, 1.5, 2.0][: len(levels)]
            axes.contour(sign * values, levels, colors=colour, linestyles=style, linewidths=widths)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
    return Path(path)
