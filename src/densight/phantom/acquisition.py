"""From path lengths to a raw image: what the detector of a mammography unit gives ("for processing")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from densight.phantom.paths import Paths
from densight.phantom.spectra import energies, heel, mean_transmission
from densight.phantom.units import GRID, UNITS, Detector, Exposure, scatter_to_primary
from densight.vocabulary import Projection

__all__ = ["FULL_SCALE", "Raw", "acquire", "expect", "open_field", "open_signal", "transmission"]

Array = npt.NDArray[np.float32]

FULL_SCALE = 2**14 - 1
"""The greatest pixel value. Air may saturate."""

SCATTER_SPREAD = 10.0
"""Scattered x rays fall off around their ray as exp(-r / this), in mm: a mean radial extent of 20 mm.

A kernel for every ray, as Boone and Cooper, Med. Phys. 27, 1818 (2000), computed and as Ducote and Molloi, Phys. Med.
Biol. 55, 1295 (2010), and Leon et al., Med. Phys. 41, 061901 (2014), measured. One extent stands for all thicknesses.
"""

SCATTER_PITCH = 4.0
"""Scatter is computed on a grid of about this pitch in mm."""

REACH = 4
"""The detector's blur reaches this many pixels."""


@dataclass(frozen=True, eq=False)
class Raw:
    """An image as the detector gives it, corrected for the uneven field of x rays but not processed otherwise.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (rows, columns)
        Proportional to the absorbed energy above the detector's offset, 0 to `FULL_SCALE`, upright as `Paths` are.
    exposure : Exposure
    projection : Projection
    pitch : float
        Pixel pitch at the detector in mm.
    """

    pixels: npt.NDArray[np.uint16]
    exposure: Exposure
    projection: Projection
    pitch: float


def acquire(paths: Paths, exposure: Exposure, rng: np.random.Generator) -> Raw:
    """Take an image.

    Parameters
    ----------
    paths : Paths
    exposure : Exposure
    rng : numpy.random.Generator
        Gives two standard normal deviates a pixel, in an order that does not depend on the paths: an image taken with
        the same seed has the same noise wherever its paths are the same.

    Returns
    -------
    Raw

    Notes
    -----
    Primary photons follow Beer and Lambert's law for each energy of the spectrum; they fan out from the focal spot and
    are weakened by the heel effect (`open_field`); scatter is added by a kernel; the detector absorbs, blurs and adds
    noise, whose variance is that of the energy absorbed in a pixel's area from a Poisson number of photons, and its
    electronics'. A scintillator's light blurs signal and quantum noise alike; selenium's charge hardly spreads, and
    what spread there is happens before it is drawn. What a pixel's ray passes stands for all of the pixel, so the
    pixel's aperture is not counted a second time. At last the image is divided by the open field, as in every
    "for processing" image (IEC 62220-1-2:2007 on what raw data may have been corrected for).
    """
    unit = UNITS[exposure.unit]
    detector = unit.detector
    absorbed = _Absorbed.of(paths, exposure)
    quantum, electronic = (rng.standard_normal(paths.shape, dtype=np.float32) for _ in range(2))
    area = np.float32(paths.pitch**2 * detector.information)
    quantum *= np.sqrt(absorbed.signal * absorbed.photon / area)
    blur = _blur(detector, paths.pitch)
    if detector.blurs_noise:
        image = cv2.filter2D(absorbed.signal + quantum, -1, blur, borderType=cv2.BORDER_REPLICATE)
    else:
        image = cv2.filter2D(absorbed.signal, -1, blur, borderType=cv2.BORDER_REPLICATE) + quantum
    image += electronic * np.sqrt(np.float32(detector.dark * absorbed.typical_photon) / area)
    image = image * (np.float32(detector.gain) / absorbed.field)
    pixels = np.clip(np.rint(image) + detector.offset, 0, FULL_SCALE).astype(np.uint16)
    return Raw(pixels, exposure, paths.projection, paths.pitch)


def expect(paths: Paths, exposure: Exposure) -> Array:
    """MeV absorbed a square mm on average, without blur or noise and with the field as uneven as it is.

    Parameters
    ----------
    paths : Paths
    exposure : Exposure

    Returns
    -------
    ndarray of float32, shape (rows, columns)
    """
    return _Absorbed.of(paths, exposure).signal


