"""From a raw image to what a radiologist's screen shows ("for presentation"), in the manner of three makers."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from densight.intake.display import Style, contrast, enhance, fade
from densight.phantom.acquisition import FULL_SCALE, Raw, open_signal, transmission
from densight.phantom.units import REFERENCE, UNITS, Exposure, scatter_to_primary
from densight.shapes import largest_component

__all__ = ["BRIGHTEST", "render"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BRIGHTEST = 2**12 - 1
"""The brightest value of a display image."""

AIR = 1.0
"""Less than so many mm of fat is air."""

REACH = 3.0
"""Thickness near the skin is that of what surrounds a place within about so many mm."""

COARSE = 1.0
"""Thickness is measured on a grid of about this pitch in mm."""


STYLES: dict[str, Style] = {
    "hologic-like": Style(0.42, 0.20, 0.88, ((0.5, 0.4), (2.0, 0.25), (8.0, 0.1)), 0.94, 1.6),
    "ge-like": Style(0.58, 0.18, 0.86, ((0.5, 0.3), (3.0, 0.2)), 0.95, 1.8),
    "siemens-like": Style(0.34, 0.22, 0.90, ((0.4, 0.6), (1.5, 0.3), (6.0, 0.2)), 0.9, 1.6),
}
"""By unit. The second's values of fat, gland and skin are near those of the digital mammograms of the INFN tutorial."""


def render(raw: Raw, like: Raw | None = None) -> npt.NDArray[np.uint16]:
    """Process a raw image for display.

    Parameters
    ----------
    raw : Raw
    like : Raw, optional
        What the processing measures (where the breast is, how thick it is near the skin) is measured on this image of
        the same exposure; on ``raw`` itself if None.

    Returns
    -------
    ndarray of uint16, shape (rows, columns)
        0 to `BRIGHTEST`, brighter where denser; air is black. Fat has the style's grey, whatever else is in the breast.
    """
    like = raw if like is None else like
    style, exposure = STYLES[raw.exposure.unit], raw.exposure
    whole = np.float32(exposure.thickness)
    depth = _fat_equivalent(raw)
    reference = depth if like is raw else _fat_equivalent(like)
    breast = largest_component(cv2.blur(reference, (3, 3)) > AIR)
    lacking = _lacking(reference, breast, like)
    density = (depth + np.float32(style.lift) * lacking - whole) / np.float32(_gland_excess(exposure))
    image = enhance(contrast(density, style), style, raw.pitch) * fade(breast, style.rim / raw.pitch)
    return np.asarray(np.where(breast, np.clip(image * BRIGHTEST, 0, BRIGHTEST), 0), np.uint16)


_MM = np.linspace(0, 200, 801, dtype=np.float32)


def _signal(lengths: dict[str, Array], exposure: Exposure) -> Array:
    """Part of the open signal that is expected behind wide slabs."""
    thickness = np.add.reduce(list(lengths.values()))
    return transmission(lengths, exposure) * (1 + scatter_to_primary(thickness))


def _fat_of(signal: npt.NDArray[np.floating], exposure: Exposure) -> Array:
    """Millimetres of fat, skin included, that would let that part of the open signal through."""
    skin = np.minimum(_MM, np.float32(REFERENCE["skin"]))
    expected = _signal({"skin": skin, "adipose": _MM - skin}, exposure)
    return np.asarray(np.interp(-signal, -expected, _MM), np.float32)


def _fat_equivalent(raw: Raw) -> Array:
    values = np.arange(FULL_SCALE + 1) - UNITS[raw.exposure.unit].detector.offset
    depths = _fat_of(values / open_signal(raw.exposure), raw.exposure)
    # Where the detector saturates there is only air, however little of its signal that is.
    depths[FULL_SCALE] = 0
    return depths[raw.pixels]


def _gland_excess(exposure: Exposure) -> float:
    """How many mm thicker a breast of which half is gland seems than one of fat."""
    skin = np.float32(REFERENCE["skin"])
    half = np.array([(exposure.thickness - skin) / 2], np.float32)
    seen = _fat_of(_signal({"skin": skin + 0 * half, "adipose": half, "glandular": half}, exposure), exposure)
    return float(seen[0] - exposure.thickness)


def _lacking(depth: Array, breast: Mask, raw: Raw) -> Array:
    """By how many mm of fat the surroundings of each place attenuate less than a breast of fat of full thickness."""
    rows, columns = breast.shape
    every = max(1, round(COARSE / raw.pitch))
    size = (-(-columns // every), -(-rows // every))
    inside = breast.astype(np.float32)
    around, share = (
        cv2.GaussianBlur(
            cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), REACH * size[0] / columns / raw.pitch
        )
        for image in (depth * inside, inside)
    )
    lacking = np.maximum(np.float32(raw.exposure.thickness) - around / np.maximum(share, np.float32(1e-3)), 0)
    return np.asarray(cv2.resize(lacking, (columns, rows), interpolation=cv2.INTER_LINEAR) * inside, np.float32)
