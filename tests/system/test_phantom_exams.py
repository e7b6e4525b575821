from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from densight.cli.main import app
from densight.intake.catalogue import check_trainable, read_catalogue
from densight.intake.exam import read_exam
from densight.intake.image import read_pixels
from densight.phantom.exams import exam_name, exam_seed, write_exams
from densight.phantom.imaging import exam
from densight.phantom.patient import density_of
from densight.phantom.settings import Settings
from densight.phantom.truth import PhantomExam
from densight.vocabulary import BIRADS, PROJECTIONS, SPLITS, DensightError
from tests.phantoms import Shared
from tests.processes import listen_to_interrupts
from tests.runner import invoke
from tests.trainings import left_in, refused

SHAPE = (128, 104)
MIX = (0.25, 0.25, 0.25, 0.25)
COMMAND = ("phantom", "-n", "7", "--seed", "7", "--mix", "25,25,25,25", "--size", "128x104")
SETTINGS = Settings(mix=MIX, shape=SHAPE)
FEW = (*COMMAND[:2], "2", *COMMAND[3:])
"""The first two exams of the command's seven."""


def phantom(*given: str | Path) -> Result:
    return invoke(*given)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A set of seven exams made by two processes, and what the command said."""
    folder = tmp_path_factory.mktemp("phantom") / "exams"
    result = phantom(*COMMAND, "--jobs", "2", "-o", folder)
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def exams(made: tuple[Path, str]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def few(shared: Shared) -> Path:
    """A set of two exams made by one process."""
    return shared.phantoms(2, 7, SETTINGS)


def test_the_catalogue_has_a_row_an_image_and_what_is_known_of_it(exams: Path) -> None:
    catalogue = read_catalogue(exams / "catalogue.csv")
    table = catalogue.table
    assert catalogue.classes == BIRADS
    assert table["exam_id"].tolist() == [exam_name(number) for number in range(1, 8) for _ in PROJECTIONS]
    assert (table["view"] + "_" + table["laterality"]).tolist() == list(PROJECTIONS) * 7
    assert all(path.is_file() for path in catalogue.paths)
    numbers = table.iloc[:, 7:].copy()
    assert numbers.columns.tolist() == [
        "volumetric_density",
        "breast_volumetric_density",
        "percent_density",
        "thickness",
        "volume",
        "vendor",
        "reader_1",
        "reader_2",
        "seed",
    ]
    assert [density_of(float(value)) for value in table["volumetric_density"]] == table["density"].tolist()
    assert [int(value) for value in table["seed"][::4]] == [exam_seed(7, number) for number in range(1, 8)]
    for column, least, most in (("percent_density", 0, 100), ("thickness", 25, 80), ("volume", 100, 2600)):
        assert table[column].astype(float).between(least, most).all()
    # Each breast's two images have its numbers.
    of_breasts = table.groupby(["exam_id", "laterality"])[["breast_volumetric_density", "volume"]].nunique()
    assert (of_breasts == 1).all(axis=None)


def test_patients_are_split_as_index_splits_them(exams: Path, tmp_path: Path) -> None:
    catalogue = read_catalogue(exams / "catalogue.csv")
    patients = catalogue.table.drop_duplicates("patient_id")
    assert {split: int((patients["split"] == split).sum()) for split in SPLITS} == {
        "train": 4,
        "validation": 1,
        "test": 2,
    }
    check_trainable(catalogue, PROJECTIONS)
    unsplit = pd.read_csv(exams / "catalogue.csv", dtype=str).assign(split="")
    shutil.copytree(exams, tmp_path / "copy")
    unsplit.to_csv(tmp_path / "copy" / "catalogue.csv", index=False)
    result = phantom("index", tmp_path / "copy", "--seed", "7", "-o", tmp_path / "copy" / "again.csv")
    assert result.exit_code == 0, result.output
    again = read_catalogue(tmp_path / "copy" / "again.csv")
    assert again.table["split"].tolist() == catalogue.table["split"].tolist()


def test_images_fill_16_bits_and_the_truth_beside_them_is_that_of_the_exam(exams: Path) -> None:
    folder = exams / exam_name(3)
    known = exam(exam_seed(7, 3), mix=MIX, shape=SHAPE)
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["volumetric_density"] == pytest.approx(known.truth.volumetric_density)
    assert truth["density"] == known.truth.density
    assert tuple(truth["readers"]) == known.truth.readers
    for mammogram in known:
        path = folder / f"{exam_name(3)}_{mammogram.projection}.png"
        pixels, assumed = read_pixels(path)
        assert assumed == ()
        assert pixels.dtype == np.uint16
        np.testing.assert_array_equal(pixels, mammogram.pixels << 4)
        with Image.open(path) as image:
            assert image.info["dpi"][0] == pytest.approx(25.4 / (290 / 128), rel=1e-3)
        assert mammogram.projection is not None
        expected = known.truth.images[mammogram.projection]
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            assert sorted(arrays) == ["breast", "dense", "glandular", "nipple", "pectoral", "skin", "spacing"]
            for name in ("breast", "pectoral", "skin", "nipple", "dense"):
                assert arrays[name].dtype == np.bool_
                np.testing.assert_array_equal(arrays[name], getattr(expected, name))
            assert arrays["glandular"].dtype == np.float32
            np.testing.assert_allclose(arrays["glandular"], expected.glandular, atol=1 / 512)
            np.testing.assert_allclose(arrays["spacing"], 290 / 128)


def test_raw_images_fill_16_bits_too(tmp_path: Path) -> None:
    write_exams(1, 5, tmp_path / "exams", Settings(style="raw", shape=SHAPE), jobs=1)
    check_pixels(tmp_path / "exams", exam(exam_seed(5, 1), style="raw", shape=SHAPE), np.uint16, 2)


def check_pixels(folder: Path, known: PhantomExam, dtype: type, shift: int) -> None:
    """Check that the images of a folder's first exam have the pixels of a known one, shifted by so many bits."""
    for mammogram in known:
        pixels, _ = read_pixels(folder / exam_name(1) / f"{exam_name(1)}_{mammogram.projection}.png")
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, mammogram.pixels << shift)


