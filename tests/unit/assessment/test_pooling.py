from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densight.assessment.calibration import Fusion
from densight.assessment.pooling import LEARNED, RULES, fit_weights, pool
from densight.storage import plain
from densight.validation import validate
from densight.vocabulary import DensightError

SINGLE = [rule for rule in RULES if rule != LEARNED]
WEIGHTS = (0.4, 0.3, 0.2, 0.1)


def cube_of(seed: int, exams: int = 6, missing: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cube = rng.dirichlet(np.ones(4), size=(exams, 4))
    lacks = rng.random((exams, 4)) < missing
    lacks[np.arange(exams), rng.integers(4, size=exams)] = False
    cube[lacks] = np.nan
    return cube


# CC_R, CC_L and MLO_R of an exam; MLO_L is missing.
CUBE = np.array([[[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1], [np.nan] * 3]])


class TestByHand:
    def test_mean_and_median(self) -> None:
        assert pool(CUBE)[0] == pytest.approx([0.8 / 3, 1.3 / 3, 0.9 / 3])
        assert pool(CUBE, "median")[0] == pytest.approx(np.array([0.2, 0.3, 0.2]) / 0.7)

    def test_logit_mean_is_the_geometric_mean(self) -> None:
        product = np.cbrt([0.5 * 0.2 * 0.1, 0.3 * 0.2 * 0.8, 0.2 * 0.6 * 0.1])
        assert pool(CUBE, "logit-mean")[0] == pytest.approx(product / product.sum())

    def test_the_denser_breast_is_the_left(self) -> None:
        # Expected class: right (.3·0 + .55·1 + .15·2) = .85, left 1.4.
        assert pool(CUBE, "denser-breast")[0] == pytest.approx([0.2, 0.2, 0.6])

    def test_learned_weights_of_missing_projections_go_to_the_others(self) -> None:
        powers = np.array([0.4, 0.3, 0.2]) / 0.9
        product = np.prod(CUBE[0, :3] ** powers[:, None], axis=0)
        assert pool(CUBE, LEARNED, WEIGHTS)[0] == pytest.approx(product / product.sum())


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10_000))
def test_every_rule_gives_probabilities_whatever_is_missing(rule: str, seed: int) -> None:
    cube = cube_of(seed)
    fused = pool(cube, rule, WEIGHTS)
    assert np.isfinite(fused).all()
    assert (fused >= 0).all()
    assert fused.sum(axis=1) == pytest.approx(np.ones(len(cube)))


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10_000))
def test_an_exam_alone_is_as_among_others(rule: str, seed: int) -> None:
    cube = cube_of(seed)
    together = pool(cube, rule, WEIGHTS)
    for row in range(len(cube)):
        assert pool(cube[row : row + 1], rule, WEIGHTS)[0] == pytest.approx(together[row], abs=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_projections_that_agree_are_believed(rule: str) -> None:
    said = np.array([0.1, 0.2, 0.6, 0.1])
    assert pool(np.tile(said, (1, 4, 1)), rule, WEIGHTS)[0] == pytest.approx(said)


def test_learned_weights_find_the_projection_that_knows() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=400)
    cube = rng.dirichlet(np.ones(4), size=(400, 4))
    cube[:, 2] = 0.7 * np.eye(4)[truth] + 0.3 * cube[:, 2]
    weights = fit_weights(cube, truth)
    assert weights[2] > 0.5
    assert max(weights[0], weights[1], weights[3]) < 0.1


def test_faults_are_refused() -> None:
    cube = cube_of(1)
    with pytest.raises(DensightError, match=r"unknown rule of fusion 'vote'.*use one of mean, logit-mean"):
        pool(cube, "vote")
    with pytest.raises(DensightError, match="the rule learned needs weights"):
        pool(cube, LEARNED)
    with pytest.raises(DensightError, match="1 of 6 exams have no projection"):
        pool(np.concatenate([cube[:5], np.full((1, 4, 4), np.nan)]))
    with pytest.raises(ValueError, match="unknown rule of fusion"):
        validate(Fusion, plain(Fusion()) | {"rule": "vote"}, None, "calibrate again")
