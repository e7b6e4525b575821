"""The command ``densight index``: what it makes of a folder, and what it refuses."""

from __future__ import annotations

import csv
import io
import itertools
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from densight.cli.main import run
from densight.intake.catalogue import COLUMNS, read_catalogue

HEADER = ",".join(COLUMNS)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    said: str
    fault: str


Command = Callable[..., Done]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``densight index`` with these arguments, at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["densight", "index", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            run()
        said = capsys.readouterr()
        return Done(int(stop.value.code or 0), said.out, said.err)

    return command


counter = itertools.count()


def write_image(path: Path, **options: object) -> Path:
    """A small image of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(counter)).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def failures(folder: Path) -> dict[str, tuple[str, str]]:
    """The fault and remedy of each file in ``failures.csv``, by the file's name."""
    with (folder / "failures.csv").open(newline="") as file:
        return {Path(row["path"]).name: (row["fault"], row["remedy"]) for row in csv.DictReader(file)}


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """Ten exams of CC_R and CC_L in the tutorial's layout without splits, two or three a class."""
    root = tmp_path / "set"
    for exam, density in enumerate("AABBBCCCDD"):
        for projection in ("CC_R", "CC_L"):
            write_image(root / projection / density / f"{exam}_1_{density}_{projection}.png")
    return root


# --- what it makes -------------------------------------------------------------------------------------------------


def test_the_tutorial_s_layout_without_splits_is_split_by_patient(index: Command, tutorial: Path) -> None:
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


def test_the_tutorial_s_layout_with_splits_is_kept(index: Command, tmp_path: Path) -> None:
    for split, exam in (("train", 1), ("validation", 2), ("test", 3)):
        for density in "AD":
            write_image(tmp_path / "set" / "MLO_L" / split / density / f"{exam}{density}_1_{density}_MLO_L.png")
    assert index(tmp_path / "set", "-o", tmp_path / "c.csv").status == 0
    table = read_catalogue(tmp_path / "c.csv").table
    assert [f"set/MLO_L/{row.split}/{row.density}" for row in table.itertuples()] == [
        str(Path(path).parent) for path in table["path"]
    ]
    assert set(table["view"] + "_" + table["laterality"]) == {"MLO_L"}


def test_the_table_counts_images_by_projection_class_and_split(index: Command, tutorial: Path) -> None:
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


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_split(index: Command, tutorial: Path) -> None:
    outputs = [tutorial.parent / name for name in ("a.csv", "b.csv", "other.csv")]
    for output, seed in zip(outputs, (3, 3, 4), strict=True):
        assert index(tutorial, "-o", output, "--seed", seed).status == 0
    first, same, other = (output.read_bytes() for output in outputs)
    assert first == same
    assert first != other
    assert pd.read_csv(outputs[0])["path"].tolist() == pd.read_csv(outputs[2])["path"].tolist()


def test_mini_mias_is_known_by_its_table(index: Command, data: Path, tmp_path: Path) -> None:
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
    assert "layout mias" in done.said
    catalogue = read_catalogue(tmp_path / "c.csv")
    assert catalogue.classes == ("F", "G", "D")
    assert catalogue.table["image_id"].tolist() == part["image_id"].tolist()
    assert catalogue.table.groupby(["density", "split"]).size().tolist() == [2] * 6
    assert (catalogue.table["exam_id"] == catalogue.table["patient_id"]).all()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_folder_with_a_catalogue_keeps_its_ids_splits_and_columns(
    index: Command, tmp_path: Path, suffix: str
) -> None:
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


def test_loose_images_are_told_by_their_names(index: Command, tmp_path: Path) -> None:
    for name in ("P1_RCC", "P1_LCC", "P2_R_MLO", "P2_mlo_l"):
        write_image(tmp_path / "in" / "clinic" / f"{name}.png")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 0
    assert "no label" in done.said
    table = read_catalogue(tmp_path / "c.csv").table
    assert table["patient_id"].tolist() == ["P1", "P1", "P2", "P2"]
    assert set(table["split"]) == {""}
    assert set(table["assumed"]) == {"exam and patient taken from the file's name"}


def test_every_format_is_read(index: Command, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (64, 64)).astype(np.uint16)
    folder = tmp_path / "in"
    for i, suffix in enumerate(("png", "jpg", "tif", "pgm")):
        write_image(folder / f"P{i}_CC_R.{suffix}")
    Image.fromarray(deep).save(folder / "P8_CC_R.png")
    Image.fromarray(deep).save(folder / "P9_CC_R.tiff")
    done = index(folder, "-o", tmp_path / "c.csv")
    assert done.status == 0
    assert len(read_catalogue(tmp_path / "c.csv")) == 6


def test_other_ordered_classes_are_named_on_the_command_line(index: Command, tmp_path: Path) -> None:
    for i, label in enumerate(("fatty", "dense")):
        write_image(tmp_path / "in" / "CC_R" / label / f"P{i}_CC_R.png")
    assert index(tmp_path / "in", "-o", tmp_path / "c.csv", "--classes", "fatty,dense").status == 0
    assert read_catalogue(tmp_path / "c.csv").classes == ("fatty", "dense")


# --- what it refuses, and goes on ----------------------------------------------------------------------------------


def encode(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
BAD_FILES = {
    "text.png": (b"not an image\n", "this is not a PNG, JPEG, TIFF or PGM image", "export it as one grey channel"),
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
    "exam.dcm": (b"\0" * 128 + b"DICM", "DICOM is not read by this version", "export it as one grey channel"),
    "exam.png": (b"\0" * 128 + b"DICM", "this is a DICOM file", "export it as one grey channel"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_among_good_ones_is_listed_with_fault_and_remedy(index: Command, tutorial: Path, name: str) -> None:
    content, fault, remedy = BAD_FILES[name]
    bad = tutorial / "CC_R" / "A" / name
    bad.write_bytes(content)
    done = index(tutorial, "-o", tutorial.parent / "catalogue.csv")
    assert done.status == 1
    assert "1 image cannot be used:" in done.said
    assert f"{bad}: {fault}" in done.said
    assert f"To mend it: {remedy}" in done.said
    listed = failures(tutorial.parent)
    assert list(listed) == [name]
    assert listed[name][0].startswith(fault)
    assert listed[name][1].startswith(remedy)
    assert len(read_catalogue(tutorial.parent / "catalogue.csv")) == 20


def test_a_file_that_the_catalogue_lists_and_is_missing(index: Command, tmp_path: Path) -> None:
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
def test_an_image_with_no_place_in_the_tutorial_s_layout(
    index: Command, tutorial: Path, where: str, fault: str, remedy: str
) -> None:
    bad = write_image(tutorial / where)
    done = index(tutorial, "-o", tutorial.parent / "c.csv")
    assert done.status == 1
    assert f"{bad}: {fault}" in done.said
    listed = failures(tutorial.parent)
    assert list(listed) == [bad.name]
    assert listed[bad.name][0] == fault
    assert listed[bad.name][1].startswith(remedy)
    assert len(read_catalogue(tutorial.parent / "c.csv")) == 20


def test_a_loose_image_of_unknown_projection(index: Command, tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "P1_CC_R.png")
    write_image(tmp_path / "in" / "holiday.png")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 1
    fault, remedy = failures(tmp_path)["holiday.png"]
    assert (fault, remedy) == ("the projection is not known", "name it in the file's name: holiday_MLO_R")


def test_a_row_of_mini_mias_that_does_not_fit(index: Command, tmp_path: Path) -> None:
    rows = ["a.png,1,R,MLO,F", "b.png,2,R,MLO,X", "c.png,3,R,AP,F"]
    for name in "abc":
        write_image(tmp_path / "in" / f"{name}.png")
    header = "path,patient_id,laterality,view,tissue"
    (tmp_path / "in" / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
    assert index(tmp_path / "in", "-o", tmp_path / "c.csv").status == 1
    assert failures(tmp_path) == {
        "b.png": ("unknown density 'X'", "correct it in manifest.csv"),
        "c.png": ("unknown view 'AP'", "correct it in manifest.csv"),
    }


def test_more_failures_than_the_terminal_shows_are_all_in_the_file(index: Command, tutorial: Path) -> None:
    for i in range(30):
        (tutorial / "CC_R" / "A" / f"bad{i:02}.png").write_bytes(b"")
    done = index(tutorial, "-o", tutorial.parent / "c.csv")
    assert done.status == 1
    assert "… and 20 more" in done.said
    assert len(failures(tutorial.parent)) == 30


def test_failures_of_an_earlier_run_are_not_left_behind(index: Command, tutorial: Path) -> None:
    bad = tutorial / "CC_R" / "A" / "bad.png"
    bad.write_bytes(b"")
    assert index(tutorial, "-o", tutorial.parent / "c.csv").status == 1
    bad.unlink()
    assert index(tutorial, "-o", tutorial.parent / "c.csv").status == 0
    assert not (tutorial.parent / "failures.csv").exists()


@pytest.mark.parametrize("name", ["text.png", "exam.dcm"])
def test_nothing_usable_writes_no_catalogue(index: Command, tmp_path: Path, name: str) -> None:
    bad = tmp_path / "in" / "CC_R" / "A" / name
    bad.parent.mkdir(parents=True)
    bad.write_bytes(BAD_FILES[name][0])
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    assert done.status == 1
    assert "No catalogue was written: no image can be used." in done.said
    assert list(failures(tmp_path)) == [name]
    assert not (tmp_path / "c.csv").exists()


# --- what it refuses altogether ------------------------------------------------------------------------------------


def refusal(done: Done, fault: str, remedy: str) -> None:
    assert done.status == 2, done.said
    assert done.fault.startswith("densight: ")
    assert fault in done.fault
    assert f"To mend it: {remedy}" in done.fault
    assert "Traceback" not in done.fault


def test_a_patient_in_two_splits(index: Command, tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "CC_R" / "train" / "A" / "7_1_A_CC_R.png")
    write_image(tmp_path / "in" / "CC_L" / "test" / "A" / "7_1_A_CC_L.png")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    refusal(done, "the patient '7' is in two splits: test (the image CC_L/test/A/7_1_A_CC_L.png) and", "keep all")
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
def test_a_faulty_catalogue(index: Command, tmp_path: Path, name: str) -> None:
    rows, fault, remedy = CATALOGUES[name]
    for image in "ab":
        write_image(tmp_path / "in" / f"{image}.png")
    catalogue = tmp_path / "in" / "catalogue.csv"
    catalogue.write_text("\n".join([HEADER, *rows]) + "\n")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    refusal(done, f"{catalogue}: {fault}", remedy)


def test_a_folder_with_no_image(index: Command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing here")
    done = index(tmp_path / "in", "-o", tmp_path / "c.csv")
    refusal(done, f"{tmp_path / 'in'}: there is no image in the folder", "give a folder of PNG, JPEG, TIFF or PGM")


def test_a_folder_that_is_not_there_or_no_folder(index: Command, tmp_path: Path) -> None:
    refusal(index(tmp_path / "gone"), f"{tmp_path / 'gone'}: there is no such folder", "check the path")
    image = write_image(tmp_path / "a_CC_R.png")
    refusal(index(image), f"{image}: this is a file, not a folder", "give the folder that holds the images")


def test_a_folder_whose_names_tell_no_projection(index: Command, tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "holiday.png")
    refusal(
        index(tmp_path / "in", "-o", tmp_path / "c.csv"),
        "the projection of no image in the folder is known",
        "name the projection in each file's name (P07_MLO_R.png)",
    )


@pytest.mark.parametrize(
    ("arguments", "fault", "remedy"),
    [
        (["--dataset", "ddsm"], "unknown data set 'ddsm'", "use one of tutorial, mias, catalogue, loose"),
        (["--dataset", "mias"], "the data set mias has its table here, but there is none", "check the folder"),
        (["--dataset", "catalogue"], "there is no catalogue.csv or catalogue.parquet", "put one into it"),
        (["--classes", "A"], "not an ordered set of at least two different labels", "name them from the least"),
        (["--split", "60,50"], "do not split a data set", "give training, validation and test"),
        (["--split", "most,some,few"], "--split 'most,some,few' is not three numbers", "write it as --split 60,15,25"),
        (["-o", "catalogue.xlsx"], "catalogue.xlsx: a catalogue cannot be a .xlsx file", "use .csv or .parquet"),
    ],
)
def test_options_that_mean_nothing(
    index: Command, tutorial: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], fault: str, remedy: str
) -> None:
    monkeypatch.chdir(tutorial.parent)
    refusal(index(tutorial, *arguments), fault, remedy)


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_disk_that_takes_no_more_leaves_the_old_catalogue_whole(index: Command, tutorial: Path, suffix: str) -> None:
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
    refusal(done, f"{output}: cannot be written (", "free some space")
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == [output.name]


def test_an_interrupt_while_writing_leaves_the_old_catalogue_whole(
    index: Command, tutorial: Path, monkeypatch: pytest.MonkeyPatch
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
