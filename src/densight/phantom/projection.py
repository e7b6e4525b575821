"""Rays through a pressed breast: what the ray to each pixel passes through."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from densight.phantom.body import STEPS
from densight.phantom.camera import Camera
from densight.phantom.compression import ROW, sample
from densight.phantom.outline import SKIN
from densight.phantom.paths import Paths
from densight.phantom.regions import Change, Rays
from densight.phantom.structures import draw_line, draw_spots
from densight.vocabulary import View

__all__ = ["Projected", "project"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RAY_PITCH = 0.57
"""Glandular tissue is sampled by rays about this far apart at the detector, in mm; what is finer is drawn in two
dimensions, as are borders, vessels and grains of calcium."""

DETAIL = 0.04
"""Relative spread of what is finer than the rays' pitch."""


@dataclass(frozen=True, eq=False)
class Projected:
    """What a projection gives.

    Parameters
    ----------
    paths : Paths
    pectoral, touched : ndarray of bool, shape (rows, columns)
        Pixels behind the edge of the pectoral muscle; pixels whose rays pass tissue that is changed.
    """

    paths: Paths
    pectoral: Mask
    touched: Mask


def project(camera: Camera, change: Change | None = None) -> Projected:
    """Send a ray through a pressed breast to each pixel.

    Parameters
    ----------
    camera : Camera
    change : Change, optional
        Tissue of this breast that is other than it grew.

    Returns
    -------
    Projected
    """
    pose, shrink = camera.pose, np.float32(1 - camera.pose.thickness / 2 / camera.focus)
    x, q = camera.grid()
    whole, muscle = pose.columns(x * shrink, q * shrink)
    skin = np.minimum(whole, np.float32(2 * SKIN))
    room = np.maximum(whole - skin - muscle, 0)
    every = max(1, round(RAY_PITCH / camera.pitch))
    sampled, touched = _sample_tissue(camera, every, change)
    glandular = np.clip(_enlarge(sampled, every, camera.shape) * _detail(camera), 0, room)
    touched = np.repeat(np.repeat(touched, every, 0), every, 1)[: camera.shape[0], : camera.shape[1]]
    if change is not None and _is_own(change, camera):
        assert isinstance(change.region, Rays)
        glandular = np.where(change.region.mask, room if change.to == "fibroglandular" else 0, glandular)
        touched = change.region.mask & (room > 0)
    blood, calcium = _draw_details(camera)
    blood = np.minimum(blood, room - glandular)
    nipple = _nipple(camera, x * shrink, q * shrink)
    skin += np.maximum(nipple - whole, 0)
    oblique = np.sqrt(1 + (x**2 + q**2) / np.float32(camera.focus**2))
    lengths = {
        "adipose": np.maximum(room - glandular - blood - calcium, 0) * oblique,
        "glandular": glandular * oblique,
        "skin": skin * oblique,
        "muscle": (muscle + blood) * oblique,
        "calcium": np.where(whole > 0, calcium, 0) * oblique,
    }
    pectoral = pose.pectoral(x * shrink, q * shrink) & (whole > 0)
    return Projected(Paths(camera.projection, lengths, nipple > 0, camera.pitch, pose.thickness), pectoral, touched)


def _is_own(change: Change, camera: Camera) -> bool:
    """Whether the rays that are changed are this image's own: then pixels are changed, not places."""
    return isinstance(change.region, Rays) and change.region.projection == camera.projection