def transmission(lengths: Mapping[str, Array], exposure: Exposure) -> Array:
    """The part of the primary signal that passes through tissue.

    Parameters
    ----------
    lengths : mapping of str to ndarray of float32, shape (...)
        Along each ray, in mm, by tissue.
    exposure : Exposure

    Returns
    -------
    ndarray of float32, shape (...)
        1 where nothing is in the way.
    """
    shape = np.shape(next(iter(lengths.values())))
    flat = {name: np.ravel(length) for name, length in lengths.items()}
    passed: Array = mean_transmission(flat, UNITS[exposure.unit].absorbed(exposure.beam))[0]
    return passed.reshape(shape)


def open_field(shape: tuple[int, int], pitch: float, exposure: Exposure) -> Array:
    """The x rays' strength over the detector with nothing in the way, relative to that below the focal spot.

    The focal spot is above the middle of the chest wall's edge and the anode towards the nipple. Strength falls with
    the square of the distance, with the cosine at which rays meet the detector, and towards the nipple by the heel
    effect.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
    """
    unit = UNITS[exposure.unit]
    rows, columns = shape
    x = (np.arange(columns) + 0.5) * pitch / unit.focus
    y = (np.arange(rows) + 0.5 - rows / 2) * pitch / unit.focus
    towards_nipple = np.interp(x, *heel(unit.name, exposure.beam.target))
    return np.asarray(towards_nipple / (1 + x**2 + y[:, None] ** 2) ** 1.5, np.float32)


def open_signal(exposure: Exposure) -> float:
    """Pixel value above the offset with nothing in the way, were the detector not to saturate."""
    unit = UNITS[exposure.unit]
    return unit.detector.gain * GRID[0] * exposure.mas * float(unit.absorbed(exposure.beam).sum())


@dataclass(frozen=True, eq=False)
class _Absorbed:
    """What the detector absorbs: MeV a square mm, its mean photon in MeV (second over first moment), the open field."""

    signal: Array
    photon: Array
    field: Array
    typical_photon: float

    @classmethod
    def of(cls, paths: Paths, exposure: Exposure) -> _Absorbed:
        field = open_field(paths.shape, paths.pitch, exposure)
        weights = UNITS[exposure.unit].absorbed(exposure.beam) * exposure.mas * GRID[0]
        squares = weights * energies() / 1000
        inside = np.flatnonzero(paths.inside)
        lengths = {name: length.ravel()[inside] for name, length in paths.lengths.items()}
        first, second = mean_transmission(lengths, weights, squares)
        primary = np.ones(field.size, np.float32)
        primary[inside] = first
        photon = np.full(field.size, squares.sum() / weights.sum(), np.float32)
        photon[inside] *= second / first
        primary = primary.reshape(field.shape) * (field * np.float32(weights.sum()))
        signal = primary + _scatter(primary, np.add.reduce(list(paths.lengths.values())), paths.pitch)
        return cls(signal, photon.reshape(field.shape), field, float(squares.sum() / weights.sum()))


def _scatter(primary: Array, thickness: Array, pitch: float) -> Array:
    """The scatter that passes the grid, in the primary's unit."""
    rows, columns = primary.shape
    every = max(1, round(SCATTER_PITCH / pitch))
    size = (-(-columns // every), -(-rows // every))
    sources = cv2.resize(primary * scatter_to_primary(thickness), size, interpolation=cv2.INTER_AREA)
    step = pitch * columns / size[0]
    reach = int(6 * SCATTER_SPREAD / step)
    away = np.arange(-reach, reach + 1) * step
    kernel = np.exp(-np.hypot(away[:, None], away) / SCATTER_SPREAD)
    scattered = cv2.filter2D(sources, -1, (kernel / kernel.sum()).astype(np.float32), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(scattered, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


@cache
def _blur(detector: Detector, pitch: float) -> Array:
    """The detector's point spread in pixels, whose Fourier transform is its modulation transfer."""
    side = 64
    frequency = np.hypot(fft.fftfreq(side, pitch)[:, None], fft.fftfreq(side, pitch))
    spread = fft.fftshift(fft.ifft2(detector.modulation(frequency)).real)
    middle = slice(side // 2 - REACH, side // 2 + REACH + 1)
    near = spread[middle, middle]
    return np.asarray(near / near.sum(), np.float32)
