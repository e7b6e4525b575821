"""The models that come with densight, and what a model with a scope does not answer."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import densight
from densight.assessment.models import load_models
from densight.cli.main import app
from densight.explanation.methods.gradcam import grad_cam
from densight.intake.mammogram import Exam, Mammogram
from densight.network.bundle import read_bundle, write_bundle
from densight.network.scope import SCOPE_CONTENT, SOFTENED, Scope
from densight.network.shipped import DEFAULT, model_folder, shipped_models
from densight.phantom.imaging import exam as make_exam
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Projection
from tests.examples import draw_breast, write_exam, write_model

NAMES = shipped_models()


@pytest.fixture(scope="module")
def women() -> dict[str, Exam]:
    """A phantom of each class, whom no fitting has seen."""
    return {label: make_exam(seed=900 + i, density=label, shape=(512, 416)) for i, label in enumerate(BIRADS)}


# --- what comes with densight --------------------------------------------------------------------------------------


def test_the_default_model_is_shipped_and_all_are_small() -> None:
    assert NAMES[0] == DEFAULT
    size = sum(path.stat().st_size for name in NAMES for path in model_folder(name).iterdir())
    assert size < 12e6


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_whole_and_its_card_is_its_own(name: str) -> None:
    bundle = read_bundle(model_folder(name))
    assert bundle.facts.classes == BIRADS
    assert bundle.facts.projections == tuple(PROJECTIONS)
    assert bundle.facts.calibration is not None
    assert bundle.scope is not None
    assert 0 < bundle.scope.limit < math.inf
    card = (model_folder(name) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# Model card: {name}\n")
    assert bundle.checksum in card
    assert "not for clinical decisions" in card
    assert bundle.facts.licence in card
    for section in ("Intended use", "Factors", "Training data", "Evaluation data", "Failures seen", "caveats"):
        assert section in card


def test_only_the_research_model_has_terms_of_its_own() -> None:
    assert read_bundle(model_folder("starter")).facts.licence.startswith("Apache-2.0")
    for name in NAMES[1:]:
        assert "research only" in read_bundle(model_folder(name)).facts.licence


@pytest.mark.parametrize("name", NAMES)
def test_denser_women_get_denser_classes(name: str, women: dict[str, Exam]) -> None:
    model = densight.load_model(name)
    results = [model.assess(exam) for exam in women.values()]
    expected = [float(result.probabilities @ np.arange(4)) for result in results]
    assert expected == sorted(expected)
    off = [BIRADS.index(result.density) - BIRADS.index(label) for label, result in zip(women, results, strict=True)]
    assert max(map(abs, off)) <= 1
    assert off.count(0) >= 3
    assert results[-1].density == "D"
    assert all(result.set for result in results)
    assert not any(result.refused for result in results)


def test_the_map_of_the_starter_points_at_the_tissue(women: dict[str, Exam]) -> None:
    """Of a phantom's dense tissue and of its fat, the expected class is moved by the one up and by the other down."""
    exam = women["C"]
    for projection, explanation in densight.load_model("starter").explain(exam).items():
        truth = exam.truth.images[projection]  # type: ignore[attr-defined]
        values = explanation.map("expected class")
        fat = truth.breast & ~truth.pectoral & ~truth.dense & ~truth.skin
        assert values[truth.dense].mean() > 0 > values[fat].mean()


def test_the_maps_of_a_shipped_model_add_up_to_what_it_says() -> None:
    bundle = read_bundle(model_folder("starter"))
    network, image = bundle.network, torch.rand(1, 3, 320, 208) - 0.3
    with torch.inference_mode():
        features = network.forward_features(image)
        # ReLU of a value times its weight, over all positions, is the logit but for its bias.
        contributions = torch.einsum("ck,bkij->bcij", network.classifier.weight, network.activate(features))
        pooled = contributions.mean((2, 3)) + network.classifier.bias
        torch.testing.assert_close(pooled, network(image))
        assert grad_cam(network, features).shape == (1, 4, 80, 52)


