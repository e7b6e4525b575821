from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure
from PIL import Image

from densight.explanation.explanation import Explanation
from densight.explanation.hanging_protocol import draw_hanging
from densight.explanation.overlay import draw_overlay, make_overlays
from densight.explanation.panels import (
    draw_classes,
    read_raw,
    save_raw,
    save_tutorial_pictures,
)
from densight.geometry import Geometry
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.preparation.prepare import Preparation, frame
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality, Projection, View
from tests.examples import draw_breast

TUTORIAL = Preparation("tutorial", (130, 130))


def breast(projection: Projection | None = Projection.MLO_L, *, wall_left: bool = True, seed: int = 1) -> Mammogram:
    image = draw_breast(seed, 0.5, right=not wall_left, shape=(260, 200))
    return Mammogram(np.ascontiguousarray(image), projection, Path("breast.png"))


def explain(
    mammogram: Mammogram,
    cells: np.ndarray | None = None,
    probabilities: tuple[float, ...] = (0.1, 0.2, 0.6, 0.1),
    classes: tuple[str, ...] = BIRADS,
) -> Explanation:
    """Cells of 10 frame pixels in a frame of 130; by default the upper half speaks for C, the lower against it."""
    if cells is None:
        cells = np.zeros((len(classes), 13, 13), np.float32)
        cells[2, :6], cells[2, 7:] = 2.0, -1.0
    geometry = Geometry.stretched(mammogram.shape, (130, 130))
    p = np.array(probabilities, np.float32)
    return Explanation(cells, classes, p, "grad-cam", "add_12", geometry, (4.5, 4.5), (10.0, 10.0))


def read(path: Path, mode: str | None = None) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert(mode) if mode else image)


def rendered(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, dpi=60)
    return np.asarray(Image.open(file).convert("RGB"))


def words(figure: Figure) -> str:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return "\n".join(text.get_text() for text in texts)


def pictures_of(figure: Figure) -> list[tuple[tuple[float, ...], np.ndarray]]:
    """Every mammogram drawn: its place (left, bottom, right, top, 0 to 1) and its colours."""
    drawn = [axes for axes in figure.axes if axes.images and axes.images[0].get_array().shape[1] > 1]
    return [(axes.get_position().extents, np.asarray(axes.images[0].get_array()) / 255) for axes in drawn]


def orange(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., 0] - rgb[..., 2]


def test_the_tutorials_four_pictures_have_its_names_and_the_frames_size(tmp_path: Path) -> None:
    mammogram = breast()
    framed = frame(mammogram, TUTORIAL).image
    written = save_tutorial_pictures(mammogram, framed, explain(mammogram), tmp_path / "maps", "1302_1_D_MLO_L")
    suffixes = ("650", "map", "overlay", "contours")
    assert [path.name for path in written] == [f"C_1302_1_D_MLO_L_{suffix}.png" for suffix in suffixes]
    assert sorted(tmp_path.glob("maps/*")) == sorted(written)
    assert {read(path).shape[:2] for path in written} == {(130, 130)}
    assert (read(written[0]) == framed).all()


def test_the_tutorials_map_is_white_at_zero_and_symmetric(tmp_path: Path) -> None:
    mammogram = breast()
    cells = np.zeros((4, 13, 13), np.float32)
    cells[2, 2, 2], cells[2, 10, 10], cells[2, 2, 10] = 3.0, -3.0, 1.5
    grey, colours, overlay, contours = (
        read(path, "RGB").astype(int)
        for path in save_tutorial_pictures(
            mammogram, frame(mammogram, TUTORIAL).image, explain(mammogram, cells), tmp_path, "a"
        )
    )
    assert colours[65, 65].min() >= 253
    assert colours[104:106, 104:106].mean(axis=(0, 1))[::-1] == pytest.approx([76, 0, 0], abs=76)
    assert orange(colours[24, 24]) > 100
    assert orange(colours[104, 104]) < -70
    assert colours[24, 104] == pytest.approx([255, 0, 0], abs=12)
    assert (overlay[65, 65] == grey[65, 65]).all()
    assert np.abs(overlay[60:70] - grey[60:70]).max() <= 1
    assert orange(overlay[24, 24]) > 50 > -50 > orange(overlay[104, 104])
    changed = np.abs(contours - grey).max(axis=2) > 30
    assert changed[10:40, 10:40].any()
    assert changed[90:120, 90:120].any()
    assert not changed[50:80, 50:80].any()


