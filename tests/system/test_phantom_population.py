from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from densight.phantom.patient import CUT_POINTS, LINK, SyntheticPatient, density_of, draw_patient
from densight.phantom.settings import SCREENING_MIX, THICKNESSES, VENDORS, Settings
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality, Projection

R, L = Laterality.R, Laterality.L


@pytest.fixture(scope="module")
def patients() -> list[SyntheticPatient]:
    return [draw_patient(seed, Settings()) for seed in range(4000)]


def both(patient: SyntheticPatient) -> float:
    """Volumetric density of both breasts together."""
    glandular = sum(patient.volumetric_density[side] * patient.volume[side] for side in Laterality)
    return glandular / sum(patient.volume.values())


def correlation(first: Any, second: Any) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def log_densities(patients: list[SyntheticPatient]) -> np.ndarray:
    return np.log([both(patient) for patient in patients])


def thicknesses(patients: list[SyntheticPatient], projection: Projection) -> np.ndarray:
    return np.array([patient.thickness[projection] for patient in patients])


@pytest.mark.parametrize("mix", [SCREENING_MIX, (0.25, 0.25, 0.25, 0.25), (0.0, 0.7, 0.0, 0.3)])
def test_the_classes_come_in_the_mix_that_is_asked_for(mix: tuple[float, ...]) -> None:
    drawn = Counter(draw_patient(seed, Settings(mix=mix)).density for seed in range(2000))
    for label, part in zip(BIRADS, mix, strict=True):
        assert drawn[label] / 2000 == pytest.approx(part, abs=4 * math.sqrt(part * (1 - part) / 2000))


def test_the_class_of_a_patient_is_that_of_both_breasts_together(patients: list[SyntheticPatient]) -> None:
    assert CUT_POINTS == (3.5, 7.5, 15.5)
    for patient in patients:
        assert patient.density == density_of(both(patient))
    sides_of_two_classes = sum(
        len({density_of(value) for value in p.volumetric_density.values()}) > 1 for p in patients
    )
    assert 0.02 < sides_of_two_classes / len(patients) < 0.2


def test_in_the_screening_mix_density_is_log_normal_as_nothing_shows_where_classes_meet(
    patients: list[SyntheticPatient],
) -> None:
    values = log_densities(patients)
    assert np.exp(np.median(values)) == pytest.approx(7.5, rel=0.04)
    assert values.std() == pytest.approx(0.57, abs=0.03)
    for cut in np.log(CUT_POINTS):
        below, above = ((values > cut - 0.15) & (values < cut)).sum(), ((values > cut) & (values < cut + 0.15)).sum()
        assert 0.6 < below / above < 1.7


def test_thicker_breasts_are_fattier_as_strongly_as_is_stated(patients: list[SyntheticPatient]) -> None:
    assert LINK == -0.5
    for projection in PROJECTIONS:
        assert correlation(log_densities(patients), thicknesses(patients, projection)) == pytest.approx(-0.45, abs=0.04)


def test_volume_tells_of_density_only_what_thickness_tells(patients: list[SyntheticPatient]) -> None:
    density, volume = log_densities(patients), np.log([sum(patient.volume.values()) for patient in patients])
    size = np.mean([thicknesses(patients, projection) for projection in PROJECTIONS], axis=0)
    assert correlation(volume, size) == pytest.approx(0.72, abs=0.04)
    assert correlation(volume, density) < -0.3
    design = np.column_stack([np.ones(len(patients)), size, size**2])
    left = [values - design @ np.linalg.lstsq(design, values, rcond=None)[0] for values in (volume, density)]
    assert abs(correlation(*left)) < 0.08


def test_units_and_the_differences_of_sides_and_views_tell_nothing_of_density(patients: list[SyntheticPatient]) -> None:
    density = log_densities(patients)
    for told in (
        *([patient.vendor == vendor for patient in patients] for vendor in VENDORS),
        [patient.volume[R] / patient.volume[L] for patient in patients],
        [patient.volumetric_density[R] / patient.volumetric_density[L] for patient in patients],
        thicknesses(patients, Projection.MLO_R) - thicknesses(patients, Projection.CC_R),
        thicknesses(patients, Projection.CC_L) - thicknesses(patients, Projection.CC_R),
    ):
        assert abs(correlation(density, told)) < 0.065


