"""The command ``densight index``: what it makes of a folder. What it refuses is in ``test_refusals.py``."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from densight.intake.catalogue import COLUMNS, read_catalogue
from tests.indexing import index, refused, write_image, write_tutorial


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    return write_tutorial(tmp_path / "set")


def test_the_tutorial_s_layout_without_splits_is_split_by_patient(tutorial: Path) -> None:
    output = tutorial.parent / "catalogue.csv"
    done = index(tutorial, "-o", output)
    assert (done.status, done.fault) == (0, "")
    assert "Catalogue of 20 images: " in done.said
    assert not (tutorial.parent / "failures.csv").exists()
    catalogue = read_catalogue(output)
    assert len(catalogue) == 20
    assert catalogue.paths[0].is_file()
    splits = catalogue.table.groupby("patient_id")["split"]
    assert (splits.nunique() == 1).all()
    assert splits.first().value_counts().to_dict() == {"train": 6, "test": 3, "validation": 1}
    assert set(catalogue.select(split="train").table["density"]) == set("ABCD")


def test_the_tutorial_s_layout_with_splits_is_kept(tmp_path: Path) -> None:
    for split, exam in (("train", 1), ("validation", 2), ("test", 3)):
        for density in "AD":
            write_image(tmp_path / "set" / "MLO_L" / split / density / f"{exam}{density}_1_{density}_MLO_L.png")
    assert index(tmp_path / "set", "-o", tmp_path / "c.csv").status == 0
    table = read_catalogue(tmp_path / "c.csv").table
    assert [f"set/MLO_L/{row.split}/{row.density}" for row in table.itertuples()] == [
        str(Path(path).parent) for path in table["path"]
    ]
    assert set(table["view"] + "_" + table["laterality"]) == {"MLO_L"}


def test_the_table_counts_images_by_projection_class_and_split(tutorial: Path) -> None:
    said = index(tutorial, "-o", tutorial.parent / "c.csv").said
    rows = [line.split() for line in said.splitlines()]
    assert ["projection", "split", "A", "B", "C", "D", "images", "patients"] in rows
    table = read_catalogue(tutorial.parent / "c.csv").table
    for projection in ("CC_R", "CC_L", "all"):
        for split in ("train", "validation", "test"):
            part = table[(table["split"] == split) & (table["path"].str.contains(projection) | (projection == "all"))]
            numbers = [*((part["density"] == density).sum() for density in "ABCD"), len(part), len(part) // 2]
            if projection != "all":
                numbers[-1] = len(part)
            assert [projection, split, *map(str, numbers)] in rows
    assert ["all", "all", "4", "6", "6", "4", "20", "10"] in rows
    assert max(map(len, said.splitlines()[:-1])) <= 80


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_split(tutorial: Path) -> None:
    outputs = [tutorial.parent / name for name in ("a.csv", "b.csv", "other.csv")]
    for output, seed in zip(outputs, (3, 3, 4), strict=True):
        assert index(tutorial, "-o", output, "--seed", seed).status == 0
    first, same, other = (output.read_bytes() for output in outputs)
    assert first == same
    assert first != other
    assert pd.read_csv(outputs[0])["path"].tolist() == pd.read_csv(outputs[2])["path"].tolist()


def test_mini_mias_is_known_by_its_table(data: Path, tmp_path: Path) -> None:
    """A part of it: two women of each tissue, their films and their rows."""
    manifest = pd.read_csv(data / "mias" / "manifest.csv")
    women = manifest.drop_duplicates("patient_id").groupby("tissue").head(2)["patient_id"]
    part = manifest[manifest["patient_id"].isin(women)]
    for path in part["path"]:
        (tmp_path / "mias" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mias" / path).symlink_to(data / "mias" / path)
    part.to_csv(tmp_path / "mias" / "manifest.csv", index=False)
    done = index(tmp_path / "mias", "-o", tmp_path / "c.csv", "--split", "50,0,50")
    assert done.status == 0
    assert "layout mini-mias" in done.said
    catalogue = read_catalogue(tmp_path / "c.csv")
    assert catalogue.classes == ("F", "G", "D")
    assert catalogue.table["image_id"].tolist() == part["image_id"].tolist()
    assert catalogue.table.groupby(["density", "split"]).size().tolist() == [2] * 6
    assert (catalogue.table["exam_id"] == catalogue.table["patient_id"]).all()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_folder_with_a_catalogue_keeps_its_ids_splits_and_columns(tmp_path: Path, suffix: str) -> None:
    rows = []
    for i, (density, split) in enumerate([("A", "train"), ("B", "test"), ("D", "train")]):
        write_image(tmp_path / "in" / f"{i}.png")
        rows.append([f"{i}.png", f"p{i}", f"e{i}", "R", "MLO", density, split, "Lorad"])
    write_image(tmp_path / "in" / "not_listed.png")
    table = pd.DataFrame(rows, columns=[*COLUMNS, "vendor"])
    if suffix == "csv":
        table.to_csv(tmp_path / "in" / "catalogue.csv", index=False)
    else:
        table.to_parquet(tmp_path / "in" / "catalogue.parquet")
    done = index(tmp_path / "in", "-o", tmp_path / f"out.{suffix}")
    assert done.status == 0
    assert "note: 1 image in the folder is not in its catalogue and was left out" in done.said
    made = read_catalogue(tmp_path / f"out.{suffix}").table
    pd.testing.assert_frame_equal(made.drop(columns="path"), table.drop(columns="path"))
    assert made["path"].tolist() == ["in/0.png", "in/1.png", "in/2.png"]


def test_loose_images_are_told_by_their_names(tmp_path: Path) -> None:
    for name in ("P1_RCC", "P1_LCC", "P2_R_MLO", "P2_mlo_l"):
        write_image(tmp_path / "in" / "clinic" / f"{name}.png")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 0
    assert "no label" in done.said
    table = read_catalogue(tmp_path / "c.csv").table
    assert table["patient_id"].tolist() == ["P1", "P1", "P2", "P2"]
    assert set(table["split"]) == {""}
    assert set(table["assumed"]) == {"exam and patient taken from the file's name"}


def test_every_format_is_read(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (64, 64)).astype(np.uint16)
    folder = tmp_path / "in"
    for i, suffix in enumerate(("png", "jpg", "tif", "pgm")):
        write_image(folder / f"P{i}_CC_R.{suffix}")
    Image.fromarray(deep).save(folder / "P8_CC_R.png")
    Image.fromarray(deep).save(folder / "P9_CC_R.tiff")
    done = index(folder, "-o", tmp_path / "c.csv")
    assert done.status == 0
    assert len(read_catalogue(tmp_path / "c.csv")) == 6


def test_class_folders_that_number_their_files_alike_hold_different_patients(tmp_path: Path) -> None:
    """But a breast of another class than the other breast is the same patient's."""
    for name in ("CC_R/A/1.png", "CC_L/A/1.png", "CC_R/B/1.png", "CC_R/A/2.png", "CC_L/B/2.png"):
        write_image(tmp_path / "in" / name)
    assert index(tmp_path / "in", "-o", tmp_path / "c.csv").status == 0
    table = read_catalogue(tmp_path / "c.csv").table
    assert dict(zip(table["path"], table["patient_id"], strict=True)) == {
        "in/CC_L/A/1.png": "A_1",
        "in/CC_L/B/2.png": "2",
        "in/CC_R/A/1.png": "A_1",
        "in/CC_R/A/2.png": "2",
        "in/CC_R/B/1.png": "B_1",
    }


