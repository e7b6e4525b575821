"""From a raw image to a scanned film, as of the years before digital mammography."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from densight.phantom.acquisition import Raw, open_field
from densight.phantom.units import UNITS

__all__ = ["film"]


def film(raw: Raw, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Expose a screen-film system to the x rays of a raw image, develop it and scan it.

    Parameters
    ----------
    raw : Raw
    rng : numpy.random.Generator
        For grain and scanner noise.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        Brighter where denser, upright as the raw image is.
    """
    unit = UNITS[raw.exposure.unit]
    rows, columns = raw.pixels.shape
    signal = np.maximum(raw.pixels.astype(np.float32) - unit.detector.offset, 1)
    signal = signal * open_field((rows, columns), raw.pitch, raw.exposure)
    density = 0.2 + 3.6 / (1 + np.exp(-2.3 * (np.log10(signal / unit.aim) + 0.05) * np.log(10) / 2))
    return np.asarray(np.clip(255 * (1 - density / 3.8), 0, 255), np.uint8)
