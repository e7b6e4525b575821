"""What is read of the anatomy: masks, percent density, nipple, whatever the orientation and the grey values."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import densight
from densight.anatomy.breast import UPRIGHT, box_around, locate
from densight.anatomy.network import FRAME, LABELS, STRIDE, TissueNetwork, load_network, network_input
from densight.geometry import set_upright
from densight.intake.mammogram import Mammogram
from densight.phantom.truth import PhantomExam
from densight.vocabulary import DensightError, Projection


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


@pytest.fixture(scope="module")
def phantom() -> PhantomExam:
    return densight.phantom.exam(seed=4711, density="C", shape=(512, 416))


@pytest.mark.parametrize("style", ["display", "film", "raw"])
@pytest.mark.parametrize(("density", "seed"), [("B", 8001), ("D", 8002)])
def test_a_phantom_s_anatomy_is_found(style: str, density: str, seed: int) -> None:
    made = densight.phantom.exam(seed=seed, density=density, style=style, shape=(512, 416))
    for mammogram in made:
        assert mammogram.projection is not None
        truth, found = made.truth.images[mammogram.projection], densight.anatomy.read(mammogram)
        assert found.verdict.good, found.verdict
        # The outermost millimetres of a breast are as black as air on a film.
        assert dice(found.breast, truth.breast) > (0.92 if style == "film" else 0.985)
        assert found.inverted == (style == "raw")
        assert found.side == ("left" if mammogram.projection.laterality == "L" else "right")
        if mammogram.projection.view == "MLO":
            assert dice(found.pectoral, truth.pectoral) > 0.9
        else:
            assert not found.pectoral.any()
        assert found.percent_density == pytest.approx(truth.percent_density, abs=15)
        if style == "display":
            assert found.nipple is not None
            rows, columns = np.nonzero(truth.nipple)
            assert np.hypot(found.nipple[0] - rows.mean(), found.nipple[1] - columns.mean()) < 20


def test_masks_hang_together_and_percent_density_is_their_ratio(phantom: PhantomExam) -> None:
    for mammogram in phantom:
        found = densight.anatomy.read(mammogram)
        assert found.breast.dtype == found.pectoral.dtype == found.dense.dtype == bool
        assert not (found.pectoral & ~found.breast).any()
        assert not (found.dense & ~(found.breast & ~found.pectoral)).any()
        assert found.percent_density == pytest.approx(
            100 * found.dense.sum() / (found.breast & ~found.pectoral).sum(), rel=1e-12
        )
        probability = found.dense_probability
        assert probability.dtype == np.float32
        assert probability.shape == mammogram.shape
        assert 0 <= probability.min() <= probability.max() <= 1
        assert dice(probability > 0.5, found.dense) > 0.999
        pitch = phantom.settings.pitch
        assert found.area(found.breast) == pytest.approx(found.breast.sum() * pitch**2)


def test_areas_are_not_given_without_a_spacing() -> None:
    made = densight.phantom.exam(seed=3, shape=(128, 104)).mammograms[0]
    found = densight.anatomy.read(Mammogram(made.pixels, made.projection))
    assert found.area(found.breast) is None


def test_what_was_read_does_not_depend_on_what_was_read_before(phantom: PhantomExam) -> None:
    first, second = phantom.mammograms[:2]
    alone = densight.anatomy.read(first)
    densight.anatomy.read(second)
    again = densight.anatomy.read(first)
    np.testing.assert_array_equal(alone.small_probability, again.small_probability)
    np.testing.assert_array_equal(alone.dense, again.dense)


@settings(max_examples=12, deadline=None)
@given(
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
    inverted=st.booleans(),
    eight=st.booleans(),
    gamma=st.floats(0.75, 1.35),
)
def test_the_same_breast_is_found_however_it_is_stored(
    phantom: PhantomExam, turns: int, mirrored: bool, inverted: bool, eight: bool, gamma: float
) -> None:
    mammogram = phantom.mammograms[1]
    before = densight.anatomy.read(mammogram)
    pixels = mammogram.pixels / mammogram.pixels.max()
    pixels = pixels**gamma
    pixels = 1 - pixels if inverted else pixels
    stored = np.rint(pixels * (255 if eight else 65535)).astype(np.uint8 if eight else np.uint16)
    after = densight.anatomy.read(Mammogram(set_upright(stored, turns, mirrored).copy(), mammogram.projection))
    assert after.inverted == inverted
    assert dice(after.breast, set_upright(before.breast, turns, mirrored)) > 0.98
    assert after.measured_density == pytest.approx(before.measured_density, abs=10)
    assert after.verdict.good == (turns % 2 == 0)


@given(st.integers(0, 40), st.integers(0, 30), st.integers(1, 40), st.integers(1, 30), st.sampled_from(sorted(UPRIGHT)))
def test_a_box_holds_the_whole_breast(top: int, left: int, height: int, width: int, side: str) -> None:
    mask = np.zeros((90, 70), bool)
    mask[top : top + height, left : left + width] = True
    mask = set_upright(mask, *UPRIGHT[side])  # type: ignore[index]
    row, column, rows, columns = box_around(mask, 0.02)
    assert mask[row : row + rows, column : column + columns].sum() == mask.sum()
    assert column == np.flatnonzero(mask.any(axis=0))[0]


def test_painted_muscles_are_recognised_in_eight_of_eight(data: Path) -> None:
    """The tutorial's images: in its oblique views the muscle is filled with one grey value."""
    for path in sorted((data / "infn" / "TestSet").rglob("*.png")):
        found = densight.anatomy.read(densight.read_mammogram(path))
        coloured = "pectoral muscle painted over" in found.verdict.notes
        assert coloured == ("MLO" in path.name), path.name
        if coloured:
            pixels = densight.read_mammogram(path).pixels
            corner = pixels[0, 0 if "MLO_L" in path.name else -1]
            flat = cv2.morphologyEx((pixels == corner).astype(np.uint8), cv2.MORPH_OPEN, np.ones((25, 25), np.uint8))
            assert found.pectoral[flat.astype(bool)].mean() > 0.95
            assert found.dense[flat.astype(bool)].mean() < 0.02


