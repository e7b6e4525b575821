"""Random rotations, zooms, shifts and contrasts of framed images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.training.recipe import Recipe

__all__ = ["augment", "keras_affine"]

Image = npt.NDArray[np.float32]


def augment(image: Image, recipe: Recipe, rng: np.random.Generator) -> Image:
    """Change a framed image at random, within the recipe's ranges.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        As :func:`densight.preparation.prepare.frame` gives it.
    recipe : Recipe
    rng : numpy Generator

    Returns
    -------
    ndarray of float32, in the same shape. What comes in from outside the frame is filled with the nearest pixel.
    """
    rows, columns = image.shape
    angle = rng.uniform(-recipe.rotation, recipe.rotation)
    shift_rows, shift_columns = rng.uniform(-recipe.shift, recipe.shift, 2) * (rows, columns)
    zoom_rows, zoom_columns = rng.uniform(1 - recipe.zoom, 1 + recipe.zoom, 2)
    flipped, exponent = rng.random() < 0.5, np.exp(rng.uniform(-recipe.contrast, recipe.contrast))
    if recipe.rotation or recipe.shift or recipe.zoom:
        image = keras_affine(image, angle, (shift_rows, shift_columns), (zoom_rows, zoom_columns))
    if recipe.flip_rows and flipped:
        image = image[::-1]
    if recipe.contrast:
        image = np.power(image, np.float32(exponent))
    return np.ascontiguousarray(image, np.float32)


def keras_affine(image: Image, angle: float, shift: tuple[float, float], zoom: tuple[float, float]) -> Image:
    """Rotate, shift and zoom about the centre, bilinear, filled with the nearest pixel.

    The output's pixel at ``p`` takes the input at ``R(angle) (zoom * p + shift)``, both measured from the centre: the
    order and the sense in which Keras multiplies its matrices, so that a zoom above one makes things smaller.

    The centre is the image's own, ``(size - 1) / 2``, as in Keras since 2.9. The tutorial's keras-preprocessing took
    ``size / 2 + 0.5``, a pixel beyond; within the tutorial's ranges that moves the result by less than half a pixel.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
    angle : float
        Degrees.
    shift : (float, float)
        Pixels along rows and columns.
    zoom : (float, float)
        Along rows and columns.

    References
    ----------
    keras-preprocessing 1.1.2, ``image.affine_transformations.apply_affine_transform``; its pull request 314, "Set
    matrix center correctly".

    Examples
    --------
    >>> keras_affine(np.eye(3, dtype=np.float32), 0.0, (1.0, 0.0), (1.0, 1.0))[0]
    array([0., 1., 0.], dtype=float32)
    """
    import cv2

    theta = np.deg2rad(angle)
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    linear = rotation @ np.diag(zoom)
    centre = (np.array(image.shape) - 1) / 2
    constant = centre + rotation @ np.array(shift) - linear @ centre
    matrix = np.column_stack([linear[::-1, ::-1], constant[::-1]])
    moved = cv2.warpAffine(
        image,
        matrix,
        (image.shape[1], image.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32)
