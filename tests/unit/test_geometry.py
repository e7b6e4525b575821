"""The way to the network's frame and back, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from densight.geometry import Geometry, set_upright
from densight.intake.mammogram import Mammogram
from densight.preparation.prepare import Preparation, prepare
from densight.vocabulary import DensightError

sides = st.integers(1, 60)
shapes = st.tuples(sides, sides)


@st.composite
def geometries(draw: st.DrawFn, frames: st.SearchStrategy[tuple[int, int]] = shapes) -> Geometry:
    """Both ways of making one, of any sizes: odd, thin, larger and smaller than the frame."""
    image, frame = draw(shapes), draw(frames)
    if draw(st.booleans()):
        return Geometry.stretched(image, frame)
    turns = draw(st.integers(0, 3))
    upright = image[::-1] if turns % 2 else image
    box = []
    for length in upright:
        first = draw(st.integers(0, length - 1))
        box.append((first, draw(st.integers(1, length - first))))
    (row, rows), (column, columns) = box
    return Geometry.fitted(image, frame, (row, column, rows, columns), turns=turns, mirrored=draw(st.booleans()))


def centres(shape: tuple[int, int]) -> np.ndarray:
    return np.stack(np.indices(shape), axis=-1).reshape(-1, 2).astype(float)


@settings(deadline=None)
@given(geometries())
def test_image_to_frame_to_image_is_exact(geometry: Geometry) -> None:
    points = centres(geometry.image_shape)
    np.testing.assert_allclose(geometry.to_image(geometry.to_frame(points)), points, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(geometries())
def test_frame_to_image_to_frame_is_exact(geometry: Geometry) -> None:
    points = centres(geometry.frame_shape)
    np.testing.assert_allclose(geometry.to_frame(geometry.to_image(points)), points, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(st.tuples(st.integers(200, 6000), st.integers(200, 6000)), st.booleans(), st.integers(0, 3))
def test_the_round_trip_is_exact_at_a_detectors_size(image: tuple[int, int], mirrored: bool, turns: int) -> None:
    upright = image[::-1] if turns % 2 else image
    box = (7, 11, upright[0] - 13, upright[1] - 29)
    points = np.random.default_rng(0).uniform(0, 199, (500, 2))
    for geometry in (
        Geometry.stretched(image, (650, 650)),
        Geometry.fitted(image, (384, 256), box, turns=turns, mirrored=mirrored),
    ):
        np.testing.assert_allclose(geometry.to_image(geometry.to_frame(points)), points, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(geometries())
def test_the_box_fills_its_place_in_the_frame_from_edge_to_edge(geometry: Geometry) -> None:
    inside = geometry.to_frame(np.argwhere(geometry.seen()).astype(float))
    for axis in (0, 1):
        half = geometry.scale[axis] / 2
        assert inside[:, axis].min() - half == pytest.approx(geometry.offset[axis] - 0.5)
        assert inside[:, axis].max() + half == pytest.approx(geometry.offset[axis] + geometry.content_shape[axis] - 0.5)
        assert 0 <= geometry.offset[axis] <= geometry.frame_shape[axis] - geometry.content_shape[axis]


@settings(deadline=None)
@given(geometries())
def test_what_was_seen_is_the_box_and_nothing_else(geometry: Geometry) -> None:
    points = centres(geometry.image_shape)
    in_frame = geometry.to_frame(points) - geometry.offset
    expected = ((in_frame > -0.5) & (in_frame < np.array(geometry.content_shape) - 0.5)).all(axis=1)
    np.testing.assert_array_equal(geometry.seen().ravel(), expected)
    assert geometry.seen().sum() == geometry.box[2] * geometry.box[3]


@settings(deadline=None)
@given(geometries(), st.integers(0, 1000))
def test_a_map_of_one_value_a_frame_pixel_comes_back_where_to_frame_says(geometry: Geometry, seed: int) -> None:
    grid = np.random.default_rng(seed).normal(size=geometry.frame_shape).astype(np.float32)
    image = geometry.map_to_image(grid)
    assert image.shape == geometry.image_shape
    assert image.dtype == np.float32
    points = centres(geometry.image_shape)
    expected = np.array([_bilinear(grid, *point) for point in geometry.to_frame(points)]).reshape(image.shape)
    np.testing.assert_allclose(image, np.where(geometry.seen(), expected, 0), rtol=0, atol=1e-5)


def _bilinear(grid: np.ndarray, row: float, column: float) -> float:
    row, column = (float(np.clip(at, 0, length - 1)) for at, length in zip((row, column), grid.shape, strict=True))
    i, j = int(row), int(column)
    below, right = min(i + 1, grid.shape[0] - 1), min(j + 1, grid.shape[1] - 1)
    v, u = row - i, column - j
    upper = (1 - u) * grid[i, j] + u * grid[i, right]
    return float((1 - v) * upper + v * ((1 - u) * grid[below, j] + u * grid[below, right]))


@settings(deadline=None)
@given(geometries(), st.floats(-5, 5, width=32))
def test_a_constant_map_comes_back_constant_where_seen_and_zero_elsewhere(geometry: Geometry, value: float) -> None:
    image = geometry.map_to_image(np.full((3, 2), value, np.float32), (1.5, 2.0), (4.0, 7.0))
    np.testing.assert_array_equal(image, np.where(geometry.seen(), np.float32(value), 0))


def test_one_hot_cells_come_back_where_they_came_from() -> None:
    """8×8 pixels in a frame of 4×4, two pixels a cell: cell (1, 2) is centred between pixels 2 and 3, 4 and 5."""
    grid = np.zeros((4, 4), np.float32)
    grid[1, 2] = 1
    image = Geometry.stretched((8, 8), (4, 4)).map_to_image(grid)
    rows, columns = np.array([0, 0.25, 0.75, 0.75, 0.25, 0, 0, 0]), np.array([0, 0, 0, 0.25, 0.75, 0.75, 0.25, 0])
    np.testing.assert_allclose(image, np.outer(rows, columns), atol=1e-6)


def test_coarse_cells_lie_at_their_origin_and_step() -> None:
    """A 9×9 frame in 3×3 cells centred on its positions 1, 4, 7; the pixel at a cell's centre has its whole value."""
    grid = np.zeros((3, 3), np.float32)
    grid[2, 0] = 6
    image = Geometry.stretched((9, 9), (9, 9)).map_to_image(grid, origin=(1.0, 1.0), step=(3.0, 3.0))
    assert image[7, 1] == 6
    np.testing.assert_allclose(image[:, 1], [0, 0, 0, 0, 0, 2, 4, 6, 6], atol=1e-6)
    np.testing.assert_allclose(image[7], [6, 6, 4, 2, 0, 0, 0, 0, 0], atol=1e-6)


