"""Vessels, calcifications, lymph nodes and the nipple: what is drawn into the rays' lengths one by one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from densight.phantom.compression import Rest

__all__ = ["Line", "Structures", "draw_line", "draw_spots", "draw_structures"]

Array = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

SUBPIXEL = 4
"""Bits of a pixel's fraction that OpenCV's drawing takes."""


@dataclass(frozen=True, eq=False)
class Line:
    """A vein, an artery, or a strand of fibrous tissue: a line of soft tissue.

    Parameters
    ----------
    course : ndarray of float32, shape (n, 3)
        Its points in the breast at rest, in mm: towards the nipple, lateral, superior.
    diameter : ndarray of float32, shape (n,)
        In mm.
    """

    course: Array
    diameter: Array


@dataclass(frozen=True, eq=False)
class Structures:
    """What a breast has beside its tissue.

    Parameters
    ----------
    lines : tuple of Line
    calcifications : ndarray of float32, shape (n, 4)
        Place in the breast at rest and diameter, in mm.
    nipple : tuple of float
        Radius, protrusion, and how far behind the outline it lies, in mm.
    nodes : ndarray of float32, shape (n, 5)
        Axillary lymph nodes: place in the MLO as parts of the axilla's width and height, long and short diameter in mm,
        direction in degrees.
    """

    lines: tuple[Line, ...]
    calcifications: Array
    nipple: tuple[float, float, float]
    nodes: Array


def draw_structures(rest: Rest, shared: np.random.Generator, own: np.random.Generator) -> Structures:
    """Draw what a breast has beside its tissue; the nipple is alike in both breasts, the rest is not."""
    lines: list[Line] = []
    for _ in range(int(own.integers(3, 8))):
        lines += _draw_vessel(rest, own, own.uniform(0.8, 2.6))
    lines += [_draw_strand(rest, own) for _ in range(int(own.integers(50, 160)))]
    spots = [own.normal(0, 0.35, 3) for _ in range(own.poisson(1.2))]
    if own.random() < 0.12:
        middle = own.normal(0, 0.3, 3)
        spots += [middle + own.normal(0, 0.05, 3) for _ in range(own.integers(3, 9))]
    places = np.array(spots, np.float32).reshape(-1, 3) * np.array([rest.a, rest.b, rest.b], np.float32)
    places[:, 0] = np.abs(places[:, 0]) + 0.1 * rest.a
    inside = (places**2 / np.array([rest.a, rest.b, rest.b]) ** 2).sum(1) < 0.9
    diameters = own.lognormal(np.log(0.35), 0.4, (len(places), 1)).clip(0.15, 1.0)
    nodes = [
        (own.uniform(0.3, 0.8), own.uniform(0.3, 0.95), long, long * own.uniform(0.45, 0.7), own.uniform(50, 110))
        for long in own.uniform(8, 18, own.choice([0, 0, 1, 1, 2, 3]))
    ]
    radius = float(shared.uniform(3.5, 6) * own.normal(1, 0.05))
    behind = float(own.uniform(4, 12)) if own.random() < 0.2 else 0.0
    return Structures(
        tuple(lines),
        np.hstack([places, diameters])[inside].astype(np.float32),
        (radius, float(shared.uniform(2.5, 7)), behind),
        np.array(nodes, np.float32).reshape(-1, 5),
    )


def _draw_vessel(rest: Rest, own: np.random.Generator, diameter: float) -> list[Line]:
    """A vessel under the skin, from the chest wall towards the nipple, winding, with a branch or two."""
    points = 60
    turn = own.uniform(0, 2 * np.pi) + np.cumsum(np.cumsum(own.normal(0, 0.006, points)))
    tip = own.uniform(0.15, 0.8)
    rise = np.linspace(np.pi / 2, tip, points) + np.cumsum(own.normal(0, 0.012, points))
    shell = own.uniform(0.72, 0.93) + np.cumsum(own.normal(0, 0.006, points)).clip(-0.1, 0.06)
    course = _on_shell(rest, turn, rise, shell)
    widths = diameter * np.linspace(1, 0.45, points)
    vessels = [Line(course, widths.astype(np.float32))]
    for _ in range(own.integers(0, 3)):
        start = int(own.integers(8, 45))
        length = min(int(own.integers(12, 30)), points - start)
        side = own.choice([-1, 1]) * own.uniform(0.25, 0.7)
        along = np.linspace(0, 1, length)
        away = turn[start] + side * along**0.8 + np.cumsum(own.normal(0, 0.015, length))
        branch = _on_shell(rest, away, rise[start : start + length], shell[start : start + length])
        vessels.append(Line(branch, (0.65 * widths[start] * np.linspace(1, 0.4, length)).astype(np.float32)))
    return vessels


def _draw_strand(rest: Rest, own: np.random.Generator) -> Line:
    """A ligament or a duct seen as a thin line: it runs towards the nipple, more or less, and bends."""
    points = 12
    outward = own.normal(size=3)
    outward[0] = abs(outward[0])
    start = outward / np.linalg.norm(outward) * own.uniform(0.35, 0.97) * np.array([rest.a, rest.b, rest.b])
    towards = np.array([1.05 * rest.a, 0, 0]) - start
    direction = towards / np.linalg.norm(towards) + own.normal(0, 0.55, 3)
    bends = np.cumsum(own.normal(0, 0.09, (points, 3)), 0)
    steps = direction / np.linalg.norm(direction) + bends
    course = start + np.cumsum(steps, 0) * own.uniform(0.8, 3.2)
    # What would leave the breast runs along its skin.
    out = np.sqrt((course**2 / np.array([rest.a, rest.b, rest.b]) ** 2).sum(1, keepdims=True))
    course /= np.maximum(out / 0.96, 1)
    course[:, 0] = np.abs(course[:, 0])
    width = np.clip(own.lognormal(np.log(0.5), 0.35), 0.2, 1.1)
    return Line(course.astype(np.float32), np.full(points, width, np.float32))


def _on_shell(rest: Rest, turn: Values, rise: Values, shell: Values) -> Array:
    across = rest.b * shell * np.sin(rise)
    return np.stack([np.abs(rest.a * shell * np.cos(rise)), across * np.cos(turn), across * np.sin(turn)], 1).astype(
        np.float32
    )


def draw_line(canvas: Array, columns: Array, rows: Array, diameters: Array, pitch: float) -> None:
    """Draw a round rod of varying diameter: the length in mm of rays through it, kept where already greater.

    Parameters
    ----------
    canvas : ndarray of float32, shape (rows, columns)
        Changed in place.
    columns, rows : ndarray, shape (n,)
        Its points in pixels.
    diameters : ndarray, shape (n,)
        In mm.
    pitch : float
        Pixel pitch in mm.
    """
    points = np.rint(np.stack([columns, rows], 1) * 2**SUBPIXEL).astype(np.int32)
    low = np.maximum(np.floor([rows.min(), columns.min()]).astype(int) - 12, 0)
    high = np.ceil([rows.max(), columns.max()]).astype(int) + 12
    part = canvas[low[0] : high[0], low[1] : high[1]]
    if part.size == 0:
        return
    rod = np.zeros_like(part)
    points -= (low[::-1] << SUBPIXEL).astype(np.int32)
    ink = np.zeros(part.shape, np.uint8)
    # Chords of a circle, as a pile of strips: at these parts of the diameter the chord has these parts of it.
    for across, chord in ((0.95, 0.30), (0.8, 0.30), (0.6, 0.2), (0.35, 0.17)):
        ink[:] = 0
        wide = np.maximum(np.rint(across * diameters[:-1] / pitch), 1).astype(int)
        for start, stop in pairwise([0, *(np.flatnonzero(np.diff(wide)) + 1), wide.size]):
            cv2.polylines(ink, [points[start : stop + 1]], False, 255, int(wide[start]), cv2.LINE_AA, SUBPIXEL)
        # A line cannot be drawn thinner than a pixel: it is then drawn fainter.
        faint = min(1.0, float(across * diameters.mean() / pitch))
        rod += ink.astype(np.float32) * np.float32(faint * chord * diameters.mean() / 255)
    np.maximum(part, cv2.GaussianBlur(rod, (0, 0), 0.6), out=part)


def draw_spots(canvas: Array, columns: Array, rows: Array, diameters: Array, pitch: float) -> None:
    """Add round grains: the length in mm of rays through them, spread over the pixels that they cover."""
    for column, row, diameter in zip(columns, rows, diameters, strict=True):
        spread = max(diameter / pitch / 2.5, 0.45)
        reach = int(3 * spread) + 1
        top, left = int(row) - reach, int(column) - reach
        if top < 0 or left < 0 or top + 2 * reach >= canvas.shape[0] or left + 2 * reach >= canvas.shape[1]:
            continue
        y = np.exp(-((np.arange(top, top + 2 * reach + 1) - row) ** 2) / (2 * spread**2))
        x = np.exp(-((np.arange(left, left + 2 * reach + 1) - column) ** 2) / (2 * spread**2))
        # The grain's volume, π/6 d³, is kept however many pixels it covers.
        peak = np.pi / 6 * diameter**3 / (2 * np.pi * (spread * pitch) ** 2)
        canvas[top : top + 2 * reach + 1, left : left + 2 * reach + 1] += np.outer(y, x).astype(
            np.float32
        ) * np.float32(peak)
