"""``densight trial`` on run folders: what it writes, how it goes on, what it refuses."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from densight.assessment.calibrate import store_calibration
from densight.assessment.calibration import Calibration, Fusion
from densight.assessment.models import load_models
from densight.assessment.scaling import Scaling
from densight.assessment.tables import read_assessments
from densight.explanation import save
from densight.explanation.overlay import BLUR
from densight.explanation.panels import read_raw
from densight.phantom.exams import write_exams
from densight.phantom.settings import Settings
from densight.trials import measure
from densight.trials import run as trial_run
from densight.trials.case import Case
from densight.trials.run import choose_images, try_run
from densight.vocabulary import DensightError
from tests.examples import write_model
from tests.phantoms import Shared
from tests.runner import invoke

EXAM = Path("exams") / "P000001"
"""The first of the phantom exams, in the folder of `place`."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared: Shared) -> Path:
    """A folder with phantom exams, a model, and a run of it."""
    folder = tmp_path_factory.mktemp("trial")
    exams = shared.phantoms(2, 8, Settings(mix=(0, 0.2, 0.4, 0.4), shape=(128, 104)))
    shutil.copytree(exams, folder / "exams")
    write_model(folder / "all")
    printed = command("explain", folder / "exams", "-m", folder / "all", "-o", folder / "run")
    assert printed[0] == 0, printed[1]
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials without their pictures, which take longer than they do."""
    monkeypatch.setattr(trial_run, "_draw", lambda *_: None)


def command(*arguments: object) -> tuple[int, str]:
    done = invoke(*arguments)
    if isinstance(done.exception, DensightError):
        return 2, str(done.exception)
    return done.exit_code, done.output


def test_a_run_is_tried_and_its_report_and_pictures_say_so(place: Path) -> None:
    run = place / "run"
    before = (run / "maps" / "exams" / "P000001_P000001.png").read_bytes()

    status, printed = command("trial", run, "--images", 4, "--second", place / "all", "--shuffled", place / "all")

    assert status == 0, printed
    assert re.search(r"tissue\.auc +\.\d\d", printed)
    assert "4 images tested" in printed
    content = json.loads((run / "trials.json").read_text())
    assert content["tried"]["target"] == "expected class"
    assert content["tried"]["tissue"] == ["known of the phantom"]
    assert set(content["methods"]) == {"breast", "blur", "brightness", "grad-cam"}
    assert content["methods"]["grad-cam"]["repeatability.seed"]["value"] == pytest.approx(1)
    with (run / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    of_auc = [row for row in rows if (row["method"], row["measure"]) == ("grad-cam", "tissue.auc")]
    assert len(of_auc) == 4
    assert len({row["patient_id"] for row in of_auc}) == 2
    page = (run / "report.html").read_text()
    assert "Trials of the explanations" in page
    assert str(place) not in page
    for name in ("table", "values"):
        with Image.open(run / "trials" / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5
    warning = content["cards"]["grad-cam"]["warning"]
    if warning:  # the maps were drawn anew with it, and are drawn with it from now on
        assert warning in page
        assert (run / "maps" / "exams" / "P000001_P000001.png").read_bytes() != before


@pytest.mark.usefixtures("undrawn")
def test_a_method_that_is_done_is_not_tried_again_and_the_rest_goes_on(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    original = trial_run.try_method

    def note(bench: object, method: str, progress: object) -> object:
        if method == "layer-cam" and "layer-cam" not in tried:
            tried.append(method)
            raise KeyboardInterrupt
        tried.append(method)
        return original(bench, method, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(trial_run, "try_method", note)
    run = place / "run"
    status, printed = command("trial", run, "--methods", "grad-cam,layer-cam", "--images", 2)
    assert (status, "The same command continues" in printed) == (130, True)
    first = (run / "trials.csv").read_bytes()

    status, printed = command("trial", run, "--methods", "grad-cam layer-cam", "--images", 2)
    assert status == 0, printed
    assert tried == ["grad-cam", "layer-cam", "layer-cam"]
    assert (run / "trials.csv").read_bytes().startswith(first)
    # Other images are another trial.
    try_run(run, ["grad-cam"], images=1)
    assert tried[-1] == "grad-cam"


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_gives_the_same_trials(place: Path) -> None:
    values = []
    for _ in range(2):
        try_run(place / "run", ["kernel-shap"], images=1, seed=3)
        values.append((place / "run" / "trials.csv").read_bytes())
        (place / "run" / "trials.json").unlink()
    assert values[0] == values[1]


@pytest.mark.usefixtures("undrawn")
def test_what_has_moved_is_asked_for_and_can_be_named(place: Path) -> None:
    run = place / "run"
    (place / "exams").rename(place / "elsewhere")
    with pytest.raises(DensightError, match=r"the run's input is not there.*name it with --input"):
        try_run(run, images=2)
    (place / "all").rename(place / "model")
    with pytest.raises(DensightError, match="name the run's models with --model"):
        try_run(run, images=2, source=place / "elsewhere")
    assert try_run(run, images=2, source=place / "elsewhere", model=[place / "model"]).cards
    write_model(place / "other", seed=5)
    with pytest.raises(DensightError, match="these are not the models of the run"):
        try_run(run, images=2, source=place / "elsewhere", model=[place / "other"])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--methods", "crystal-ball"], "unknown method 'crystal-ball'.*use one of grad-cam"),
        (["--second", "nowhere"], "no model bundle"),
    ],
)
def test_what_cannot_be_tried_is_refused(place: Path, arguments: list[str], fault: str) -> None:
    status, printed = command("trial", place / "run", "--images", 2, *arguments)
    assert status == 2
    assert re.search(fault, printed, re.DOTALL), printed


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    status, printed = command("trial", tmp_path)
    assert status == 2
    assert "run.json" in printed


@pytest.mark.usefixtures("undrawn")
def test_an_image_without_a_breast_is_told_and_the_others_are_tried(tmp_path: Path) -> None:
    write_exams(1, 8, tmp_path / "exams", Settings(shape=(128, 104)), jobs=1)
    folder = tmp_path / "exams" / "P9"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(8, 12, (128, 104), np.uint8)
    Image.fromarray(noise).save(folder / "P9_MLO_R.png")
    (tmp_path / "exams" / "catalogue.csv").unlink()
    write_model(tmp_path / "all", preset="tutorial")
    status, printed = command("assess", tmp_path / "exams", "-m", tmp_path / "all", "-o", tmp_path / "run")
    assert status == 0, printed
    status, printed = command("trial", tmp_path / "run", "--images", 9)
    assert status == 1
    assert "P9_MLO_R.png: no breast is found" in printed
    assert "2 images tested" in printed


@pytest.mark.usefixtures("undrawn")
def test_patients_images_are_read_by_anatomy_and_painted(data: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "all")
    command("assess", data / "infn" / "TestSet", "-m", tmp_path / "all", "-o", tmp_path / "run")
    found = try_run(tmp_path / "run", ["grad-cam"], images=3)
    content = json.loads((tmp_path / "run" / "trials.json").read_text())
    assert content["tried"]["tissue"] == ["read by the anatomy"]
    assert content["tried"]["fat"] == ["painted with fat's texture"]
    assert {line.verdict for line in found.cards[0].lines} <= {"told", "nothing"}  # three women are too few to judge


@pytest.mark.usefixtures("undrawn")
def test_a_withdrawn_warning_disappears_from_the_hung_pictures(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = place / "run"
    pictures = sorted((run / "maps" / "exams").glob("*.png"))
    without_warning = [picture.read_bytes() for picture in pictures]
    with monkeypatch.context() as patch:
        patch.setattr(measure, "FEW", 1)
        assert [bool(card.warning) for card in try_run(run, images=4).cards] == [True]
    assert all(picture.read_bytes() != old for picture, old in zip(pictures, without_warning, strict=True))

    # Two patients are too few to be judged, so the next trial warns of nothing.
    assert [card.warning for card in try_run(run, images=2).cards] == [""]
    assert [picture.read_bytes() for picture in pictures] == without_warning


@pytest.fixture
def raw_maps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without pictures, which take longer than the maps."""
    for name in ("save_tutorial_pictures", "draw_classes", "save_film", "draw_hanging", "_save_figure"):
        monkeypatch.setattr(save, name, lambda *_, **__: None)


