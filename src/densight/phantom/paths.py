"""What each ray of one projection passes through: millimetres of each tissue, a pixel at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.vocabulary import Projection

__all__ = ["TISSUES", "Paths"]

TISSUES = ("adipose", "glandular", "skin", "muscle", "calcium")
"""What rays are attenuated by, in the order of `Paths.lengths`."""


@dataclass(frozen=True, eq=False)
class Paths:
    """The lengths of rays in each tissue, for one projection of one breast.

    Upright whatever the side: the chest wall is at column 0 and the nipple points to the right; row 0 is lateral in a
    CC and superior in an MLO.

    Parameters
    ----------
    projection : Projection
    lengths : dict of str to ndarray of float32, shape (rows, columns)
        Along the oblique ray to each pixel, in mm, for each of `TISSUES`.
    nipple : ndarray of bool, shape (rows, columns)
        Pixels whose ray passes the nipple.
    pitch : float
        Pixel pitch at the detector in mm, the same in rows and columns.
    thickness : float
        Compressed thickness, paddle to support, in mm.
    """

    projection: Projection
    lengths: dict[str, npt.NDArray[np.float32]]
    nipple: npt.NDArray[np.bool_]
    pitch: float
    thickness: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.nipple.shape
        return rows, columns

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Pixels whose ray passes any tissue."""
        return np.asarray(np.logical_or.reduce([length > 0 for length in self.lengths.values()]))
