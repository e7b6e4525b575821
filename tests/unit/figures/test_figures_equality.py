"""Every figure of merit against an independent computation: scikit-learn, statsmodels, or pairs and bins by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import pytest
import sklearn.metrics
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from densight.figures.calibration import brier_parts
from densight.figures.merit import measure
from densight.figures.metrics import METRICS
from densight.figures.paired_tests import delong, mcnemar, stuart_maxwell

K, DENSE = 4, 2
Table = tuple[np.ndarray, np.ndarray]


def random_table(seed: int) -> Table:
    """Labels and probabilities; of every third table the probabilities are coarse, so that many are equal."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 90))
    truth = rng.choice(K, n, p=[0.1, 0.4, 0.4, 0.1])
    logits = np.eye(K)[truth] * rng.uniform(0, 3) + rng.normal(size=(n, K))
    said = np.exp(logits)
    said /= said.sum(axis=1, keepdims=True)
    if seed % 3 == 0:
        said = np.round(said * 8)
        said = (said + (said.sum(axis=1, keepdims=True) == 0)) / (said + (said.sum(axis=1, keepdims=True) == 0)).sum(
            axis=1, keepdims=True
        )
    return truth, said


def sure(told: list[int]) -> np.ndarray:
    return np.eye(K)[told]


DEGENERATE: Mapping[str, Table] = {
    "one class absent": (np.array([0, 0, 1, 1, 2, 2]), np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1]] * 3)),
    "all right": (np.array([0, 1, 2, 3]), sure([0, 1, 2, 3])),
    "all one class": (
        np.array([1, 1, 1]),
        np.array([[0.1, 0.7, 0.1, 0.1], [0.6, 0.2, 0.1, 0.1], [0.1, 0.2, 0.6, 0.1]]),
    ),
    "a single exam": (np.array([2]), np.array([[0.1, 0.5, 0.3, 0.1]])),
    "ties": (np.array([0, 1, 2, 3, 1, 2]), np.full((6, K), 0.25)),
}
TABLES = {f"random {seed}": random_table(seed) for seed in range(20)} | DEGENERATE


def by_pairs(labels: np.ndarray, scores: np.ndarray) -> float:
    pairs = [(i, j) for i, j in product(range(len(labels)), repeat=2) if labels[i] < labels[j]]
    if not pairs:
        return np.nan
    return float(np.mean([(scores[i] < scores[j]) + 0.5 * (scores[i] == scores[j]) for i, j in pairs]))


def by_bins(outcomes: np.ndarray, confidences: np.ndarray, edges: np.ndarray, *, upper: bool = False) -> float:
    total, previous = 0.0, -np.inf
    for edge in [*edges, np.inf]:
        inside = [i for i, c in enumerate(confidences) if (previous < c <= edge if upper else previous <= c < edge)]
        if inside:
            total += len(inside) * abs(outcomes[inside].mean() - confidences[inside].mean())
        previous = edge
    return total / len(outcomes)


def kappa(truth: np.ndarray, told: np.ndarray, weights: str | None) -> float:
    if len({*truth.tolist(), *told.tolist()}) == 1:
        return np.nan
    return float(sklearn.metrics.cohen_kappa_score(truth, told, labels=range(K), weights=weights))


def macro_auc(truth: np.ndarray, said: np.ndarray) -> float:
    present = [k for k in range(K) if 0 < (truth == k).sum() < len(truth)]
    return (
        float(np.mean([sklearn.metrics.roc_auc_score(truth == k, said[:, k]) for k in present])) if present else np.nan
    )


def ac2(truth: np.ndarray, told: np.ndarray) -> float:
    weight = [[1 - ((i - j) / (K - 1)) ** 2 for j in range(K)] for i in range(K)]
    agree = np.mean([weight[a][b] for a, b in zip(truth, told, strict=True)])
    share = [((truth == k).mean() + (told == k).mean()) / 2 for k in range(K)]
    chance = sum(map(sum, weight)) / (K * (K - 1)) * sum(p * (1 - p) for p in share)
    return float((agree - chance) / (1 - chance))


