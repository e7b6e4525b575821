"""Rays through a pressed breast: what each pixel's ray passes through."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.phantom.body import Breast
from densight.phantom.compression import sample
from densight.phantom.paths import Paths
from densight.phantom.tissue import glandular_part
from densight.vocabulary import Projection

__all__ = ["FOCUS", "project"]

Array = npt.NDArray[np.float32]

FOCUS = 660.0
"""Height of the focal spot above the support, over the middle of the chest wall's edge, in mm."""

WIDE = 1024


def project(breast: Breast, projection: Projection, shape: tuple[int, int], pitch: float, steps: int = 40) -> Paths:
    """Send a ray through a pressed breast to each pixel.

    Parameters
    ----------
    breast : Breast
    projection : Projection
    shape : tuple of int
        Rows and columns of the detector.
    pitch : float
        Its pixel pitch in mm.
    steps : int
        Parts of a ray over which fields are taken to change linearly.
    """
    pose = breast.poses[projection.view]
    rows, columns = shape
    x = (np.arange(columns, dtype=np.float32) + 0.5) * np.float32(pitch)
    q = ((rows - 1) / 2 - np.arange(rows, dtype=np.float32)) * np.float32(pitch)
    x, q = np.broadcast_arrays(x[None], q[:, None])
    whole, muscle = pose.columns(x, q)
    height, rest_x, rest_q = pose.plate.column(x, q)
    half = breast.rest.b * np.sqrt(np.maximum(1 - (rest_x / breast.rest.a) ** 2 - (rest_q / breast.rest.b) ** 2, 0))
    table = np.dstack([whole, muscle, height, half])
    rest = np.dstack([rest_x, rest_q])

    # Where each ray is at half the thickness decides which column it passes.
    def shrink(level: Array | float) -> Array | float:
        return 1 - np.float32(level) / np.float32(FOCUS)

    def look(values: Array, at_x: Array, at_q: Array) -> Array:
        return sample(values, (rows - 1) / 2 - at_q / np.float32(pitch), at_x / np.float32(pitch) - np.float32(0.5))

    middle = shrink(pose.thickness / 2)
    columns_ = look(table, x * middle, q * middle)
    oblique = np.sqrt(1 + (x**2 + q**2) / np.float32(FOCUS**2))
    whole, muscle, height = columns_[..., 0], columns_[..., 1], columns_[..., 2]
    ins = np.flatnonzero(height > 0.05)
    n = ins.size
    pad = -n % WIDE
    ins = np.concatenate([ins, np.full(pad, ins[0])]).reshape(-1, WIDE)
    px, pq, ph, pm = x.ravel()[ins], q.ravel()[ins], height.ravel()[ins], muscle.ravel()[ins]
    bottom = (np.float32(pose.thickness) - ph) / 2 + pm / 2
    glandular = np.zeros_like(px)
    previous = None
    for step in range(steps + 1):
        level = bottom + ph * np.float32(step / steps)
        at = 1 - level / np.float32(FOCUS)
        there = look(np.dstack([rest, half]), px * at, pq * at)
        depth = there[..., 2] * np.float32(2 * step / steps - 1)
        lean = np.float32(pose.tilt)
        y = there[..., 1] * np.sin(lean) - depth * np.cos(lean)
        z = there[..., 1] * np.cos(lean) + depth * np.sin(lean)
        fields = breast.tissue.at(there[..., 0], y, z)
        if previous is not None:
            glandular += glandular_part(previous, breast.level, breast.walls, fields)
        previous = fields
    glandular *= ph / np.float32(steps)
    gl = np.zeros(rows * columns, np.float32)
    gl[ins.ravel()] = glandular.ravel()
    gl = gl.reshape(shape)
    skin = np.maximum(whole - np.maximum(whole - 2 * 1.45, 0), 0)
    lengths = {
        "adipose": np.maximum(whole - skin - muscle - gl, 0) * oblique,
        "glandular": gl * oblique,
        "skin": skin * oblique,
        "muscle": muscle * oblique,
        "calcium": np.zeros(shape, np.float32),
    }
    return Paths(projection, lengths, np.zeros(shape, bool), pitch, pose.thickness)
