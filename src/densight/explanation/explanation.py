"""An explanation: for one image and every class, which places speak for the class and which against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.geometry import Geometry, map_to_frame
from densight.vocabulary import DensightError

__all__ = ["EXPECTED_CLASS", "Explanation"]

EXPECTED_CLASS = "expected class"
"""The name of the map of ``E[k] = Σ k p_k`` for `Explanation.map`."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The raw, signed maps of one image, one per class and one of the expected class, and the way into its own pixels.

    Parameters
    ----------
    cells : ndarray of float32, shape (k, rows, columns)
        One map per class at the layer's own resolution, as the method returns it: positive where the image speaks for
        the class, negative where it speaks against it. Nothing is clipped or scaled.
    classes : tuple of str
        The labels, from the least to the most dense.
    probabilities : ndarray of float32, shape (k,)
        The model's probabilities for the image.
    method : str
        For instance ``grad-cam``.
    layer : str
        The layer whose output the cells are, for instance ``add_12``.
    geometry : Geometry
        The way between the image and the network's frame.
    origin, step : (float, float)
        Where the cells lie in the frame: cell ``(i, j)`` is centred on the frame's pixel ``origin + step * (i, j)``.
    made_expected : ndarray of float32, shape (rows, columns), or None
        The map of the expected class, ``Σ k p_k`` with k = 0 for the least dense: positive where the image speaks for
        a denser class, negative where for a less dense one. If None it is computed from the classes' maps by the
        chain rule,
        ``Σ p_c (c - E) cells_c``, which is exact for methods that are linear in the score's derivative.
    passes : (int, int)
        The cost: forward and backward passes of one image through the network, beyond that of its assessment.

    Raises
    ------
    DensightError
        If the shapes do not fit, or a value is not finite.

    Examples
    --------
    >>> geometry = Geometry.stretched((8, 8), (4, 4))
    >>> cells = np.array([[[1.0, 0.0], [0.0, -1.0]], [[-1.0, 0.0], [0.0, -3.0]]], np.float32)
    >>> maps = Explanation(cells, ("A", "B"), np.array([0.9, 0.1], np.float32), "grad-cam", "add_12", geometry,
    ...                    (0.5, 0.5), (2.0, 2.0))
    >>> maps.predicted, maps.map("A").shape, maps.strength("A"), maps.strength("B")
    ('A', (8, 8), 1.0, 0.0)
    >>> round(float(maps.expected_cells[0, 0]), 2)
    -0.18
    """

    cells: npt.NDArray[np.float32]
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    method: str
    layer: str
    geometry: Geometry
    origin: tuple[float, float]
    step: tuple[float, float]
    made_expected: npt.NDArray[np.float32] | None = None
    passes: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        k = len(self.classes)
        if self.cells.ndim != 3 or len(self.cells) != k or self.probabilities.shape != (k,):
            raise DensightError(
                f"an explanation has a map and a probability for each of {k} classes, these are "
                f"{self.cells.shape} and {self.probabilities.shape}"
            )
        if self.expected_cells.shape != self.cells.shape[1:]:
            raise DensightError(
                f"the map of the expected class is {self.expected_cells.shape}, those of the classes "
                f"{self.cells.shape[1:]}"
            )
        if not (np.isfinite(self.cells).all() and np.isfinite(self.expected_cells).all()):
            raise DensightError(f"the {self.method} map at {self.layer} is not finite", remedy="check the weights")

    @property
    def predicted(self) -> str:
        """The class of the greatest probability."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def expected(self) -> float:
        """The expected class, 0 for the least dense."""
        return float(self.probabilities @ np.arange(len(self.classes)))

    @property
    def expected_cells(self) -> npt.NDArray[np.float32]:
        """The map of the expected class at the layer's own resolution: float32, shape (rows, columns)."""
        if self.made_expected is not None:
            return self.made_expected
        slopes = self.probabilities * (np.arange(len(self.classes)) - self.expected)
        return np.asarray(np.einsum("c,cij->ij", slopes, self.cells), np.float32)

    def map(self, label: str | None = None) -> npt.NDArray[np.float32]:
        """The raw signed map of a class in the image's own pixels.

        Parameters
        ----------
        label : str, optional
            A class, or `EXPECTED_CLASS`. The predicted class if None.

        Returns
        -------
        ndarray of float32, shape of the image
            Bilinear between cells; zero outside the network's frame.

        Raises
        ------
        DensightError
            If there is no such class.
        """
        return self.geometry.map_to_image(self.cells_of(label), self.origin, self.step)

    def framed(self, label: str | None = None) -> npt.NDArray[np.float32]:
        """The same in the network's frame: float32, shape ``geometry.frame_shape``; air and padding included."""
        return map_to_frame(self.cells_of(label), self.geometry.frame_shape, self.origin, self.step)

    def evidence(self, label: str | None = None) -> npt.NDArray[np.float32]:
        """The positive part of :meth:`map` as parts of :meth:`strength`, 0 to 1; all zero where there is none."""
        positive = np.maximum(self.map(label), 0)
        strength = self.strength(label)
        return np.asarray(positive / np.float32(strength), np.float32) if strength > 0 else positive

    def strength(self, label: str | None = None) -> float:
        """The largest raw value of a class's map, in units of the score before the softmax; 0 where none is positive.

        The scale by which :meth:`evidence` is divided: it shows how much a picture was stretched.
        """
        return max(float(self.cells_of(label).max()), 0.0)

    def cells_of(self, label: str | None = None) -> npt.NDArray[np.float32]:
        """The cells of a class, of the predicted one if None, or of `EXPECTED_CLASS`: shape (rows, columns).

        Raises
        ------
        DensightError
            If there is no such class.
        """
        label = self.predicted if label is None else label
        if label in self.classes:
            return np.asarray(self.cells[self.classes.index(label)])
        if label != EXPECTED_CLASS:
            known = ", ".join([*self.classes, repr(EXPECTED_CLASS)])
            raise DensightError(f"there is no class {label!r}", remedy=f"use one of {known}")
        return self.expected_cells
