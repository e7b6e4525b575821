"""Framed images, each time another: what films, displays, positioning and the reading of anatomy change."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from anatomy.augment import blurred, cloud
from densight.preparation.prepare import DARKEST, finish
from starter.material import CELLS, PREPARATION, Framed

__all__ = ["Example", "example"]

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Example = tuple[Image, Image, Image]

FRAME = PREPARATION.shape
CELL = FRAME[0] // CELLS[0]


def example(framed: Framed, rng: np.random.Generator, plain: float = 0) -> Example:
    """One example.

    Parameters
    ----------
    framed : Framed
    rng : Generator
    plain : float
        How often only size, shape and place are changed.

    Returns
    -------
    inputs : ndarray of float32, shape (3, rows, columns)
    dense, glandular : ndarray of float32, shape `CELLS`
        Zero where they are not known.
    """
    as_it_is = plain > 0 and rng.random() < plain
    way = _placement(framed, rng)
    image = framed.image.astype(np.float32) / 255
    mask = _moved((image > 0).astype(np.float32), way) > 0.5
    grey = _moved(_beyond(image), way)
    small = np.array([[1, 1, 1 / CELL], [1, 1, 1 / CELL]]) * way
    small[:, 2] += (way[:, :2].sum(1) - 1) * (CELL - 1) / 2 / CELL
    dense, glandular = (
        np.zeros(CELLS, np.float32)
        if part is None
        else cv2.warpAffine(part, small, CELLS[::-1], flags=cv2.INTER_LINEAR).astype(np.float32)
        for part in (framed.dense, framed.glandular)
    )
    if not as_it_is:
        if framed.glandular is not None:
            grey = _less_even(grey, mask, cv2.resize(dense, FRAME[::-1]), rng)
        grey = _stored(grey, mask, rng)
        mask = _misread(mask, rng)
    low, high = np.percentile(grey[mask], (1, 99))
    grey = DARKEST + (1 - DARKEST) * np.clip((grey - low) / max(high - low, 1e-6), 0, 1)
    return finish(np.where(mask, grey, 0).astype(np.float32), PREPARATION), dense, glandular


def _beyond(image: Image) -> Image:
    """What is hidden, filled with what is near, so that masks may be misread."""
    mask = (image > 0).astype(np.float32)
    around, share = (cv2.GaussianBlur(one, (0, 0), 6) for one in (image, mask))
    return np.asarray(np.where(mask > 0, image, around / np.maximum(share, 1e-3)), np.float32)


def _moved(image: Image, way: npt.NDArray[np.float64]) -> Image:
    moved = cv2.warpAffine(image, way, FRAME[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(moved, np.float32)


def _placement(framed: Framed, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The affine way: another size, shape, turn and place; now and then upside down."""
    rows = framed.image.shape[0]
    scale, aspect = rng.uniform(0.78, 1.08) * FRAME[0] / rows, rng.uniform(0.88, 1.14)
    angle, shear = np.deg2rad(rng.uniform(-8, 8)), rng.uniform(-0.06, 0.06)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.array([[1 / aspect, shear], [0, aspect]])
    if rng.random() < 0.3:
        linear = linear @ np.diag([1, -1])
    middle = np.array([0, rows / 2])
    place = np.array([rng.uniform(-0.05, 0.02), 0.5 + rng.uniform(-0.06, 0.06)]) * FRAME[::-1]
    return np.column_stack([linear, place - linear @ middle])


def _less_even(grey: Image, mask: Mask, dense: Image, rng: np.random.Generator) -> Image:
    """What phantoms draw too evenly, and the contrast that films have."""
    fat = mask & (dense < 0.1)
    if fat.sum() < 100:
        return grey
    level = float(np.median(grey[fat]))
    contrast = max(float(grey[mask & (dense > 0.5)].mean()) - level, 0.05) if (dense[mask] > 0.5).any() else 0.1
    if rng.random() < 0.5:
        stretch = rng.uniform(1, 2.5)
        grey = np.where(grey > level, np.minimum(level + stretch * (grey - level), 1.3), grey)
        contrast *= stretch
    if rng.random() < 0.6:
        lines = np.maximum(1 - np.abs(cloud(rng, rng.uniform(8, 40))) / 0.25, 0) * rng.uniform(0, 0.8)
        grey = grey + contrast * (lines + rng.uniform(0, 0.3) * cloud(rng, rng.uniform(20, 120)))
    return np.asarray(grey + rng.uniform(0, 0.15) * contrast * _grain(rng), np.float32)


def _stored(grey: Image, mask: Mask, rng: np.random.Generator) -> Image:
    """What films, scanners and displays do: uneven, bent, blurred or sharpened."""
    grey = grey * (1 + rng.uniform(0, 0.06) * cloud(rng, 400)) + rng.uniform(0, 0.03) * cloud(rng, 400)
    low, high = np.percentile(grey[mask], (0.5, 99.5))
    grey = np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1.1)
    if rng.random() < 0.1:
        # A film that is exposed so that its brightest parts are all alike.
        most = float(np.quantile(grey[mask], rng.uniform(0.5, 0.98)))
        grey = np.where(grey > most, most + rng.uniform(0, 0.5) * (grey - most), grey)
    grey = grey ** np.exp(rng.uniform(-0.45, 0.45))
    if rng.random() < 0.4:
        grey = blurred(grey, rng.uniform(0.3, 1.3))
    elif rng.random() < 0.4:
        grey = grey + rng.uniform(0, 1.2) * (grey - blurred(grey, rng.uniform(1, 3)))
    return np.asarray(grey + rng.uniform(0, 0.02) * _grain(rng), np.float32)


def _misread(mask: Mask, rng: np.random.Generator) -> Mask:
    """Another outline: the rim lost, the muscle cut too deep or not at all, a strip of something."""
    given = mask.astype(np.uint8)
    if rng.random() < 0.5:
        thick = 2 * int(rng.integers(0, 8)) + 1
        given = cv2.erode(given, np.ones((thick, thick), np.uint8), borderValue=1)
    if rng.random() < 0.4:
        x, y = np.meshgrid(np.arange(FRAME[1]) / FRAME[0], np.arange(FRAME[0]) / FRAME[0])
        top, right = rng.uniform(0, 0.5), rng.uniform(0, 0.3)
        given[x / max(right, 1e-3) + y / max(top, 1e-3) < 1] = 0
    if rng.random() < 0.2:
        given[rng.integers(FRAME[0] * 3 // 4, FRAME[0]) :] = 0
    given = (given > 0) & mask
    return given if given.sum() > 0.5 * mask.sum() else mask


def _grain(rng: np.random.Generator) -> Image:
    return rng.standard_normal(FRAME, dtype=np.float32)
