"""From what a detector gives ("for processing") to what a display shows, for images of any maker.

A maker's own processing is not public. This one stands for it: the logarithm of the x rays that came through is
compared with that of a breast of fat, whose thickness is made up for near the skin, and bent into grey values as
`densight.intake.display` bends those of the phantoms. What it needs and the file does not state is assumed and noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from densight.intake.dicom.display import padding, stored_range
from densight.intake.dicom.header import integer, number, text
from densight.intake.dicom.pixels import Stored
from densight.intake.display import Style, blurred, contrast, distance, enhance, fade
from densight.shapes import largest_component
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["develop"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

STYLE = Style(0.42, 0.20, 0.88, ((0.5, 0.4), (2.0, 0.25), (8.0, 0.1)), 0.94, 1.6)
"""That of the phantoms' unit "hologic-like"."""

GLAND, FAT = 0.0782, 0.0510
"""Attenuation of glandular and of adipose tissue a mm at 20 keV, about the mean energy behind a breast.

Source: the elemental compositions of Hammerstein et al., Radiology 130, 485 (1979), and xraydb, as the phantoms use
them; Johns and Yaffe, Phys. Med. Biol. 32, 675 (1987), measured 0.080 and 0.046.
"""

THICKNESS, PITCH = 55.0, 0.1
"""Compressed thickness and pixel pitch in mm where the file states none: a typical breast, a typical detector."""

SKIN = 0.1
"""The outline of the breast is where it attenuates so much of what its typical tissue does."""

PLATEAU = 25.0
"""Within so many mm of the outline a breast reaches its full thickness, below the skin still behind fat alone."""

LEAST_OF_FAT = 10
"""Percentile of the attenuation at a distance from the outline that is taken as that of fat."""

REACH = 3.0
"""Thickness near the skin is that of what surrounds a place within about so many mm."""

BRIGHTEST = 65535


def develop(stored: Stored, dataset: Dataset, pitch: float | None) -> tuple[npt.NDArray[np.uint16], tuple[str, ...]]:
    """Process a detector's image for display.

    Parameters
    ----------
    stored : ndarray of int32, shape (rows, columns)
    dataset : pydicom.Dataset
        PixelIntensityRelationship, its sign and BodyPartThickness are read.
    pitch : float or None
        Pixel pitch in mm.

    Returns
    -------
    pixels : ndarray of uint16, shape (rows, columns)
        Brighter where denser; air is black.
    notes : tuple of str
        What was done and assumed.

    Raises
    ------
    DensightError
        If nothing stands out from the air.
    """
    attenuation, notes = _attenuation(stored, dataset)
    thickness, pitch, assumed = _measures(dataset, pitch)
    breast = _breast(attenuation)
    if not breast.any():
        raise DensightError("no breast stands out from the air", remedy="check that it is a mammogram")
    fat = _of_fat(attenuation, breast, pitch)
    if text(dataset, "PixelIntensityRelationship").upper() == "LOG":
        attenuation *= np.float32(FAT * thickness / fat)
        fat = FAT * thickness
    excess = np.float32((GLAND - FAT) * thickness / 2)
    density = (attenuation + np.float32(STYLE.lift) * _lacking(attenuation, breast, fat, pitch) - fat) / excess
    shown = enhance(contrast(density.astype(np.float32), STYLE), STYLE, pitch) * fade(breast, STYLE.rim / pitch)
    pixels = np.where(breast, np.clip(shown * BRIGHTEST, 0, BRIGHTEST), 0).astype(np.uint16)
    return pixels, ("for processing: shown by densight's own display", *notes, *assumed)


def _attenuation(stored: Stored, dataset: Dataset) -> tuple[Array, tuple[str, ...]]:
    """Minus the logarithm of the part of the x rays that came through; 0 in air.

    Source: DICOM PS3.3, section C.8.11.3.1.2 (Pixel Intensity Relationship and its sign).
    """
    relationship = text(dataset, "PixelIntensityRelationship").upper()
    sign, notes = integer(dataset, "PixelIntensityRelationshipSign"), []
    if sign not in (1, -1):
        sign = 1 if text(dataset, "PhotometricInterpretation") == "MONOCHROME1" else -1
        notes.append(f"sign of pixel intensity taken as {sign:+d}, because the file states none")
    if relationship not in ("LIN", "LOG"):
        notes.append("pixel intensity taken as linear, because the file does not state it")
    low, high = stored_range(dataset)
    values = stored.astype(np.float32)
    signal = values - low if sign == 1 else high - values
    air = np.float32(np.percentile(signal[::8, ::8], 99.5))
    if relationship == "LOG":
        attenuation = air - signal
    else:
        attenuation = np.log(max(air, np.float32(1))) - np.log(np.maximum(signal, 1))
    blank = padding(stored, dataset)
    if blank is not None:
        attenuation[blank] = 0
    return np.maximum(attenuation, 0), tuple(notes)


def _measures(dataset: Dataset, pitch: float | None) -> tuple[float, float, tuple[str, ...]]:
    """Thickness and pitch in mm, and what was assumed of them."""
    thickness, notes = number(dataset, "BodyPartThickness"), []
    if thickness is None or not 5 <= thickness <= 200:
        thickness = THICKNESS
        notes.append(f"compressed thickness taken as {THICKNESS:g} mm")
    if pitch is None:
        pitch = PITCH
        notes.append(f"pixel pitch taken as {PITCH:g} mm")
    return thickness, pitch, tuple(notes)


def _breast(attenuation: Array) -> Mask:
    from skimage.filters import threshold_otsu

    otsu: Callable[[Array], float] = threshold_otsu
    soft = np.asarray(cv2.blur(attenuation, (3, 3)), np.float32)
    sample = soft[::8, ::8]
    if np.ptp(sample) == 0:
        return np.zeros(attenuation.shape, bool)
    tissue = sample[sample > otsu(sample)]
    return largest_component(soft > SKIN * np.median(tissue))


def _of_fat(attenuation: Array, breast: Mask, pitch: float) -> float:
    """What fat of the full thickness attenuates, seen below the skin, where the breast is as thick as it gets."""
    every = max(1, round(1 / pitch))
    depth = distance(breast)[::every, ::every] * pitch
    soft = blurred(attenuation, every)[::every, ::every]
    rings = [soft[(depth > mm) & (depth <= mm + 1)] for mm in range(int(PLATEAU))]
    fat = max((float(np.percentile(ring, LEAST_OF_FAT)) for ring in rings if ring.size), default=0.0)
    return fat or float(np.median(attenuation[breast]))


def _lacking(attenuation: Array, breast: Mask, fat: float, pitch: float) -> Array:
    """By how much the surroundings of each place attenuate less than fat of full thickness does."""
    inside = breast.astype(np.float32)
    sigma = REACH / pitch
    around = blurred(attenuation * inside, sigma) / np.maximum(blurred(inside, sigma), np.float32(1e-3))
    return np.asarray(np.maximum(np.float32(fat) - around, 0) * inside, np.float32)