def _sample_tissue(camera: Camera, every: int, change: Change | None) -> tuple[Array, Mask]:
    """Glandular length in mm, as if rays were upright, of rays to squares of ``every`` pixels a side."""
    pose, rest, focus = camera.pose, camera.breast.rest, np.float32(camera.focus)
    x, q = camera.grid(every)
    pitch = np.float32(every * camera.pitch)
    height, rest_x, rest_q = pose.plate.column(x, q)
    muscle = pose.columns(x, q)[1]
    table = np.dstack([rest_x, rest_q, rest.half_height(rest_x, rest_q)])
    rows = x.shape[0]

    def look(values: Array, at_x: Array, at_q: Array) -> Array:
        return sample(values, np.float32((rows - 1) / 2) - at_q / pitch, at_x / pitch - np.float32(0.5))

    # Which column of tissue a ray passes is decided where it is at half the thickness.
    middle = np.float32(1 - pose.thickness / 2 / camera.focus)
    height, muscle = np.moveaxis(look(np.dstack([height, muscle]), x * middle, q * middle), -1, 0)
    rays = np.flatnonzero(height > 0.05)
    rays = np.resize(rays, (-(-rays.size // ROW), ROW))
    x, q, height, muscle = (values.ravel()[rays] for values in (x, q, height, muscle))
    bottom = (np.float32(pose.thickness) - height + muscle) / 2
    lean = (np.float32(np.cos(pose.tilt)), np.float32(np.sin(pose.tilt)))
    part, touched = np.zeros_like(x), np.zeros(x.shape, bool)
    before: tuple[Array, tuple[Array, Array, Array]] | None = None
    for step in range(STEPS + 1):
        at = 1 - (bottom + height * np.float32(step / STEPS)) / focus
        there = look(table, x * at, q * at)
        depth = there[..., 2] * np.float32(2 * step / STEPS - 1)
        place = (
            there[..., 0],
            there[..., 1] * lean[1] - depth * lean[0],
            there[..., 1] * lean[0] + depth * lean[1],
        )
        fields = camera.breast.tissue.at(*place)
        if before is not None:
            piece = camera.breast.glandular_part(before[0], fields)
            if change is not None and not _is_own(change, camera):
                held = change.holds(camera, *(np.float32(0.5) * (a + b) for a, b in zip(before[1], place, strict=True)))
                piece = np.where(held, np.float32(change.to == "fibroglandular"), piece)
                touched |= held
            part += piece
        before = fields, place
    glandular, hit = np.zeros((rows, table.shape[1]), np.float32), np.zeros((rows, table.shape[1]), bool)
    glandular.ravel()[rays] = part * height / np.float32(STEPS)
    hit.ravel()[rays] = touched
    return glandular, hit


def _enlarge(image: Array, every: int, shape: tuple[int, int]) -> Array:
    """A pixel of a square of rays becomes ``every`` by ``every`` pixels, smoothly."""
    if every == 1:
        return image
    size = (image.shape[1] * every, image.shape[0] * every)
    larger = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(larger[: shape[0], : shape[1]], np.float32)


def _detail(camera: Camera) -> Array:
    """What is finer than the rays' pitch: factors of mean one, with the power law's spectrum cut off below."""
    side = 512
    rng = camera.breast.patient.rng("detail", camera.projection)
    spectrum = fft.rfft2(rng.standard_normal((side, side), dtype=np.float32))
    frequency = np.hypot(fft.fftfreq(side, camera.pitch)[:, None], fft.rfftfreq(side, camera.pitch)).astype(np.float32)
    cut = np.float32(0.5)
    noise = fft.irfft2(spectrum * (frequency**2 / (frequency**2 + cut**2)) ** 2 / (frequency**2 + cut**2) ** 1.25)
    noise *= np.float32(DETAIL / noise.std())
    repeats = [-(-side_ // side) for side_ in camera.shape]
    return np.exp(np.tile(noise, repeats)[: camera.shape[0], : camera.shape[1]] - np.float32(DETAIL**2 / 2))


def _draw_details(camera: Camera) -> tuple[Array, Array]:
    """Lengths in mm of blood (and lymph nodes) and of calcium, as if rays were upright."""
    structures = camera.breast.structures
    blood, calcium = np.zeros(camera.shape, np.float32), np.zeros(camera.shape, np.float32)
    columns, rows = camera.pixels(*np.concatenate([line.course for line in structures.lines]).T)
    ends = np.cumsum([len(line.course) for line in structures.lines])
    for line, end in zip(structures.lines, ends, strict=True):
        own = slice(end - len(line.course), end)
        draw_line(blood, columns[own], rows[own], line.diameter, camera.pitch)
    if len(structures.calcifications):
        columns, rows = camera.pixels(*structures.calcifications[:, :3].T)
        draw_spots(calcium, columns, rows, structures.calcifications[:, 3], camera.pitch)
    if camera.projection.view == View.MLO:
        _draw_nodes(camera, blood)
    return blood, calcium


def _draw_nodes(camera: Camera, blood: Array) -> None:
    """Lymph nodes in the axilla: ovals of soft tissue, thicker in the middle."""
    shape, middle = camera.pose.shape, camera.pose.plate.middle
    for across, up, long, short, direction in camera.breast.structures.nodes:
        x = shape.muscle_top * 0.6 + across * shape.axilla * shape.reach * 0.6
        q = middle + (0.6 + 0.8 * up) * shape.up * shape.reach
        oval = np.zeros_like(blood)
        centre = (x / camera.pitch, (camera.shape[0] - 1) / 2 - q / camera.pitch)
        for size, thick in ((1.0, 0.35), (0.8, 0.3), (0.55, 0.2)):
            axes = (round(16 * size * long / 2 / camera.pitch), round(16 * size * short / 2 / camera.pitch))
            ink = np.zeros(blood.shape, np.uint8)
            place = (round(16 * centre[0]), round(16 * centre[1]))
            cv2.ellipse(ink, place, axes, float(direction), 0, 360, 255, -1, cv2.LINE_AA, 4)
            oval += ink.astype(np.float32) * np.float32(thick * short / 255)
        np.maximum(blood, cv2.GaussianBlur(oval, (0, 0), 0.5 / camera.pitch), out=blood)


def _nipple(camera: Camera, x: Array, q: Array) -> Array:
    """Length in mm of upright rays through the nipple, an ellipsoid at the end of the ducts."""
    pose, (radius, protrusion, behind) = camera.pose, camera.breast.structures.nipple
    plate = pose.plate
    angle = float(np.interp(0, plate.rest_angle, plate.angles))
    far = float(np.interp(angle, plate.angles, plate.reach)) + SKIN - behind
    step = np.array([-1, 1]) * 0.02
    ends = np.interp(angle + step, plate.angles, plate.reach)[:, None] * np.stack(
        [np.cos(angle + step), np.sin(angle + step)], 1
    )
    along = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
    out = np.array([along[1], -along[0]])
    dx, dq = x - np.float32(far * np.cos(angle)), q - np.float32(plate.middle + far * np.sin(angle))
    forward = (dx * out[0] + dq * out[1]) / np.float32(protrusion)
    sideways = (dx * along[0] + dq * along[1]) / np.float32(radius)
    return np.asarray(1.3 * radius * np.sqrt(np.maximum(1 - forward**2 - sideways**2, 0)), np.float32)
