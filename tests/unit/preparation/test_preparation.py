"""What the network sees: the presets ``tutorial``, ``default`` and ``breast``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from densight.anatomy.breast import breast_mask
from densight.anatomy.reading import read
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.preparation.prepare import DARKEST, PRESETS, Preparation, finish, frame, prepare
from densight.vocabulary import DensightError

TUTORIAL, DEFAULT, BREAST = map(Preparation.usual, ("tutorial", "default", "breast"))
SMALL = Preparation("tutorial", (35, 33))


@pytest.fixture(scope="module")
def films(data: Path) -> list[Mammogram]:
    """Mini-MIAS films of both sides and every tissue, with labels, tape and fog."""
    names = ("mdb003", "mdb060", "mdb083", "mdb123", "mdb152", "mdb180", "mdb216", "mdb243", "mdb287", "mdb291")
    return [read_mammogram(data / "mias" / "images" / f"{name}.png", "MLO_R") for name in names]


def test_a_preset_has_its_usual_frame_and_channels() -> None:
    assert (TUTORIAL.shape, TUTORIAL.channels) == ((650, 650), 3)
    assert (DEFAULT.shape, DEFAULT.channels) == (PRESETS["default"][0], 1)
    assert (BREAST.shape, BREAST.channels) == (PRESETS["breast"][0], 3)


@pytest.mark.parametrize(
    ("preset", "shape", "message"),
    [
        ("tutorail", (650, 650), "unknown preparation 'tutorail'.*tutorial, default, breast"),
        ("default", (384, 31), r"the frame \(384, 31\) is too small"),
    ],
)
def test_an_unknown_preset_and_a_tiny_frame_are_refused(preset: str, shape: tuple[int, int], message: str) -> None:
    with pytest.raises(DensightError, match=message):
        Preparation(preset, shape)


# --- preset tutorial -----------------------------------------------------------------------------------------------


def test_the_tutorial_takes_the_pixel_under_each_centre_going_down() -> None:
    """77 rows to 35: centre (i + 0.5) * 2.2; 66 columns to 33: the odd ones."""
    pixels = np.add.outer(np.arange(77), np.zeros(66)).astype(np.uint8)
    rows = frame(Mammogram(pixels), SMALL).image[:, 0]
    np.testing.assert_array_equal(rows[:10], [1, 3, 5, 7, 9, 12, 14, 16, 18, 20])
    columns = frame(Mammogram(np.tile(np.arange(66, dtype=np.uint8), (77, 1))), SMALL).image[0]
    np.testing.assert_array_equal(columns, np.arange(1, 66, 2))


def test_the_tutorial_takes_the_pixel_under_each_centre_going_up() -> None:
    """11 rows to 35: centre (i + 0.5) * 11 / 35, so three or four frame rows a row; 11 columns to 33: three each."""
    pixels = np.add.outer(np.arange(11), np.zeros(11)).astype(np.uint8)
    rows = frame(Mammogram(pixels), SMALL).image[:, 0]
    np.testing.assert_array_equal(rows[:11], [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3])
    columns = frame(Mammogram(np.tile(np.arange(11, dtype=np.uint8), (11, 1))), SMALL).image[0]
    np.testing.assert_array_equal(columns, np.repeat(np.arange(11), 3))


sides = st.integers(1, 90)


@settings(deadline=None)
@given(st.tuples(sides, sides), st.tuples(st.integers(32, 50), st.integers(32, 50)), st.integers(0, 100))
def test_the_tutorial_s_nearest_pixel_is_the_one_under_the_centre(
    image: tuple[int, int], shape: tuple[int, int], seed: int
) -> None:
    """By whole numbers: pixel ``(2 i + 1) n // 2 m``; where the centre falls on an edge, either neighbour."""
    pixels = np.random.default_rng(seed).integers(0, 256, image, np.uint8)
    framed = frame(Mammogram(pixels), Preparation("tutorial", shape))
    index, between = [], []
    for n, m in zip(image, shape, strict=True):
        centres = (2 * np.arange(m) + 1) * n
        index.append(centres // (2 * m))
        between.append(centres % (2 * m) == 0)
    clear = ~np.logical_or.outer(*between)
    np.testing.assert_array_equal(framed.image[clear], pixels[np.ix_(*index)][clear])
    assert framed.geometry.content_shape == shape


@settings(deadline=None)
@given(st.tuples(sides, sides), st.integers(0, 100))
def test_the_tutorial_gives_three_equal_channels_of_mean_zero(image: tuple[int, int], seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, image, np.uint8)
    prepared = prepare(Mammogram(pixels), SMALL)
    assert prepared.tensor.shape == (3, 35, 33)
    assert prepared.tensor.dtype == np.float32
    assert np.all(prepared.tensor == prepared.tensor[:1])
    assert abs(prepared.tensor.mean(dtype=np.float64)) < 1e-6
    np.testing.assert_allclose(np.ptp(prepared.tensor) * 255, np.ptp(prepared.image), atol=1e-3)


def test_the_tutorial_on_a_worked_image() -> None:
    """One pixel in four of grey 255, the others 51: 1 and 0.2, minus their mean 0.4."""
    pixels = np.full((64, 64), 51, np.uint8)
    pixels[:32, :32] = 255
    tensor = prepare(Mammogram(pixels), Preparation("tutorial", (64, 64))).tensor
    np.testing.assert_allclose(tensor[:, 0, 0], 0.6, atol=1e-6)
    np.testing.assert_allclose(tensor[:, 40, 40], -0.2, atol=1e-6)


@pytest.mark.parametrize(
    ("largest", "bits", "divisor"),
    [(255, 8, 1), (256, 10, 4), (1023, 10, 4), (4095, 12, 16), (4096, 14, 64), (16383, 14, 64), (65535, 16, 256)],
)
def test_the_tutorial_brings_deeper_grey_values_to_eight_bits_and_says_so(
    largest: int, bits: int, divisor: int
) -> None:
    pixels = np.zeros((64, 64), np.uint16)
    pixels[5], pixels[6] = largest, divisor * 9 + divisor - 1
    framed = frame(Mammogram(pixels), Preparation("tutorial", (64, 64)))
    assert framed.image.max() == largest // divisor
    assert framed.image[6, 0] == 9
    assert f"grey values up to {largest} taken as of {bits} bits, divided by {divisor}" in framed.done


def test_the_tutorial_says_what_it_did_and_what_reading_assumed() -> None:
    mammogram = Mammogram(np.eye(70, dtype=np.uint8), assumed=("transparency ignored",))
    done = prepare(mammogram, TUTORIAL).done
    assert done == ("transparency ignored", "preset tutorial", "stretched to 650×650, nearest pixel")


def test_the_tutorial_equals_pillow_and_keras_arithmetic_on_a_real_mammogram(data: Path) -> None:
    """Keras' loader and generator by their formulae: Pillow's nearest pixel to RGB, times 1/255, minus the mean."""
    path = next((data / "infn" / "TestSet" / "CC_R" / "test" / "D").glob("*.png"))
    with Image.open(path) as image:
        keras = np.asarray(image.convert("RGB").resize((650, 650), Image.Resampling.NEAREST), np.float32)
    keras = keras * np.float32(1 / 255)
    keras -= np.mean(keras, keepdims=True)
    np.testing.assert_array_equal(prepare(read_mammogram(path), TUTORIAL).tensor, keras.transpose(2, 0, 1))


# --- preset default ------------------------------------------------------------------------------------------------


def half_ellipse(shape: tuple[int, int] = (300, 250), peak: int = 200) -> np.ndarray:
    """A breast with its chest wall at the left, brighter inwards, without a step at its skin."""
    rows, columns = np.indices(shape)
    inside = 1 - ((rows - shape[0] / 2) / (0.4 * shape[0])) ** 2 - (columns / (0.6 * shape[1])) ** 2
    return np.where(inside > 0, peak * np.sqrt(np.maximum(inside, 0)), 0).astype(np.uint8)


def test_the_default_keeps_the_aspect_ratio_and_fits_the_breast(films: list[Mammogram]) -> None:
    for film in films:
        framed = frame(film, DEFAULT)
        geometry = framed.geometry
        assert geometry.scale[0] == pytest.approx(geometry.scale[1], rel=0.005)
        assert geometry.content_shape[0] == 384 or geometry.content_shape[1] == 256
        breast = np.argwhere(breast_mask(film)).astype(float)
        assert geometry.seen()[breast_mask(film)].all()
        places = geometry.to_frame(breast)
        assert places.min() > -0.5
        assert (places.max(axis=0) < np.array(DEFAULT.shape) - 0.5).all()


def test_the_default_brings_the_chest_wall_to_the_left_edge(films: list[Mammogram]) -> None:
    for film in films:
        image = frame(film, DEFAULT).image
        columns = (image > 0).sum(axis=0)
        assert columns[1] > 0.5 * DEFAULT.shape[0], film.name
        assert columns[:60].sum() > 1.2 * columns[-60:].sum(), film.name


def test_the_default_s_grey_values_are_zero_to_one_in_the_breast_and_zero_in_air(films: list[Mammogram]) -> None:
    for film in films:
        framed = frame(film, DEFAULT)
        assert framed.image.dtype == np.float32
        assert (framed.image.min(), framed.image.max()) == (0, 1)
        tissue = framed.image[framed.image > 0]
        assert np.mean(tissue == 1) < 0.02
        assert tissue.size / framed.image.size < 0.8


def test_the_default_s_last_step_is_an_affine_one() -> None:
    image = np.array([[0.0, 0.5, 1.0]], np.float32)
    np.testing.assert_array_equal(finish(image, DEFAULT), [[[-2, 0, 2]]])


def test_the_default_sees_a_mirrored_film_as_the_film_itself(films: list[Mammogram]) -> None:
    for film in films:
        ahead = prepare(film, DEFAULT)
        mirrored = prepare(Mammogram(np.ascontiguousarray(film.pixels[:, ::-1])), DEFAULT)
        np.testing.assert_allclose(mirrored.tensor, ahead.tensor, atol=1e-4)
        assert mirrored.geometry.mirrored != ahead.geometry.mirrored
        np.testing.assert_array_equal(mirrored.geometry.seen(), ahead.geometry.seen()[:, ::-1])


@settings(max_examples=30, deadline=None)
@given(st.integers(200, 700), st.integers(150, 420), st.sampled_from(["left", "right", "top", "bottom"]))
def test_the_default_sets_any_breast_upright(rows: int, columns: int, wall: str) -> None:
    pixels = half_ellipse((rows, columns))
    turned = {"left": pixels, "right": pixels[:, ::-1], "top": np.rot90(pixels, 3), "bottom": np.rot90(pixels)}
    upright = prepare(Mammogram(pixels), DEFAULT)
    prepared = prepare(Mammogram(np.ascontiguousarray(turned[wall])), DEFAULT)
    assert np.abs(prepared.image - upright.image).mean() < 0.01
    np.testing.assert_allclose(prepared.geometry.box, upright.geometry.box, atol=2)
    assert any(f"the chest wall {'is' if wall == 'left' else 'was'} at the {wall}" in said for said in prepared.done)


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_a_bright_label_in_a_corner_changes_next_to_nothing(films: list[Mammogram], corner: tuple[int, int]) -> None:
    """A label of 16 bits in an image of 12: without care, it alone would be bright."""
    for film in films[:4]:
        deep = film.pixels.astype(np.uint16) * 16
        expected = frame(Mammogram(deep), DEFAULT).image
        rows = slice(0, 70) if corner[0] == 0 else slice(-70, None)
        columns = slice(0, 120) if corner[1] == 0 else slice(-120, None)
        if breast_mask(film)[rows, columns].any():
            continue
        deep[rows, columns] = 65535
        labelled = frame(Mammogram(deep), DEFAULT).image
        assert np.abs(labelled - expected).mean() < 0.01


def test_twelve_bits_in_a_sixteen_bit_pgm_equal_eight_bits_up_to_rounding(
    films: list[Mammogram], tmp_path: Path
) -> None:
    for film in films[:3]:
        noise = np.random.default_rng(0).integers(0, 16, film.shape)
        deep = film.pixels.astype(">u2") * 16 + noise.astype(">u2")
        path = tmp_path / f"{film.name}_MLO_R.pgm"
        path.write_bytes(b"P5 %d %d 4095\n" % film.shape[::-1] + deep.astype(">u2").tobytes())
        twelve, eight = frame(read_mammogram(path), DEFAULT), frame(film, DEFAULT)
        assert np.abs(twelve.image - eight.image).mean() < 2 / 255
        low, high = ([float(word) for word in f.done[-1].split() if word.isdigit()][:2] for f in (eight, twelve))
        np.testing.assert_allclose(np.array(high) / 16, low, atol=1.5)


def test_the_default_says_what_it_did() -> None:
    done = frame(Mammogram(half_ellipse()[:, ::-1].copy()), DEFAULT).done
    assert done[0] == "preset default"
    assert done[1] == "mirrored left to right, because the chest wall was at the right"
    assert re.fullmatch(r"cropped to the breast, 2[45]\d of 300 rows and 15\d of 250 columns", done[2])
    assert re.fullmatch(r"grey values \d+ to \d+ inside the breast taken as 0 to 1", done[3])


@pytest.mark.parametrize("kind", ["noise", "specks", "faint"])
def test_the_default_refuses_an_image_in_which_no_breast_stands_out(kind: str) -> None:
    rng = np.random.default_rng(0)
    pixels = {
        "noise": rng.integers(0, 256, (400, 300), np.uint8),
        "specks": (rng.random((400, 300)) < 0.001).astype(np.uint8) * 255,
        "faint": rng.normal(100, 5, (400, 300)).astype(np.uint8),
    }[kind]
    with pytest.raises(DensightError, match=r"a\.png: no breast stands out.*check that it is a mammogram"):
        prepare(Mammogram(pixels, path=Path("a.png")), DEFAULT)


def test_the_default_refuses_a_breast_of_one_grey_value() -> None:
    """A mask saved as an image, for instance."""
    pixels = np.zeros((300, 250), np.uint8)
    pixels[40:260, :150] = 90
    with pytest.raises(DensightError, match=r"a\.png: the breast has one grey value only.*check the export"):
        prepare(Mammogram(pixels, path=Path("a.png")), DEFAULT)


def test_simulated_images_with_the_chest_wall_at_the_top_are_set_upright(data: Path) -> None:
    for path in sorted((data / "msynth").rglob("*.jpg"))[::12]:
        framed = frame(read_mammogram(path), DEFAULT)
        assert framed.geometry.turns == 1
        assert "turned by 90° counterclockwise, because the chest wall was at the top" in framed.done
        assert (framed.image[:, 0] > 0).sum() > 4 * (framed.image[:, -20] > 0).sum()


def test_the_preparation_leaves_the_mammogram_as_it_is(films: list[Mammogram]) -> None:
    before = films[0].pixels.copy()
    for preparation in (TUTORIAL, DEFAULT):
        prepare(films[0], preparation)
    np.testing.assert_array_equal(films[0].pixels, before)


# --- preset breast -------------------------------------------------------------------------------------------------


def test_the_muscle_and_what_lies_beside_the_breast_are_hidden(films: list[Mammogram]) -> None:
    for film in films[:4]:
        anatomy = read(film)
        framed = frame(film, BREAST, anatomy=anatomy)
        hidden, tissue = (
            framed.geometry.image_to_frame(mask)
            for mask in (anatomy.pectoral | ~anatomy.breast, anatomy.breast & ~anatomy.pectoral)
        )
        assert (framed.image[hidden > 0.6] == 0).all()
        assert (framed.image[tissue > 0.6] >= DARKEST - 1e-6).all()
        assert framed.image.max() == pytest.approx(1)
        assert anatomy.pectoral.any()


def test_preset_breast_sees_the_same_of_a_mirrored_and_of_a_negative_image(films: list[Mammogram]) -> None:
    film = films[0]
    seen = prepare(film, BREAST)
    mirrored = prepare(Mammogram(np.ascontiguousarray(film.pixels[:, ::-1]), film.projection), BREAST)
    negative = prepare(Mammogram(255 - film.pixels, film.projection), BREAST)
    np.testing.assert_array_equal(mirrored.tensor, seen.tensor)
    assert np.mean(np.abs(negative.image - seen.image) > 0.02) < 0.02
    assert any("inverted" in words for words in negative.done)


def test_the_channels_of_preset_breast_are_grey_values_ranks_and_the_breast() -> None:
    image = np.zeros((320, 208), np.float32)
    image[:160, :100] = np.linspace(0.05, 1, 16000, dtype=np.float32).reshape(160, 100) ** 2
    grey, ranks, breast = finish(image, BREAST) + 0.5
    np.testing.assert_allclose(grey, image, atol=1e-6)
    np.testing.assert_array_equal(breast, image > 0)
    np.testing.assert_allclose(ranks[:160, :100].ravel(), np.linspace(0, 1, 16000), atol=0.01)
    assert (ranks[image == 0] == 0).all()
    # No curve of a film or a display changes ranks.
    np.testing.assert_allclose(finish(np.sqrt(image), BREAST)[1], finish(image, BREAST)[1], atol=0.01)


def test_another_picture_of_a_breast_is_framed_by_the_first(films: list[Mammogram]) -> None:
    film = films[0]
    painted = film.pixels // 2
    other = frame(Mammogram(painted, film.projection), BREAST, like=film)
    first = frame(film, BREAST)
    assert other.geometry == first.geometry
    assert other.image.max() < 0.6
    np.testing.assert_array_equal(other.image > 0, first.image > 0)


def test_preset_breast_refuses_what_shows_no_breast() -> None:
    with pytest.raises(DensightError, match="no breast is found in it"):
        prepare(Mammogram(np.zeros((300, 200), np.uint8), path=Path("black.png")), BREAST)
