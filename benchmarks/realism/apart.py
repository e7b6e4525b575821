"""How well two sets of images can be told apart, and how far apart they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from densight.figures.intervals import percentile_interval

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

REPEATS = 5
"""Cross-validations, each dealt anew, whose scores are averaged."""

DRAWS = 1000
"""Draws of the bootstrap over patients."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Apart:
    """How far apart two sets are.

    Parameters
    ----------
    first, second : int
        Images of each.
    accuracy, auc : Estimate
        Balanced accuracy and area under the ROC curve of a linear classifier (logistic regression) that never saw the
        patient: .5 where nothing tells the sets apart.
    trees_auc : Estimate
        The area of another kind of classifier (extremely randomised trees).
    distance : Estimate
        Energy distance of the standardised features as a part of the greatest: 0 for the same distribution, 1 for two
        points. It goes on to tell near from far where both can be told without error.
    telling : tuple of str
        The features whose means differ most, in standard deviations of the second set.
    """

    first: int
    second: int
    accuracy: Estimate
    auc: Estimate
    trees_auc: Estimate
    distance: Estimate
    telling: tuple[str, ...]


def tell_apart(first: Values, second: Values, patients: Sequence[str], names: Sequence[str]) -> Apart:
    """Tell two sets of images apart by their features.

    Parameters
    ----------
    first, second : ndarray of float64, shape (images, features)
    patients : sequence of str
        Of the images of the first set, then of the second; never in training and test at once.
    names : sequence of str
        Of the features.
    """
    features = np.concatenate([first, second])
    truth = np.repeat([1, 0], [len(first), len(second)])
    groups = np.unique([f"{own} {one}" for own, one in zip(truth, patients, strict=True)], return_inverse=True)[1]
    line = _scores(LogisticRegression(C=0.05, class_weight="balanced", max_iter=2000), features, truth, groups)
    trees = ExtraTreesClassifier(100, min_samples_leaf=2, class_weight="balanced", random_state=0)
    trees_scores = _scores(trees, features, truth, groups)
    standard = StandardScaler().fit_transform(SimpleImputer().fit_transform(features))
    gaps = (np.nanmean(first, axis=0) - np.nanmean(second, axis=0)) / (np.nanstd(second, axis=0) + 1e-9)
    order = np.argsort(-np.abs(gaps))[:6]
    return Apart(
        len(first),
        len(second),
        _bootstrap(lambda own: _balanced(truth[own], line[own]), truth, groups),
        _bootstrap(lambda own: _area(truth[own], line[own]), truth, groups),
        _bootstrap(lambda own: _area(truth[own], trees_scores[own]), truth, groups),
        _energy(standard, truth, groups),
        tuple(f"{names[place]} ({gaps[place]:+.1f})" for place in order),
    )


def _scores(
    model: ExtraTreesClassifier | LogisticRegression,
    features: Values,
    truth: Places,
    groups: Places,
) -> Values:
    """Scores of the first set, each by a model that did not see the patient."""
    pipeline: Pipeline = make_pipeline(SimpleImputer(), StandardScaler(), model)
    folds = min(5, *(len(np.unique(groups[truth == own])) for own in (0, 1)))
    scores = np.zeros(len(truth))
    for repeat in range(REPEATS):
        for learn, test in StratifiedGroupKFold(folds, shuffle=True, random_state=repeat).split(
            features, truth, groups
        ):
            pipeline.fit(features[learn], truth[learn])
            scores[test] += pipeline.predict_proba(features[test])[:, 1] / REPEATS
    return scores


def _balanced(truth: Places, scores: Values) -> float:
    return float(((scores >= 0.5)[truth == 1].mean() + (scores < 0.5)[truth == 0].mean()) / 2)


def _area(truth: Places, scores: Values) -> float:
    """The area under the ROC curve, as the share of pairs in order: scikit-learn's, but quick enough to be drawn."""
    first = int(truth.sum())
    above = rankdata(scores)[truth == 1].sum() - first * (first + 1) / 2
    return float(above / (first * (len(truth) - first)))


def _draws(truth: Places, groups: Places, seed: int = 0) -> list[Places]:
    """Images of patients drawn with replacement, as many of each set as there are."""
    generator = np.random.default_rng(seed)
    members = {group: np.flatnonzero(groups == group) for group in np.unique(groups)}
    of_set = [np.unique(groups[truth == own]) for own in (0, 1)]
    return [
        np.concatenate([members[group] for own in of_set for group in generator.choice(own, len(own))])
        for _ in range(DRAWS)
    ]


def _bootstrap(measure: Callable[[Places], float], truth: Places, groups: Places) -> Estimate:
    values = [measure(own) for own in _draws(truth, groups)]
    return Estimate(measure(np.arange(len(truth))), *percentile_interval(values))


def _energy(features: Values, truth: Places, groups: Places) -> Estimate:
    """Energy coefficient, without bias for the number of images.

    Source: Székely and Rizzo, "Energy statistics", J. Stat. Plan. Inference 143:1249-1272, 2013. Images of one patient
    are not paired with each other.
    """
    between = cdist(features, features)
    apart = groups[:, None] != groups[None, :]

    def mean(rows: Places, columns: Places) -> float:
        block, used = between[np.ix_(rows, columns)], apart[np.ix_(rows, columns)]
        return float(block[used].mean())

    def coefficient(own: Places) -> float:
        one, other = own[truth[own] == 1], own[truth[own] == 0]
        cross = mean(one, other)
        return (2 * cross - mean(one, one) - mean(other, other)) / (2 * cross)

    return _bootstrap(coefficient, truth, groups)