def test_a_map_of_zeros_gives_pictures_without_colour(tmp_path: Path) -> None:
    mammogram = breast()
    explanation = explain(mammogram, np.zeros((4, 13, 13), np.float32))
    framed = frame(mammogram, TUTORIAL).image
    grey, colours, overlay, contours = save_tutorial_pictures(mammogram, framed, explanation, tmp_path, "a")
    assert read(colours).min() >= 253
    assert (read(overlay)[..., 0] == read(grey)).all()
    assert (read(contours, "L").astype(int) - read(grey)).max() <= 1


def test_a_frame_of_the_default_preset_is_drawn_in_its_own_size(tmp_path: Path) -> None:
    mammogram = breast()
    framed = frame(mammogram, Preparation("default", (96, 64)))
    explanation = dataclasses.replace(explain(mammogram), geometry=framed.geometry)
    written = save_tutorial_pictures(mammogram, framed.image, explanation, tmp_path, "a")
    assert {read(path).shape[:2] for path in written} == {(96, 64)}
    assert read(written[0]).max() == 255
    with pytest.raises(DensightError, match=r"the framed image is \(96, 64\), the explanation's frame \(130, 130\)"):
        save_tutorial_pictures(mammogram, framed.image, explain(mammogram), tmp_path, "a")


@settings(max_examples=20, deadline=None)
@given(
    st.data(),
    st.integers(2, 5),
    st.booleans(),
    st.tuples(st.floats(-9, 9), st.floats(0.1, 33)),
)
def test_raw_maps_are_read_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, k: int, mirrored: bool, along: tuple[float, float]
) -> None:
    numbers = st.floats(-(2.0**60), 2.0**60, width=32)
    cells = data.draw(hnp.arrays(np.float32, (k, 3, 4), elements=numbers))
    p = data.draw(hnp.arrays(np.float32, k, elements=st.floats(0, 1, width=32)))
    geometry = Geometry.fitted((61, 47), (40, 33), (3, 5, 50, 31), mirrored=mirrored)
    classes = tuple(f"class {i}" for i in range(k))
    original = Explanation(cells, classes, p, "grad-cam", "add_12", geometry, (along[0], 0.1), (along[1], 3.3))
    folder = tmp_path_factory.mktemp("raw")
    npy, _, description, tif = save_raw(original, folder, "a")
    back = read_raw(description)
    assert back.cells.tobytes() == cells.tobytes()
    assert back.probabilities.tobytes() == p.tobytes()
    assert back.expected_cells.tobytes() == original.expected_cells.tobytes()
    for name in ("classes", "method", "layer", "geometry", "origin", "step", "passes"):
        assert getattr(back, name) == getattr(original, name)
    assert read(tif).dtype == np.float32
    assert read(tif).tobytes() == original.map().tobytes()
    assert npy.name == f"{original.predicted}_a_raw.npy"


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda npy, _: npy.unlink(), r"_raw\.npy: cannot be read \(No such file"),
        (lambda npy, _: npy.write_bytes(b""), "this is no explanation of densight"),
        (lambda npy, _: np.save(npy, np.zeros((2, 3), np.float32)), "an explanation has a map"),
        (lambda npy, _: np.save(npy, np.array([{}]), allow_pickle=True), "this is no explanation of densight"),
        (lambda _, path: path.write_text("{"), "this is no explanation of densight"),
        (lambda _, path: path.write_text("{}"), "this is no explanation of densight"),
        (lambda _, path: path.write_text(path.read_text().replace("offset", "onset")), "this is no explanation of"),
    ],
)
def test_damaged_raw_maps_are_refused(tmp_path: Path, damage: object, fault: str) -> None:
    npy, _, description, _ = save_raw(explain(breast()), tmp_path, "a")
    assert callable(damage)
    damage(npy, description)
    with pytest.raises(DensightError, match=fault) as caught:
        read_raw(description)
    assert caught.value.remedy


