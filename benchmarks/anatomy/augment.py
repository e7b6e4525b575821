"""Framed examples for the network, each time another: what films, displays and positioning change."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from anatomy.material import Known
from densight.anatomy.network import FRAME, STRIDE, network_input

__all__ = ["blurred", "cloud", "example"]

Image = npt.NDArray[np.float32]


def example(known: Known, rng: np.random.Generator) -> tuple[Image, Image, Image]:
    """One example.

    Returns
    -------
    inputs : ndarray of float32, shape (3, rows, columns)
    targets : ndarray of float32, shape (4, rows / STRIDE, columns / STRIDE)
        Parts of breast, pectoral muscle, fibroglandular tissue, the nipple's disc.
    counted : ndarray of float32, shape (4,)
        1 for those that are known.
    """
    way, air = _placement(known, rng), float(np.median(known.grey[known.breast < 0.5]))

    def placed(image: Image, beyond: float = 0) -> Image:
        return cv2.warpAffine(image, way, FRAME[::-1], flags=cv2.INTER_LINEAR, borderValue=beyond).astype(np.float32)

    breast = placed(known.breast)
    rest = (known.pectoral, known.dense, known.nipple)
    labels = [placed(np.zeros_like(known.breast) if one is None else one) for one in rest]
    grey = placed(known.grey, air)
    grey = _stored(_changed(grey, air, breast, labels[0], labels[1], known.real, rng), breast, rng)
    given = blurred(breast + 0.6 * cloud(rng, 25) * (rng.random() < 0.5), rng.uniform(0.5, 3)) > rng.uniform(0.3, 0.7)
    if rng.random() < 0.5:
        # The rim, that films show as black as air.
        thick = 2 * int(rng.integers(0, 11)) + 1
        given = cv2.erode(given.astype(np.uint8), np.ones((thick, 1), np.uint8), borderValue=1) > 0
        given = cv2.erode(given.astype(np.uint8), np.ones((1, thick), np.uint8), borderValue=1) > 0
    if rng.random() < 0.2:
        # The edges of a film that were taken for a part of the breast.
        given[: rng.integers(0, 16)] = given[FRAME[0] - rng.integers(0, 16) :] = True
        given[:, FRAME[1] - rng.integers(0, 12) :] = True
    if given.sum() < 500:
        given = breast > 0.5
    targets = np.stack([breast, *labels]).reshape(4, FRAME[0] // STRIDE, STRIDE, FRAME[1] // STRIDE, STRIDE)
    counted = np.array([1, *(one is not None for one in rest)], np.float32)
    return network_input(grey, given), targets.mean((2, 4), dtype=np.float32), counted


def _placement(known: Known, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The affine way from the image to the frame: a box around the breast, cut, turned and stretched a little."""
    rows, columns = (np.flatnonzero((known.breast > 0.5).any(axis)) for axis in (1, 0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    top = rows[0] - rng.uniform(-0.12, 0.06) * height
    bottom = rows[-1] - rng.uniform(-0.06, 0.1) * height
    left = columns[0] + max(rng.uniform(-0.1, 0.12), 0) * width
    right = columns[-1] + (rng.uniform(0, 0.08) if rng.random() < 0.8 else rng.uniform(0, 1)) * width
    scale = min(FRAME[0] / (bottom - top), FRAME[1] / (right - left)) * rng.uniform(0.85, 1.02)
    aspect, angle, shear = rng.uniform(0.88, 1.14), np.deg2rad(rng.uniform(-9, 9)), rng.uniform(-0.06, 0.06)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.array([[1 / aspect, shear], [0, aspect]])
    middle = np.array([left, (top + bottom) / 2])
    return np.column_stack([linear, np.array([0, FRAME[0] / 2]) - linear @ middle])


def _changed(
    grey: Image, air: float, breast: Image, pectoral: Image, dense: Image, real: bool, rng: np.random.Generator
) -> Image:
    """Air at 0 and the brightest at 1; of phantoms what they draw too evenly, and the contrast that films have."""
    inside, fat = breast > 0.5, (breast > 0.99) & (pectoral == 0) & (dense < 0.1)
    if inside.sum() < 500 or fat.sum() < 100:
        return grey
    grey = (grey - air) / max(float(np.percentile(grey[inside], 99)) - air, 1e-6)
    if real:
        return grey + rng.uniform(0, 0.01) * rng.standard_normal(grey.shape, dtype=np.float32)
    level = float(np.median(grey[fat]))
    contrast = max(float(grey[dense > 0.5].mean()) - level, 0.02) if (dense > 0.5).any() else 0.02
    if rng.random() < 0.5:
        stretch = rng.uniform(1, 3)
        grey = np.where(grey > level, np.minimum(level + stretch * (grey - level), 1.2), grey)
        contrast *= stretch
    if rng.random() < 0.5:
        lines = np.maximum(1 - np.abs(cloud(rng, rng.uniform(8, 40))) / 0.25, 0) * rng.uniform(0, 0.8)
        grey = grey + contrast * breast * (lines + rng.uniform(0, 0.3) * cloud(rng, rng.uniform(20, 120)))
    if pectoral.any():
        grey = _muscled(grey, breast, pectoral, rng)
    return grey + rng.uniform(0, 0.2) * contrast * rng.standard_normal(grey.shape, dtype=np.float32)


def _muscled(grey: Image, breast: Image, pectoral: Image, rng: np.random.Generator) -> Image:
    """Another muscle: brighter or darker, uneven, folded, painted over."""
    if rng.random() < 0.4:
        grey = grey + rng.uniform(-0.25, 0.35) * breast * _fold(rng)
    if rng.random() < 0.08:
        return np.asarray(np.where(pectoral > 0.5, rng.uniform(0.2, 1.2), grey), np.float32)
    own = rng.uniform(-0.35, 0.25) + rng.uniform(0, 0.15) * cloud(rng, rng.uniform(15, 150))
    return grey + blurred(pectoral, rng.uniform(0.5, 5)) * own


def _stored(grey: Image, breast: Image, rng: np.random.Generator) -> Image:
    """What films, scanners and displays do: uneven, bent, blurred or sharpened, labelled."""
    grey = grey * (1 + rng.uniform(0, 0.04) * cloud(rng, 400)) + rng.uniform(0, 0.02) * cloud(rng, 400)
    grey = np.sign(grey) * np.abs(grey) ** np.exp(rng.uniform(-0.45, 0.45))
    if rng.random() < 0.5:
        grey = blurred(grey, rng.uniform(0.3, 1.2))
    elif rng.random() < 0.5:
        grey = grey + rng.uniform(0, 1.2) * (grey - blurred(grey, rng.uniform(1, 3)))
    for _ in range(rng.integers(0, 3)):
        row, column = rng.integers(0, FRAME[0]), rng.integers(FRAME[1] // 3, FRAME[1])
        part = (slice(row, row + rng.integers(4, 40)), slice(column, column + rng.integers(4, 40)))
        grey[part] = np.where(breast[part] > 0, grey[part], rng.uniform(-0.3, 1.5))
    return np.asarray(grey, np.float32)


def _fold(rng: np.random.Generator) -> Image:
    """A fold of skin across the axilla: a soft band in the upper part of the frame."""
    x, y = np.meshgrid(np.arange(FRAME[1]) / FRAME[1], np.arange(FRAME[0]) / FRAME[0])
    angle, place, width = rng.uniform(0, np.pi), rng.uniform(-0.1, 0.5), rng.uniform(0.01, 0.06)
    away = (x - rng.uniform(0, 0.5)) * np.cos(angle) + (y - place) * np.sin(angle)
    return np.asarray(np.exp(-((away / width) ** 2)) * (y < rng.uniform(0.15, 0.55)), np.float32)


def blurred(image: Image, spread: float) -> Image:
    """An image smoothed by a Gaussian of so many pixels."""
    return np.asarray(cv2.GaussianBlur(image.astype(np.float32), (0, 0), spread), np.float32)


def cloud(rng: np.random.Generator, longest: float) -> Image:
    """Unit-variance noise whose power falls as the third power of the frequency, for waves shorter than ``longest``."""
    spectrum = fft.rfft2(rng.standard_normal(FRAME, dtype=np.float32)) * _falling(round(longest))
    noise = fft.irfft2(spectrum, FRAME)
    return np.asarray(noise / noise.std(), np.float32)


@cache
def _falling(longest: int) -> Image:
    squares = np.square(fft.fftfreq(FRAME[0]))[:, None] + np.square(fft.rfftfreq(FRAME[1]))
    return np.asarray((squares + 1 / longest**2) ** -0.75, np.float32)