def test_a_mirrored_and_cropped_map_comes_back_at_the_other_side() -> None:
    """The box is columns 1–2 of the mirrored image, which are columns 2 and 1 of the image."""
    geometry = Geometry.fitted((2, 4), (2, 2), (0, 1, 2, 2), mirrored=True)
    image = geometry.map_to_image(np.array([[1, 2], [3, 4]], np.float32))
    np.testing.assert_array_equal(image, [[0, 2, 1, 0], [0, 4, 3, 0]])


def test_a_turned_map_comes_back_turned_back() -> None:
    """A quarter turn against the clock brings the last column to the first row."""
    geometry = Geometry.fitted((2, 3), (3, 2), (0, 0, 3, 2), turns=1, mirrored=False)
    np.testing.assert_array_equal(set_upright(np.array([[1, 2, 3], [4, 5, 6]]), 1, False), [[3, 6], [2, 5], [1, 4]])
    image = geometry.map_to_image(np.array([[3, 6], [2, 5], [1, 4]], np.float32))
    np.testing.assert_array_equal(image, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(geometry.to_frame(np.array([[0.0, 2.0], [1.0, 2.0]])), [[0, 0], [0, 1]])


@settings(deadline=None)
@given(shapes, st.integers(0, 3), st.booleans())
def test_points_go_where_the_pixels_go(image: tuple[int, int], turns: int, mirrored: bool) -> None:
    pixels = np.arange(image[0] * image[1]).reshape(image)
    upright = set_upright(pixels, turns, mirrored)
    geometry = Geometry.fitted(image, upright.shape, (0, 0, *upright.shape), turns=turns, mirrored=mirrored)
    places = np.rint(geometry.to_frame(centres(image))).astype(int)
    np.testing.assert_array_equal(upright[places[:, 0], places[:, 1]], pixels.ravel())


@settings(deadline=None)
@given(shapes, shapes)
def test_fitting_keeps_the_aspect_ratio_but_for_whole_pixels(image: tuple[int, int], frame: tuple[int, int]) -> None:
    geometry = Geometry.fitted(image, frame, (0, 0, *image), mirrored=False)
    scale = min(frame[0] / image[0], frame[1] / image[1])
    for length, fitted in zip(image, geometry.content_shape, strict=True):
        assert abs(fitted - length * scale) <= 0.5 or fitted == 1


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
@pytest.mark.parametrize("wall", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("preset", ["tutorial", "default"])
def test_a_bright_corner_of_the_breast_comes_back_in_the_same_corner(
    wall: str, corner: tuple[int, int], preset: str
) -> None:
    """A half disc at each side of the image, one of its corners bright; what the network sees, brought back."""
    pixels = _half_disc(wall)
    breast = np.argwhere(pixels > 0)
    ends = np.where(np.array(corner) == 0, breast.min(axis=0), breast.max(axis=0))
    nearest = breast[np.abs(breast - ends).sum(axis=1).argmin()]
    distance = np.hypot(*(np.indices(pixels.shape) - nearest[:, None, None]))
    there = (distance < 45) & (pixels > 0)
    pixels[there] = 250
    prepared = prepare(Mammogram(pixels), Preparation.usual(preset))
    back = prepared.geometry.map_to_image(prepared.tensor[0] - prepared.tensor[0].min())
    bright = back > 0.8 * back.max()
    assert (bright & there).sum() > 0.9 * bright.sum()
    assert (bright & there).sum() > 0.7 * there.sum()


def _half_disc(wall: str) -> np.ndarray:
    """A breast whose chest wall is at that side of the image."""
    rows, columns = np.indices((300, 400))
    pixels = np.where(((rows - 150) / 120) ** 2 + (columns / 200) ** 2 < 1, 100, 0)
    pixels += np.where(pixels > 0, rows % 40, 0)
    turned = {"left": pixels, "right": pixels[:, ::-1], "top": pixels.T, "bottom": pixels.T[::-1]}
    return np.ascontiguousarray(turned[wall].astype(np.uint8))


@pytest.mark.parametrize(
    ("box", "scale", "turns"),
    [
        ((-1, 0, 4, 4), (1.0, 1.0), 0),
        ((0, 0, 9, 4), (1.0, 1.0), 0),
        ((0, 0, 8, 0), (1.0, 1.0), 0),
        ((0, 0, 8, 4), (0.0, 1.0), 0),
        ((0, 0, 8, 4), (1.0, 1.0), 1),
        ((0, 0, 8, 4), (1.0, 1.0), 4),
    ],
)
def test_a_box_outside_the_image_is_refused(
    box: tuple[int, int, int, int], scale: tuple[float, float], turns: int
) -> None:
    with pytest.raises(DensightError, match=r"not inside an image \(8, 4\)"):
        Geometry((8, 4), (8, 8), turns, False, box, scale, (0, 0))
