"""Compression: where each bit of a breast lies between the paddle and the support, without changing its volume.

A breast at rest is the half-ellipsoid of revolution ``(x/a)² + (y² + z²)/b² ≤ 1``, ``x ≥ 0``. In a view it is a plate
of given outline and thickness. Soft tissue keeps its volume when it is pressed, so the map from the one to the other
must have a Jacobian of one everywhere. It is built from two monotone transports in polar coordinates about the middle
of the chest wall: sectors of equal volume correspond, and within a sector shells of equal volume correspond; along the
direction of compression columns are scaled to their new height. Each step is exact, so the whole is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

__all__ = ["ANGLES", "ROW", "Plate", "Rest", "press", "sample"]

Array = npt.NDArray[np.float32]

ROW = 1024
"""Places are looked up in rows of this many, for `sample` takes sides of less than 32767."""

ANGLES = 361
"""Nodes of the tables in angle."""

SHELLS = 257
"""Nodes of the tables in radius."""


@dataclass(frozen=True)
class Rest:
    """A breast at rest: a half-ellipsoid of revolution about the axis from the chest wall to the nipple.

    Parameters
    ----------
    a, b : float
        Semi-axes in mm, towards the nipple and across.

    Examples
    --------
    >>> round(Rest(60.0, 60.0).volume / 1000)
    452
    """

    a: float
    b: float

    @property
    def volume(self) -> float:
        """Volume in mm³: ``2π/3 · a b²``."""
        return 2 * np.pi / 3 * self.a * self.b**2

    def half_height(self, x: Array, q: Array) -> Array:
        """Half the height in mm of the column across at a place of any plane through the axis."""
        off_axis = (x / np.float32(self.a)) ** 2 + (q / np.float32(self.b)) ** 2
        return np.asarray(self.b * np.sqrt(np.maximum(1 - off_axis, 0)), np.float32)


@dataclass(frozen=True, eq=False)
class Plate:
    """A pressed breast without its skin, and the way back to the breast at rest.

    Made by `press`. In the plane of the plate ``x`` goes from the chest wall to the nipple and ``q`` up the image, in
    mm; the height above the support is ``z``.

    Parameters
    ----------
    rest : Rest
    middle : float
        ``q`` of the point on the chest wall about which polar coordinates are taken.
    angles : ndarray, shape (n,)
        From -π/2 (down the chest wall) to π/2 (up the chest wall).
    reach : ndarray, shape (n,)
        Distance from that point to the outline at each angle, in mm.
    height : ndarray, shape (n, m)
        Height of the column of breast tissue at each angle and each of m even parts of the reach, in mm.
    rest_angle : ndarray, shape (n,)
        Angle at rest that each angle came from.
    rest_radius : ndarray, shape (n, m)
        Part of the way to the skin at rest that each place came from.
    """

    rest: Rest
    middle: float
    angles: Array
    reach: Array
    height: Array
    rest_angle: Array
    rest_radius: Array

    def polar(self, x: Array, q: Array) -> tuple[Array, Array]:
        """Angle, and part of the reach, of points of the plate's plane; the part is above 1 outside the outline."""
        angle = np.arctan2(q - np.float32(self.middle), x)
        far = np.hypot(x, q - np.float32(self.middle))
        return angle, (far / self._at_angle(self.reach, angle)).astype(np.float32)

    def column(self, x: Array, q: Array) -> tuple[Array, Array, Array]:
        """The columns of tissue at points of the plate's plane.

        Parameters
        ----------
        x, q : ndarray of float32
            Points in mm, of one shape.

        Returns
        -------
        height : ndarray of float32
            In mm; 0 outside the outline.
        rest_x, rest_q : ndarray of float32
            Where each column stood at rest, in mm.
        """
        angle, part = self.polar(x, q)
        row, column = self._row(angle), np.minimum(part, 1) * np.float32(SHELLS - 1)
        height = np.where(part < 1, sample(self.height, row, column), np.float32(0))
        radius = sample(self.rest_radius, row, column)
        turned = self._at_angle(self.rest_angle, angle)
        return height, self.rest.a * radius * np.cos(turned), self.rest.b * radius * np.sin(turned)

    def place(self, rest_x: Array, rest_q: Array) -> tuple[Array, Array]:
        """Where columns of the breast at rest come to stand, the inverse of `column`, in mm."""
        radius = np.hypot(rest_x / self.rest.a, rest_q / self.rest.b).astype(np.float32)
        turned = np.arctan2(rest_q / self.rest.b, rest_x / self.rest.a)
        angle = np.interp(turned, self.rest_angle, self.angles).astype(np.float32)
        part = sample(self._part, self._row(angle), np.minimum(radius, 1) * np.float32(SHELLS - 1))
        far = part * self._at_angle(self.reach, angle)
        return far * np.cos(angle), np.float32(self.middle) + far * np.sin(angle)

    @cached_property
    def _part(self) -> Array:
        """The part of the reach to which each even part of the way to the skin at rest goes."""
        even = np.linspace(0, 1, SHELLS)
        return np.array([np.interp(even, row, even) for row in self.rest_radius], np.float32)

    def _row(self, angle: Array) -> Array:
        return np.asarray((angle + np.pi / 2) * ((ANGLES - 1) / np.pi), np.float32)

    def _at_angle(self, values: Array, angle: Array) -> Array:
        row = np.clip(self._row(angle), 0, ANGLES - 1)
        below = np.minimum(row.astype(np.int32), ANGLES - 2)
        return np.asarray(values[below] + (row - below) * (values[below + 1] - values[below]), np.float32)


