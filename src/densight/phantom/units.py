"""Mammography units: tube, grid, detector and exposure control, and the exposure each chooses for a thickness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.phantom.spectra import attenuation, energies, mean_transmission, spectrum
from densight.vocabulary import DensightError

__all__ = ["GRID", "UNITS", "Beam", "Detector", "Exposure", "Unit", "choose_exposure", "scatter_to_primary"]

Array = npt.NDArray[np.float64]

GRID = (0.73, 0.13)
"""The parts of the primary and of the scattered radiation that pass the grid.

Source: measured by Xia, Lo and Floyd, Proc. SPIE 5745 (2005), doi 10.1117/12.595960, behind 50 mm of breast.
"""

SCATTER = 0.0135
"""Scattered over primary radiation without a grid, for each mm of tissue, wherever the beam is much wider than thick.

Source: Barnes and Brezovich, Radiology 126, 243 (1978), find about .40 to .85 for the thicknesses and fields of
clinical work, growing with thickness and hardly depending on kVp: here .40 at 30 mm and .85 at 63 mm.
"""

REFERENCE = {"glandular": 0.2, "skin": 3.0}
"""The breast that exposures aim at: the glandular part of what is not skin, and mm of skin.

Source: Yaffe et al., Med. Phys. 36, 5437 (2009): 19.3 %, with the skin, on average over 2831 women, and not the 50 %
once assumed.
"""


@dataclass(frozen=True)
class Beam:
    """A beam quality.

    Parameters
    ----------
    target, filter : str
        Chemical symbols.
    kvp : int
        Tube voltage in kV.

    Examples
    --------
    >>> str(Beam("W", "Rh", 28))
    'W/Rh 28 kV'
    """

    target: str
    filter: str
    kvp: int

    def __str__(self) -> str:
        return f"{self.target}/{self.filter} {self.kvp} kV"


@dataclass(frozen=True)
class Detector:
    """A flat panel.

    Parameters
    ----------
    absorber : {"Se", "CsI"}
        Amorphous selenium, which turns x rays into charge, or a scintillator of caesium iodide.
    thickness : float
        Of the absorber at its full density, in mm.
    information : float
        What is kept of the squared signal-to-noise ratio of the photons absorbed.
    half, power : float
        The modulation transfer of the absorber at f cycles a mm is 1 / (1 + (f / half) ** power).
    gain : float
        Pixel value for each MeV absorbed in a square mm.
    offset : int
        Pixel value without x rays.
    dark : float
        Electronic noise, as the absorbed MeV in a square mm whose quantum noise is as great.
    """

    absorber: str
    thickness: float
    information: float
    half: float
    power: float
    gain: float
    offset: int
    dark: float

    def modulation(self, frequency: Array) -> Array:
        """The absorber's modulation transfer at frequencies in cycles a mm, without the pixels' aperture."""
        return np.asarray(1 / (1 + (frequency / self.half) ** self.power))

    def absorption(self) -> Array:
        """The part of the photons of each of `densight.phantom.spectra.energies` that is absorbed."""
        return np.asarray(1 - np.exp(-self.thickness * attenuation(self.absorber)))

    @property
    def blurs_noise(self) -> bool:
        """Whether the spread of light correlates the quantum noise of neighbouring pixels."""
        return self.absorber == "CsI"


@dataclass(frozen=True)
class Unit:
    """A mammography unit.

    Parameters
    ----------
    name : str
    focus : float
        Height of the focal spot above the detector in mm.
    filters : dict of str to float
        Thickness in mm of the filter that goes with each element.
    program : tuple of (float, Beam)
        The beam for breasts up to a compressed thickness in mm, from thin to thick.
    detector : Detector
    aim : float
        Pixel value above the offset that the exposure control aims at behind the reference breast.
    """

    name: str
    focus: float
    filters: dict[str, float]
    program: tuple[tuple[float, Beam], ...]
    detector: Detector
    aim: float

    def absorbed(self, beam: Beam) -> Array:
        """MeV absorbed a square mm and mAs from each of `densight.phantom.spectra.energies`, nothing in the way."""
        return spectrum(self.name, str(beam)).photons * self.detector.absorption() * energies() / 1000

    @property
    def beams(self) -> tuple[Beam, ...]:
        """Every beam that the unit uses."""
        return tuple(dict.fromkeys(beam for _, beam in self.program))


@dataclass(frozen=True)
class Exposure:
    """How an image was taken.

    Parameters
    ----------
    unit : str
        One of `UNITS`.
    beam : Beam
    mas : float
        Tube current times time in mAs.
    thickness : float
        Compressed thickness that was read off the paddle, in mm.
    """

    unit: str
    beam: Beam
    mas: float
    thickness: float


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit(
            "hologic-like",
            700,
            {"Rh": 0.05, "Ag": 0.05},
            (
                (25, Beam("W", "Rh", 25)),
                (35, Beam("W", "Rh", 26)),
                (45, Beam("W", "Rh", 28)),
                (55, Beam("W", "Rh", 29)),
                (65, Beam("W", "Rh", 31)),
                (75, Beam("W", "Ag", 30)),
                (999, Beam("W", "Ag", 32)),
            ),
            Detector("Se", 0.2, 0.65, 10.6, 1.5, 0.026, 50, 900),
            270,
        ),
        Unit(
            "ge-like",
            660,
            {"Mo": 0.03, "Rh": 0.025},
            (
                (25, Beam("Mo", "Mo", 26)),
                (35, Beam("Mo", "Rh", 27)),
                (65, Beam("Rh", "Rh", 29)),
                (75, Beam("Rh", "Rh", 30)),
                (999, Beam("Rh", "Rh", 31)),
            ),
            Detector("CsI", 0.1, 0.85, 2.66, 1.89, 0.037, 0, 300),
            270,
        ),
        Unit(
            "siemens-like",
            655,
            {"Rh": 0.05},
            (
                (25, Beam("W", "Rh", 26)),
                (35, Beam("W", "Rh", 27)),
                (45, Beam("W", "Rh", 28)),
                (55, Beam("W", "Rh", 29)),
                (65, Beam("W", "Rh", 30)),
                (80, Beam("W", "Rh", 31)),
                (999, Beam("W", "Rh", 32)),
            ),
            Detector("Se", 0.2, 0.65, 9.5, 1.5, 0.026, 50, 700),
            270,
        ),
    )
}
"""The units, by name: like those of a maker, not copies of them."""


def scatter_to_primary(thickness: npt.NDArray[np.float32] | float) -> npt.NDArray[np.float32]:
    """Scattered over primary radiation behind the grid, in the middle of a wide slab of tissue of some mm."""
    return np.asarray(np.float32(SCATTER * GRID[1] / GRID[0]) * np.asarray(thickness, np.float32))


def choose_exposure(unit: Unit, thickness: float) -> Exposure:
    """What a unit's automatic exposure control chooses for a compressed thickness, whatever is in the breast.

    Parameters
    ----------
    unit : Unit
    thickness : float
        In mm.

    Returns
    -------
    Exposure
        Such that the detector's signal behind the `REFERENCE` breast of that thickness is the unit's aim.

    Raises
    ------
    DensightError
        If the thickness is not more than that of the skin.

    Examples
    --------
    >>> str(choose_exposure(UNITS["siemens-like"], 53).beam)
    'W/Rh 29 kV'
    """
    skin = REFERENCE["skin"]
    if not skin < thickness < np.inf:
        raise DensightError(f"no breast is {thickness:g} mm thick", remedy="give the compressed thickness in mm")
    beam = next(beam for most, beam in unit.program if thickness <= most)
    glandular = REFERENCE["glandular"] * (thickness - skin)
    lengths = {"adipose": thickness - skin - glandular, "glandular": glandular, "skin": skin}
    absorbed = unit.absorbed(beam)
    passed = mean_transmission({name: np.array([mm], np.float32) for name, mm in lengths.items()}, absorbed)
    scatter = 1 + float(scatter_to_primary(thickness))
    signal = unit.detector.gain * GRID[0] * float(absorbed.sum() * passed[0, 0]) * scatter
    return Exposure(unit.name, beam, unit.aim / signal, thickness)