def test_compressed_thickness_is_as_in_the_literature(patients: list[SyntheticPatient]) -> None:
    cc, mlo = thicknesses(patients, Projection.CC_R), thicknesses(patients, Projection.MLO_R)
    assert min(cc.min(), mlo.min()) >= 25
    assert max(cc.max(), mlo.max()) <= 80
    assert cc.mean() == pytest.approx(54, abs=1)
    assert (mlo - cc).mean() == pytest.approx(4, abs=0.5)
    # Of 250 pairs of Helvie et al. (1994), 117 differ by 5 mm and 49 by 10 mm.
    assert np.mean(abs(mlo - cc) >= 5) == pytest.approx(117 / 250, abs=0.06)
    assert np.mean(abs(mlo - cc) >= 10) == pytest.approx(49 / 250, abs=0.08)
    assert correlation(cc, thicknesses(patients, Projection.CC_L)) == pytest.approx(0.96, abs=0.01)


def test_left_and_right_are_alike_but_not_the_same(patients: list[SyntheticPatient]) -> None:
    sides = np.log([[patient.volume[R], patient.volume[L]] for patient in patients])
    assert np.median(abs(np.diff(sides))) == pytest.approx(2 * 0.0234, rel=0.1)
    densities = np.log([[patient.volumetric_density[R], patient.volumetric_density[L]] for patient in patients])
    assert correlation(*densities.T) == pytest.approx(0.967, abs=0.01)
    assert len({patient.volume[R] - patient.volume[L] for patient in patients}) == len(patients)


def test_breast_volumes_are_log_normal(patients: list[SyntheticPatient]) -> None:
    volumes = np.log([patient.volume[R] for patient in patients])
    assert np.exp(np.median(volumes)) == pytest.approx(600, rel=0.05)
    assert volumes.std() == pytest.approx(0.48, abs=0.03)
    assert abs(np.mean(((volumes - volumes.mean()) / volumes.std()) ** 3)) < 0.15


def test_two_readers_agree_as_radiologists_do_and_disagree_at_the_boundaries(patients: list[SyntheticPatient]) -> None:
    first, second = zip(*(patient.readers for patient in patients), strict=True)
    truth = [patient.density for patient in patients]
    between = cohen_kappa_score(first, second, weights="linear")
    assert 0.65 < between < 0.75
    for reader in (first, second):
        assert between < cohen_kappa_score(reader, truth, weights="linear") < 0.85
    apart = np.array([one != other for one, other in zip(first, second, strict=True)])
    distance = np.abs(log_densities(patients)[:, None] - np.log(CUT_POINTS)).min(axis=1)
    assert apart[distance < 0.05].mean() > 0.3
    assert apart[distance > 0.35].mean() < 0.1
    # The second takes every exam to be a little denser.
    assert np.mean([BIRADS.index(label) for label in second]) > np.mean([BIRADS.index(label) for label in first])


def test_the_readers_agree_in_other_mixes_too() -> None:
    patients = [draw_patient(seed, Settings(mix=(0.25, 0.25, 0.25, 0.25))) for seed in range(2000)]
    first, second = zip(*(patient.readers for patient in patients), strict=True)
    assert 0.65 < cohen_kappa_score(first, second, weights="linear") < 0.85


@given(
    seed=st.integers(0, 2**53),
    density=st.sampled_from([None, *BIRADS]),
    thickness=st.none() | st.floats(*THICKNESSES),
    vendor=st.sampled_from([None, *VENDORS]),
)
def test_every_seed_gives_a_possible_patient(
    seed: int, density: str | None, thickness: float | None, vendor: str | None
) -> None:
    settings = Settings(density=density, thickness=thickness, vendor=vendor)
    patient = draw_patient(seed, settings)
    assert patient.density == density_of(both(patient))
    assert patient.density == (density or patient.density)
    assert patient.vendor == (vendor or patient.vendor) in VENDORS
    assert set(patient.readers) <= set(BIRADS)
    assert set(patient.thickness) == set(PROJECTIONS)
    if thickness is not None:
        assert set(patient.thickness.values()) == {thickness}
    assert all(25 <= value <= 80 for value in patient.thickness.values()) or thickness is not None
    assert all(100 < value < 2600 for value in patient.volume.values())
    assert all(1 < value < 60 for value in patient.volumetric_density.values())
    again = draw_patient(seed, replace(settings, shape=(128, 104), style="film", mirrored=True))
    assert all(getattr(again, name) == getattr(patient, name) for name in vars(patient))


