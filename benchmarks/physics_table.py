"""Tabulate the spectra and attenuation coefficients that the phantoms' acquisition needs.

    python benchmarks/physics_table.py [TABLE]

Writes src/densight/phantom/physics.json, or TABLE. Needs spekpy and xraydb (``pip install 'densight[dev]'``), which
the package itself does without.
"""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

BIN = 0.5
"""Width of the energy bins in keV."""

MOST = 33.0
"""The greatest tube voltage in kV."""

ANODE_ANGLE = 22.0
"""Angle in degrees between the target's face and the vertical ray: the target's and the tube's tilt together."""

INHERENT = (("Be", 0.63),)
"""The tube's window in mm."""

PADDLE = ("Polycarbonate (Makrolon or Lexan)", 2.5)
"""The compression paddle in mm."""

TANGENTS = (0.0, 0.06, 0.12, 0.18, 0.24, 0.30, 0.36)
"""Of the angles at which the heel effect is tabulated: 0.36 is that of the nipple's end of the detector."""

TISSUES: dict[str, tuple[float, dict[str, float]]] = {
    "adipose": (0.93, {"H": 11.2, "C": 61.9, "N": 1.7, "O": 25.1, "P": 0.1}),
    "glandular": (1.04, {"H": 10.2, "C": 18.4, "N": 3.2, "O": 67.7, "P": 0.5}),
    "skin": (1.09, {"H": 9.8, "C": 17.8, "N": 5.0, "O": 66.7, "P": 0.7}),
    "muscle": (
        1.05,
        {"H": 10.2, "C": 14.3, "N": 3.4, "O": 71.0, "Na": 0.1, "P": 0.2, "S": 0.3, "Cl": 0.1, "K": 0.4},
    ),
    "calcium": (3.16, {"Ca": 39.9, "P": 18.5, "O": 41.4, "H": 0.2}),
}
"""Density in g/cm³ and parts by weight in per cent.

Adipose and glandular tissue and skin: Hammerstein et al., Radiology 130, 485 (1979), the ash counted as phosphorus.
Muscle: ICRU Report 44 (1989). Calcium: hydroxyapatite, Ca10(PO4)6(OH)2.
"""

ABSORBERS: dict[str, tuple[float, dict[str, float]]] = {
    "Se": (4.27, {"Se": 100.0}),
    "CsI": (4.51, {"Cs": 51.15, "I": 48.85}),
}
"""Density in g/cm³ and parts by weight in per cent. Amorphous selenium is lighter than crystals of it."""


def energies() -> np.ndarray:
    """Middles of the energy bins in keV."""
    return np.arange(BIN / 2, MOST, BIN)


def attenuation(density: float, parts: dict[str, float], kind: str = "total") -> np.ndarray:
    """Linear attenuation coefficient in 1/mm at the middles of the bins."""
    import xraydb

    volts = 1000 * energies()
    total = sum(parts.values())
    mass = sum(part / total * xraydb.mu_elam(element, volts, kind=kind) for element, part in parts.items())
    return np.asarray(density * mass / 10)


def tube(focus: float, filters: tuple[tuple[str, float], ...], target: str, kvp: float, tangent: float = 0.0) -> Any:
    """A tube of SpekPy as seen from the detector, towards the nipple by ``tangent``."""
    import spekpy

    made = spekpy.Spek(kvp=kvp, targ=target, th=ANODE_ANGLE, dk=BIN, mas=1, x=tangent * focus / 10, z=focus / 10)
    made.multi_filter([*INHERENT, *filters, PADDLE, ("Air", focus)])
    return made


def spectrum(focus: float, filters: tuple[tuple[str, float], ...], target: str, kvp: float) -> dict[str, Any]:
    """Photons a square mm and mAs in each bin, air kerma in µGy a mAs, and half value layer in mm of aluminium."""
    made = tube(focus, filters, target, kvp)
    middles, per_kev = made.get_spectrum()
    photons = np.interp(energies(), middles, per_kev * BIN / 100, left=0, right=0)
    last = int(np.flatnonzero(photons)[-1]) + 1
    return {
        "kerma": rounded(made.get_kerma()),
        "half_value_layer": rounded(made.get_hvl1()),
        "photons": [rounded(value) for value in photons[:last]],
    }


def heel(focus: float, filters: tuple[tuple[str, float], ...], target: str, kvp: float) -> list[float]:
    """Energy fluence behind 40 mm of water, relative to the vertical ray's at equal distance and path."""
    values = []
    for tangent in TANGENTS:
        # SpekPy lengthens the paths through filters with the angle; here that is the breast's paths' business.
        oblique = np.sqrt(1 + tangent**2)
        made = tube(
            focus, (*((name, mm) for name, mm in filters), ("Water, Liquid", 40 / oblique)), target, kvp, tangent
        )
        values.append(made.get_eflu() * oblique**2)
    return [rounded(value / values[0]) for value in values]


def rounded(value: float) -> float:
    """Five digits, which is more than is known."""
    return float(f"{value:.5g}")


def tabulate() -> dict[str, Any]:
    """The whole table."""
    from densight.phantom.units import UNITS

    spectra: dict[str, Any] = {}
    heels: dict[str, Any] = {"tangents": list(TANGENTS)}
    for unit in UNITS.values():
        spectra[unit.name], heels[unit.name] = {}, {}
        for beam in unit.beams:
            filters = ((beam.filter, unit.filters[beam.filter]),)
            spectra[unit.name][str(beam)] = spectrum(unit.focus, filters, beam.target, beam.kvp)
            heels[unit.name].setdefault(beam.target, heel(unit.focus, filters, beam.target, beam.kvp))
    return {
        "made_by": "benchmarks/physics_table.py",
        "versions": {name: version(name) for name in ("spekpy", "xraydb")},
        "sources": {
            "spectra": "SpekPy 2, Poludniowski et al., Med. Phys. 48, 3630 (2021); photons/mm²/mAs a bin at the "
            "detector, behind the tube's window, the filter, a paddle and air; kerma in µGy/mAs; half value layer in "
            "mm Al",
            "attenuation": "xraydb, Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121 (2002), in 1/mm; of Se and "
            "CsI the photoelectric part only",
            "compositions": "Hammerstein et al., Radiology 130, 485 (1979); muscle: ICRU Report 44 (1989); calcium: "
            "hydroxyapatite",
        },
        "energies": energies().tolist(),
        "attenuation": {
            name: [rounded(value) for value in attenuation(density, parts, kind)]
            for materials, kind in ((TISSUES, "total"), (ABSORBERS, "photo"))
            for name, (density, parts) in materials.items()
        },
        "heel": heels,
        "spectra": spectra,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    place = Path(__file__).parents[1] / "src" / "densight" / "phantom" / "physics.json"
    parser.add_argument("table", type=Path, nargs="?", default=place)
    path = parser.parse_args().table
    lines = json.dumps(tabulate(), ensure_ascii=False, separators=(",", ":"))
    for name in ("energies", "attenuation", "heel", "spectra"):
        lines = lines.replace(f'"{name}":', f'\n"{name}":', 1)
    path.write_text(lines + "\n", "utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
