from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densight.assessment.calibration import Calibration, Fusion
from densight.assessment.conformal import PredictionSets, fit_sets, mass_before
from densight.assessment.scaling import SCALINGS, Scaling, fit_scaling
from densight.storage import plain
from densight.validation import validate
from densight.vocabulary import DensightError

PARAMETERS = {"temperature": (1.7,), "ordinal": (0.8, 0.3), "vector": (1.2, 0.9, 1.0, 1.1, 0.1, -0.2, 0.0, 0.3)}


def drawn(seed: int, n: int = 3000, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and classes that come true as often as said."""
    rng = np.random.default_rng(seed)
    said = rng.dirichlet(np.ones(k), size=n)
    return said, (said.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


class TestScaling:
    def test_by_hand(self) -> None:
        said = np.array([[0.2, 0.3, 0.5]])
        powers = np.sqrt(said)
        assert Scaling("temperature", (2.0,), 1, 1).apply(said) == pytest.approx(powers / powers.sum())
        # Odds of at most A: .25, of at most B: 1. Times e^-ln 2: .125 and .5, so that F is 1/9, 1/3.
        scaled = Scaling("ordinal", (1.0, float(np.log(2))), 1, 1).apply(said)
        assert scaled[0] == pytest.approx([1 / 9, 1 / 3 - 1 / 9, 2 / 3])
        vector = said * [2.0, 1.0, 1.0]
        scaled = Scaling("vector", (1, 1, 1, float(np.log(2)), 0, 0), 1, 1).apply(said)
        assert scaled == pytest.approx(vector / vector.sum())

    @pytest.mark.parametrize("method", SCALINGS)
    @given(seed=st.integers(0, 10_000))
    def test_probabilities_stay_probabilities(self, method: str, seed: int) -> None:
        said = np.random.default_rng(seed).dirichlet(np.full(4, 0.05), size=5)
        scaled = Scaling(method, PARAMETERS[method], 1, 1).apply(said)
        assert (scaled >= -1e-12).all()
        assert scaled.sum(axis=1) == pytest.approx(np.ones(5))

    @pytest.mark.parametrize("method", SCALINGS)
    def test_a_fit_takes_back_what_was_done(self, method: str) -> None:
        said, truth = drawn(1, 20_000)
        # What the scaling makes of wrong probabilities is what was said at first.
        if method == "ordinal":
            wrong = Scaling("ordinal", (1 / 0.8, -0.3 / 0.8), 1, 1).apply(said)
        else:
            factors = np.array(PARAMETERS[method][:4] if method == "vector" else [1 / 1.7] * 4)
            shifts = np.array(PARAMETERS[method][4:] if method == "vector" else [0.0] * 4)
            powers = np.exp((np.log(said) - shifts) / factors)
            wrong = powers / powers.sum(axis=1, keepdims=True)
        fitted = fit_scaling(wrong, truth, method)
        right = Scaling(method, PARAMETERS[method], 1, 1).apply(wrong)
        assert np.abs(fitted.apply(wrong) - right).mean() < 0.01
        likelihood = [np.log(one[np.arange(len(truth)), truth]).mean() for one in (fitted.apply(wrong), right, wrong)]
        assert likelihood[0] >= likelihood[1] - 1e-9
        assert likelihood[0] > likelihood[2]

    @pytest.mark.parametrize("method", SCALINGS)
    def test_what_is_calibrated_is_left_as_it_is(self, method: str) -> None:
        said, truth = drawn(2, 20_000)
        assert np.abs(fit_scaling(said, truth, method).apply(said) - said).mean() < 0.01

    def test_certain_probabilities_do_not_stop_a_fit(self) -> None:
        for method in SCALINGS:
            fitted = fit_scaling(np.eye(4)[[0, 1, 2, 3, 0]], [0, 1, 2, 3, 1], method)
            assert np.isfinite(fitted.parameters).all()

    def test_faults_are_refused(self) -> None:
        with pytest.raises(DensightError, match=r"unknown scaling 'platt'.*use one of temperature, ordinal, vector"):
            fit_scaling([[0.5, 0.5]], [0], "platt")
        with pytest.raises(DensightError, match="no case to fit"):
            fit_scaling(np.empty((0, 4)), [])
        with pytest.raises(ValueError, match="unknown scaling"):
            validate(
                Scaling, plain(Scaling("temperature", (1.0,), 1, 1)) | {"method": "platt"}, None, "calibrate again"
            )


class TestSets:
    def test_growth_by_hand(self) -> None:
        # C first, then D (.2 before B's .15), then B, then A.
        assert mass_before([[0.05, 0.15, 0.6, 0.2]])[0] == pytest.approx([0.95, 0.8, 0.0, 0.6])

    @given(st.integers(0, 10_000), st.floats(0, 1))
    def test_sets_are_contiguous_and_grow_around_the_likeliest(self, seed: int, threshold: float) -> None:
        said = np.random.default_rng(seed).dirichlet(np.full(5, 0.5), size=20)
        inside = PredictionSets(0.9, (threshold,) * 5, 1, 1).of(said)
        assert inside[np.arange(20), said.argmax(axis=1)].all()
        assert (np.abs(np.diff(inside.astype(int), axis=1)).sum(axis=1) <= 2).all()
        assert not (np.diff(np.pad(inside.astype(int), ((0, 0), (1, 1))), axis=1) == 1).sum(axis=1).max() > 1
        more = PredictionSets(0.9, (min(1.0, threshold + 0.2),) * 5, 1, 1).of(said)
        assert (inside <= more).all()
        assert PredictionSets(0.9, (1.0,) * 5, 1, 1).of(said).all()

    def test_thresholds_by_class_leave_no_hole(self) -> None:
        sets = PredictionSets(0.9, (1.0, 0.0, 0.0, 1.0), 10, 10)
        assert sets.by_class
        assert sets.of([[0.1, 0.1, 0.6, 0.2]]).tolist() == [[True, True, True, True]]

    @pytest.mark.parametrize("by_class", [False, True])
    @pytest.mark.parametrize("coverage", [0.8, 0.95])
    def test_new_cases_are_covered(self, by_class: bool, coverage: float) -> None:
        said, truth = drawn(3, 4000)
        wrong = Scaling("temperature", (0.4,), 1, 1).apply(said)  # far too sure
        half = 2000
        sets = fit_sets(wrong[:half], truth[:half], [str(i) for i in range(half)], coverage, by_class=by_class)
        held = sets.of(wrong[half:])[np.arange(half), truth[half:]]
        assert held.mean() == pytest.approx(coverage, abs=0.03)
        if by_class:
            assert min(held[truth[half:] == k].mean() for k in range(4)) > coverage - 0.05

    def test_a_patient_counts_once_however_many_exams_she_has(self) -> None:
        said = np.array([[0.6, 0.4]] * 9 + [[0.7, 0.3]] * 50)
        truth = np.array([0] * 8 + [1] + [1] * 50)
        once = fit_sets(said[:10], truth[:10], list("abcdefghij"), 0.8)
        often = fit_sets(said, truth, [*"abcdefghi", *("j" * 50)], 0.8)
        assert (once.thresholds, often.thresholds) == ((0.6, 0.6), (0.6, 0.6))
        assert fit_sets(said, truth, [str(i) for i in range(59)], 0.8).thresholds == (0.7, 0.7)
        assert (often.cases, often.patients) == (59, 10)

    def test_too_few_for_a_promise_take_every_class_in(self) -> None:
        assert fit_sets([[0.6, 0.4]] * 3, [0, 0, 0], list("abc"), 0.9).thresholds == (1.0, 1.0)

    def test_faults_are_refused(self) -> None:
        with pytest.raises(DensightError, match=r"the coverage 90 is no share.*give one such as 0\.9"):
            fit_sets([[0.6, 0.4]], [0], ["a"], 90)
        with pytest.raises(DensightError, match="no case to fit sets on"):
            fit_sets(np.empty((0, 4)), [], [])


def test_a_calibration_comes_back_from_json() -> None:
    scaling = Scaling("vector", PARAMETERS["vector"], 12, 10)
    of_exams, sets = Scaling("ordinal", (0.8, 0.3), 6, 5), PredictionSets(0.9, (0.5,) * 4, 6, 5)
    fusion = Fusion("learned", (0.4, 0.3, 0.2, 0.1), scaling, of_exams, sets)
    whole = Calibration(scaling, fusion, ("ab", "cd"), {"split": "validation"})
    for one in (whole, Calibration(None, Fusion(), (), {})):
        assert validate(Calibration, plain(one), None, "calibrate again") == one
    assert len(fusion.words) == 4