@pytest.mark.parametrize("change", ["mirrored", "negative", "16 bits", "half"])
def test_what_must_not_matter_does_not(change: str, women: dict[str, Exam]) -> None:
    model = densight.load_model("starter")
    moved = []
    for exam in women.values():
        for mammogram in list(exam)[::2]:
            pixels = {
                "mirrored": lambda x: np.ascontiguousarray(x[:, ::-1]),
                "negative": lambda x: x.max() - x,
                "16 bits": lambda x: x * np.uint16(16),
                "half": lambda x: np.ascontiguousarray(x[::2, ::2]),
            }[change](mammogram.pixels)
            pair = [model.assess(image).probabilities for image in (mammogram, replace(mammogram, pixels=pixels))]
            moved.append(abs(float((pair[0] - pair[1]) @ np.arange(4))))
    assert np.median(moved) < 0.15


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with a scope in which nothing fits."""
    bundle = read_bundle(model_folder("starter"))
    assert bundle.scope is not None
    folder = tmp_path_factory.mktemp("models") / "strict"
    write_bundle(folder, bundle.network.state_dict(), bundle.facts, replace(bundle.scope, limit=1e-3))
    return folder


def test_what_is_no_mammogram_is_refused(women: dict[str, Exam]) -> None:
    model = densight.load_model("starter")
    rng = np.random.default_rng(0)
    for pixels in (np.zeros((400, 300), np.uint8), rng.integers(0, 256, (400, 300), np.uint8)):
        with pytest.raises(DensightError, match=r"cannot assess: .*densight anatomy draws what is seen"):
            model.assess(Mammogram(pixels, Projection.CC_R))
    half = women["B"].mammograms[0]
    cut = replace(half, pixels=np.ascontiguousarray(half.pixels[: half.shape[0] // 2]))
    with pytest.raises(DensightError, match="cannot assess: breast cut off"):
        model.assess(cut)


def test_an_exam_is_assessed_without_what_is_refused(women: dict[str, Exam]) -> None:
    model = densight.load_model("starter")
    images = list(women["C"])
    black = replace(images[0], pixels=np.zeros_like(images[0].pixels))
    assert black.projection is not None
    result = model.assess(Exam((black, *images[1:])))
    assert set(result.refused) == {black.projection}
    assert result.refused[black.projection] == "cannot assess: no breast stands out from the background"
    assert black.projection not in result.images
    assert black.projection not in result.missing
    others = model.assess(Exam(tuple(images[1:])))
    np.testing.assert_array_equal(result.probabilities, others.probabilities)
    assert set(model.explain(Exam((black, *images[1:])))) == {image.projection for image in images[1:]}


def test_what_is_unlike_all_that_was_learnt_is_refused(strict: Path, women: dict[str, Exam]) -> None:
    with pytest.raises(DensightError, match=r"cannot assess: it is unlike the images that strict@\w+ has learnt from"):
        densight.load_model(strict).assess(women["A"])


def test_a_model_without_a_scope_answers_as_before(tmp_path: Path) -> None:
    """It warns; whoever trained it knows on what."""
    model = densight.load_model(write_model(tmp_path / "all"))
    image = Mammogram(np.ascontiguousarray(draw_breast(1, 0.5)[:90]), Projection.CC_L)
    result = model.assess(image)
    assert "breast cut off" in result.images[Projection.CC_L].warnings
    assert not result.refused


def test_a_run_lists_what_is_refused(tmp_path: Path, women: dict[str, Exam]) -> None:
    folder = tmp_path / "exams" / "E1"
    folder.mkdir(parents=True)
    for mammogram in women["B"]:
        Image.fromarray(mammogram.pixels).save(folder / f"{mammogram.projection}.png")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (300, 200), np.uint8)).save(folder / "CC_R.png")
    done = CliRunner().invoke(app, ["assess", str(tmp_path / "exams"), "-o", str(tmp_path / "run")])
    assert done.exit_code == 1
    assert "CC_R.png: cannot assess: no breast stands out from the background" in done.output
    assert len((tmp_path / "run" / "assessments.csv").read_text().splitlines()) == 4
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["sources"]["models"] == ["starter"]


# --- the scope -----------------------------------------------------------------------------------------------------


def test_the_distance_is_mahalanobis_of_logarithms() -> None:
    """Of two features that do not go together: a step of a logarithm's standard deviation is about one."""
    rng = np.random.default_rng(0)
    features = np.exp(rng.standard_normal((20_000, 2)) * [0.5, 0.1]) * [3.0, 40.0]
    scope = Scope.of(features, 9.0, "none")
    logs = np.log(features / features.std(axis=0) + SOFTENED)
    middle, steps = logs.mean(axis=0), logs.std(axis=0)

    def at(*away: float) -> float:
        return scope.distance((np.exp(middle + np.array(away) * steps) - SOFTENED) * features.std(axis=0))

    assert at(0, 0) == pytest.approx(0, abs=1e-6)
    assert at(3, 0) == pytest.approx(3, rel=0.03)
    assert at(0, -2) == pytest.approx(2, rel=0.03)
    assert at(3, -4) == pytest.approx(5, rel=0.03)
    again = SCOPE_CONTENT.validate_python(json.loads(json.dumps(SCOPE_CONTENT.dump_python(scope))))
    assert again.distance(np.ones(2)) == pytest.approx(scope.distance(np.ones(2)), rel=1e-5)
    assert (again.limit, again.false_alarms) == (9.0, "none")