def test_the_description_of_raw_maps_can_be_read_by_others(tmp_path: Path) -> None:
    _, _, description, _ = save_raw(explain(breast()), tmp_path, "a")
    content = json.loads(description.read_text())
    assert content["cells"] == "C_a_raw.npy"
    assert content["unit"] == "score before softmax, per cell"
    assert content["geometry"]["image_shape"] == [260, 200]


def test_the_map_colours_the_breast_only_and_zero_is_transparent() -> None:
    mammogram = breast()
    cells = np.zeros((4, 13, 13), np.float32)
    cells[2, :, :4], cells[2, :, 8:] = 1.0, 1.0
    (overlay,) = make_overlays(mammogram, explain(mammogram, cells), ["C"])
    (plain,) = make_overlays(mammogram, explain(mammogram, 0 * cells), ["C"])
    figure = Figure()
    for axes, one in zip(figure.subplots(1, 2), (overlay, plain), strict=True):
        draw_overlay(axes, one, 1.0)
    (_, coloured), (_, grey) = pictures_of(figure)
    outside, inside = overlay.breast == 0, overlay.breast > 0.99
    assert (coloured[outside] == grey[outside]).all()
    assert (orange(grey) == 0).all()
    strong, zero = inside & (overlay.values > 0.9), inside & (overlay.values == 0)
    assert orange(coloured[strong]).min() > 0.3
    assert (coloured[zero] == grey[zero]).all()
    assert zero.sum() > 100 < strong.sum()


def test_every_class_has_a_panel_on_one_scale() -> None:
    mammogram = breast()
    cells = np.stack([np.full((13, 13), value, np.float32) for value in (4.0, 1.0, 0.0, -4.0)])
    figure = draw_classes(mammogram, explain(mammogram, cells))
    titles = [axes.get_title("left") for axes in figure.axes[:4]]
    assert titles == [
        "A almost entirely fatty · .10",
        "B scattered areas of fibroglandular density · .20",
        "C heterogeneously dense · .60",
        "D extremely dense · .10",
    ]
    assert [axes.texts[0].get_text() for axes in figure.axes[:4]] == ["", "", *["no positive evidence"] * 2]
    a, b, c, d, expected = (orange(colours)[120, 40] for _, colours in pictures_of(figure))
    assert a > 3 * b > 0 == c > d
    # E = .2 + 1.2 + .3 = 1.7; map .1 × -1.7 × 4 + .2 × -.7 × 1 + .1 × 1.3 × -4 = -1.34, on a scale of its own.
    assert expected == d < 0
    assert figure.axes[5].get_title("left") == "expected class 1.70 of 0 to 3"
    assert [tick.get_text() for tick in figure.axes[6].get_yticklabels()] == ["−1.34", "0", "+1.34"]
    assert [tick.get_text() for tick in figure.axes[4].get_yticklabels()] == ["−4", "0", "+4"]
    assert rendered(figure).std() > 10


def test_a_very_small_scale_is_written_with_its_power_of_ten() -> None:
    mammogram = breast()
    figure = draw_classes(mammogram, explain(mammogram, np.full((4, 13, 13), 4.84e-4, np.float32)))
    assert figure.axes[4].get_yticklabels()[2].get_text() == "+4.84"
    assert "per cell, × $10^{−4}$" in words(figure)


