from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from torch.utils.data import DataLoader

from densight.intake.catalogue import COLUMNS, Catalogue
from densight.intake.image import read_mammogram
from densight.preparation.prepare import prepare
from densight.training.augmentation import augment, keras_affine
from densight.training.data import EpochSampler, FramedImages, load_images
from densight.training.recipe import Recipe, read_recipe
from densight.vocabulary import BIRADS
from tests.examples import draw_breast

STILL = {"network": "mobilenetv2-035", "preparation": "default", "shape": (64, 48), "epochs": 1, "batch_size": 2}
STILL |= {"optimizer": "sgd", "learning_rate": 0.1}
MOVING = STILL | {"rotation": 10, "zoom": 0.2, "shift": 0.2, "flip_rows": True, "contrast": 0.3}


def some_image(shape: tuple[int, int] = (64, 48)) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 1, shape)
    return ndimage.gaussian_filter(noise, 2).astype(np.float32)


def as_keras_multiplies(
    image: np.ndarray, angle: float, shift: tuple[float, float], zoom: tuple[float, float], beyond: float = 0.0
) -> np.ndarray:
    """Rotation times shift times zoom about the centre, as 3×3 matrices, then scipy with order 1, mode nearest."""
    t = np.deg2rad(angle)
    rotation = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    shifting = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    zooming = np.diag([*zoom, 1])
    centre = (np.array(image.shape) - 1) / 2 + beyond
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = centre, -centre
    matrix = there @ rotation @ shifting @ zooming @ back
    return ndimage.affine_transform(image, matrix[:2, :2], matrix[:2, 2], order=1, mode="nearest")


@pytest.mark.parametrize("shape", [(64, 48), (33, 50)])
@pytest.mark.parametrize(
    ("angle", "shift", "zoom"),
    [
        (10.0, (0.0, 0.0), (1.0, 1.0)),
        (0.0, (7.3, -4.6), (1.0, 1.0)),
        (0.0, (0.0, 0.0), (0.8, 1.2)),
        (-7.0, (-9.5, 6.25), (1.15, 0.85)),
    ],
)
def test_the_affine_map_is_keras(
    angle: float, shift: tuple[float, float], zoom: tuple[float, float], shape: tuple[int, int]
) -> None:
    image = some_image(shape)
    moved = keras_affine(image, angle, shift, zoom)
    expected = as_keras_multiplies(image, angle, shift, zoom)
    spread = float(np.ptp(image))
    assert moved.dtype == np.float32
    assert np.abs(moved - expected).max() < 0.01 * spread
    assert np.abs(moved - image).max() > 0.1 * spread, "it did move"


def test_the_tutorials_centre_a_pixel_beyond_moves_the_result_by_less_than_half_a_pixel() -> None:
    ramp = np.add.outer(np.arange(64.0), np.zeros(48)).astype(np.float32)  # grey value = row
    worst = 0.0
    for angle in (-10.0, 0.0, 10.0):
        for zoom in ((0.8, 0.8), (0.8, 1.2), (1.2, 0.8), (1.2, 1.2)):
            ours = as_keras_multiplies(ramp, angle, (0.0, 0.0), zoom)
            theirs = as_keras_multiplies(ramp, angle, (0.0, 0.0), zoom, beyond=1.0)
            worst = max(worst, np.abs(ours - theirs)[20:44, 15:33].max())
    assert 0.2 < worst < 0.5


