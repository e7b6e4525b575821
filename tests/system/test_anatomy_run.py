"""``densight anatomy`` and the percent density of assessments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import densight
from densight.anatomy.run import COLUMNS, LABELS
from densight.cli.main import app
from densight.intake.mammogram import Mammogram
from densight.vocabulary import DensightError, Projection


def anatomy(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["anatomy", *map(str, arguments)])


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms") / "exams"
    said = CliRunner().invoke(app, ["phantom", "-n", "1", "--seed", "6", "--size", "256x208", "-o", str(folder)])
    assert said.exit_code == 0, said.output
    return folder


def read(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "anatomy.csv", keep_default_na=False)


def test_a_run_has_a_table_masks_and_pictures(phantoms: Path, tmp_path: Path) -> None:
    done = anatomy(phantoms / "catalogue.csv", "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert "4 images, of 0 the anatomy is not to be trusted" in done.output
    table = read(tmp_path)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 4
    for row in table.to_dict("records"):
        mammogram = densight.read_mammogram(phantoms / row["path"], projection=f"{row['view']}_{row['laterality']}")
        found = densight.anatomy.read(mammogram)
        mask = cv2.imread(str(tmp_path / row["mask"]), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask > 0, found.breast)
        np.testing.assert_array_equal(mask == LABELS["pectoral"], found.pectoral)
        np.testing.assert_array_equal(mask == LABELS["dense"], found.dense)
        assert float(row["percent_density"]) == pytest.approx(found.percent_density, abs=0.01)
        assert int(row["dense_pixels"]) == found.dense.sum()
        assert row["breast_mm2"] == ""  # a PNG's pitch is not read
        picture = cv2.imread(str(tmp_path / row["picture"]))
        assert picture is not None
        assert picture.shape[0] > 900


def test_given_again_a_run_does_only_what_is_new(phantoms: Path, tmp_path: Path) -> None:
    assert anatomy(phantoms, "-o", tmp_path).exit_code == 0
    first = (tmp_path / "anatomy.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "masks").iterdir()}
    gone = sorted(times)[0]
    gone.unlink()
    assert anatomy(phantoms, "-o", tmp_path).exit_code == 0
    assert (tmp_path / "anatomy.csv").read_bytes() == first
    assert gone.is_file()
    assert all(path.stat().st_mtime_ns == time for path, time in times.items() if path != gone)


def test_a_bad_file_and_a_picture_of_something_else_do_not_stop_a_run(phantoms: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = next(phantoms.rglob("*_CC_L.png"))
    (folder / "A_CC_L.png").write_bytes(good.read_bytes())
    (folder / "B_CC_L.png").write_bytes(good.read_bytes()[:2000])
    noise = np.random.default_rng(0).integers(0, 256, (300, 200), np.uint8)
    cv2.imwrite(str(folder / "C_CC_L.png"), noise)
    done = anatomy(folder, "-o", tmp_path / "run")
    assert done.exit_code == 1
    table = read(tmp_path / "run").set_index("path")
    assert list(table.index) == ["A_CC_L.png", "C_CC_L.png"]
    assert table.loc["C_CC_L.png", "percent_density"] == ""
    assert table.loc["C_CC_L.png", "faults"] == "no breast stands out from the background"
    failures = pd.read_csv(tmp_path / "run" / "failures.csv")
    assert list(failures["path"].map(lambda path: Path(path).name)) == ["B_CC_L.png"]


def test_unknown_weights_are_refused_before_anything_is_written(phantoms: Path, tmp_path: Path) -> None:
    done = anatomy(phantoms, "-o", tmp_path / "run", "--weights", "best")
    assert isinstance(done.exception, DensightError)
    assert "free, research" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_killed_goes_on(phantoms: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert anatomy(phantoms, "-o", whole).exit_code == 0
    killed = (
        "import os, densight.anatomy.run as run\n"
        "from densight.cli.main import app\n"
        "append, done = run.append_csv, []\n"
        "def stop(*arguments):\n"
        "    append(*arguments)\n"
        "    done.append(1)\n"
        "    if len(done) == 2: os.kill(os.getpid(), 9)\n"
        "run.append_csv = stop\n"
        f"app(['anatomy', {str(phantoms)!r}, '-o', {str(tmp_path / 'run')!r}])\n"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False, capture_output=True).returncode == -9
    table = tmp_path / "run" / "anatomy.csv"
    assert len(read(tmp_path / "run")) == 2
    table.write_bytes(table.read_bytes()[:-9])  # as if it had been killed while it wrote
    assert anatomy(phantoms, "-o", tmp_path / "run").exit_code == 0
    assert table.read_bytes() == (whole / "anatomy.csv").read_bytes()


def test_an_assessment_has_percent_density(model_folder: Path) -> None:
    exam = densight.phantom.exam(seed=6, shape=(256, 208))
    model = densight.load_model(model_folder)
    result = model.assess(exam)
    each = [densight.anatomy.read(mammogram).percent_density for mammogram in exam]
    assert [result.images[m.projection].percent_density for m in exam if m.projection] == each
    assert None not in each
    assert result.percent_density == pytest.approx(np.mean([value for value in each if value is not None]))
    assert result.breasts["R"].percent_density == pytest.approx(np.mean([each[0], each[2]]))  # type: ignore[index]


def test_an_assessment_of_a_breast_that_is_cut_off_has_a_warning_and_none(model_folder: Path) -> None:
    whole = densight.phantom.exam(seed=6, shape=(256, 208)).mammograms[1]
    cut = Mammogram(np.ascontiguousarray(whole.pixels[128:]), Projection.CC_L)
    image = densight.load_model(model_folder).assess(cut).images["CC_L"]  # type: ignore[index]
    assert image.percent_density is None
    assert image.warnings


def test_files_of_one_name_but_other_formats_do_not_write_over_each_other(phantoms: Path, tmp_path: Path) -> None:
    folder = tmp_path / "twins"
    folder.mkdir()
    image = cv2.imread(str(next(phantoms.rglob("*_CC_L.png"))), cv2.IMREAD_UNCHANGED)
    assert image is not None
    cv2.imwrite(str(folder / "A_CC_L.png"), image)
    cv2.imwrite(str(folder / "A_CC_L.tif"), image)
    assert anatomy(folder, "-o", tmp_path / "run").exit_code == 0
    table = read(tmp_path / "run")
    assert len(table) == table["mask"].nunique() == table["picture"].nunique() == 2