def test_plain_labels_are_titles_where_the_classes_are_not_those_of_bi_rads() -> None:
    mammogram = breast()
    cells = np.ones((3, 13, 13), np.float32)
    figure = draw_classes(mammogram, explain(mammogram, cells, (0.0, 0.001, 0.999), ("F", "G", "D")))
    assert [axes.get_title("left") for axes in figure.axes[:3]] == ["F · .00", "G · .00", "D · 1.0"]


def hung(*projections: Projection, wall_left: bool | None = None) -> Figure:
    views = []
    for projection in projections:
        left = projection.laterality is Laterality.L if wall_left is None else wall_left
        mammogram = breast(projection, wall_left=left)
        views.append((mammogram, explain(mammogram)))
    return draw_hanging(views, title="Exam 1302")


def test_an_exam_hangs_with_its_chest_walls_back_to_back_the_right_breast_at_the_left() -> None:
    figure = hung(*PROJECTIONS)
    drawn = pictures_of(figure)
    assert len(drawn) == 4
    top = sorted(drawn, key=lambda one: -one[0][1])
    for row in (top[:2], top[2:]):
        (right_place, right), (left_place, left) = sorted(row, key=lambda one: one[0][0])
        assert 0 < left_place[0] - right_place[2] < 0.02
        assert right[:, -5:].mean() > 2 * right[:, :5].mean()
        assert left[:, :5].mean() > 2 * left[:, -5:].mean()
    said = words(figure)
    for text in ("Exam 1302", "R-CC", "L-CC", "R-MLO", "L-MLO", "C heterogeneously dense · .60", "speaks for C"):
        assert text in said
    assert "mirrored" not in said
    assert "not in this exam" not in said
    assert "not a medical device" in said


@pytest.mark.parametrize("wall_left", [True, False])
def test_an_image_is_mirrored_where_its_chest_wall_lies_outward_and_the_drawing_says_so(wall_left: bool) -> None:
    figure = hung(Projection.MLO_R, Projection.MLO_L, wall_left=wall_left)
    (_, right), (_, left) = sorted(pictures_of(figure), key=lambda one: one[0][0])
    assert right[:, -5:].mean() > 2 * right[:, :5].mean()
    assert left[:, :5].mean() > 2 * left[:, -5:].mean()
    assert orange(right)[:100].mean() > 0.05 > -0.05 > orange(right)[160:].mean()
    assert words(figure).count("mirrored for display") == 1
    assert words(figure).count("not in this exam") == 2


def test_an_image_that_lies_on_its_side_is_turned() -> None:
    upright = breast(Projection.CC_R)
    lying = Mammogram(np.ascontiguousarray(np.rot90(upright.pixels, -1)), Projection.CC_R)
    figure = draw_hanging([(lying, explain(lying))])
    ((_, image),) = pictures_of(figure)
    assert image.shape[0] > image.shape[1]
    assert image[:, -5:].mean() > 2 * image[:, :5].mean()
    assert "turned for display" in words(figure)


def test_images_of_a_row_have_one_magnification() -> None:
    small = Mammogram(draw_breast(1, 0.5, shape=(160, 130)), Projection.MLO_L)
    large = Mammogram(np.ascontiguousarray(draw_breast(1, 0.5, right=True, shape=(320, 260))), Projection.MLO_R)
    figure = draw_hanging([(small, explain(small)), (large, explain(large))])
    (right, _), (left, _) = sorted(pictures_of(figure), key=lambda one: one[0][0])
    assert (right[3] - right[1]) / (left[3] - left[1]) == pytest.approx(2, rel=0.05)
    assert (right[2] - right[0]) / (left[2] - left[0]) == pytest.approx(2, rel=0.05)
    finer = [dataclasses.replace(one, spacing=(mm, mm)) for one, mm in ((small, 0.2), (large, 0.1))]
    figure = draw_hanging([(one, explain(one)) for one in finer])
    (right, _), (left, _) = sorted(pictures_of(figure), key=lambda one: one[0][0])
    assert (right[3] - right[1]) / (left[3] - left[1]) == pytest.approx(1, rel=0.05)


