"""Phantom exams: the geometry of compression and rays, the truth, interventions, sameness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import densight
from densight.phantom.body import make_breast
from densight.phantom.camera import Camera
from densight.phantom.compression import ANGLES, Rest, press
from densight.phantom.patient import density_of, draw_patient
from densight.phantom.projection import project
from densight.phantom.regions import Ball, Rays
from densight.phantom.settings import Settings
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality, Projection

SMALL = (256, 208)


@given(
    st.floats(50, 90),
    st.floats(50, 90),
    st.floats(25, 80),
    st.floats(-0.2, 0.2),
    st.floats(0.8, 1.3),
)
@settings(max_examples=15, deadline=None)
def test_compression_keeps_every_bit_of_volume(a: float, b: float, thickness: float, lean: float, wide: float) -> None:
    rest = Rest(a, b)
    angles = np.linspace(-np.pi / 2, np.pi / 2, ANGLES)
    reach = (80 * (1 + (wide - 1) * np.sin(angles) ** 2 + lean * np.sin(angles))).astype(np.float32)

    def rounded(x: np.ndarray, q: np.ndarray, edge: np.ndarray) -> np.ndarray:
        rise = np.clip(edge / (thickness / 2), 0, 1)
        return thickness * np.sqrt(rise * (2 - rise))

    plate = press(rest, reach, rounded, middle=5.0)
    pitch = 0.5
    x, q = np.meshgrid(np.arange(pitch / 2, 260, pitch), np.arange(-260, 260, pitch))
    height, rest_x, rest_q = plate.column(x.astype(np.float32), q.astype(np.float32))
    assert height.sum() * pitch**2 == pytest.approx(rest.volume, rel=0.002)
    # The Jacobian of the map is one: an area's change times the height's change.
    area = np.gradient(rest_x, pitch, axis=1) * np.gradient(rest_q, pitch, axis=0)
    area -= np.gradient(rest_x, pitch, axis=0) * np.gradient(rest_q, pitch, axis=1)
    kept = np.abs(area) * 2 * rest.half_height(rest_x, rest_q) / np.maximum(height, 1e-6)
    inside = height > 0.5 * thickness
    assert np.percentile(kept[inside], [5, 95]) == pytest.approx([1, 1], abs=0.03)
    back_x, back_q = plate.place(rest_x[inside][::997], rest_q[inside][::997])
    np.testing.assert_allclose(back_x, x[inside][::997], atol=0.1)
    np.testing.assert_allclose(back_q, q[inside][::997], atol=0.1)


@pytest.mark.parametrize(("seed", "density"), [(1, "A"), (2, "B"), (3, "C"), (4, "D"), (5, "B"), (6, "A")])
def test_both_views_hold_the_glandular_volume_of_the_voxels(seed: int, density: str) -> None:
    patient = draw_patient(seed, Settings(density=density))
    breast = make_breast(patient, Laterality.L, 1.25)
    tissue, focus = breast.tissue, 660.0
    x, y, z = np.meshgrid(
        *(np.arange(0.45, breast.rest.a, 0.9), *[np.arange(-0.45 - breast.rest.b, breast.rest.b + 0.9, 0.9)] * 2),
        indexing="ij",
        copy=False,
    )
    inside = (x / breast.rest.a) ** 2 + (y**2 + z**2) / breast.rest.b**2 < 1
    voxels = breast.glandular_part(tissue.at(*(axis[inside].astype(np.float32) for axis in (x, y, z))))
    truth = float(voxels.sum()) * 0.9**3
    assert truth / breast.rest.volume == pytest.approx(patient.volumetric_density[Laterality.L] / 100, rel=0.01)
    for projection in (Projection.CC_L, Projection.MLO_L):
        camera = Camera(breast, projection, (512, 416), 290 / 512, focus)
        paths = project(camera).paths
        x, q = camera.grid()
        upright = paths.lengths["glandular"] / np.sqrt(1 + (x**2 + q**2) / focus**2)
        # A ray's share of the volume is the pixel's area where the ray is at half the thickness.
        volume = float(upright.sum()) * (paths.pitch * (1 - paths.thickness / 2 / focus)) ** 2
        assert volume == pytest.approx(truth, rel=0.02)


def test_tissue_along_a_ray_is_the_compressed_thickness() -> None:
    patient = draw_patient(7, Settings(thickness=50.0))
    camera = Camera(make_breast(patient, Laterality.R, 1.25), Projection.CC_R, SMALL, 290 / 256, 660.0)
    paths = project(camera).paths
    x, q = camera.grid()
    oblique = np.sqrt(1 + (x**2 + q**2) / 660**2)
    whole = sum(paths.lengths.values()) / oblique
    middle = whole[118:138, 3:20]
    np.testing.assert_allclose(middle, 50.0, rtol=1e-4)
    assert whole.max() < 50.01


def test_an_exam_has_four_mammograms_and_their_truth() -> None:
    exam = densight.phantom.exam(seed=1, shape=SMALL)
    assert tuple(mammogram.projection for mammogram in exam) == PROJECTIONS
    assert exam.density == exam.truth.density == density_of(exam.truth.volumetric_density)
    for mammogram in exam:
        truth = exam.truth.images[mammogram.projection]
        assert mammogram.pixels.dtype == np.uint16
        assert mammogram.shape == truth.breast.shape == SMALL
        assert mammogram.spacing == (290 / 256, 290 / 256)
        assert truth.pectoral.any() == (mammogram.projection.view == "MLO")
        assert truth.breast[truth.pectoral | truth.dense | truth.skin | truth.nipple].all()
        assert not (truth.dense & truth.pectoral).any()
        area = (truth.breast & ~truth.pectoral).sum()
        assert truth.percent_density == pytest.approx(100 * truth.dense.sum() / area)
        outside, inside = np.median(mammogram.pixels[~truth.breast]), np.median(mammogram.pixels[truth.breast])
        assert outside < 0.2 * inside


def test_chest_walls_are_where_the_viewing_convention_has_them() -> None:
    hung = densight.phantom.exam(seed=3, shape=(128, 104))
    against = densight.phantom.exam(seed=3, shape=(128, 104), mirrored=True)
    for projection in PROJECTIONS:
        breast = hung.truth.images[projection].breast
        at_right = breast[:, -1].sum() > breast[:, 0].sum()
        assert at_right == (projection.laterality == "R")
        np.testing.assert_array_equal(against.truth.images[projection].breast, breast[:, ::-1])


def test_one_seed_makes_the_same_exam_and_another_other_anatomy() -> None:
    first, again = (densight.phantom.exam(seed=11, shape=(128, 104)) for _ in range(2))
    other = densight.phantom.exam(seed=12, shape=(128, 104))
    for one, two, three in zip(first, again, other, strict=True):
        assert one.pixels.tobytes() == two.pixels.tobytes() != three.pixels.tobytes()
        glandular = first.truth.images[one.projection].glandular
        assert glandular.tobytes() == again.truth.images[one.projection].glandular.tobytes()
        assert not np.array_equal(glandular, other.truth.images[one.projection].glandular)


def test_right_and_left_are_alike_but_not_the_same() -> None:
    def correlation(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])

    alike, strangers = [], []
    exams = [densight.phantom.exam(seed=seed, density="C", shape=(128, 104)) for seed in range(20, 26)]
    for exam, next_exam in zip(exams, exams[1:] + exams[:1], strict=True):
        right, left = (exam.truth.images[p].glandular for p in (Projection.CC_R, Projection.CC_L))
        alike.append(correlation(right[:, ::-1], left))
        strangers.append(correlation(right[:, ::-1], next_exam.truth.images[Projection.CC_L].glandular))
    assert np.mean(alike) > np.mean(strangers) + 0.05
    assert max(alike) < 0.99


@pytest.mark.parametrize("density", BIRADS)
def test_a_class_that_is_asked_for_is_made(density: str) -> None:
    assert densight.phantom.exam(seed=5, density=density, shape=(128, 104)).truth.density == density


@pytest.mark.parametrize("to", ["fat", "fibroglandular"])
def test_a_changed_ball_changes_no_pixel_whose_ray_misses_it(to: str) -> None:
    exam = densight.phantom.exam(seed=8, density="C", shape=SMALL)
    changed = densight.phantom.intervene(exam, Ball("L", (35.0, 5.0, 5.0), 16.0), to=to)
    for before, after in zip(exam, changed, strict=True):
        truth = changed.truth.images[after.projection]
        different = before.pixels != after.pixels
        if after.projection.laterality == "R":
            assert not different.any()
            continue
        assert truth.touched is not None
        assert not different[~truth.touched].any()
        assert different[truth.touched].mean() > 0.3
        thicker = truth.glandular - exam.truth.images[after.projection].glandular
        sign = 1 if to == "fibroglandular" else -1
        assert (sign * thicker[truth.touched]).sum() > 0
        grey = after.pixels[truth.touched].astype(float).mean() - before.pixels[truth.touched].astype(float).mean()
        assert sign * grey > 0
    volumes = [one.truth.volumetric_density for one in (exam, changed)]
    assert (volumes[1] > volumes[0]) == (to == "fibroglandular")


def test_the_rays_of_a_mask_hold_no_glandular_tissue_any_more_and_the_other_view_loses_it_too() -> None:
    exam = densight.phantom.exam(seed=9, density="D", shape=SMALL)
    mask = np.zeros(SMALL, bool)
    mask[100:140, 160:190] = True
    changed = densight.phantom.intervene(exam, Rays("CC_R", mask), to="fat")
    truth = changed.truth.images[Projection.CC_R]
    assert exam.truth.images[Projection.CC_R].glandular[mask].sum() > 0
    assert truth.glandular[mask].sum() == 0
    np.testing.assert_array_equal(truth.glandular[~mask], exam.truth.images[Projection.CC_R].glandular[~mask])
    # What left the CC left the MLO: the same volume, to what a pixel is worth.
    lost = [
        exam.truth.images[p].glandular.sum() - changed.truth.images[p].glandular.sum()
        for p in (Projection.CC_R, Projection.MLO_R)
    ]
    assert lost[1] == pytest.approx(lost[0], rel=0.1)


def test_an_intervention_keeps_the_noise() -> None:
    exam = densight.phantom.exam(seed=10, density="C", shape=SMALL, style="raw")
    same = densight.phantom.intervene(exam, Ball("R", (500.0, 0.0, 0.0), 1.0), to="fat")
    for before, after in zip(exam, same, strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)


@pytest.mark.parametrize(
    ("region", "to", "fault"),
    [
        (Ball("R", (30, 0, 0), 10), "muscle", "cannot be changed"),
        (Rays("CC_R", np.ones((4, 4), bool)), "fat", "mask"),
    ],
)
def test_an_impossible_intervention_is_refused(region: Ball | Rays, to: str, fault: str) -> None:
    exam = densight.phantom.exam(seed=1, shape=(64, 64))
    with pytest.raises(DensightError, match=fault):
        densight.phantom.intervene(exam, region, to=to)


def test_a_ball_without_a_radius_is_refused() -> None:
    with pytest.raises(DensightError, match="radius"):
        Ball("R", (30, 0, 0), 0)


@pytest.mark.parametrize("style", ["raw", "film"])
def test_other_styles_show_the_same_anatomy(style: str) -> None:
    display, other = (densight.phantom.exam(seed=2, shape=(128, 104), style=one) for one in ("display", style))
    for mammogram in other:
        assert mammogram.pixels.dtype == (np.uint8 if style == "film" else np.uint16)
        one, two = (made.truth.images[mammogram.projection].glandular for made in (display, other))
        np.testing.assert_array_equal(one, two)


def test_monochrome1_is_the_inverted_image() -> None:
    bright, dark = (densight.phantom.exam(seed=2, shape=(128, 104), photometric=f"MONOCHROME{i}") for i in (2, 1))
    for one, other in zip(bright, dark, strict=True):
        np.testing.assert_array_equal(4095 - one.pixels, other.pixels)


def test_a_changed_exam_is_not_changed_from_the_start_again() -> None:
    exam = densight.phantom.exam(seed=1, shape=(64, 64))
    changed = densight.phantom.intervene(exam, Ball("L", (35.0, 5.0, 5.0), 16.0), to="fat")
    with pytest.raises(DensightError, match="changed already"):
        densight.phantom.intervene(changed, Ball("R", (35.0, 5.0, 5.0), 16.0), to="fat")
