"""Where the breast is, and at which side the chest wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from densight.anatomy.breast import breast_mask, chest_wall
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.vocabulary import DensightError

MIAS = [f"mdb{number:03}" for number in (3, 12, 35, 47, 60, 84, 111, 140, 152, 171, 180, 200, 216, 243, 269, 283, 287)]
"""Every tissue and side; fog, labels and tape, breasts touched by them, breasts larger than the film."""


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


@pytest.mark.parametrize("name", [*MIAS, "mdb288", "mdb291", "mdb318"])
def test_the_breast_is_found_on_film(data: Path, name: str) -> None:
    """Against the whole-breast masks of Sharma (2019)."""
    breast = breast_mask(read_mammogram(data / "mias" / "images" / f"{name}.png"))
    assert breast.dtype == bool
    assert dice(breast, grey(data / "mias" / "breast_masks" / f"{name}.png") > 0) > 0.93


def test_the_breast_is_found_on_film_of_another_collection(data: Path) -> None:
    """Against the tissue maps of Tiryaki and Kaplanoğlu (2022), which leave out a part of the skin."""
    folder = data / "ddsm_tissue"
    found = [
        dice(breast_mask(read_mammogram(path)), grey(folder / "tissue" / path.name) > 64)
        for path in sorted((folder / "images").glob("*.png"))[::4]
    ]
    assert min(found) > 0.89
    assert np.mean(found) > 0.96


def test_the_breast_is_what_is_not_black_where_the_background_was_blackened(data: Path) -> None:
    blackened = 0
    for path in sorted((data / "infn" / "TestSet").rglob("*.png")):
        mammogram = read_mammogram(path)
        not_black = mammogram.pixels > 0
        if not_black.mean() < 0.95:
            blackened += 1
            assert dice(breast_mask(mammogram), not_black) > 0.985, path.name
    assert blackened == 13


def test_the_breast_is_found_where_the_chest_wall_is_at_the_top(data: Path) -> None:
    """Simulated breasts over two steps of grey, that of the detector's rim and that of the air."""
    for path in sorted((data / "msynth").rglob("*.jpg"))[::12]:
        mammogram = read_mammogram(path)
        breast = breast_mask(mammogram)
        tissue = ndimage.gaussian_filter(mammogram.pixels.astype(np.float32), 5) > 60
        assert (breast & tissue).sum() > 0.995 * tissue.sum()
        assert breast.sum() < 1.4 * tissue.sum()
        assert ndimage.label(breast)[1] == 1


@pytest.mark.parametrize(("name", "columns"), [("mdb291", (240, 420)), ("mdb293", (200, 320)), ("mdb311", (290, 410))])
def test_a_label_beside_the_breast_at_the_film_s_top_is_left_out(
    data: Path, name: str, columns: tuple[int, int]
) -> None:
    mammogram = read_mammogram(data / "mias" / "images" / f"{name}.png")
    place = (slice(5, 130), slice(*columns))
    label = mammogram.pixels[place] > 120
    assert label.sum() > 4000
    assert not breast_mask(mammogram)[place][label].any()


def ellipse(shape: tuple[int, int] = (400, 300)) -> np.ndarray:
    """True in a breast with its chest wall at the left."""
    rows, columns = np.indices(shape)
    inside: np.ndarray = ((rows / shape[0] - 0.5) / 0.4) ** 2 + (columns / shape[1] / 0.6) ** 2 < 1
    return inside


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("air", [0, 30])
def test_a_drawn_breast_is_found_to_the_pixel_in_noise_beside_a_label(dtype: type, air: int) -> None:
    rng = np.random.default_rng(0)
    inside = ellipse()
    pixels = np.where(inside, air + 100, air) + rng.normal(0, 4, inside.shape)
    pixels[20:60, 200:280] = 255
    full = np.iinfo(dtype).max // 256 + (dtype is np.uint8)
    breast = breast_mask(Mammogram((pixels.clip(0, 255) * full).astype(dtype)))
    assert dice(breast, inside) > 0.99
    assert not breast[20:60, 200:280].any()


def test_a_label_over_the_skin_is_cut_off_along_its_edge() -> None:
    """The skin's grey value rises over 40 pixels; the label covers 10 of them, and air."""
    depth = ndimage.distance_transform_edt(np.pad(ellipse(), ((0, 0), (40, 0)), mode="edge"))[:, 40:]
    pixels = (120 * np.clip(depth / 40, 0, 1)).astype(np.uint8)
    skin = np.flatnonzero(ellipse()[120]).max()
    label = (slice(100, 150), slice(skin - 10, skin + 80))
    outside = ~ellipse()[label]
    pixels[label] = 255
    assert breast_mask(Mammogram(pixels))[label][outside].mean() < 0.02


def test_holes_of_the_breast_are_filled_and_islands_left_out() -> None:
    inside = ellipse()
    pixels = np.where(inside, 120, 5).astype(np.uint8)
    pixels[180:220, 60:100] = 5
    pixels[370:395, 250:295] = 120
    breast = breast_mask(Mammogram(pixels))
    assert breast[200, 80]
    assert not breast[380, 270]


def test_a_mass_with_a_sharp_edge_stays_in_the_breast() -> None:
    """Only edges beside something dark are those of labels."""
    pixels = np.where(ellipse(), 90, 0).astype(np.uint8)
    pixels[:200][ellipse()[:200]] = 180
    assert dice(breast_mask(Mammogram(pixels)), ellipse()) > 0.98


@pytest.mark.parametrize("shape", [(64, 64), (64, 900), (900, 64), (3001, 2501)])
def test_any_size_gives_a_mask_of_that_size(shape: tuple[int, int]) -> None:
    inside = ellipse(shape)
    breast = breast_mask(Mammogram(np.where(inside, 150, 10).astype(np.uint8)))
    assert breast.shape == shape
    assert dice(breast, inside) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_noise_holds_no_breast(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (300, 300), np.uint8)
    with pytest.raises(DensightError, match=r"no breast stands out from the background.*check that it is a mammogram"):
        breast_mask(Mammogram(pixels))


def test_the_chest_wall_is_at_the_side_of_the_patient(data: Path) -> None:
    """As stored in the INFN test set: a right breast has it at the right, a left one at the left."""
    for path in sorted((data / "infn" / "TestSet").rglob("*.png")):
        breast = breast_mask(read_mammogram(path))
        expected = "right" if path.stem.endswith("_R") else "left"
        assert chest_wall(breast) == expected, path.name


@pytest.mark.parametrize("name", [name for name in MIAS if name != "mdb152"])
def test_the_chest_wall_is_where_mini_mias_has_it(data: Path, name: str) -> None:
    """Its odd images are left breasts, mirrored: the chest wall is at the right. 152 hides hers behind its size."""
    breast = breast_mask(read_mammogram(data / "mias" / "images" / f"{name}.png"))
    assert chest_wall(breast) == ("right" if int(name[3:]) % 2 else "left")


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_the_chest_wall_is_at_the_side_that_the_breast_covers(side: str) -> None:
    breast = ellipse()
    turned = {"left": breast, "right": breast[:, ::-1], "top": breast.T, "bottom": breast.T[::-1]}
    assert chest_wall(turned[side]) == side


def test_without_a_breast_the_chest_wall_is_taken_as_at_the_left() -> None:
    assert chest_wall(np.zeros((5, 5), bool)) == "left"
