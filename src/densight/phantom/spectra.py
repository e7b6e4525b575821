"""The tabulated physics: x-ray spectra of the units' beams, and how materials attenuate them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Spectrum", "attenuation", "energies", "heel", "mean_transmission", "spectrum"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The x rays that reach the detector below the focal spot with nothing but the paddle in their way.

    Parameters
    ----------
    photons : ndarray of float64, shape (energies,)
        Photons a square mm and mAs in each bin of `energies`.
    kerma : float
        Air kerma in µGy a mAs.
    half_value_layer : float
        The first, in mm of aluminium.
    """

    photons: Array
    kerma: float
    half_value_layer: float


def spectrum(unit: str, beam: str) -> Spectrum:
    """The spectrum of a unit's beam.

    Parameters
    ----------
    unit : str
        For instance ``"ge-like"``.
    beam : str
        As `densight.phantom.units.Beam` spells it.

    Returns
    -------
    Spectrum

    Notes
    -----
    Computed by ``benchmarks/physics_table.py`` with SpekPy (Poludniowski et al., Med. Phys. 48, 3630, 2021;
    Omar et al., Med. Phys. 47, 4763, 2020, for molybdenum and rhodium).

    Examples
    --------
    >>> beam = spectrum("hologic-like", "W/Rh 28 kV")
    >>> float(energies()[beam.photons.argmax()])
    20.75
    """
    entry = _table()["spectra"][unit][beam]
    photons = np.zeros(len(energies()))
    photons[: len(entry["photons"])] = entry["photons"]
    return Spectrum(photons, entry["kerma"], entry["half_value_layer"])


@cache
def energies() -> Array:
    """Middles of the energy bins in keV, shape (energies,)."""
    values = np.array(_table()["energies"])
    values.setflags(write=False)
    return values


@cache
def attenuation(material: str) -> Array:
    """Linear attenuation coefficient at `energies`.

    Parameters
    ----------
    material : str
        A tissue of `densight.phantom.paths.TISSUES`, in which all interactions count, or an absorber, ``"Se"`` or
        ``"CsI"``, in which only the photoelectric effect does.

    Returns
    -------
    ndarray of float64, shape (energies,)
        In 1/mm.

    Notes
    -----
    Computed by ``benchmarks/physics_table.py`` with xraydb from Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121
    (2002). Adipose and glandular tissue and skin are composed as Hammerstein et al., Radiology 130, 485 (1979), found;
    muscle as in ICRU Report 44 (1989); calcium is hydroxyapatite.

    Examples
    --------
    >>> bool((attenuation("glandular") > attenuation("adipose")).all())
    True
    """
    values = np.array(_table()["attenuation"][material])
    values.setflags(write=False)
    return values


def heel(unit: str, target: str) -> tuple[Array, Array]:
    """The heel effect: how the target's own attenuation weakens the beam towards the nipple.

    Returns
    -------
    tangents, factors : ndarray of float64, shape (n,)
        Of the ray's angle with the vertical, towards the nipple; signal relative to that of the vertical ray at equal
        distance, behind 40 mm of water.
    """
    entry = _table()["heel"][unit][target]
    return np.array(_table()["heel"]["tangents"]), np.array(entry)


def mean_transmission(
    lengths: Mapping[str, npt.NDArray[np.float32]], *weights: Array, block: int = 8192
) -> npt.NDArray[np.float32]:
    """The part of a beam that passes through tissue, by Beer and Lambert's law for each energy.

    Parameters
    ----------
    lengths : mapping of str to ndarray of float32, shape (rays,)
        Of each ray in each material, in mm.
    *weights : ndarray of float64, shape (energies,)
        What each energy counts, for instance the energy that a detector absorbs from it.
    block : int
        Rays at a time, so that memory stays small.

    Returns
    -------
    ndarray of float32, shape (len(weights), rays)
        The mean of each energy's transmission, for each of the weights.

    Examples
    --------
    Of a beam of one energy, 10 mm of fat pass exp(-10 µ).

    >>> at_20 = np.where(energies() == 19.75, 1.0, 0.0)
    >>> round(float(mean_transmission({"adipose": np.array([10], np.float32)}, at_20)[0, 0]), 4)
    0.5932
    """
    counted = np.stack([weight / weight.sum() for weight in weights])
    used = counted.max(axis=0) > 1e-6
    coefficients = np.stack([attenuation(name)[used] for name in lengths]).astype(np.float32)
    counted = counted[:, used].astype(np.float32)
    along = np.stack([np.asarray(length, np.float32) for length in lengths.values()], axis=1)
    means = np.empty((len(counted), len(along)), np.float32)
    for start in range(0, len(along), block):
        some = slice(start, start + block)
        passed = along[some] @ -coefficients
        np.exp(passed, out=passed)
        means[:, some] = counted @ passed.T
    return means


@cache
def _table() -> Any:
    return json.loads(files("densight.phantom").joinpath("physics.json").read_text("utf-8"))