def test_features_that_go_together_are_far_when_they_part() -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((5_000, 1))
    features = np.exp(0.5 * shared + 0.05 * rng.standard_normal((5_000, 2)))
    scope = Scope.of(features)
    assert scope.distance(np.array([1.6, 0.6])) > 1.5 * scope.distance(np.array([1.6, 1.6]))


def test_a_feature_that_never_changed_does_not_hide_the_others() -> None:
    features = np.column_stack([np.linspace(1, 2, 50), np.zeros(50)])
    scope = Scope.of(features)
    assert math.isfinite(scope.distance(np.array([0.5, 0.0])))
    assert scope.distance(np.array([0.5, 0.1])) > 100


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda path: path.unlink(), "not the one that model.json names"),
        (lambda path: path.write_text("{}"), "not the one that model.json names"),
    ],
)
def test_a_damaged_scope_is_told(strict: Path, tmp_path: Path, damage: object, fault: str) -> None:
    bundle = read_bundle(strict)
    write_bundle(tmp_path / "m", bundle.network.state_dict(), bundle.facts, bundle.scope)
    damage(tmp_path / "m" / "scope.json")  # type: ignore[operator]
    with pytest.raises(DensightError, match=fault):
        read_bundle(tmp_path / "m")


# --- the command line ----------------------------------------------------------------------------------------------


def test_models_lists_them_and_card_shows_one() -> None:
    listed = CliRunner().invoke(app, ["models"]).output
    for name in NAMES:
        assert re.search(rf"^ {name} +A B C D", listed, re.MULTILINE)
        shown = CliRunner().invoke(app, ["card", name]).output
        assert shown == (model_folder(name) / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_card_shows_that_of_a_folder_and_tells_what_there_is(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "all")
    assert CliRunner().invoke(app, ["card", str(folder)]).output.startswith("# Model card\n")
    with pytest.raises(DensightError, match=r"no model card.*give starter"):
        CliRunner().invoke(app, ["card", str(tmp_path / "none")], catch_exceptions=False)


def test_a_folder_named_as_a_shipped_model_is_meant_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "starter", classes=("F", "G", "D"))
    monkeypatch.chdir(tmp_path)
    assert load_models(["starter"]).classes == BIRADS
    assert load_models([tmp_path / "starter"]).classes == ("F", "G", "D")


def test_a_shipped_model_is_not_calibrated_in_its_place(tmp_path: Path) -> None:
    write_exam(tmp_path / "E1", 1, 0.5)
    with pytest.raises(DensightError, match=r"cannot be changed.*copy its folder, .*models/starter"):
        CliRunner().invoke(app, ["calibrate", str(tmp_path), "--model", "starter"], catch_exceptions=False)


def test_a_run_of_the_starter_can_be_tried(tmp_path: Path, women: dict[str, Exam]) -> None:
    folder = tmp_path / "exams" / "E1"
    folder.mkdir(parents=True)
    for mammogram in list(women["C"])[:2]:
        Image.fromarray(mammogram.pixels).save(folder / f"{mammogram.projection}.png")
    run = tmp_path / "run"
    assert CliRunner().invoke(app, ["explain", str(tmp_path / "exams"), "-o", str(run)]).exit_code == 0
    tried = CliRunner().invoke(app, ["trial", str(run), "--methods", "grad-cam", "--images", "2"])
    assert tried.exit_code == 0, tried.output
    assert "2 images tested" in tried.output
