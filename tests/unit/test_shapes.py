from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from densight.shapes import RANKS, dilate, distance_to, erode, fill_holes, gradient_magnitude, grey_levels, opening

masks = arrays(np.bool_, st.tuples(st.integers(3, 40), st.integers(3, 40)))
some = settings(max_examples=60, deadline=None)


@some
@given(masks, st.integers(1, 6))
def test_steps_are_those_of_scipys_morphology(mask: np.ndarray, steps: int) -> None:
    np.testing.assert_array_equal(dilate(mask, steps), ndimage.binary_dilation(mask, iterations=steps))
    np.testing.assert_array_equal(opening(mask, steps), ndimage.binary_opening(mask, iterations=steps))


@some
@given(masks)
def test_holes_are_those_of_scipy(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))


@some
@given(masks, st.integers(1, 6))
def test_distances_are_as_the_crow_flies(mask: np.ndarray, radius: int) -> None:
    if mask.any():
        np.testing.assert_allclose(distance_to(mask), ndimage.distance_transform_edt(~mask), rtol=0.025)
    if not mask.all():
        left = ndimage.distance_transform_edt(mask) > radius
        np.testing.assert_array_equal(erode(mask, radius), left)


def test_from_an_empty_mask_nothing_is_away() -> None:
    assert not distance_to(np.zeros((4, 5), bool)).any()


@some
@given(st.integers(0, 1000), st.sampled_from([1.0, 1.5, 2.0]))
def test_gradient_magnitude_is_scipys(seed: int, sigma: float) -> None:
    grey = np.random.default_rng(seed).random((40, 31), np.float32) * 255
    expected = ndimage.gaussian_gradient_magnitude(grey, sigma)
    np.testing.assert_allclose(gradient_magnitude(grey, sigma), expected, rtol=1e-3, atol=1e-3)


@some
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=300))
def test_grey_levels_are_numpys_quantiles(values: list[float]) -> None:
    given_values = np.array(values, np.float32)
    expected = np.quantile(given_values.astype(float), RANKS)
    np.testing.assert_allclose(grey_levels(given_values), expected, rtol=1e-6, atol=1e-6)


def test_a_ramp_has_one_slope() -> None:
    ramp = np.tile(3 * np.arange(60, dtype=np.float32), (50, 1))
    assert gradient_magnitude(ramp, 1.5)[25, 30] == pytest.approx(3, rel=1e-3)
