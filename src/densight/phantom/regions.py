"""Regions of tissue that an intervention changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError, Laterality, Projection

if TYPE_CHECKING:
    from densight.phantom.camera import Camera

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

__all__ = ["TISSUES_TO", "Ball", "Change", "Rays", "Region"]

TISSUES_TO = ("fat", "fibroglandular")
"""What tissue can be changed to."""


@dataclass(frozen=True)
class Ball:
    """A ball of tissue in a breast at rest, before it is compressed.

    Parameters
    ----------
    laterality : Laterality or str
        Which breast.
    centre : tuple of three floats
        Towards the nipple, lateral and superior from the middle of the chest wall, in mm.
    radius : float
        In mm.

    Examples
    --------
    >>> Ball("R", (30, 0, 10), 8).laterality
    <Laterality.R: 'R'>
    """

    laterality: Laterality
    centre: tuple[float, float, float]
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "laterality", Laterality(self.laterality))
        if not self.radius > 0:
            raise DensightError(f"a ball cannot have a radius of {self.radius:g} mm", remedy="give one above 0")

    def holds(self, x: Array, y: Array, z: Array) -> Mask:
        """Whether it holds places of the breast at rest, in mm."""
        away = (x - self.centre[0]) ** 2 + (y - self.centre[1]) ** 2 + (z - self.centre[2]) ** 2
        return np.asarray(away < self.radius**2)


@dataclass(frozen=True, eq=False)
class Rays:
    """All tissue that the rays to some pixels of one image pass through.

    Parameters
    ----------
    projection : Projection or str
        Which image.
    mask : ndarray of bool, shape (rows, columns)
        Its pixels, in the image's own orientation.

    Examples
    --------
    >>> Rays("MLO_L", np.zeros((512, 416), bool)).laterality
    <Laterality.L: 'L'>
    """

    projection: Projection
    mask: Mask

    def __post_init__(self) -> None:
        object.__setattr__(self, "projection", Projection(self.projection))

    @property
    def laterality(self) -> Laterality:
        """Which breast."""
        return self.projection.laterality


Region = Ball | Rays
"""Where an intervention changes tissue."""


@dataclass(frozen=True, eq=False)
class Change:
    """Tissue of a region that is changed.

    Parameters
    ----------
    region : Ball or Rays
    to : {"fat", "fibroglandular"}
    """

    region: Region
    to: str

    def holds(self, camera: Camera, x: Array, y: Array, z: Array) -> Mask:
        """Whether the region holds places of the breast at rest, in mm; a camera tells which rays pass them."""
        if isinstance(self.region, Ball):
            return self.region.holds(x, y, z)
        there = replace(camera, projection=self.region.projection)
        columns, rows = (np.rint(at).astype(np.int32) for at in there.pixels(x, y, z))
        height, width = self.region.mask.shape
        seen = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        return np.asarray(seen & self.region.mask[rows.clip(0, height - 1), columns.clip(0, width - 1)])

    def __post_init__(self) -> None:
        if self.to not in TISSUES_TO:
            raise DensightError(
                f"tissue cannot be changed to {self.to!r}", remedy=f"use one of {', '.join(TISSUES_TO)}"
            )