def test_all_maps_of_an_exam_are_of_its_class_on_one_scale() -> None:
    strong, weak = breast(Projection.CC_R, wall_left=False), breast(Projection.CC_L)
    cells = np.ones((4, 13, 13), np.float32)
    views = [(strong, explain(strong, 8 * cells)), (weak, explain(weak, cells, (0.5, 0.1, 0.3, 0.1)))]
    figure = draw_hanging(views)
    (_, right), (_, left) = sorted(pictures_of(figure), key=lambda one: one[0][0])
    assert orange(right)[120, -40] > 4 * orange(left)[120, 40] > 0
    said = words(figure)
    assert "C heterogeneously dense · .45" in said
    assert "C .30\nits own class: A .50" in said
    assert "A almost entirely fatty · .70" in words(draw_hanging(views, probabilities=[0.7, 0.1, 0.1, 0.1]))


def test_how_much_of_the_evidence_lies_in_the_breast_is_said() -> None:
    mammogram = breast(Projection.CC_L)
    cells = np.zeros((4, 13, 13), np.float32)
    assert "no positive evidence" in words(draw_hanging([(mammogram, explain(mammogram, cells))]))
    cells[2] = -1
    cells[2, 0, 12] = 5
    assert "no positive evidence in the breast" in words(draw_hanging([(mammogram, explain(mammogram, cells))]))
    cells[2, 6, 3] = 5
    assert "% of the positive\nevidence lies in the breast" in words(
        draw_hanging([(mammogram, explain(mammogram, cells))])
    )


def test_where_no_breast_is_found_the_whole_image_is_shown_and_said_to_be() -> None:
    pixels = np.zeros((260, 200), np.uint8)
    pixels[100:110, 100:110] = 200
    mammogram = Mammogram(pixels, Projection.CC_L)
    figure = draw_hanging([(mammogram, explain(mammogram))])
    ((_, image),) = pictures_of(figure)
    assert image.shape[:2] == (260, 200)
    assert "no breast found" in words(figure)
    assert "evidence lies in the breast" not in words(figure)


def test_what_cannot_be_hung_is_refused() -> None:
    one = breast(Projection.CC_L)
    with pytest.raises(DensightError, match="there is no image to hang"):
        draw_hanging([])
    with pytest.raises(DensightError, match="different, known projections"):
        draw_hanging([(one, explain(one)), (one, explain(one))])
    nameless = breast(None)
    with pytest.raises(DensightError, match="different, known projections"):
        draw_hanging([(nameless, explain(nameless))])
    with pytest.raises(DensightError, match=r"4 classes but probabilities \(2,\)"):
        draw_hanging([(one, explain(one))], probabilities=[0.5, 0.5])
    other = breast(Projection.CC_R)
    fgd = explain(other, np.zeros((3, 13, 13), np.float32), (1.0, 0.0, 0.0), ("F", "G", "D"))
    with pytest.raises(DensightError, match="different classes"):
        draw_hanging([(one, explain(one)), (other, fgd)])


def test_real_exams_hang_as_radiologists_hang_them(data: Path) -> None:
    files = sorted(data.glob("infn/TestSet/*/test/D/1302_*.png"))
    mammograms = [read_mammogram(file) for file in files]
    figure = draw_hanging([(one, explain(one)) for one in mammograms], title="Exam 1302")
    drawn = sorted(pictures_of(figure), key=lambda one: -one[0][1])
    assert len(drawn) == 3
    for place, image in drawn:
        dark_first = image[:, : image.shape[1] // 4].mean() < image[:, -image.shape[1] // 4 :].mean()
        assert dark_first == (place[0] < 0.3)
    assert {one.projection.view for one in mammograms if one.projection} == set(View)
    assert rendered(figure).std() > 10