def test_other_ordered_classes_are_named_on_the_command_line(tmp_path: Path) -> None:
    for i, label in enumerate(("fatty", "dense")):
        write_image(tmp_path / "in" / "CC_R" / label / f"P{i}_CC_R.png")
    assert index(tmp_path / "in", "-o", tmp_path / "c.csv", "--classes", "fatty,dense").status == 0
    assert read_catalogue(tmp_path / "c.csv").classes == ("fatty", "dense")


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_disk_that_takes_no_more_leaves_the_old_catalogue_whole(tutorial: Path, suffix: str) -> None:
    """The system refuses to let any file grow beyond 100 bytes, as it does on a full disk."""
    resource = pytest.importorskip("resource", reason="the system has no limit of file sizes")
    output = tutorial.parent / "out" / f"catalogue.{suffix}"
    assert index(tutorial, "-o", output).status == 0
    before = output.read_bytes()
    shutil.rmtree(tutorial / "CC_L")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        done = index(tutorial, "-o", output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    refused(done, f"{output}: cannot be written (", "free some space")
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == [output.name]


def test_an_interrupt_while_writing_leaves_the_old_catalogue_whole(
    tutorial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tutorial.parent / "out" / "catalogue.csv"
    assert index(tutorial, "-o", output).status == 0
    before = output.read_bytes()

    def interrupted(self: pd.DataFrame, path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half a catal")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupted)
    done = index(tutorial, "-o", output)
    assert done.status == 130
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == [output.name]