def test_the_senses_of_shift_zoom_rotation_and_fill_by_hand() -> None:
    image = np.arange(25, dtype=np.float32).reshape(5, 5)
    down = keras_affine(image, 0.0, (1.0, 0.0), (1.0, 1.0))
    np.testing.assert_allclose(down[:4], image[1:], atol=1e-5)  # a positive shift fetches from below
    np.testing.assert_allclose(down[4], image[4], atol=1e-5)  # and repeats the last row
    right = keras_affine(image, 0.0, (0.0, 2.0), (1.0, 1.0))
    np.testing.assert_allclose(right[:, :3], image[:, 2:], atol=1e-5)
    quarter = keras_affine(image, 90.0, (0.0, 0.0), (1.0, 1.0))
    np.testing.assert_allclose(quarter, np.rot90(image, -1), atol=1e-3)  # clockwise
    smaller = keras_affine(image, 0.0, (0.0, 0.0), (2.0, 1.0))
    np.testing.assert_allclose(smaller[[1, 2, 3]], image[[0, 2, 4]], atol=1e-5)  # twice the way: half the size
    np.testing.assert_allclose(smaller[[0, 4]], image[[0, 4]], atol=1e-5)


@given(seed=st.integers(0, 2**32), dark=st.booleans())
@settings(max_examples=30, deadline=None)
def test_ranges_of_zero_are_the_identity(seed: int, dark: bool) -> None:
    image = some_image() * (0.1 if dark else 1.0)
    np.testing.assert_array_equal(augment(image, Recipe(**STILL), np.random.default_rng(seed)), image)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_grey_values_stay_between_those_of_the_image_whatever_the_motion(seed: int) -> None:
    image = some_image()
    moved = augment(image, Recipe(**MOVING | {"contrast": 0.0}), np.random.default_rng(seed))
    assert moved.shape == image.shape
    assert image.min() - 1e-5 <= moved.min()
    assert moved.max() <= image.max() + 1e-5


@pytest.mark.parametrize("seed", range(8))
def test_angle_shift_zoom_and_flip_are_drawn_in_their_ranges(seed: int) -> None:
    """Two ramps, rows and columns as grey values, tell which affine map was drawn."""
    rows, columns = (axis.astype(np.float32) for axis in np.mgrid[:101, :81])
    recipe = Recipe(**MOVING | {"contrast": 0.0})
    moved_rows, moved_columns = (augment(axis, recipe, np.random.default_rng(seed)) for axis in (rows, columns))
    centre = (slice(45, 56), slice(36, 45))
    slopes = np.array([[np.gradient(m[centre], axis=a).mean() for a in (0, 1)] for m in (moved_rows, moved_columns)])
    flipped = slopes[0, 0] < 0
    slopes[:, 0] *= -1 if flipped else 1
    zoom = np.linalg.norm(slopes, axis=0)
    angle = np.rad2deg(np.arctan2(slopes[1, 0], slopes[0, 0]))
    turned = slopes / zoom
    shift = turned.T @ (moved_rows[50, 40] - 50, moved_columns[50, 40] - 40)
    assert np.all(np.abs(zoom - 1) <= 0.2 + 1e-3)
    assert abs(angle) <= 10 + 1e-2
    assert np.all(np.abs(shift) <= np.array([0.2 * 101, 0.2 * 81]) + 0.02)
    assert abs(zoom[0] - zoom[1]) > 1e-3, "rows and columns are zoomed on their own"


def test_contrast_is_a_power_law_between_the_same_black_and_white() -> None:
    image = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)
    exponents = []
    for seed in range(40):
        changed = augment(image, Recipe(**STILL | {"contrast": 0.25}), np.random.default_rng(seed))
        assert (changed[0, 0], changed[-1, -1]) == (0, 1)
        exponents.append(np.log(changed[32, 24]) / np.log(image[32, 24]))
    logs = np.log(exponents)
    assert np.all(np.abs(logs) <= 0.25 + 1e-4)
    assert logs.min() < -0.15 < 0.15 < logs.max()


