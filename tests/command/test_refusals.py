"""Every refusal of ``densight index``, through the command."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densight.intake.catalogue import COLUMNS, read_catalogue
from tests.indexing import failures, index, refused, write_image, write_tutorial

HEADER = ",".join(COLUMNS)


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    return write_tutorial(tmp_path / "set")


# --- what it refuses, and goes on ----------------------------------------------------------------------------------


def encode(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
BAD_FILES = {
    "text.png": (
        b"not an image\n",
        "this is not a DICOM, PNG, JPEG, TIFF or PGM image",
        "export it as one grey channel",
    ),
    "cut.png": (encode(NOISE[..., 0], "PNG")[:2000], "the PNG image is truncated or damaged", "copy or export it"),
    "cut.jpg": (encode(NOISE[..., 0], "JPEG")[:2000], "the JPEG image is truncated or damaged", "copy or export it"),
    "cut.tif": (encode(NOISE[..., 0], "TIFF")[:2000], "the TIFF image is truncated or damaged", "copy or export it"),
    "cut.pgm": (encode(NOISE[..., 0], "PPM")[:2000], "the PGM image is truncated or damaged", "copy or export it"),
    "empty.png": (b"", "the file is empty (0 bytes)", "copy or export it again"),
    "photo.jpg": (encode(NOISE, "JPEG"), "the image is in colour, a photograph", "give the mammogram"),
    "black.png": (encode(np.zeros((64, 64), np.uint8), "PNG"), "the image is constant", "copy or export it again"),
    "icon.png": (
        encode(NOISE[:32, :32, 0], "PNG"),
        "the image is too small (32 rows, 32 columns",
        "give the mammogram itself",
    ),
    "exam.dcm": (b"\0" * 128 + b"DICM", "the DICOM file does not state its kind", "export it again"),
    "exam.png": (b"\0" * 128 + b"DICM", "the DICOM file has no image", "export it from the PACS again"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_among_good_ones_is_listed_with_fault_and_remedy(tutorial: Path, name: str) -> None:
    content, fault, remedy = BAD_FILES[name]
    bad = tutorial / "CC_R" / "A" / name
    bad.write_bytes(content)
    done = index(tutorial, "-o", tutorial.parent / "catalogue.csv")
    assert done.status == 1
    assert "1 image cannot be used:" in done.printed
    assert f"{bad}: {fault}" in done.printed
    assert f"Fix: {remedy}" in done.printed
    listed = failures(tutorial.parent)
    assert list(listed) == [name]
    assert listed[name][0].startswith(fault)
    assert listed[name][1].startswith(remedy)
    assert len(read_catalogue(tutorial.parent / "catalogue.csv")) == 20


def test_a_file_that_the_catalogue_lists_and_is_missing(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "a.png")
    rows = ["a.png,1,1,R,CC,A,train", "gone.png,2,2,R,CC,B,train"]
    (tmp_path / "in" / "catalogue.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 1
    assert failures(tmp_path) == {"gone.png": ("there is no such file", "check the path; names are case-sensitive")}
    assert len(read_catalogue(tmp_path / "c.csv")) == 1


@pytest.mark.parametrize(
    ("where", "fault", "remedy"),
    [
        ("CC_R/E/9_1_E_CC_R.png", "unknown class folder 'E'", "the folders of classes are A, B, C, D"),
        ("CC_X/A/9_1_A.png", "unknown projection folder 'CC_X'", "the folders of projections are CC_R, CC_L, MLO_R"),
        ("CC_R/val/A/9_1_A_CC_R.png", "unknown split folder 'val'", "the folders of splits are train, validation, tes"),
        ("CC_R/9_1_A_CC_R.png", "the image lies in no class folder", "the folders of classes are A, B, C, D"),
        ("9_1_A_CC_R.png", "the image lies in no projection folder", "the folders of projections are"),
        ("CC_R/A/9_1_A_CC_L.png", "its folder says CC_R, its name CC_L", "move or rename the image"),
        ("CC_R/A/9_1_B_CC_R.png", "its folder says class A, its name B", "move or rename the image"),
    ],
)
def test_an_image_with_no_place_in_the_tutorial_s_layout(tutorial: Path, where: str, fault: str, remedy: str) -> None:
    bad = write_image(tutorial / where)
    done = index(tutorial, "-o", tutorial.parent / "c.csv")
    assert done.status == 1
    assert f"{bad}: {fault}" in done.printed
    listed = failures(tutorial.parent)
    assert list(listed) == [bad.name]
    assert listed[bad.name][0] == fault
    assert listed[bad.name][1].startswith(remedy)
    assert len(read_catalogue(tutorial.parent / "c.csv")) == 20


def test_a_loose_image_of_unknown_projection(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "P1_CC_R.png")
    write_image(tmp_path / "in" / "holiday.png")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 1
    fault, remedy = failures(tmp_path)["holiday.png"]
    assert (fault, remedy) == ("the projection is not known", "name it in the file's name: holiday_MLO_R")


def test_a_row_of_mini_mias_that_does_not_fit(tmp_path: Path) -> None:
    rows = ["a.png,1,R,MLO,F", "b.png,2,R,MLO,X", "c.png,3,R,AP,F"]
    for name in "abc":
        write_image(tmp_path / "in" / f"{name}.png")
    header = "path,patient_id,laterality,view,tissue"
    (tmp_path / "in" / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
    assert index(tmp_path / "in", "-o", tmp_path / "c.csv").status == 1
    assert failures(tmp_path) == {
        "b.png": ("unknown density 'X'", "correct it in the data set's table"),
        "c.png": ("unknown view 'AP'", "correct it in the data set's table"),
    }


def test_images_with_one_fault_are_told_once_and_all_are_in_the_file(tutorial: Path) -> None:
    for i in range(30):
        (tutorial / "CC_R" / "A" / f"bad{i:02}.png").write_bytes(b"")
    done = index(tutorial, "-o", tutorial.parent / "c.csv")
    assert done.status == 1
    assert "bad00.png and 29 others: the file is empty" in done.printed
    assert "bad01.png" not in done.printed
    assert len(failures(tutorial.parent)) == 30


def test_more_faults_than_the_terminal_shows_are_all_in_the_file(tmp_path: Path) -> None:
    rows = [f"{i}.png,P{i},L,MLO,{'X' * i or 'F'}" for i in range(14)]
    for i in range(14):
        write_image(tmp_path / "in" / f"{i}.png")
    (tmp_path / "in" / "manifest.csv").write_text("\n".join(["path,patient_id,laterality,view,tissue", *rows]) + "\n")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 1
    assert "… and 3 more faults" in done.printed
    assert len(failures(tmp_path)) == 13


def test_failures_of_an_earlier_run_are_not_left_behind(tutorial: Path) -> None:
    bad = tutorial / "CC_R" / "A" / "bad.png"
    bad.write_bytes(b"")
    assert index(tutorial, "-o", tutorial.parent / "c.csv").status == 1
    bad.unlink()
    assert index(tutorial, "-o", tutorial.parent / "c.csv").status == 0
    assert not (tutorial.parent / "failures.csv").exists()


@pytest.mark.parametrize("name", ["text.png", "exam.dcm"])
def test_nothing_usable_writes_no_catalogue(tmp_path: Path, name: str) -> None:
    bad = tmp_path / "in" / "CC_R" / "A" / name
    bad.parent.mkdir(parents=True)
    bad.write_bytes(BAD_FILES[name][0])
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 1
    assert "No catalogue was written: no image can be used." in done.printed
    assert list(failures(tmp_path)) == [name]
    assert not (tmp_path / "c.csv").exists()


# --- what it refuses altogether ------------------------------------------------------------------------------------


def test_a_patient_in_two_splits(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "CC_R" / "train" / "A" / "7_1_A_CC_R.png")
    write_image(tmp_path / "in" / "CC_L" / "test" / "A" / "7_1_A_CC_L.png")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    refused(done, "the patient '7' is in two splits: test (the image CC_L/test/A/7_1_A_CC_L.png) and", "keep all")
    assert not (tmp_path / "c.csv").exists()


CATALOGUES = {
    "class": (["a.png,1,1,R,CC,E,train"], "row 2 (a.png) has the unknown class 'E'", "use one of A, B, C, D"),
    "view": (["a.png,1,1,R,AP,A,train"], "row 2 (a.png) has the unknown view 'AP'", "use one of CC, MLO"),
    "side": (["a.png,1,1,X,CC,A,train"], "row 2 (a.png) has the unknown laterality 'X'", "use one of R, L"),
    "duplicate": (["a.png,1,1,R,CC,A,train"] * 2, "row 3 (a.png) is a duplicate of an earlier row", "keep one"),
    "splits": (
        ["a.png,1,1,R,CC,A,train", "b.png,1,2,R,CC,A,test"],
        "the patient '1' is in two splits: train (row 2 (a.png)) and test (row 3 (b.png))",
        "keep all images of a patient in one split",
    ),
}


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_faulty_catalogue(tmp_path: Path, name: str) -> None:
    rows, fault, remedy = CATALOGUES[name]
    for image in "ab":
        write_image(tmp_path / "in" / f"{image}.png")
    catalogue = tmp_path / "in" / "catalogue.csv"
    catalogue.write_text("\n".join([HEADER, *rows]) + "\n")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    refused(done, f"{catalogue}: {fault}", remedy)


def test_a_folder_with_no_image(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing here")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    refused(
        done, f"{tmp_path / 'in'}: there is no image in the folder", "give a folder of DICOM, PNG, JPEG, TIFF or PGM"
    )


def test_a_folder_that_is_not_there_or_no_folder(tmp_path: Path) -> None:
    refused(index(tmp_path / "gone"), f"{tmp_path / 'gone'}: there is no such folder", "check the path")
    image = write_image(tmp_path / "a_CC_R.png")
    refused(index(image), f"{image}: this is a file, not a folder", "give the folder that holds the images")


def test_a_folder_whose_names_tell_no_projection(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "holiday.png")
    refused(
        index(tmp_path / "in", "-o", tmp_path / "c.csv"),
        "the projection of no image in the folder is known",
        "name the projection in each file's name (P07_MLO_R.png)",
    )


@pytest.mark.parametrize(
    ("arguments", "fault", "remedy"),
    [
        (["--dataset", "ddsm"], "unknown data set 'ddsm'", "use one of tutorial, mini-mias, vindr-mammo,"),
        (["--dataset", "catalogue"], "there is no catalogue.csv or catalogue.parquet", "put one into it"),
        (["--classes", "A"], "not an ordered set of at least two different labels", "name them from the least"),
        (["--split", "60,50"], "do not split a data set", "give training, validation and test"),
        (["--split", "most,some,few"], "--split 'most,some,few' is not three numbers", "write it as --split 60,15,25"),
        (["-o", "catalogue.xlsx"], "catalogue.xlsx: a catalogue cannot be a .xlsx file", "use .csv or .parquet"),
    ],
)
def test_options_that_mean_nothing(
    tutorial: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], fault: str, remedy: str
) -> None:
    monkeypatch.chdir(tutorial.parent)
    refused(index(tutorial, *arguments), fault, remedy)