def sample(table: Array, row: Array, column: Array) -> Array:
    """Values of a table, or of a stack of up to four, between its nodes, bilinear; beyond its border the border's.

    Parameters
    ----------
    table : ndarray of float32, shape (n, m) or (n, m, channels)
    row, column : ndarray of float32, shape (n,) or (rows, columns)
        Each side at most 32766.

    Returns
    -------
    ndarray of float32, shape of ``row``, or of ``row`` and channels
    """
    found = cv2.remap(
        table, np.atleast_2d(column), np.atleast_2d(row), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found.reshape(*row.shape, *table.shape[2:]), np.float32)


def press(rest: Rest, reach: Array, height: Callable[[Array, Array, Array], Array], middle: float) -> Plate:
    """Press a breast into a plate of a given shape, enlarged or reduced until it holds the breast's volume.

    Parameters
    ----------
    rest : Rest
    reach : ndarray of float32, shape (ANGLES,)
        Distance in mm from the middle of the chest wall to the outline, at even angles from -π/2 to π/2.
    height : callable
        The height of the column of breast tissue, in mm, from ``x``, ``q - middle`` and the distance to the outline
        along the radius, all in mm and of shape (angles, shells).
    middle : float
        ``q`` of the middle of the chest wall in mm.

    Returns
    -------
    Plate

    Examples
    --------
    >>> rest = Rest(60.0, 60.0)
    >>> plate = press(rest, np.full(ANGLES, 70, np.float32), lambda x, q, edge: np.full_like(x, 50.0), 0.0)
    >>> round(float(np.pi / 2 * plate.reach[0] ** 2 * 50 / rest.volume), 3)
    1.0
    """
    angles = np.linspace(-np.pi / 2, np.pi / 2, ANGLES, dtype=np.float32)
    part = np.linspace(0, 1, SHELLS, dtype=np.float32)

    def shells(scale: float) -> tuple[Array, Array]:
        """Column heights, and the volume between shells of each sector per unit of angle."""
        far = scale * reach[:, None] * part
        heights = height(far * np.cos(angles)[:, None], far * np.sin(angles)[:, None], scale * reach[:, None] - far)
        density = heights * far
        volumes = (density[:, 1:] + density[:, :-1]) / 2 * (scale * reach[:, None] / (SHELLS - 1))
        return heights, volumes.astype(np.float32)

    def excess(scale: float) -> float:
        return float(np.trapezoid(shells(scale)[1].sum(1), angles)) - rest.volume

    scale = brentq(excess, 0.2, 5.0, xtol=1e-4)
    heights, volumes = shells(scale)
    sectors = volumes.sum(1)
    swept = np.concatenate([[0], np.cumsum((sectors[1:] + sectors[:-1]) / 2)])
    within = np.concatenate([np.zeros((ANGLES, 1)), np.cumsum(volumes, 1)], 1) / sectors[:, None]
    return Plate(
        rest,
        middle,
        angles,
        (scale * reach).astype(np.float32),
        heights.astype(np.float32),
        (np.pi * (swept / swept[-1] - 0.5)).astype(np.float32),
        # Of a half-ellipsoid the part 1 - (1 - ρ²)^(3/2) lies within ρ of the axis of the columns.
        np.sqrt(1 - np.cbrt(1 - np.clip(within, 0, 1)) ** 2).astype(np.float32),
    )
