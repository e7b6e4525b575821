"""Phantoms' physics: attenuation, field, scatter, noise, blur; and what displays, films and markers make of it."""

from __future__ import annotations

import numpy as np
import pytest

from densight.phantom.acquisition import acquire, expect, open_field, transmission
from densight.phantom.display import BRIGHTEST, render
from densight.phantom.film import film
from densight.phantom.markers import burn_in
from densight.phantom.paths import TISSUES, Paths
from densight.phantom.spectra import attenuation, energies, mean_transmission, spectrum
from densight.phantom.units import UNITS, Exposure, choose_exposure
from densight.vocabulary import PROJECTIONS, Projection

PITCH = 0.5


def slab(thickness: float, glandular: float = 0.0, shape: tuple[int, int] = (192, 160)) -> Paths:
    """A plate that fills the field."""
    lengths = {tissue: np.zeros(shape, np.float32) for tissue in TISSUES}
    lengths["glandular"][:] = glandular
    lengths["adipose"][:] = thickness - glandular
    return Paths(Projection.CC_L, lengths, np.zeros(shape, bool), PITCH, thickness)


def breast(glandular: float, thickness: float = 50.0, shape: tuple[int, int] = (384, 312)) -> Paths:
    """A half disc with a rounded edge and a block of glandular tissue in its middle."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    edge = (90 - np.hypot(rows - shape[0] / 2, columns) * PITCH).clip(0)
    rise = np.minimum(edge / 25, 1)
    whole = (thickness * np.sqrt(rise * (2 - rise))).astype(np.float32)
    lengths = {tissue: np.zeros(shape, np.float32) for tissue in TISSUES}
    lengths["skin"] = np.minimum(whole, 3)
    lengths["glandular"][150:230, 20:90] = glandular
    lengths["adipose"] = whole - lengths["skin"] - lengths["glandular"]
    return Paths(Projection.CC_L, lengths, np.zeros(shape, bool), PITCH, thickness)


def exposure(name: str = "hologic-like", thickness: float = 50.0) -> Exposure:
    return choose_exposure(UNITS[name], thickness)


def test_one_energy_is_weakened_as_worked_by_hand() -> None:
    # Fat and glandular tissue attenuate by .0510 and .0781 /mm at 20 keV: e^-(40 × .0510 + 10 × .0781).
    at_20 = np.where(np.abs(energies() - 19.75) < 0.01, 1.0, 0.0) + np.where(
        np.abs(energies() - 20.25) < 0.01, 1.0, 0.0
    )
    lengths = {"adipose": np.array([40], np.float32), "glandular": np.array([10], np.float32)}
    assert mean_transmission(lengths, at_20)[0, 0] == pytest.approx(np.exp(-40 * 0.0510 - 10 * 0.0781), rel=0.01)


@pytest.mark.parametrize("unit", UNITS)
def test_a_spectrum_is_the_weighted_mean_of_its_energies(unit: str) -> None:
    shot = exposure(unit)
    weights = UNITS[unit].absorbed(shot.beam)
    by_hand = (weights * np.exp(-30 * attenuation("adipose") - 15 * attenuation("glandular"))).sum() / weights.sum()
    lengths = {"adipose": np.array([30], np.float32), "glandular": np.array([15], np.float32)}
    assert transmission(lengths, shot)[0] == pytest.approx(by_hand, rel=1e-4)
    assert transmission({"adipose": np.zeros(1, np.float32)}, shot)[0] == pytest.approx(1)


@pytest.mark.parametrize("unit", UNITS)
def test_beams_are_as_hard_as_mammography_needs(unit: str) -> None:
    for beam in UNITS[unit].beams:
        # Behind the paddle more than kV/100 mm of aluminium: European guidelines, 4th edition (2006), 2b.2.1.3.
        assert beam.kvp / 100 - 0.02 < spectrum(unit, str(beam)).half_value_layer < 0.75


@pytest.mark.parametrize("unit", UNITS)
def test_thicker_breasts_get_harder_beams_whatever_is_in_them(unit: str) -> None:
    voltages = [choose_exposure(UNITS[unit], thickness).beam for thickness in (25, 45, 70)]
    layers = [spectrum(unit, str(beam)).half_value_layer for beam in voltages]
    assert layers == sorted(layers)


def test_the_field_falls_by_distance_obliquity_and_heel() -> None:
    field = open_field((200, 160), 1.0, exposure())
    focus = UNITS["hologic-like"].focus
    # Up and down at the chest wall there is no heel: only (1 + tan²)^-3/2.
    ends = field[[0, -1], 0]
    assert ends == pytest.approx([(1 + ((99.5) ** 2 + 0.25) / focus**2) ** -1.5] * 2, rel=2e-3)
    assert field[100, 150] < field[25, 0] * 0.97


@pytest.mark.parametrize("unit", UNITS)
def test_noise_has_the_power_that_is_stated(unit: str) -> None:
    side, pairs, thickness = 64, 16, 45.0
    paths, shot, detector = slab(thickness), exposure(unit, thickness), UNITS[unit].detector
    inner = (slice(64, 64 + side), slice(40, 40 + side))
    shots = [acquire(paths, shot, np.random.default_rng(seed)).pixels[inner].astype(float) for seed in range(2 * pairs)]
    noise = np.subtract(shots[::2], shots[1::2]) / np.sqrt(2)
    measured = (np.abs(np.fft.fft2(noise)) ** 2).mean(0) * PITCH**2 / side**2

    # By hand: absorbed energy from photons of mean energy <E²>/<E>, less what the detector loses; the scintillator's
    # light spreads it; electronics as so many photons of the open beam; rounding to whole numbers.
    energy, open_beam = energies() / 1000, UNITS[unit].absorbed(shot.beam)
    behind = open_beam * np.exp(-thickness * attenuation("adipose"))
    photon, open_photon = ((beam * energy).sum() / beam.sum() for beam in (behind, open_beam))
    frequency = np.hypot(np.fft.fftfreq(side, PITCH)[:, None], np.fft.fftfreq(side, PITCH))
    spread = detector.modulation(frequency) ** 2 if detector.blurs_noise else np.ones_like(frequency)
    absorbed, field = expect(paths, shot)[inner].astype(float), open_field(paths.shape, PITCH, shot)[inner]
    quanta = (absorbed / field**2).mean() * photon * spread
    electronics = (1 / field**2).mean() * detector.dark * open_photon
    stated = detector.gain**2 * (quanta + electronics) / detector.information + PITCH**2 / 12

    assert measured.mean() == pytest.approx(stated.mean(), rel=0.02)
    for low in (0.0, 0.25, 0.5, 0.75, 1.0):
        band = (frequency > low) & (frequency <= low + 0.25)
        assert measured[band].mean() == pytest.approx(stated[band].mean(), rel=0.05)


def test_noise_stays_where_the_tissue_does() -> None:
    before, after = breast(10.0), breast(10.0)
    after.lengths["glandular"][200:210, 40:50] = 0
    after.lengths["adipose"][200:210, 40:50] += 10
    shots = [acquire(paths, exposure(), np.random.default_rng(3)).pixels.astype(int) for paths in (before, after)]
    changed = shots[0] != shots[1]
    assert changed[202:208, 42:48].all()
    assert np.abs(shots[0] - shots[1])[:100].max() <= 1  # scatter is a hair different; the noise is the same


@pytest.mark.parametrize("unit", UNITS)
def test_the_grey_of_fat_does_not_depend_on_what_else_is_in_the_breast(unit: str) -> None:
    shot = exposure(unit)
    shown = [render(acquire(breast(glandular), shot, np.random.default_rng(1))) for glandular in (0.0, 25.0)]
    fat = [float(np.median(image[280:320, 10:40])) for image in shown]
    dense = [float(np.median(image[170:210, 40:70])) for image in shown]
    assert fat[1] == pytest.approx(fat[0], rel=0.02)
    assert dense[1] > 1.15 * dense[0]
    assert all(image.dtype == np.uint16 and image.max() <= BRIGHTEST for image in shown)
    assert shown[0][5:40, 250:].max() == 0


@pytest.mark.parametrize("unit", UNITS)
def test_air_is_black_even_where_it_saturates_the_detector(unit: str) -> None:
    shown = render(acquire(breast(5.0, thickness=80.0), exposure(unit, 80.0), np.random.default_rng(1)))
    assert shown[5:40, 250:].max() == 0
    assert shown[185:200, 60:70].min() > 0


def test_the_margin_is_evened_out_on_a_display_and_not_on_a_film() -> None:
    raw = acquire(breast(0.0), exposure(), np.random.default_rng(1))
    display, scan = render(raw).astype(float), film(raw, np.random.default_rng(1)).astype(float)
    near, far = (slice(185, 200), slice(168, 172)), (slice(185, 200), slice(60, 70))  # 5 mm from the skin; the middle
    assert display[near].mean() > 0.85 * display[far].mean()
    assert scan[near].mean() < 0.7 * scan[far].mean()


def test_a_display_measures_on_the_image_that_it_is_told_to() -> None:
    shot = exposure()
    plain, other = (acquire(breast(glandular), shot, np.random.default_rng(1)) for glandular in (5.0, 20.0))
    np.testing.assert_array_equal(render(plain, like=plain), render(plain))
    assert (render(plain, like=other) != render(plain)).any()


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_markers_stand_in_air(projection: Projection) -> None:
    inside = breast(0.0).inside
    inside = inside[:, ::-1] if projection.laterality == "R" else inside
    marked = 0
    for seed in range(12):
        image = burn_in(np.zeros(inside.shape, np.uint16), inside, projection, np.random.default_rng(seed), BRIGHTEST)
        assert image[inside].max() == 0
        marked += image.max() > 0
    assert marked >= 6


def test_markers_are_not_mirrored() -> None:
    inside = breast(0.0).inside
    left, right = (
        burn_in(np.zeros(inside.shape, np.uint16), mask, Projection.CC_L, np.random.default_rng(5), BRIGHTEST)
        for mask in (inside, inside[:, ::-1])
    )
    rows, columns = np.nonzero(left)
    other_rows, other_columns = np.nonzero(right)
    one = left[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    other = right[other_rows.min() : other_rows.max() + 1, other_columns.min() : other_columns.max() + 1]
    np.testing.assert_array_equal(one, other)
