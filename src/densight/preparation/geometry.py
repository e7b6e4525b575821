"""The way from a mammogram's pixels to the network's frame, and exactly back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.vocabulary import DensightError

__all__ = ["Geometry"]

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Geometry:
    """Mirror, crop, scale and pad between an image and the network's frame.

    Positions are (row, column) with pixel centres at whole numbers, so that pixel ``(0, 0)`` covers
    ``[-0.5, 0.5)`` both ways. The image is first mirrored left to right where ``mirrored``, then the box is cut out,
    scaled, and laid into the frame at ``offset``.

    Parameters
    ----------
    image_shape : (int, int)
        Rows and columns of the mammogram.
    frame_shape : (int, int)
        Rows and columns that the network sees.
    mirrored : bool
        Whether the image was mirrored left to right.
    box : (int, int, int, int)
        First row, first column, rows and columns of the part kept, in the (mirrored) image.
    scale : (float, float)
        Frame pixels per image pixel, along rows and columns.
    offset : (int, int)
        The frame's pixel at which the scaled box begins.

    Examples
    --------
    >>> g = Geometry((8, 4), (4, 4), True, (0, 0, 8, 4), (0.5, 0.5), (0, 1))
    >>> g.to_image(g.to_frame(np.array([[3.0, 1.0]])))
    array([[3., 1.]])
    """

    image_shape: tuple[int, int]
    frame_shape: tuple[int, int]
    mirrored: bool
    box: tuple[int, int, int, int]
    scale: tuple[float, float]
    offset: tuple[int, int]

    def __post_init__(self) -> None:
        row, column, rows, columns = self.box
        inside = row >= 0 and column >= 0 and rows > 0 and columns > 0
        inside = inside and row + rows <= self.image_shape[0] and column + columns <= self.image_shape[1]
        if not inside or min(self.scale) <= 0:
            raise DensightError(f"the box {self.box} with scale {self.scale} is not inside an image {self.image_shape}")

    @classmethod
    def stretched(cls, image_shape: tuple[int, int], frame_shape: tuple[int, int]) -> Geometry:
        """The whole image stretched over the whole frame, aspect ratio not kept: the tutorial's way."""
        scale = (frame_shape[0] / image_shape[0], frame_shape[1] / image_shape[1])
        return cls(image_shape, frame_shape, False, (0, 0, *image_shape), scale, (0, 0))

    @classmethod
    def fitted(
        cls,
        image_shape: tuple[int, int],
        frame_shape: tuple[int, int],
        box: tuple[int, int, int, int],
        *,
        mirrored: bool,
    ) -> Geometry:
        """A box of the (mirrored) image, as large as fits: chest wall at the frame's left, centred up and down.

        The aspect ratio is kept but for rounding the scaled box to whole pixels; the scale is that of the rounded box.
        """
        scale = min(frame_shape[0] / box[2], frame_shape[1] / box[3])
        rows, columns = max(1, round(box[2] * scale)), max(1, round(box[3] * scale))
        return cls(
            image_shape,
            frame_shape,
            mirrored,
            box,
            (rows / box[2], columns / box[3]),
            ((frame_shape[0] - rows) // 2, 0),
        )

    @property
    def content_shape(self) -> tuple[int, int]:
        """Rows and columns that the scaled box takes in the frame."""
        return round(self.box[2] * self.scale[0]), round(self.box[3] * self.scale[1])

    def to_frame(self, points: Points) -> Points:
        """Positions ``(n, 2)`` in the image to positions in the frame."""
        rows, columns = points[:, 0], points[:, 1]
        if self.mirrored:
            columns = self.image_shape[1] - 1 - columns
        return np.stack(
            [
                (rows - self.box[0] + 0.5) * self.scale[0] - 0.5 + self.offset[0],
                (columns - self.box[1] + 0.5) * self.scale[1] - 0.5 + self.offset[1],
            ],
            axis=1,
        )

    def to_image(self, points: Points) -> Points:
        """Positions ``(n, 2)`` in the frame to positions in the image: the inverse of :meth:`to_frame`."""
        rows = (points[:, 0] - self.offset[0] + 0.5) / self.scale[0] - 0.5 + self.box[0]
        columns = (points[:, 1] - self.offset[1] + 0.5) / self.scale[1] - 0.5 + self.box[1]
        if self.mirrored:
            columns = self.image_shape[1] - 1 - columns
        return np.stack([rows, columns], axis=1)

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
            In frame pixels. The defaults are those of a map with one value a frame pixel.

        Returns
        -------
        ndarray of float32, shape ``image_shape``
            Bilinear between cells, the nearest cell's value beyond the outermost; zero where the image lies outside
            the frame's box, for there the network saw nothing.
        """
        import cv2

        axes = []
        for axis in (0, 1):
            points = np.zeros((self.image_shape[axis], 2))
            points[:, axis] = np.arange(self.image_shape[axis])
            axes.append((self.to_frame(points)[:, axis] - origin[axis]) / step[axis])
        columns, rows = np.meshgrid(axes[1].astype(np.float32), axes[0].astype(np.float32))
        moved = cv2.remap(grid.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image = np.asarray(moved, np.float32)
        image[~self.seen()] = 0.0
        return image

    def seen(self) -> npt.NDArray[np.bool_]:
        """The image's pixels that lie in the box, ``image_shape`` of bool: what the network saw."""
        row, column, rows, columns = self.box
        mask = np.zeros(self.image_shape, bool)
        mask[row : row + rows, column : column + columns] = True
        return mask[:, ::-1] if self.mirrored else mask
