"""How the models that come with densight are fitted and judged."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from densight.network.bundle import read_bundle
from densight.phantom.patient import CUT_POINTS
from densight.vocabulary import BIRADS
from tests.examples import draw_breast


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")


def _frame(seed: int) -> np.ndarray:
    image = draw_breast(seed, 0.5, shape=(320, 208))
    return np.where(image > 40, image, 0).astype(np.uint8)


def test_a_phantom_at_a_cut_point_is_of_either_class_alike() -> None:
    from starter.fit import LOOKS, likely_classes

    probabilities = likely_classes({"breast_volumetric_density": CUT_POINTS[1]})
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[:2].sum() == pytest.approx(0.5)
    # One standard deviation below the first cut-point: Φ(1) of A.
    assert likely_classes({"breast_volumetric_density": CUT_POINTS[0] * math.exp(-LOOKS)})[0] == pytest.approx(
        0.8413447
    )


def test_neighbouring_labels_have_the_odds_of_score_less_cut_point() -> None:
    from starter.fit import Learner

    learner = Learner()
    with torch.no_grad():
        learner.cuts["phantom"].copy_(torch.tensor([-1.0, 0.5, 2.0]))
    logits = learner.logits(torch.tensor([1.25]), "phantom")[0]
    slope = math.log1p(math.exp(0.54))
    torch.testing.assert_close(logits.diff(), slope * 1.25 - torch.tensor([-1.0, 0.5, 2.0]))


def test_the_cut_points_of_simulated_readers_are_found_again() -> None:
    from starter.head import fit_cuts

    rng = np.random.default_rng(3)
    score = rng.normal(0, 1.5, 20_000)
    cuts = np.array([-2.0, 0.3, 2.5])
    logits = np.pad((2 * score[:, None] - cuts).cumsum(1), ((0, 0), (1, 0)))
    likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    slope, fitted = fit_cuts(score, likely, rng.uniform(0.5, 1.5, len(score)))
    assert slope == pytest.approx(2, rel=1e-3)
    np.testing.assert_allclose(fitted, cuts, atol=1e-3)


def test_a_great_penalty_keeps_the_head_and_none_is_least_squares() -> None:
    from starter.head import ridge_about

    rng = np.random.default_rng(4)
    features = rng.normal(size=(50, 3)) * (1, 5, 0.2)
    known = features @ (1.0, 2.0, 3.0) + rng.normal(size=50)
    begin = np.array([1.0, -1.0, 0.0])
    kept, free = (ridge_about(features, known, begin, penalty) for penalty in (1e9, 1e-12))
    assert kept[1] / kept[0] == pytest.approx(-1, abs=1e-6)
    centred = features - features.mean(0)
    np.testing.assert_allclose(free, np.linalg.lstsq(centred, known - known.mean(), rcond=None)[0], atol=1e-4)


def test_fits_are_averaged_weight_by_weight() -> None:
    from starter.fit import Learner, mean_of

    first, second, third = Learner(), Learner(), Learner()
    mean = mean_of([first, second, third])
    expected = (first.network.stem.weight + second.network.stem.weight + third.network.stem.weight) / 3
    torch.testing.assert_close(mean.network.stem.weight, expected)


def test_a_bundle_says_what_was_fitted(tmp_path: Path) -> None:
    from starter.bundle import write_starter
    from starter.fit import Learner
    from starter.head import pooled
    from starter.material import Framed

    images = [
        Framed(_frame(seed), None, np.zeros((80, 52), np.float32), {"patient_id": f"P{seed}"}) for seed in range(3)
    ]
    torch.manual_seed(0)
    learner = Learner().eval()
    write_starter(learner, "starter", images, tmp_path / "model")
    bundle = read_bundle(tmp_path / "model")
    assert bundle.facts.classes == BIRADS
    features = torch.from_numpy(pooled(learner.network, images)).float()
    scores = learner.score(features)[:, 0]
    with torch.inference_mode():
        logits = bundle.network.classifier(features)
    torch.testing.assert_close(logits.diff(dim=1), learner.logits(scores, "phantom").diff(dim=1), rtol=2e-3, atol=2e-3)
    assert bundle.scope is not None
    assert all(bundle.scope.distance(row) < bundle.scope.limit for row in pooled(bundle.network, images))


def test_the_cut_in_three_is_the_best_one_and_judged_on_others() -> None:
    from starter.figures import best_cuts, three_way

    assert best_cuts(np.array([1.0, 2, 3, 4]), np.array([0, 0, 1, 2])) == (2.5, 3.5)
    fitted = pd.DataFrame({"expected": [0.0, 1.0, 2.0], "place": [0, 1, 2]})
    judged = pd.DataFrame({"expected": [0.4, 0.6, 1.4, 1.6], "place": [0, 0, 1, 2]})
    assert three_way("expected", fitted)(judged) == 0.75


def test_intervals_draw_patients_and_not_images() -> None:
    from starter.figures import interval

    table = pd.DataFrame({"patient_id": ["P"] * 50 + ["Q"], "x": [1.0] * 50 + [0.0]})
    value, low, high = interval(lambda t: float(t["x"].mean()), table, draws=500)
    assert value == pytest.approx(50 / 51)
    assert (low, high) == (0, 1)


def test_the_baseline_has_27_features_that_see_the_breast_alone() -> None:
    from starter.baselines import hand_made
    from starter.material import Framed

    known = hand_made(Framed(_frame(0), None, None, {}))
    assert known.shape == (27,)
    assert np.isfinite(known).all()