class MapsRecordedError(Exception):
    """All that a test needs is recorded."""


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Case, np.ndarray]]:
    """The first two maps of a trial; the trial ends with them."""
    recorded: list[tuple[Case, np.ndarray]] = []
    original = Case.map

    def record(case: Case, *arguments: object) -> np.ndarray:
        values = original(case, *arguments)  # type: ignore[arg-type]
        recorded.append((case, values))
        if len(recorded) == 2:
            raise MapsRecordedError
        return values

    monkeypatch.setattr(Case, "map", record)
    return recorded


@pytest.mark.usefixtures("raw_maps_only")
def test_the_maps_that_are_tested_are_the_maps_that_were_drawn(
    place: Path, maps: list[tuple[Case, np.ndarray]]
) -> None:
    """KernelSHAP has a baseline, regions of tissue, and random sets: all three are those of the run."""
    run = place / "shap"
    status, printed = command(
        "explain", place / "exams" / "P000001", "-m", place / "all", "-o", run, "--method", "kernel-shap"
    )
    assert status == 0, printed
    with pytest.raises(MapsRecordedError):
        try_run(run, images=2, seed=7)
    starts = {Path(row["path"]).name: row["maps"] for row in read_assessments(run)[0].to_dict("records")}
    for case, values in maps:
        assert case.reference == "known of the phantom"  # which is what the map is scored with, not made with
        path = case.result.mammogram.path
        assert path is not None
        expected = read_raw(run / f"{starts[path.name]}_raw.json").framed("expected class")
        blurred = cv2.GaussianBlur(expected, (0, 0), BLUR * max(expected.shape))
        np.testing.assert_array_equal(values, blurred)


