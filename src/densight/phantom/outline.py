"""The shape of a pressed breast in each view: outline, rounded edge, pectoral muscle, axilla, place on the detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.phantom.compression import ANGLES, Plate, Rest, press
from densight.vocabulary import View

__all__ = ["Pose", "pose_breast"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SKIN = 1.45
"""Skin thickness in mm: Huang et al., Med Phys 2008; 35:1199, by breast CT 1.45 ± 0.30 mm."""

TOP = 420.0
"""How far above the nipple's level, in mm, the axilla ends; beyond the detector's edge."""


@dataclass(frozen=True)
class Shape:
    """What decides a view's shape; lengths in mm.

    Parameters
    ----------
    thickness : float
        Paddle to support.
    round : float
        Width of the rounded edge.
    reach : float
        Chest wall to nipple, before the outline is scaled to the breast's volume.
    up, down : float
        Height of the outline above and below the nipple, in units of ``reach``.
    power : float
        Exponent of the super-ellipse that the outline follows: 2 is an ellipse, more is boxier.
    axilla : float
        Width of the axilla beyond the breast, in units of ``reach``; 0 in a CC.
    flare : float
        How much wider the axilla becomes from the breast to the field's end, in units of ``reach``.
    muscle_top, muscle_low : float
        Where the pectoral's edge crosses the top of the field and the chest wall, from the nipple's level.
    muscle_bend, muscle_part, muscle_slope : float
        How convex its edge is; how much of the thickness it takes; over how many mm it comes to that.
    """

    thickness: float
    round: float
    reach: float
    up: float
    down: float
    power: float
    axilla: float = 0.0
    flare: float = 0.0
    muscle_top: float = 0.0
    muscle_low: float = -1e3
    muscle_bend: float = 0.0
    muscle_part: float = 0.0
    muscle_slope: float = 1.0


@dataclass(frozen=True, eq=False)
class Pose:
    """A breast in a view.

    Parameters
    ----------
    plate : Plate
        The breast without its skin.
    shape : Shape
    tilt : float
        Angle in radians by which the image's upward direction leans from superior to lateral; π/2 in a CC.
    """

    plate: Plate
    shape: Shape
    tilt: float

    @property
    def thickness(self) -> float:
        """Paddle to support, in mm."""
        return self.shape.thickness

    def columns(self, x: Array, q: Array) -> tuple[Array, Array]:
        """Heights of everything, skin included, and of the pectoral muscle at points of the plane, in mm."""
        angle, part = self.plate.polar(x, q)
        reach = np.interp(angle, self.plate.angles, self.plate.reach).astype(np.float32)
        edge = reach * (1 - part) + np.float32(SKIN)
        whole = _profile(edge, self.shape, 0.0)
        muscle = _muscle(x, q - np.float32(self.plate.middle), self.shape) * whole
        return whole, muscle

    def pectoral(self, x: Array, q: Array) -> Mask:
        """Whether points of the plane lie behind the visible edge of the pectoral muscle."""
        if not self.shape.muscle_part:
            return np.zeros(x.shape, bool)
        deep = _behind_edge(x, q - np.float32(self.plate.middle), self.shape)
        return np.asarray(deep > self.shape.muscle_slope / 2)


def pose_breast(
    thickness: float, rest: Rest, view: View, shared: np.random.Generator, own: np.random.Generator
) -> Pose:
    """Draw the shape of a breast in a view and press the breast into it.

    Parameters
    ----------
    thickness : float
        Paddle to support, in mm.
    rest : Rest
        The breast at rest.
    view : View
    shared, own : numpy.random.Generator
        What both breasts have in common, restarted for each image; and what this image has for itself.
    """

    def draw(mean: float, spread: float, unlike: float = 0.35) -> float:
        return mean + spread * float(np.clip(shared.standard_normal() + unlike * own.standard_normal(), -2.2, 2.2))

    reach = 1.35 * rest.a
    if view == View.CC:
        shape = Shape(
            thickness, thickness / 2 * draw(1.0, 0.12), reach, draw(1.05, 0.12), draw(1.0, 0.1), draw(1.95, 0.16)
        )
        middle, tilt = draw(0, 8), np.pi / 2
    else:
        low = draw(-10, 18)
        top = min(draw(52, 11), 0.62 * reach)
        axilla = float(np.clip(draw(0.7, 0.08), min((top + 10) / reach, 0.8), 0.85))
        shape = Shape(
            thickness,
            thickness / 2 * draw(1.0, 0.12),
            reach,
            draw(1.25, 0.13),
            draw(0.95, 0.09),
            draw(2.05, 0.14),
            axilla=axilla,
            flare=max(draw(0.12, 0.15), -0.1),
            muscle_top=top,
            muscle_low=low,
            muscle_bend=draw(5, 4),
            muscle_part=draw(0.7, 0.06),
            muscle_slope=draw(9, 2),
        )
        middle, tilt = draw(-25, 10), np.deg2rad(draw(45, 5))
    outline = _outline(shape)

    def height(x: Array, q: Array, edge: Array) -> Array:
        inner = _profile(edge, shape, SKIN)
        return inner * (1 - _axilla(q, shape)) * (1 - _muscle(x, q, shape))

    plate = press(rest, outline, height, middle)
    return Pose(plate, shape, float(tilt))


def _outline(shape: Shape) -> Array:
    """Distance from the middle of the chest wall to the outline at even angles."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, ANGLES)
    across = np.where(angles > 0, shape.up, shape.down)
    ellipse = (np.abs(np.cos(angles)) ** shape.power + np.abs(np.sin(angles) / across) ** shape.power) ** (
        -1 / shape.power
    )
    if shape.axilla:
        height = np.linspace(0, TOP / shape.reach, 400)
        bell = 0.5 * (1 + np.cos(np.pi * np.minimum(height / shape.up / 1.15, 1)))
        width = shape.axilla + (1 - shape.axilla) * bell
        width += shape.flare * np.clip((height / shape.up - 0.8) / 1.5, 0, 1) ** 1.5
        turn = np.arctan2(height, width)
        side = np.interp(angles, turn, np.hypot(height, width))
        over = TOP / shape.reach / np.maximum(np.sin(angles), 1e-3)
        ellipse = np.where(angles > 0, np.where(angles < turn[-1], side, over), ellipse)
    return (shape.reach * ellipse).astype(np.float32)