def share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def score(name: str, average: str) -> Callable[[np.ndarray, np.ndarray, np.ndarray], float]:
    function = getattr(sklearn.metrics, f"{name}_score")
    return lambda truth, said, told: float(function(truth, told, average=average, zero_division=0))


tenths = np.arange(1, 10) / 10
INDEPENDENT: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda truth, said, told: float(sklearn.metrics.accuracy_score(truth, told)),
    "balanced_accuracy": lambda truth, said, told: float(sklearn.metrics.balanced_accuracy_score(truth, told)),
    "macro_recall": score("recall", "macro"),
    "macro_precision": score("precision", "macro"),
    "macro_f1": score("f1", "macro"),
    "weighted_precision": score("precision", "weighted"),
    "weighted_f1": score("f1", "weighted"),
    "class_error": lambda truth, said, told: float(sklearn.metrics.mean_absolute_error(truth, told)),
    "two_apart": lambda truth, said, told: share(abs(truth - told) >= 2),
    "kappa": lambda truth, said, told: kappa(truth, told, None),
    "kappa_linear": lambda truth, said, told: kappa(truth, told, "linear"),
    "kappa_quadratic": lambda truth, said, told: kappa(truth, told, "quadratic"),
    "ac2": lambda truth, said, told: ac2(truth, told),
    "macro_auc": lambda truth, said, told: macro_auc(truth, said),
    "c_index": lambda truth, said, told: by_pairs(truth, said @ np.arange(K)),
    "dense_accuracy": lambda truth, said, told: share((truth >= DENSE) == (told >= DENSE)),
    "dense_sensitivity": lambda truth, said, told: share((told >= DENSE)[truth >= DENSE]),
    "dense_specificity": lambda truth, said, told: share((told < DENSE)[truth < DENSE]),
    "dense_auc": lambda truth, said, told: by_pairs((truth >= DENSE).astype(int), said[:, DENSE:].sum(axis=1)),
    "brier": lambda truth, said, told: float(
        sklearn.metrics.brier_score_loss(truth, said, labels=range(K), scale_by_half=False)
    ),
    "log_score": lambda truth, said, told: float(sklearn.metrics.log_loss(truth, said, labels=range(K))),
    "ece": lambda truth, said, told: by_bins(told == truth, said.max(axis=1), tenths),
    "ece_adaptive": lambda truth, said, told: by_bins(
        told == truth, said.max(axis=1), np.unique(np.sort(said.max(axis=1))[_places(len(said))]), upper=True
    ),
    "ece_classwise": lambda truth, said, told: float(
        np.mean([by_bins(truth == k, said[:, k], tenths) for k in range(K)])
    ),
}


