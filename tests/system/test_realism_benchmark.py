"""The yardsticks of the phantoms' realism, held against what is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_the_exponent_of_power_law_noise_is_found(exponent: float) -> None:
    from realism.measures import power_law, region_spectra

    pitch, side = 0.2, 1024
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side, pitch), np.fft.rfftfreq(side, pitch), indexing="ij"))
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((side, side)))
    noise = np.fft.irfft2(white * frequency ** (-exponent / 2)).astype(np.float32)

    spectra = region_spectra(noise, np.ones_like(noise, bool), pitch)

    assert power_law(spectra.mean(axis=0)) == pytest.approx(exponent, abs=0.1)


def test_white_noise_has_its_variance_times_the_area_of_a_pixel_as_power() -> None:
    from realism.measures import region_spectra

    noise = np.random.default_rng(0).normal(0, 3, (512, 512)).astype(np.float32)

    spectra = region_spectra(noise, np.ones_like(noise, bool), 0.2)

    assert np.nanmean(spectra[:, -10:]) == pytest.approx(9 * 0.2**2, rel=0.05)


def test_sets_are_told_apart_only_where_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    from realism.apart import tell_apart

    monkeypatch.setattr("realism.apart.REPEATS", 1)
    one, same = np.random.default_rng(0).standard_normal((2, 30, 4))
    patients = [str(number // 2) for number in range(60)]

    alike = tell_apart(one, same, patients, "abcd")
    apart = tell_apart(one + np.eye(4)[0] * 4, same, patients, "abcd")

    assert alike.auc.low < 0.5
    assert abs(alike.distance.value) < 0.05
    assert apart.auc.value > 0.95
    assert apart.distance.low > 0.1
    assert apart.telling[0].startswith("a (")


def test_gradient_boosting_finds_the_class_where_a_nuisance_feature_has_it() -> None:
    from shortcuts import correct

    classes = list("ABCD" * 25)
    patients = [str(number) for number in range(100)]
    noise = np.random.default_rng(0).standard_normal((100, 3))
    leak = np.array(["ABCD".index(label) for label in classes]) + 0.1 * noise[:, 0]

    assert correct(np.column_stack([leak, noise]), classes, patients) > 95
    assert correct(noise, classes, patients) < 45
