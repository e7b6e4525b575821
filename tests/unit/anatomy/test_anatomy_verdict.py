"""Images of which no percent density may be given: the verdict says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import densight
from densight.intake.mammogram import Mammogram
from densight.vocabulary import Projection


@pytest.fixture(scope="module")
def cc() -> np.ndarray:
    return densight.phantom.exam(seed=4712, density="B", shape=(512, 416)).mammograms[1].pixels


def verdict(pixels: np.ndarray, projection: Projection | None = None) -> str:
    found = densight.anatomy.read(Mammogram(np.ascontiguousarray(pixels), projection))
    if found.percent_density is not None:
        assert found.verdict.good
    return str(found.verdict)


def test_a_whole_breast_is_good(cc: np.ndarray) -> None:
    assert verdict(cc, Projection.CC_L) == "good"


@pytest.mark.parametrize("value", [0, 1, 4095])
def test_an_empty_image_has_no_breast(value: int) -> None:
    found = densight.anatomy.read(Mammogram(np.full((300, 200), value, np.uint16)))
    assert str(found.verdict) == "no breast stands out from the background"
    assert found.percent_density is None
    assert not found.breast.any()
    assert found.nipple is None
    assert found.dense_probability.shape == (300, 200)


def test_the_smallest_images_are_refused_without_a_crash() -> None:
    for shape in ((1, 1), (1, 50), (2, 2), (7, 5)):
        found = densight.anatomy.read(Mammogram(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)))
        assert found.percent_density is None
        assert found.breast.shape == shape


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_breast(seed: int) -> None:
    assert "no breast" in verdict(np.random.default_rng(seed).integers(0, 4096, (400, 300)).astype(np.uint16))


@pytest.mark.parametrize("turns", [1, 3])
def test_a_lying_breast_is_told(cc: np.ndarray, turns: int) -> None:
    assert "turned by 90°" in verdict(np.rot90(cc, turns))


def test_two_breasts_are_told(cc: np.ndarray) -> None:
    assert "two breasts" in verdict(np.hstack([cc, cc[:, ::-1]]))
    assert "two breasts" in verdict(np.hstack([cc[:, ::-1], cc]))


@pytest.mark.parametrize(("rows", "columns"), [((0, 256), (0, 208)), ((256, 512), (0, 208))])
def test_a_breast_that_is_cut_off_is_told(cc: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    assert "cut off" in verdict(cc[slice(*rows), slice(*columns)])


def test_a_part_without_air_is_told(cc: np.ndarray) -> None:
    part = cc[190:330, :90].astype(int) + np.random.default_rng(0).integers(0, 60, (140, 90))
    assert not densight.anatomy.read(Mammogram(part.astype(np.uint16))).verdict.good


def test_an_implant_is_suspected(cc: np.ndarray) -> None:
    drawn = cc.copy()
    rows, columns = np.indices(cc.shape)
    inside = ((rows - 256) / 75) ** 2 + (columns / 85) ** 2 < 1
    drawn[inside] = 3900
    assert "implant?" in verdict(drawn, Projection.CC_L)


@pytest.mark.parametrize("name", ["astronaut", "camera", "coins", "moon", "page", "text", "checkerboard", "grass"])
def test_a_picture_of_something_else_is_refused(name: str) -> None:
    import skimage.data

    image = getattr(skimage.data, name)()
    grey = image[..., :3].mean(axis=2).astype(np.uint8) if image.ndim == 3 else image
    assert verdict(grey) != "good"


def test_a_muscle_that_is_not_there_is_a_note_and_no_fault(cc: np.ndarray) -> None:
    found = densight.anatomy.read(Mammogram(cc, Projection.MLO_L))
    if not found.pectoral.any():
        assert found.verdict.good
        assert found.verdict.notes == ("pectoral muscle not found",)


def test_nearly_all_real_mammograms_are_good(data: Path) -> None:
    paths = [
        *sorted((data / "infn" / "TestSet").rglob("*.png")),
        *sorted((data / "ddsm_tissue" / "images").iterdir())[::4],
        *sorted((data / "mias" / "images").iterdir())[::24],
    ]
    refused = [p.name for p in paths if not densight.anatomy.read(densight.read_mammogram(p)).verdict.good]
    assert len(refused) <= 0.1 * len(paths), refused