def test_what_is_given_changes_nothing_else() -> None:
    drawn, on_ge = draw_patient(7, Settings()), draw_patient(7, Settings(vendor="ge-like"))
    assert (drawn.volume, drawn.thickness, drawn.readers) == (on_ge.volume, on_ge.thickness, on_ge.readers)
    pressed = draw_patient(7, Settings(thickness=40))
    assert (drawn.density, drawn.readers, drawn.vendor) == (pressed.density, pressed.readers, pressed.vendor)
    assert draw_patient(7, Settings(density=drawn.density)).volumetric_density == drawn.volumetric_density


def test_a_given_thickness_goes_with_a_volume_of_its_size_and_tells_nothing_of_density() -> None:
    thin, thick = ([draw_patient(seed, Settings(thickness=mm)) for seed in range(300)] for mm in (30, 75))
    assert np.median([w.volume[R] for w in thick]) > 2.5 * np.median([w.volume[R] for w in thin])
    assert [patient.density for patient in thin] == [patient.density for patient in thick]


def test_each_purpose_has_random_numbers_of_its_own() -> None:
    patient, other = draw_patient(1, Settings()), draw_patient(2, Settings())
    streams = [
        patient.rng("skin"),
        patient.rng("noise"),
        patient.rng("skin", "R"),
        patient.rng("skin", 0),
        other.rng("skin"),
    ]
    assert len({stream.bytes(8) for stream in streams}) == len(streams)
    patient.rng("noise").normal(size=100)
    assert patient.rng("skin").bytes(8) == draw_patient(1, Settings(vendor="ge-like")).rng("skin").bytes(8)


@pytest.mark.parametrize(
    ("impossible", "fault", "remedy"),
    [
        ({"mix": (0.5, 0.5, 0.5, 0.5)}, "the parts 0.5, 0.5, 0.5, 0.5 are not a mix", "together 100 %"),
        ({"mix": (1.2, -0.2, 0, 0)}, "the parts 1.2, -0.2, 0, 0 are not a mix", "none is negative"),
        ({"mix": (0.5, 0.5)}, "the parts 0.5, 0.5 are not a mix", "four parts"),
        ({"mix": (math.nan, 0.5, 0.5, 0)}, "are not a mix", "four parts"),
        ({"density": "E"}, "unknown class 'E'", "use one of A, B, C, D"),
        ({"density": "A", "mix": (1, 0, 0, 0)}, "a class and a mix of classes were given together", "one of them"),
        ({"thickness": 0}, "no breast can be compressed to 0 mm", "20 to 100 mm"),
        ({"thickness": -40}, "no breast can be compressed to -40 mm", "20 to 100 mm"),
        ({"thickness": math.nan}, "no breast can be compressed to nan mm", "20 to 100 mm"),
        ({"vendor": "acme"}, "unknown vendor 'acme'", "hologic-like, ge-like, siemens-like"),
        ({"style": "sketch"}, "unknown style 'sketch'", "display, raw, film"),
        ({"photometric": "RGB"}, "unknown photometric interpretation 'RGB'", "MONOCHROME2, MONOCHROME1"),
        ({"shape": (63, 64)}, "an image cannot have 63 rows and 64 columns", "64 to 4096 of each"),
        ({"shape": (5000, 4000)}, "an image cannot have 5000 rows", "64 to 4096 of each"),
        ({"shape": (1024, 100)}, "an image cannot have 1024 rows and 100 columns", "neither more than twice"),
    ],
)
def test_impossible_settings_are_refused(impossible: dict[str, Any], fault: str, remedy: str) -> None:
    with pytest.raises(DensightError) as caught:
        Settings(**impossible)
    assert fault in caught.value.fault
    assert remedy in str(caught.value.remedy)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(DensightError, match="the seed -1 is negative"):
        draw_patient(-1, Settings())