def _profile(edge: Array, shape: Shape, skin: float) -> Array:
    """Height of the plate at a distance from its edge: flat, then rounded off."""
    rise = np.clip(edge / np.float32(shape.round), 0, 1)
    return np.asarray((shape.thickness - 2 * skin) * np.sqrt(rise * (2 - rise)), np.float32)


def _smooth(value: Array) -> Array:
    """From 0 to 1 as the value goes from 0 to 1, without a kink."""
    clipped = np.clip(value, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), np.float32)


def _axilla(q: Array, shape: Shape) -> Array:
    """The part of the thickness that belongs to the axilla, not to the breast."""
    if not shape.axilla:
        return np.zeros_like(q)
    reach = shape.up * shape.reach
    return _smooth(np.asarray((q - 0.6 * reach) / (0.5 * reach), np.float32))


def _muscle(x: Array, q: Array, shape: Shape) -> Array:
    """The part of the thickness that the pectoral muscle takes: a step at its edge, then slowly more."""
    if not shape.muscle_part:
        return np.zeros_like(x)
    deep = _behind_edge(x, q, shape)
    step, slope = _smooth(deep / np.float32(shape.muscle_slope)), _smooth(deep / np.float32(60))
    return np.asarray(shape.muscle_part * (0.6 * step + 0.4 * slope), np.float32)


def _behind_edge(x: Array, q: Array, shape: Shape) -> Array:
    """How far in mm behind the edge of the pectoral muscle, along the rows."""
    span = np.float32(170 - shape.muscle_low)
    up = np.clip((q - np.float32(shape.muscle_low)) / span, -1, 1.3)
    edge = shape.muscle_top * up + 4 * shape.muscle_bend * up * (1 - up)
    return np.asarray(edge - x, np.float32)