def _places(n: int) -> list[int]:
    """The last case of each tenth, in ascending order."""
    return [max(0, -(-n * part // 10) - 1) for part in range(1, 10)]


def test_every_figure_has_its_independent_computation() -> None:
    assert set(INDEPENDENT) == set(METRICS)


@pytest.mark.parametrize("name", TABLES)
def test_figures(name: str) -> None:
    truth, said = TABLES[name]
    told = said.argmax(axis=1)
    merit = measure(truth, told, [str(i) for i in range(len(truth))], K, probabilities=said, dense_from=DENSE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {key: value(truth, said, told) for key, value in INDEPENDENT.items()}
    found = {key: estimate.value for key, estimate in merit.estimates.items()}
    assert found == pytest.approx(expected, nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("name", TABLES)
def test_intervals_of_proportions(name: str) -> None:
    truth, said = TABLES[name]
    told = said.argmax(axis=1)
    merit = measure(truth, told, [str(i) for i in range(len(truth))], K, probabilities=said, dense_from=DENSE)
    pairs = [(merit["accuracy"], (truth == told).sum(), len(truth))]
    pairs += [
        (one.recall, ((truth == k) & (told == k)).sum(), (truth == k).sum()) for k, one in enumerate(merit.by_class)
    ]
    for estimate, successes, n in pairs:
        if not n:
            assert "wilson" not in estimate.intervals
            continue
        assert estimate.intervals["wilson"] == pytest.approx(proportion_confint(successes, n, method="wilson"))
        assert estimate.intervals["exact"] == pytest.approx(proportion_confint(successes, n, method="beta"), abs=1e-9)


@pytest.mark.parametrize("name", TABLES)
def test_the_brier_scores_parts_add_up_and_uncertainty_is_that_of_the_shares(name: str) -> None:
    truth, said = TABLES[name]
    parts = brier_parts(truth, said)
    score = ((said - np.eye(K)[truth]) ** 2).sum(axis=1).mean()
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(score, abs=1e-12)
    shares = np.bincount(truth, minlength=K) / len(truth)
    assert parts.uncertainty == pytest.approx(1 - (shares**2).sum())
    # Murphy's resolution of classes in bins, by hand, is what is left without the variation within bins.
    reliability = 0.0
    for k in range(K):
        places = np.minimum((said[:, k] * 10).astype(int), 9)
        for place in set(places):
            inside = places == place
            reliability += inside.sum() * (said[inside, k].mean() - (truth[inside] == k).mean()) ** 2
    assert parts.reliability == pytest.approx(reliability / len(truth), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_mcnemar_and_stuart_maxwell_are_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, one, other = rng.integers(0, K, size=(3, 50))
    owners = np.arange(50)
    right = (one == truth, other == truth)
    counts = [[((right[0] == a) & (right[1] == b)).sum() for b in (True, False)] for a in (True, False)]
    theirs = statsmodels_mcnemar(counts, exact=False, correction=False)
    ours = mcnemar(one == truth, other == truth, owners)
    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    square = np.zeros((K, K))
    np.add.at(square, (one, other), 1)
    homogeneity = SquareTable(square, shift_zeros=False).homogeneity(method="stuart_maxwell")
    ours = stuart_maxwell(one, other, K, owners)
    assert (ours.statistic, ours.degrees, ours.p) == pytest.approx(
        (homogeneity.statistic, homogeneity.df, homogeneity.pvalue)
    )


def test_delong_by_the_papers_formula() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(40) < 0.4
    one, other = rng.normal(size=(2, 40)).round(1) + truth
    found = delong(truth, one, other, np.arange(40))
    matrices = [
        np.array([[(x > y) + 0.5 * (x == y) for y in scores[~truth]] for x in scores[truth]], dtype=float)
        for scores in (one, other)
    ]
    of_positive = np.cov(np.stack([matrix.mean(axis=1) for matrix in matrices]))
    of_negative = np.cov(np.stack([matrix.mean(axis=0) for matrix in matrices]))
    covariance = of_positive / truth.sum() + of_negative / (~truth).sum()
    assert np.array(found.covariance) == pytest.approx(covariance)
    assert found.areas == pytest.approx([matrix.mean() for matrix in matrices])


def test_patients_with_every_exam_twice_are_tested_as_if_they_had_it_once() -> None:
    rng = np.random.default_rng(1)
    truth, one, other = rng.integers(0, K, size=(3, 40))
    owners, twice = np.arange(40), np.arange(80) % 40
    for test in (
        lambda copies, of: mcnemar(np.tile(one == truth, copies), np.tile(other == truth, copies), of).p,
        lambda copies, of: stuart_maxwell(np.tile(one, copies), np.tile(other, copies), K, of).p,
        lambda copies, of: delong(np.tile(truth >= 2, copies), np.tile(one, copies), np.tile(other, copies), of).p,
    ):
        assert test(2, twice) == pytest.approx(test(1, owners), rel=0.03)
        assert test(2, np.arange(80)) < test(1, owners)