def test_no_command_takes_the_truth_for_mammograms(exams: Path, model_folder: Path, tmp_path: Path) -> None:
    result = phantom("index", exams, "-o", tmp_path / "catalogue.csv")
    assert "Catalogue of 28 images" in result.output
    assert "note:" not in result.output
    result = phantom("assess", exams, "--model", model_folder, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "28 images of 7 exams" in result.output
    one = read_exam(exams / exam_name(2))
    assert [mammogram.projection for mammogram in one] == list(PROJECTIONS)
    assert one.exam_id == exam_name(2)


def test_train_learns_from_the_catalogue(exams: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text("base: default\nnetwork: mobilenetv2-035\nshape: [64, 48]\nepochs: 1\nwarmup_epochs: 0\n")
    given = ("--recipe", recipe, "--projection", "all", "-o", tmp_path / "models")
    result = phantom("train", exams / "catalogue.csv", *given)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "models" / "all" / "model.json").is_file()


def test_the_command_tells_classes_readers_and_densities(made: tuple[Path, str]) -> None:
    folder, printed = made
    table = pd.read_csv(folder / "catalogue.csv")
    for label in BIRADS:
        of_class = table[table["density"] == label]
        least, most = of_class["volumetric_density"].min(), of_class["volumetric_density"].max()
        assert re.search(rf"^ {label} +{len(of_class) // 4} +\d +\d +{least:.1f}–{most:.1f} %", printed, re.MULTILINE)
    assert re.search(r"The readers agree on \d+ % of the exams; linear κ [01]\.\d{3}", printed)
    assert "7 of 7 exams" in printed
    assert "Catalogue of 28 images of 7 exams (4 train, 1 validation, 2 test)" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 80


def test_the_help_fits_80_columns() -> None:
    printed = CliRunner().invoke(app, ["phantom", "--help"], env={"COLUMNS": "80"}).output
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    options = [line for line in lines if re.match(r"  -", line)]
    assert len(options) == 17
    assert all(re.fullmatch(r"  (-\w, )?--[a-z]+( [A-Z]+)? {2,}\S.*", line) for line in options)


def test_the_same_exams_come_out_on_one_core_and_two_in_sets_of_all_sizes_and_made_again(
    exams: Path, few: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        assert left_in(few / exam_name(number)) == left_in(exams / exam_name(number))
    folder = tmp_path / "exams"
    shutil.copytree(few, folder)
    shutil.rmtree(folder / exam_name(1))
    (folder / exam_name(2) / f"{exam_name(2)}_CC_L.png").unlink()
    (folder / "catalogue.csv").unlink()
    seen: list[tuple[int, int]] = []
    write_exams(2, 7, folder, SETTINGS, jobs=2, progress=lambda *printed: seen.append(printed))
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert left_in(folder) == left_in(few)


def test_every_exam_of_every_set_has_a_seed_of_its_own() -> None:
    seeds = [exam_seed(seed, number) for seed in range(40) for number in range(1, 101)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**53 for seed in seeds)


# ── Stops


def start(command: tuple[str, ...], folder: Path, *, limit: int = resource.RLIM_INFINITY) -> subprocess.Popen[str]:
    """The command in a process group of its own, its files limited to a size in bytes if asked."""

    def prepare() -> None:
        listen_to_interrupts()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "densight", *command, "-o", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )


def until(happened: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.002)


def there(folder: Path) -> list[str]:
    """The exams in a folder that are not hidden, all of them whole."""
    names = sorted(path.name for path in folder.glob("P*"))
    for name in names:
        files = {f"{name}_{projection}{suffix}" for projection in PROJECTIONS for suffix in (".png", ".npz")}
        assert {path.name for path in (folder / name).iterdir()} == {*files, "truth.json"}
    return names


def gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_killed_it_leaves_whole_exams_and_no_process_and_goes_on_to_the_same_bytes(few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "exams"
    with start((*FEW, "--jobs", "1"), folder) as process:
        until(lambda: list(folder.glob("P*")) != [] or process.poll() is not None)
        process.kill()
    until(lambda: gone(process.pid), 100)
    assert there(folder) == [exam_name(1)]
    assert not (folder / "catalogue.csv").exists()
    result = phantom(*FEW, "-o", folder)
    assert result.output.startswith("1 exam had been made by an earlier run in this folder.\n")
    assert left_in(folder) == left_in(few)
    assert list(folder.glob(".*")) == []


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_ends_cleanly_with_whole_exams_and_status_130_however_often_pressed(
    presses: int, tmp_path: Path
) -> None:
    folder = tmp_path / "exams"
    with start((*COMMAND, "--jobs", "2"), folder) as process:
        until(lambda: list(folder.glob("P*")) != [] or process.poll() is not None)
        for _ in range(presses):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == ""
    assert printed.splitlines()[-1] == "Stopped. The same command goes on with the exams that are left."
    until(lambda: gone(process.pid), 100)
    assert 1 <= len(there(folder)) < 7
    assert list(folder.glob(".*")) == []


def test_a_full_disk_is_one_message_and_leaves_no_half_written_exam(tmp_path: Path) -> None:
    folder = tmp_path / "exams"
    with start(FEW, folder, limit=2000) as process:
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert printed == ""
    place = re.escape(f"{folder}/.P00000") + r"[12]/P00000[12]_CC_R\.png"
    remedy = "Fix: free some space or choose another folder"
    assert re.fullmatch(rf"densight: {place}: cannot be written \(File too large\)\. {remedy}\.\n", errors)
    assert [path.name for path in folder.iterdir()] == ["phantom.json"]


# ── Refusals


@pytest.mark.parametrize(
    ("given", "fault", "remedy"),
    [
        (("-n", "0"), "0 exams cannot be made", "give a number from 1 to 999999"),
        (("-n", "-3"), "-3 exams cannot be made", "give a number from 1 to 999999"),
        (("--seed", "-1"), "the seed -1 is negative", "give 0 or more"),
        (("--jobs", "0"), "0 processes make no exam", "give 1 or more"),
        (("--mix", "10,40,40,20"), "the parts 0.1, 0.4, 0.4, 0.2 are not a mix of the classes", "together 100 %"),
        (("--mix", "many"), "--mix 'many' is not four numbers", "write it as --mix 10,40,40,10"),
        (("--mix", "40,10,10,40", "--density", "C"), "a class and a mix of classes were given", "give one of them"),
        (("--density", "E"), "unknown class 'E'", "use one of A, B, C, D"),
        (("--thickness", "0"), "no breast can be compressed to 0 mm here", "give 20 to 100 mm"),
        (("--vendor", "acme"), "unknown vendor 'acme'", "use one of hologic-like"),
        (("--size", "1024"), "--size '1024' is not two numbers", "write it as --size 1024x832"),
        (("--size", "10x10"), "an image cannot have 10 rows and 10 columns here", "give 64 to 4096"),
        (("--format", "jpeg"), "unknown format 'jpeg'", "use one of png, dicom"),
    ],
)
def test_impossible_wishes_are_refused_and_write_nothing(
    given: tuple[str, ...], fault: str, remedy: str, tmp_path: Path
) -> None:
    error = refused("phantom", *given, "-o", tmp_path / "exams")
    assert error.fault.startswith(fault)
    assert error.remedy is not None
    assert error.remedy.startswith(remedy) or remedy in error.remedy
    assert not (tmp_path / "exams").exists()


def test_a_folder_of_another_command_is_refused_and_left_as_it_is(exams: Path) -> None:
    before = left_in(exams)
    error = refused(*FEW, "--style", "raw", "-o", exams)
    assert error.fault == "the folder holds exams of another command (n 7, not 2; style display, not raw)"
    assert error.path == exams
    assert left_in(exams) == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    error = refused(*COMMAND, "-o", tmp_path)
    assert error.fault == "the folder holds other files"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    error = refused(*COMMAND, "-o", tmp_path / "notes.txt")
    assert "a file stands where a folder is needed" in error.fault


def test_a_damaged_record_is_named(few: Path, tmp_path: Path) -> None:
    shutil.copytree(few, tmp_path / "copy")
    for name in ("phantom.json", f"{exam_name(1)}/truth.json"):
        whole = (tmp_path / "copy" / name).read_text()
        (tmp_path / "copy" / name).write_text(whole[:40])
        with pytest.raises(DensightError, match="the file is damaged") as caught:
            write_exams(2, 7, tmp_path / "copy", SETTINGS)
        assert caught.value.path == tmp_path / "copy" / name
        (tmp_path / "copy" / name).write_text(whole)


def test_films_of_one_patient_are_of_8_bits_and_readers_who_say_one_class_have_no_kappa(tmp_path: Path) -> None:
    wishes = ("--density", "A", "--thickness", "50", "--vendor", "ge-like", "--style", "film", "--size", "128x104")
    result = phantom("phantom", "-n", "1", "--seed", "2", *wishes, "-o", tmp_path / "exams")
    (known,) = pd.read_csv(tmp_path / "exams" / "catalogue.csv").drop_duplicates("exam_id").to_dict("records")
    assert [known[name] for name in ("density", "thickness", "vendor")] == ["A", 50, "ge-like"]
    assert [known["reader_1"], known["reader_2"]] == ["A", "A"]
    assert "The readers agree on 100 % of the exams; linear κ undefined, because they name one class" in result.output
    assert "Catalogue of 4 images of 1 exam (1 train" in result.output
    film = exam(exam_seed(2, 1), density="A", thickness=50, vendor="ge-like", style="film", shape=SHAPE)
    check_pixels(tmp_path / "exams", film, np.uint8, 0)
