"""The way from a mammogram's pixels to the network's frame, and exactly back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Geometry", "map_to_frame", "set_back", "set_upright"]

Points = npt.NDArray[np.float64]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Geometry:
    """Turn, mirror, crop, scale and pad between an image and the network's frame.

    Positions are (row, column) with pixel centres at whole numbers, so that pixel ``(0, 0)`` covers
    ``[-0.5, 0.5)`` both ways. The image is first set upright: turned, then mirrored left to right where ``mirrored``.
    Then the box is cut out, scaled, and laid into the frame at ``offset``.

    Parameters
    ----------
    image_shape : (int, int)
        Rows and columns of the mammogram.
    frame_shape : (int, int)
        Rows and columns that the network sees.
    turns : int
        Quarter turns against the clock, 0 to 3.
    mirrored : bool
        Whether the turned image was mirrored left to right.
    box : (int, int, int, int)
        First row, first column, rows and columns of the part kept, in the upright image.
    scale : (float, float)
        Frame pixels per image pixel, along rows and columns.
    offset : (int, int)
        The frame's pixel at which the scaled box begins.

    Examples
    --------
    >>> g = Geometry((8, 4), (4, 4), 0, True, (0, 0, 8, 4), (0.5, 0.5), (0, 1))
    >>> g.to_image(g.to_frame(np.array([[3.0, 1.0]])))
    array([[3., 1.]])
    """

    image_shape: tuple[int, int]
    frame_shape: tuple[int, int]
    turns: int
    mirrored: bool
    box: tuple[int, int, int, int]
    scale: tuple[float, float]
    offset: tuple[int, int]

    def __post_init__(self) -> None:
        row, column, rows, columns = self.box
        inside = row >= 0 and column >= 0 and rows > 0 and columns > 0
        inside = inside and row + rows <= self.upright_shape[0] and column + columns <= self.upright_shape[1]
        if not inside or min(self.scale) <= 0 or self.turns not in range(4):
            raise DensightError(
                f"the box {self.box} with scale {self.scale} is not inside an image {self.image_shape} "
                f"after {self.turns} quarter turns"
            )

    @classmethod
    def stretched(cls, image_shape: tuple[int, int], frame_shape: tuple[int, int]) -> Geometry:
        """The whole image stretched over the whole frame, aspect ratio not kept: the tutorial's way."""
        scale = (frame_shape[0] / image_shape[0], frame_shape[1] / image_shape[1])
        return cls(image_shape, frame_shape, 0, False, (0, 0, *image_shape), scale, (0, 0))

    @classmethod
    def fitted(
        cls,
        image_shape: tuple[int, int],
        frame_shape: tuple[int, int],
        box: tuple[int, int, int, int],
        *,
        turns: int = 0,
        mirrored: bool,
    ) -> Geometry:
        """A box of the upright image, as large as fits: chest wall at the frame's left, centred up and down.

        The aspect ratio is kept but for rounding the scaled box to whole pixels; the scale is that of the rounded box.
        """
        scale = min(frame_shape[0] / box[2], frame_shape[1] / box[3])
        rows, columns = max(1, round(box[2] * scale)), max(1, round(box[3] * scale))
        return cls(
            image_shape,
            frame_shape,
            turns,
            mirrored,
            box,
            (rows / box[2], columns / box[3]),
            ((frame_shape[0] - rows) // 2, 0),
        )

    @property
    def upright_shape(self) -> tuple[int, int]:
        """Rows and columns of the image after turning."""
        return self.image_shape if self.turns % 2 == 0 else (self.image_shape[1], self.image_shape[0])

    @property
    def content_shape(self) -> tuple[int, int]:
        """Rows and columns that the scaled box takes in the frame."""
        return round(self.box[2] * self.scale[0]), round(self.box[3] * self.scale[1])

    def to_frame(self, points: Points) -> Points:
        """Positions ``(n, 2)`` in the image to positions in the frame."""
        points = _turn(points, self.image_shape, self.turns)
        if self.mirrored:
            points = _mirror(points, self.upright_shape)
        return np.stack([self._to_frame(points[:, axis], axis) for axis in (0, 1)], axis=1)

    def to_image(self, points: Points) -> Points:
        """Positions ``(n, 2)`` in the frame to positions in the image: the inverse of :meth:`to_frame`."""
        points = np.stack(
            [(points[:, axis] - self.offset[axis] + 0.5) / self.scale[axis] - 0.5 + self.box[axis] for axis in (0, 1)],
            axis=1,
        )
        if self.mirrored:
            points = _mirror(points, self.upright_shape)
        return _turn(points, self.upright_shape, -self.turns % 4)

    def _to_frame(self, upright: Points, axis: int) -> Points:
        """Rows or columns of the upright image to those of the frame."""
        return (upright - self.box[axis] + 0.5) * self.scale[axis] - 0.5 + self.offset[axis]

    def _box_in_frame(self, axis: int) -> Points:
        """Where the rows or columns of the box lie in the frame."""
        return self._to_frame(np.arange(self.box[axis], self.box[axis] + self.box[axis + 2], dtype=np.float64), axis)

    def map_to_image(
        self,
        grid: npt.NDArray[np.float32],
        origin: tuple[float, float] = (0.0, 0.0),
        step: tuple[float, float] = (1.0, 1.0),
    ) -> npt.NDArray[np.float32]:
        """Bring a map that lies on the frame into the image's own pixels.

        Parameters
        ----------
        grid : ndarray of float32, shape (rows, columns)
            A map whose cell ``(i, j)`` is centred on the frame's position ``origin + step * (i, j)``.
        origin, step : (float, float)
            In frame pixels. The defaults are those of a map with one value per frame pixel.

        Returns
        -------
        ndarray of float32, shape ``image_shape``
            Bilinear between cells, the nearest cell's value beyond the outermost; zero where the image lies outside
            the frame's box, because there the network saw nothing.
        """
        grid = np.asarray(grid, np.float32)
        rows, columns = (
            _linear_weights((self._box_in_frame(axis) - origin[axis]) / step[axis], grid.shape[axis]) for axis in (0, 1)
        )
        wide = (columns @ _with_steps(grid.T)).T
        return self._laid_into_image(rows @ _with_steps(wide))

    def image_to_frame(self, image: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        """Bring what is known of the image's pixels, a mask for instance, into the frame.

        Parameters
        ----------
        image : ndarray, shape ``image_shape``

        Returns
        -------
        ndarray of float32, shape ``frame_shape``
            Means over what a frame's pixel covers where the frame is the coarser, else linear; zero beside the box.

        Examples
        --------
        >>> Geometry.stretched((4, 4), (2, 2)).image_to_frame(np.eye(4, dtype=bool))
        array([[0.5, 0. ],
               [0. , 0.5]], dtype=float32)
        """
        import cv2

        row, column, rows, columns = self.box
        upright = set_upright(image, self.turns, self.mirrored)[row : row + rows, column : column + columns]
        way = cv2.INTER_AREA if min(self.scale) < 1 else cv2.INTER_LINEAR
        frame = np.zeros(self.frame_shape, np.float32)
        (high, wide), (top, left) = self.content_shape, self.offset
        content = np.ascontiguousarray(upright, np.float32)
        frame[top : top + high, left : left + wide] = cv2.resize(content, (wide, high), interpolation=way)
        return frame

    def seen(self) -> npt.NDArray[np.bool_]:
        """The image's pixels that lie in the box, ``image_shape`` of bool: what the network saw."""
        return self._laid_into_image(np.ones(self.box[2:], bool))

    def _laid_into_image(self, part: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """The box's pixels back at their place in the image, zero around them."""
        row, column, rows, columns = self.box
        upright = np.zeros(self.upright_shape, part.dtype)
        upright[row : row + rows, column : column + columns] = part
        return np.ascontiguousarray(set_back(upright, self.turns, self.mirrored))


def map_to_frame(
    grid: npt.NDArray[np.float32], frame_shape: tuple[int, int], origin: tuple[float, float], step: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Bring a map into the frame's own pixels, as :meth:`Geometry.map_to_image` does into the image's.

    Examples
    --------
    >>> map_to_frame(np.array([[0.0, 2.0]], np.float32), (1, 4), (0, 0.5), (1, 2)).tolist()
    [[0.0, 0.5, 1.5, 2.0]]
    """
    return Geometry.stretched(frame_shape, frame_shape).map_to_image(grid, origin, step)


def set_upright(pixels: npt.NDArray[Value], turns: int, mirrored: bool) -> npt.NDArray[Value]:
    """Turn an image by quarters against the clock, then mirror it left to right, as a `Geometry` does.

    Examples
    --------
    >>> set_upright(np.array([[1, 2], [3, 4]]), 1, True)
    array([[4, 2],
           [3, 1]])
    """
    turned = np.rot90(pixels, turns)
    return turned[:, ::-1] if mirrored else turned


def set_back(upright: npt.NDArray[Value], turns: int, mirrored: bool) -> npt.NDArray[Value]:
    """The inverse of `set_upright`.

    Examples
    --------
    >>> set_back(set_upright(np.array([[1, 2], [3, 4]]), 1, True), 1, True)
    array([[1, 2],
           [3, 4]])
    """
    return np.rot90(upright[:, ::-1] if mirrored else upright, -turns)


def _mirror(points: Points, shape: tuple[int, int]) -> Points:
    return np.stack([points[:, 0], shape[1] - 1 - points[:, 1]], axis=1)


def _turn(points: Points, shape: tuple[int, int], turns: int) -> Points:
    """Positions in an image of ``shape`` to those in the image turned by quarters against the clock."""
    for _ in range(turns):
        points = np.stack([shape[1] - 1 - points[:, 1], points[:, 0]], axis=1)
        shape = (shape[1], shape[0])
    return points


def _linear_weights(at: Points, size: int) -> csr_array[np.float32]:
    """The matrix that takes ``size`` values `_with_steps` to those at fractional indices, the outermost beyond them."""
    from scipy.sparse import csr_array

    at = at.clip(0, size - 1)
    low = np.floor(at).astype(np.int32)
    weight = (at - low).astype(np.float32)
    two = np.stack([low, low + size], axis=1)
    starts = np.arange(0, two.size + 1, 2, dtype=np.int32)
    parts = np.stack([np.ones_like(weight), weight], axis=1)
    return csr_array((parts.ravel(), two.ravel(), starts), (at.size, 2 * size))


def _with_steps(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows, and below them the step from each to the next: of equal rows what lies between is just the same."""
    return np.concatenate([values, np.diff(values, axis=0, append=values[-1:])])
