"""A mammogram for the report page, with its maps as small grids that the page lays over it, fades and exchanges."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import Side
from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.explanation.overlay import Overlay, make_overlays, map_unit
from densight.intake.mammogram import Mammogram
from densight.storage import replacing, write_json
from densight.vocabulary import Laterality

__all__ = ["FILM", "MAP_SIDE", "save_film"]

FILM = "_film.json"
"""The ending of the description's file name. The picture lies beside it."""
MAP_SIDE = 32
"""Cells on the longer side of a map. Maps are smooth, and a page of hundreds of exams holds thousands of maps."""

_SIDE = 560
_QUALITY = 80
_FORMAT = 1
_CORNERS = 0.003


def save_film(
    mammogram: Mammogram,
    explanations: Sequence[Explanation],
    start: str | Path,
    overlays: Sequence[Sequence[Overlay]] | None = None,
) -> Path:
    """Write the layers: the mammogram cropped to the breast as it is hung, and the maps of all classes and methods.

    Parameters
    ----------
    mammogram : Mammogram
        Of known projection.
    explanations : sequence of Explanation
        One per method, at least one.
    start : path-like
        The start of the files' names.
    overlays : sequence of sequence of Overlay, optional
        For each explanation those of its classes and of the expected class, if they already exist.

    Returns
    -------
    Path
        The description, JSON: ``picture`` (a WebP beside it), ``rows`` and ``columns`` of the part shown in the image's
        pixels, ``moved`` (in words), ``outline`` of the breast (corners in parts of width and height), ``labels``, and
        ``methods``: of each ``rows``, ``columns``, ``peaks`` (the largest absolute value of each label's cells in the
        breast), ``units`` and ``cells``, all labels' maps one after the other as signed bytes in base64, 127 the peak.

    Raises
    ------
    DensightError
        If a file cannot be written.
    """
    from PIL import Image

    start = Path(start)
    labels = (*explanations[0].classes, EXPECTED_CLASS)
    made = overlays or [make_overlays(mammogram, explanation, labels) for explanation in explanations]
    by_method = {
        explanation.method: [_facing(overlay, mammogram) for overlay in of_explanation]
        for explanation, of_explanation in zip(explanations, made, strict=True)
    }
    first, moved = next(iter(by_method.values()))[0]
    picture = start.with_name(f"{start.name}_film.webp")
    grey = Image.fromarray(np.rint(255 * first.grey).astype(np.uint8))
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    with replacing(picture) as temporary:
        grey.save(temporary, "WEBP", quality=_QUALITY, method=2)
    content = {
        "format": _FORMAT,
        "picture": picture.name,
        "rows": first.size[0],
        "columns": first.size[1],
        "moved": moved,
        "outline": _outline(first.breast) if first.chest_wall else [],
        "labels": list(labels),
        "methods": {
            explanation.method: _maps([overlay for overlay, _ in by_method[explanation.method]])
            | {"units": [map_unit(explanation, label) for label in labels]}
            for explanation in explanations
        },
    }
    path = start.with_name(f"{start.name}{FILM}")
    write_json(path, content)
    return path


def _facing(overlay: Overlay, mammogram: Mammogram) -> tuple[Overlay, str]:
    """The overlay with the chest wall toward the middle, where the exam's other breast hangs."""
    assert mammogram.projection is not None
    side: Side = "left" if mammogram.projection.laterality is Laterality.L else "right"
    return overlay.facing(side)


def _maps(overlays: Sequence[Overlay]) -> dict[str, Any]:
    rows, columns = overlays[0].values.shape
    scale = min(1.0, MAP_SIDE / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    inside = _reduced(overlays[0].breast, size) >= 0.5
    grids, peaks = [], []
    for overlay in overlays:
        small = _reduced(overlay.values, size)
        peaks.append(float(np.abs(small[inside] if inside.any() else small).max()))
        grids.append(np.clip(np.rint(127 * small / (peaks[-1] or 1.0)), -127, 127).astype(np.int8))
    cells = base64.b64encode(np.stack(grids).tobytes()).decode()
    return {"rows": size[1], "columns": size[0], "peaks": peaks, "cells": cells}


def _reduced(values: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_AREA), np.float32)


def _outline(breast: npt.NDArray[np.float32]) -> list[list[float]]:
    """The corners of the breast's outline, in parts of the width and the height."""
    import cv2

    rows, columns = breast.shape
    inside = np.ascontiguousarray(breast >= 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    corners = cv2.approxPolyDP(outline, _CORNERS * max(rows, columns), True).reshape(-1, 2)
    places = (corners + 0.5) / (columns, rows)
    return [[round(float(x), 4), round(float(y), 4)] for x, y in places]
