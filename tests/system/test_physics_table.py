"""The tabulated physics of phantoms is that of the libraries that it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densight.phantom.spectra import attenuation, heel, spectrum
from densight.phantom.units import UNITS


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")


def test_materials_attenuate_as_in_xraydb() -> None:
    import physics_table

    for materials, kind in ((physics_table.TISSUES, "total"), (physics_table.ABSORBERS, "photo")):
        for name, (density, parts) in materials.items():
            np.testing.assert_allclose(attenuation(name), physics_table.attenuation(density, parts, kind), rtol=1e-4)


@pytest.mark.parametrize("name", UNITS)
def test_spectra_are_those_of_spekpy(name: str) -> None:
    import physics_table

    unit = UNITS[name]
    beam = unit.beams[-1]
    filters = ((beam.filter, unit.filters[beam.filter]),)
    again = physics_table.spectrum(unit.focus, filters, beam.target, beam.kvp)
    known = spectrum(name, str(beam))
    np.testing.assert_allclose(known.photons[: len(again["photons"])], again["photons"], rtol=1e-3, atol=1e-3)
    assert known.kerma == pytest.approx(again["kerma"], rel=1e-3)
    assert known.half_value_layer == pytest.approx(again["half_value_layer"], rel=1e-3)


def test_the_heel_effect_is_that_of_spekpy() -> None:
    import physics_table

    unit = UNITS["ge-like"]
    beam = next(beam for beam in unit.beams if beam.target == "Rh")
    again = physics_table.heel(unit.focus, ((beam.filter, unit.filters[beam.filter]),), beam.target, beam.kvp)
    tangents, factors = heel("ge-like", "Rh")
    assert tangents.tolist() == list(physics_table.TANGENTS)
    np.testing.assert_allclose(factors, again, rtol=1e-3)
    assert (np.diff(factors) < 0).all()
