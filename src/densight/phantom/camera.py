"""A breast in front of a detector: which place of the breast is behind which pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.phantom.body import Breast
from densight.phantom.outline import Pose
from densight.vocabulary import Projection

__all__ = ["Camera"]

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Camera:
    """A breast in front of a detector.

    Parameters
    ----------
    breast : Breast
    projection : Projection
    shape : tuple of int
        Rows and columns of the detector.
    pitch : float
        Its pixel pitch in mm.
    focus : float
        Height in mm of the focal spot, which is above the middle of the chest wall's edge of the detector.
    """

    breast: Breast
    projection: Projection
    shape: tuple[int, int]
    pitch: float
    focus: float

    @property
    def pose(self) -> Pose:
        """The breast's shape in this view."""
        return self.breast.poses[self.projection.view]

    def grid(self, every: int = 1) -> tuple[Array, Array]:
        """Places in mm of pixels on the detector, or of the middles of squares of ``every`` pixels a side."""
        rows, columns = (-(-side // every) for side in self.shape)
        x = (np.arange(columns, dtype=np.float32) + 0.5) * np.float32(every * self.pitch)
        q = np.float32(self.shape[0] * self.pitch / 2) - (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(
            every * self.pitch
        )
        return np.broadcast_to(x[None], (rows, columns)), np.broadcast_to(q[:, None], (rows, columns))

    def pixels(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Columns and rows of the pixels whose rays pass places of the breast at rest, in mm."""
        across, along = np.cos(self.pose.tilt), np.sin(self.pose.tilt)
        rest_q, depth = (y * along + z * across).astype(np.float32), (z * along - y * across).astype(np.float32)
        at_x, at_q = self.pose.plate.place(np.asarray(x, np.float32), rest_q)
        height = self.pose.plate.column(at_x, at_q)[0]
        muscle = self.pose.columns(at_x, at_q)[1]
        half = self.breast.rest.half_height(x, rest_q)
        up = np.clip(depth / np.maximum(half, 1e-3), -1, 1)
        level = (np.float32(self.pose.thickness) + muscle + height * up) / 2
        shrink = (1 - level / np.float32(self.focus)) * np.float32(self.pitch)
        return at_x / shrink - np.float32(0.5), np.float32((self.shape[0] - 1) / 2) - at_q / shrink