@pytest.mark.usefixtures("raw_maps_only")
def test_the_maps_that_are_tested_are_of_the_layer_that_was_drawn(
    place: Path, maps: list[tuple[Case, np.ndarray]]
) -> None:
    run = place / "layer"
    status, printed = command(
        "explain", place / "exams" / "P000001", "-m", place / "all", "-o", run, "--layer", "features.4"
    )
    assert status == 0, printed
    with pytest.raises(MapsRecordedError):
        try_run(run, images=2)
    starts = {Path(row["path"]).name: row["maps"] for row in read_assessments(run)[0].to_dict("records")}
    for case, values in maps:
        path = case.result.mammogram.path
        assert path is not None
        explanation = read_raw(run / f"{starts[path.name]}_raw.json")
        assert explanation.layer == "features.4"
        np.testing.assert_allclose(values, explanation.framed("expected class"), rtol=1e-4, atol=1e-7)


def test_the_predicted_class_is_that_of_the_report(place: Path, maps: list[tuple[Case, np.ndarray]]) -> None:
    models = load_models([place / "all"])
    # A shift that makes every image the last class, whatever the network answers.
    scaling = Scaling("vector", (1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 99.0), 9, 9)
    store_calibration(models, {models.bundles[0].checksum: Calibration(scaling, Fusion(), (), {})})
    run = place / "calibrated"
    status, printed = command("assess", place / EXAM, "-m", place / "all", "-o", run)
    assert status == 0, printed
    assert set(read_assessments(run)[0]["predicted"]) == {"D"}
    with pytest.raises(MapsRecordedError):
        try_run(run, images=2, predicted=True)
    assert [case.target for case, _ in maps] == [3, 3]


def test_images_are_chosen_two_a_patient_in_pairs() -> None:
    import pandas as pd

    rows = [
        {"patient_id": f"P{patient}", "view": view, "laterality": side}
        for patient in range(9)
        for view in ("CC", "MLO")
        for side in ("R", "L")
    ]
    chosen = choose_images(pd.DataFrame(rows), 12, seed=0)
    assert len(chosen) == 12
    assert chosen["patient_id"].value_counts().tolist() == [2] * 6
    by_patient = [frozenset(of["view"] + of["laterality"]) for _, of in chosen.groupby("patient_id")]
    assert {"CCR", "CCL"} in by_patient
    assert {"CCR", "MLOR"} in by_patient
    assert len(choose_images(pd.DataFrame(rows), 99, seed=0)) == 18
    with pytest.raises(DensightError, match="0 images cannot be tested"):
        choose_images(pd.DataFrame(rows), 0, seed=0)
