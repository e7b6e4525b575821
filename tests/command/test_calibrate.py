from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import densight
from densight.assessment.models import load_models
from densight.assessment.tables import read_assessments, read_breasts, read_exams
from densight.figures.evaluate import figures_of_run
from densight.network.bundle import read_bundle
from densight.vocabulary import DensightError
from tests.examples import write_exam, write_model
from tests.runner import invoke

COLUMNS = ["p_A", "p_B", "p_C", "p_D"]


def command(*words: str | Path) -> str:
    result = invoke(*words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve exams to calibrate on and three others, their classes those that a network with random weights gives."""
    folder = tmp_path_factory.mktemp("exams")
    rows = []
    for number in range(15):
        write_exam(folder / f"E{number}", number, number / 15)
        for path in sorted((folder / f"E{number}").iterdir()):
            view, side = path.stem.split("_")
            split = "validation" if number < 12 else "test"
            label = "ABCD"[number % 4]
            rows.append((f"E{number}/{path.name}", f"P{number}", f"E{number}", side, view, label, split))
    names = ["path", "patient_id", "exam_id", "laterality", "view", "density", "split"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "catalogue.csv", index=False)
    return folder / "catalogue.csv"


@pytest.fixture
def model(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "all"))


def test_a_calibrated_model_is_used_and_says_so(catalogue: Path, model: Path, tmp_path: Path) -> None:
    weights = read_bundle(model).checksum
    command("assess", catalogue, "--split", "test", "-m", model, "-o", tmp_path / "before")
    printed = command("calibrate", catalogue, "-m", model, "-o", tmp_path / "calibration", "--method", "ordinal")
    assert "ordinal scaling" in printed
    assert "note: 12 patients are too few for a reliable calibration" in printed
    assert f"Written into {model}; assess uses it from now on." in printed

    bundle = read_bundle(model)
    calibration = bundle.facts.calibration
    assert calibration is not None
    assert bundle.checksum == weights
    assert calibration["record"]["split"] == "validation"
    assert "ordinal" in (model / "MODEL_CARD.md").read_text()
    assert calibration["images"]["cases"] == 48
    assert (calibration["fusion"]["exam"]["cases"], calibration["fusion"]["breast"]["cases"]) == (12, 24)

    printed = command("assess", catalogue, "--split", "test", "-m", model, "-o", tmp_path / "after")
    assert (
        "note: probabilities are calibrated, sets hold the true class of 90 % of exams; the report says how" in printed
    )
    run = json.loads((tmp_path / "after" / "run.json").read_text())
    assert any(words.startswith("exams: ordinal scaling") for words in run["calibration"])
    models = load_models([model])
    found = models.calibration_of(models.bundles[0])
    assert found is not None
    assert found.images is not None
    before, after = (read_assessments(tmp_path / name)[0][COLUMNS].to_numpy() for name in ("before", "after"))
    assert after == pytest.approx(found.images.apply(before), abs=1e-6)
    cube = after.reshape(3, 4, 4)  # CC_L, CC_R, MLO_L, MLO_R of each exam
    exams = read_exams(tmp_path / "after")[0]
    assert exams[COLUMNS].to_numpy() == pytest.approx(found.fusion.of_exams(cube), abs=1e-6)
    breasts = read_breasts(tmp_path / "after")[0]
    left = breasts[breasts["laterality"] == "L"][COLUMNS].to_numpy()
    alone = np.full(cube.shape, np.nan)
    alone[:, [0, 2]] = cube[:, [0, 2]]
    assert left == pytest.approx(found.fusion.of_breasts(alone), abs=1e-6)
    assert exams["set"].str.fullmatch("A|B|C|D|A B|B C|C D|A B C|B C D|A B C D").all()
    facts = json.loads((tmp_path / "after" / "run.json").read_text())
    assert facts["calibration"] == models.calibration_notes
    assert len(models.calibration_notes) == 4

    merit = figures_of_run(tmp_path / "after").levels["exam"]
    assert merit["brier"].value == pytest.approx(
        ((exams[COLUMNS].to_numpy() - np.eye(4)[[0, 1, 2]]) ** 2).sum(axis=1).mean(), abs=1e-6
    )


def test_python_says_the_same(catalogue: Path, model: Path, tmp_path: Path) -> None:
    command("calibrate", catalogue, "-m", model, "-o", tmp_path / "calibration", "--coverage", "0.6")
    command("assess", catalogue, "--split", "test", "-m", model, "-o", tmp_path / "run")
    exams = read_exams(tmp_path / "run")[0].set_index("exam_id")
    result = densight.load_model(model).assess(densight.read_exam(catalogue.parent / "E12"))
    row = exams.loc["E12"]
    assert result.probabilities == pytest.approx(row[COLUMNS].to_numpy(dtype=float), abs=1e-6)
    assert (result.density, result.set) == (row["predicted"], tuple(row["set"].split()))


def test_models_of_single_projections_are_calibrated_together_and_not_used_apart(
    catalogue: Path, tmp_path: Path
) -> None:
    for seed, projection in enumerate(("CC_R", "CC_L", "MLO_R", "MLO_L")):
        write_model(tmp_path / "models" / projection, (projection,), seed=seed)
    options = ("--method", "temperature", "--fusion", "learned", "--each")
    printed = command("calibrate", catalogue, "-m", tmp_path / "models", "-o", tmp_path / "calibration", *options)
    assert "projections fused by the rule learned" in printed
    together = load_models([tmp_path / "models"])
    assert together.fusion.rule == "learned"
    assert together.fusion.sets is not None
    apart = load_models([tmp_path / "models" / "CC_R", tmp_path / "models" / "CC_L"])
    assert apart.fusion.rule == "mean"
    assert "not calibrated, because that was fitted with other models together" in apart.calibration_notes[-1]
    assert not load_models([tmp_path / "models"], calibrated=False).calibration_notes


def test_a_run_is_not_gone_on_with_under_another_calibration(catalogue: Path, model: Path, tmp_path: Path) -> None:
    command("assess", catalogue, "--split", "test", "-m", model, "-o", tmp_path / "run")
    command("calibrate", catalogue, "-m", model, "-o", tmp_path / "calibration")
    with pytest.raises(DensightError, match="a run of another model, or of another calibration"):
        command("assess", catalogue, "--split", "test", "-m", model, "-o", tmp_path / "run")


def test_calibrating_again_starts_from_the_softmax(catalogue: Path, model: Path, tmp_path: Path) -> None:
    once, twice = [], []
    for found in (once, twice):
        command("calibrate", catalogue, "-m", model, "-o", tmp_path / "calibration")
        found.append(read_bundle(model).facts.calibration)
    assert once == twice


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--split", "train"), "cannot be calibrated on the split that trained it"),
        (("--method", "platt"), "unknown scaling 'platt'"),
        (("--fusion", "vote"), "unknown rule of fusion 'vote'"),
        (("--coverage", "90"), "the coverage 90 is no share"),
    ],
)
def test_faults_are_refused_and_the_model_stays_as_it_is(
    catalogue: Path, model: Path, tmp_path: Path, words: tuple[str, str], fault: str
) -> None:
    before = (model / "model.json").read_bytes()
    with pytest.raises(DensightError, match=fault):
        command("calibrate", catalogue, "-m", model, "-o", tmp_path / "calibration", *words)
    assert (model / "model.json").read_bytes() == before


def test_a_damaged_calibration_is_named(model: Path) -> None:
    content = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(content | {"calibration": {"images": {"method": "platt"}}}))
    with pytest.raises(
        DensightError, match=r"all: its calibration is damaged: .* are missing.*calibrate the model again"
    ):
        load_models([model])