def test_the_muscle_is_found_on_films_that_no_fitting_has_seen(data: Path) -> None:
    folder = data / "ddsm_tissue"
    found = []
    for path in sorted((folder / "images").iterdir())[::6]:
        tissue = cv2.imread(str(folder / "tissue" / path.name), cv2.IMREAD_GRAYSCALE)
        assert tissue is not None
        found.append(dice(densight.anatomy.read(densight.read_mammogram(path)).pectoral, tissue == 255))
    assert np.mean(found) > 0.85


def test_a_network_s_input_is_as_worked_by_hand() -> None:
    grey = np.full((8, 8), 10, np.float32)
    breast = np.zeros((8, 8), bool)
    breast[:, :4] = True
    grey[:, :4] = np.linspace(30, 50, 32).reshape(8, 4)
    linear, ranks, where = network_input(grey, breast) + 0.5
    assert linear[0, 7] == pytest.approx(0)
    # From air, 10, to the 63rd of 64 quantiles: 30 + 20 × 63/64.
    assert linear[0, 0] == pytest.approx(20 / (20 + 20 * 63 / 64), rel=1e-5)
    assert ranks[0, 7] == pytest.approx(0)
    assert ranks[7, 3] == pytest.approx(1, abs=1e-3)
    assert ranks[4, 0] == pytest.approx(16 / 31, abs=1e-3)
    np.testing.assert_array_equal(where, breast)


def test_the_network_gives_a_value_of_each_label_every_other_pixel() -> None:
    import torch

    given = TissueNetwork().eval()(torch.zeros(2, 3, *FRAME))
    assert given.shape == (2, len(LABELS), FRAME[0] // STRIDE, FRAME[1] // STRIDE)


def test_weights_are_known_by_name_and_small(phantom: PhantomExam) -> None:
    from importlib.resources import files

    sizes = [file.stat().st_size for file in Path(str(files("densight.anatomy") / "weights")).iterdir()]
    assert sum(sizes) < 6e6
    assert load_network("free") is load_network("free")
    with pytest.raises(DensightError, match=r"no weights 'best'.*free, research"):
        densight.anatomy.read(phantom.mammograms[1], weights="best")


def test_a_frame_of_a_film_is_no_part_of_the_breast() -> None:
    made = densight.phantom.exam(seed=12, shape=(512, 416)).mammograms[1]
    pixels = made.pixels.copy()
    pixels[:12] = pixels[-9:] = 3000
    pixels[:, -8:] = 2500
    framed, plain = (locate(Mammogram(image, Projection.CC_L)) for image in (pixels, made.pixels))
    assert not framed.inverted
    assert dice(framed.breast, plain.breast) > 0.98
