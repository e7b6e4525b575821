"""A raw image as a screen-film mammogram that was laid on a scanner."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from densight.phantom.acquisition import Raw
from densight.phantom.units import UNITS

__all__ = ["film"]

Array = npt.NDArray[np.float32]

BASE, DARKEST, GRADIENT, AIM = 0.2, 3.7, 3.2, 1.35
"""The film's characteristic curve: optical density of base and fog, greatest density, greatest gradient, and the
density that the exposure control aims at behind an average breast. Assumed, to look like the films of mini-MIAS.
"""

SCANNED = 3.2
"""The optical density that the scanner shows as black; it cannot distinguish greater ones."""


def film(raw: Raw, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Show a raw image as a scanned film: no equalisation, grain, a scanner's noise, film edges, an identity label.

    Parameters
    ----------
    raw : Raw
    rng : numpy.random.Generator
        Of all that is not the breast, drawn in one order whatever the tissue.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        Brighter is denser; upright as the raw image.
    """
    unit = UNITS[raw.exposure.unit]
    signal = np.maximum(raw.pixels.astype(np.float32) - unit.detector.offset, 1)
    exposure = np.log10(signal / np.float32(unit.aim))
    aim, span = rng.normal(AIM, 0.1), DARKEST - BASE
    middle = np.log((aim - BASE) / (DARKEST - aim))
    density = BASE + span / (1 + np.exp(-(4 * GRADIENT / span * exposure + middle)))
    grain = rng.standard_normal(raw.pixels.shape, dtype=np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), max(0.05 / raw.pitch, 0.3)), np.float32)
    density += 0.02 * grain / grain.std()
    grey = 235 * (1 - (density - BASE) / (SCANNED - BASE)).clip(0, 1) + rng.uniform(2, 12)
    grey += rng.normal(0, 1.2, grey.shape)
    _add_frame(grey, rng)
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def _add_frame(grey: Array, rng: np.random.Generator) -> None:
    """What lies beside the breast: bright edges where no light fell on the film, and a label."""
    rows, columns = grey.shape
    edges = [round(rng.uniform(0, 0.025) * rows) for _ in range(3)]
    strips = (np.s_[: edges[0], :], np.s_[rows - edges[1] :, :], np.s_[:, columns - edges[2] :])
    for strip in strips:
        grey[strip] = np.maximum(grey[strip], rng.uniform(110, 230))
    height, width = round(rng.uniform(0.06, 0.12) * rows), round(rng.uniform(0.04, 0.08) * rows)
    top = round(rng.uniform(0.8, 0.86) * rows)
    label = np.s_[top : top + height, columns - edges[2] - width - 2 : columns - edges[2] - 2]
    if rng.random() < 0.6 and grey[label].max(initial=0) < 60:
        grey[label] = rng.uniform(150, 235) + rng.normal(0, 3, grey[label].shape)