class TestFramedImages:
    @pytest.fixture
    def catalogue(self, tmp_path: Path) -> Catalogue:
        rows = []
        for i, label in enumerate("ABCDA"):
            Image.fromarray(draw_breast(i, i / 4, shape=(96, 72))).save(tmp_path / f"{i}.png")
            rows.append([f"{i}.png", f"P{i}", f"E{i}", "R", "CC", label, "train"])
        return Catalogue(pd.DataFrame(rows, columns=COLUMNS), BIRADS, tmp_path)

    def load(self, catalogue: Catalogue, recipe: Recipe, seed: int | None) -> FramedImages:
        images, failures = load_images(catalogue, catalogue.table, recipe, seed, lambda: None)
        assert failures == []
        return images

    @pytest.mark.parametrize("preset", ["default", "tutorial"])
    def test_without_augmentation_they_are_what_prepare_makes(self, preset: str, catalogue: Catalogue) -> None:
        recipe = Recipe(**STILL | {"preparation": preset})
        images = self.load(catalogue, recipe, None)
        assert images.labels.tolist() == [0, 1, 2, 3, 0]
        for i, path in enumerate(catalogue.paths):
            tensor, label = images[7, i]
            np.testing.assert_array_equal(tensor.numpy(), prepare(read_mammogram(path), recipe.prepared()).tensor)
            assert label == images.labels[i]

    def test_augmentation_depends_on_seed_epoch_and_image_alone(self, catalogue: Catalogue) -> None:
        recipe = Recipe(**MOVING)
        first, again, other = (self.load(catalogue, recipe, seed) for seed in (5, 5, 6))
        there = {key: first[key][0].numpy() for key in [(epoch, i) for epoch in (0, 1, 2) for i in range(5)]}
        for key in reversed(there):
            np.testing.assert_array_equal(again[key][0].numpy(), there[key])
        assert not np.array_equal(there[0, 1], there[1, 1])
        assert not np.array_equal(there[0, 1], other[0, 1][0].numpy())

    def test_other_processes_make_the_same_batches(self, catalogue: Catalogue) -> None:
        images, sampler = self.load(catalogue, Recipe(**MOVING), 5), EpochSampler(5, 5)
        batches = [list(DataLoader(images, 2, sampler=sampler, num_workers=workers)) for workers in (0, 1)]
        for (here, labels), (there, labels_too) in zip(*batches, strict=True):
            np.testing.assert_array_equal(here.numpy(), there.numpy())
            np.testing.assert_array_equal(labels.numpy(), labels_too.numpy())

    def test_what_cannot_be_read_is_told_and_the_rest_kept_in_order(self, catalogue: Catalogue) -> None:
        catalogue.paths[1].write_bytes(b"no image")
        Image.fromarray(np.full((96, 72), 9, np.uint8)).save(catalogue.paths[3])
        calls: list[int] = []
        images, failures = load_images(catalogue, catalogue.table, Recipe(**STILL), None, lambda: calls.append(1))
        assert images.labels.tolist() == [0, 2, 0]
        assert len(calls) == 5
        assert [failure.path for failure in failures] == [catalogue.paths[1], catalogue.paths[3]]
        assert "not a DICOM, PNG, JPEG, TIFF or PGM" in failures[0].fault
        assert "constant" in failures[1].fault
        assert all(failure.remedy for failure in failures)


def order_of(size: int, seed: int, epoch: int) -> list[int]:
    sampler = EpochSampler(size, seed)
    sampler.epoch = epoch
    keys = list(sampler)
    assert {key[0] for key in keys} == {epoch}
    return [key[1] for key in keys]


@given(size=st.integers(1, 60), seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone(size: int, seed: int, epoch: int) -> None:
    order = order_of(size, seed, epoch)
    assert sorted(order) == list(range(size))
    sampler = EpochSampler(size, seed)
    for earlier in (0, 3):
        sampler.epoch = earlier
        list(sampler)
    sampler.epoch = epoch
    assert [key[1] for key in sampler] == order


def test_epochs_and_seeds_differ_in_order() -> None:
    orders = {tuple(order_of(30, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_the_shipped_recipes_change_images() -> None:
    for name in ("tutorial", "default"):
        image = some_image((65, 65))
        assert not np.array_equal(augment(image, read_recipe(name), np.random.default_rng(0)), image)
