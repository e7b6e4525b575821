"""``densight explain`` with several methods, another layer, and images that a method cannot explain."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densight.assessment.tables import read_assessments
from densight.explanation.panels import read_raw
from densight.vocabulary import DensightError
from tests.examples import write_exam, write_model
from tests.runner import invoke


def explain(*arguments: object) -> tuple[int, str]:
    done = invoke("explain", *arguments)
    return (2, str(done.exception)) if isinstance(done.exception, DensightError) else (done.exit_code, done.output)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_exam(tmp_path / "exams" / "E1", 1, 0.6, ("CC_R", "CC_L"))
    write_model(tmp_path / "all")
    return tmp_path


def test_further_methods_have_folders_of_their_own_and_one_picture_together(place: Path) -> None:
    run = place / "run"
    methods = ("--method", "layer-cam", "--method", "deep-lift")
    status, printed = explain(place / "exams", "-m", place / "all", "-o", run, *methods)
    assert status == 0, printed

    first, second = (read_raw(next((run / "maps" / "CC_R" / name).glob("*_raw.json"))) for name in (".", "deep-lift"))
    assert (first.method, second.method, second.layer) == ("layer-cam", "deep-lift", "input")
    assert second.cells.shape == (4, 96, 64)
    assert second.passes == (2, 5)
    with Image.open(next((run / "maps" / "CC_R").glob("*_methods.png"))) as picture:
        assert np.asarray(picture).std() > 10
    page = (run / "report.html").read_text()
    assert page.count('<option value="deep-lift">DeepLIFT</option>') == 1
    assert "--method layer-cam --method deep-lift" in page
    assert json.loads((run / "run.json").read_text())["methods"] == ["layer-cam", "deep-lift"]


def test_another_method_in_the_same_folder_explains_again(place: Path) -> None:
    command = (place / "exams", "-m", place / "all", "-o", place / "run")
    explain(*command)
    assert explain(*command)[1].startswith("2 images had been done")
    explained = explain(*command, "--method", "layer-cam", "--layer", "features.2")[1]
    assert "had been done" not in explained
    raw = read_raw(next((place / "run" / "maps" / "CC_L").glob("*_raw.json")))
    assert (raw.method, raw.layer) == ("layer-cam", "features.2")


def test_the_hung_exam_of_the_expected_class_says_what_its_colours_mean(place: Path) -> None:
    status, printed = explain(place / "exams", "-m", place / "all", "-o", place / "run", "--method", "expected-class")
    assert status == 0, printed
    assert [path.name for path in (place / "run" / "maps" / "exams").iterdir()] == ["E1_E1.png"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--method", "crystal-ball"], "unknown method 'crystal-ball'"),
        (["--layer", "nowhere"], "no layer 'nowhere'"),
        (["--method", "rise", "--layer", "features.2"], "rise does not explain at a layer of choice"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(place: Path, arguments: list[str], fault: str) -> None:
    status, printed = explain(place / "exams", "-m", place / "all", "-o", place / "run", *arguments)
    assert status == 2
    assert fault in printed
    assert not (place / "run").exists()


def test_an_image_that_a_method_cannot_explain_is_listed_and_keeps_its_other_maps(tmp_path: Path) -> None:
    write_exam(tmp_path / "exams" / "E1", 1, 0.6, ("CC_R",))
    noise = np.random.default_rng(0).integers(8, 12, (160, 120), np.uint8)
    Image.fromarray(noise).save(tmp_path / "exams" / "E1" / "CC_L.png")
    write_model(tmp_path / "all", preset="tutorial")
    run = tmp_path / "run"
    status, printed = explain(
        tmp_path / "exams", "-m", tmp_path / "all", "-o", run, "--method", "grad-cam", "--method", "deep-lift"
    )
    assert status == 1
    assert "CC_L.png: deep-lift: no breast is found" in printed.replace("\n", "")
    assert read_assessments(run)[0]["maps"].str.startswith("maps/").tolist() == [True, True]
    assert not list((run / "maps" / "CC_L").glob("deep-lift/*"))
    assert list((run / "maps" / "CC_R").glob("deep-lift/*"))
