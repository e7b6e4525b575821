"""A trial: one measure of one method on many images, compared with chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from densight.figures.bootstrap import bootstrap_sums
from densight.figures.intervals import percentile_interval
from densight.vocabulary import DensightError

__all__ = ["FEW", "MEASURES", "Measure", "Summary", "Trial"]

FEW = 5
"""The fewest patients for a verdict."""

UP, DOWN, REPORTED = "higher", "lower", ""


@dataclass(frozen=True)
class Measure:
    """A measure of a map.

    Parameters
    ----------
    trial : str
        The trial of which it is part.
    words : str
        Its description, for tables and papers.
    better : {"higher", "lower", ""}
        Which side of chance is better; empty for a measure that is reported and not judged.
    chance : str
        A description of the chance level.
    """

    trial: str
    words: str
    better: str
    chance: str


MEASURES = {
    "spearman.frame": Measure(
        "spearman", "rank correlation of map and image, whole frame", REPORTED, "0; mostly due to the background"
    ),
    "spearman.breast": Measure("spearman", "rank correlation of map and image, inside the breast", REPORTED, "0"),
    "tissue.auc": Measure("tissue", "area under the ROC curve for dense tissue in the breast", UP, ".5"),
    "tissue.mass": Measure(
        "tissue", "part of the positive evidence in the breast that lies in dense tissue", UP, "its part of the area"
    ),
    "tissue.overlap": Measure(
        "tissue", "intersection over union with dense tissue at equal area", UP, "that of unrelated masks"
    ),
    "tissue.pointing": Measure("tissue", "greatest value in dense tissue", UP, "its part of the area"),
    "tissue.inside": Measure(
        "tissue", "part of the positive evidence that lies in the breast", UP, "the breast's part of the frame"
    ),
    "deletion": Measure(
        "deletion", "fall of the score when tissue becomes fat in the map's order, minus that in random order", UP, "0"
    ),
    "insertion": Measure(
        "insertion", "rise of the score when fat becomes tissue in the map's order, minus that in random order", UP, "0"
    ),
    "deletion.brightness": Measure("deletion", "the same, minus that in the order of brightness", REPORTED, "0"),
    "insertion.brightness": Measure("insertion", "the same, minus that in the order of brightness", REPORTED, "0"),
    "sanity.cascade": Measure(
        "sanity", "rank correlation with the maps of fully randomised networks", DOWN, ".5, by convention"
    ),
    "sanity.top": Measure(
        "sanity", "|rank correlation| with the map after the top quarter is randomised", REPORTED, ".5, by convention"
    ),
    "sanity.independent": Measure(
        "sanity", "|rank correlation| after one quarter is randomised, the mean of four", REPORTED, ".5, by convention"
    ),
    "sanity.ssim": Measure("sanity", "structural similarity with the map of a fully randomised network", REPORTED, "0"),
    "sanity.labels": Measure(
        "sanity", "|rank correlation| with the map of a model trained on shuffled labels", DOWN, ".5, by convention"
    ),
    "repeatability.shift": Measure(
        "repeatability", "rank correlation after small shifts", UP, "the same with another patient's map"
    ),
    "repeatability.noise": Measure(
        "repeatability", "rank correlation after noise", UP, "the same with another patient's map"
    ),
    "repeatability.seed": Measure(
        "repeatability", "rank correlation with the map of a second training", UP, "the same with another patient's map"
    ),
    "repeatability.sides": Measure(
        "repeatability", "rank correlation of right and left, mirrored", UP, "the same with another patient's map"
    ),
    "repeatability.views": Measure(
        "repeatability",
        "rank correlation of CC's and MLO's profiles in depth",
        UP,
        "the same with another patient's profile",
    ),
    "infidelity": Measure(
        "infidelity",
        "part of the score's changes that the map does not predict",
        DOWN,
        "the map with its blocks shuffled",
    ),
    "sensitivity": Measure(
        "sensitivity",
        "greatest change of the map under weak noise, as a part of its norm",
        DOWN,
        "1, as large as the map",
    ),
    "complexity": Measure("complexity", "part of the breast over which the map is spread", REPORTED, "1, an even map"),
    "cause.rank": Measure("cause", "rank correlation of a region's mass in the map and its effect, per pixel", UP, "0"),
    "cause.calibration": Measure(
        "cause", "part of the effect that the map puts into the wrong regions", DOWN, "the effect distributed by area"
    ),
    "cause.effect": Measure(
        "cause",
        "fall of the score when all dense tissue becomes fat: a property of the model, not of the map",
        UP,
        "0.05 classes, by convention",
    ),
    "cause.beside": Measure(
        "cause",
        "change of the score when all outside the breast becomes air: a property of the model, not of the map",
        DOWN,
        "0.05 classes, by convention",
    ),
}
"""All measures by name. The part before the point is the trial."""


@dataclass(frozen=True)
class Summary:
    """The summary of a trial.

    Parameters
    ----------
    value, chance : float
        Means over patients of the images' means.
    interval, beyond : (float, float)
        95 % intervals by patient: of the value, and of how much better than chance it is, paired.
    patients, images : int
        Those with a value.
    nothing : int
        Images for which the measure has no meaning, for instance because the map has no positive evidence.
    verdict : {"passes", "at chance", "fails", "told", "nothing"}
        Whether the interval ``beyond`` lies above zero, below it, or contains it; ``told`` if the measure is reported
        and not judged, or there are fewer than `FEW` patients; ``nothing`` if no image has a value.
    """

    value: float
    interval: tuple[float, float]
    chance: float
    beyond: tuple[float, float]
    patients: int
    images: int
    nothing: int
    verdict: str


@dataclass(frozen=True, eq=False)
class Trial:
    """The values of a measure for a method, one per image.

    Parameters
    ----------
    method : str
        A method's name, or that of a baseline.
    measure : str
        One of `MEASURES`.
    values, chance : ndarray of float64, shape (images,)
        NaN if the measure has no meaning.
    patients : tuple of str
        The patient of each image.

    Raises
    ------
    DensightError
        If the lengths differ or there is no such measure.

    Examples
    --------
    >>> patients = tuple("abcdef")
    >>> trial = Trial("grad-cam", "tissue.auc", np.array([0.7, 0.8, 0.9, 0.8, 0.7, 0.6]), np.full(6, 0.5), patients)
    >>> trial.summary().verdict, round(trial.summary().value, 3)
    ('passes', 0.75)
    """

    method: str
    measure: str
    values: npt.NDArray[np.float64]
    chance: npt.NDArray[np.float64]
    patients: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise DensightError(f"unknown measure {self.measure!r}", remedy=f"use one of {', '.join(MEASURES)}")
        if not len(self.values) == len(self.chance) == len(self.patients):
            raise DensightError("a trial has a value, a chance level and a patient for each image")

    def summary(self) -> Summary:
        """Means, bootstrap intervals by patient, and the verdict."""
        return self._summary

    @cached_property
    def _summary(self) -> Summary:
        known = np.isfinite(self.values) & np.isfinite(self.chance)
        nothing = int((~known).sum())
        if not known.any():
            none = (float("nan"), float("nan"))
            return Summary(float("nan"), none, float("nan"), none, 0, 0, nothing, "nothing")
        by_patient = _by_patient(np.stack([self.values, self.chance], axis=1)[known], np.array(self.patients)[known])
        patients = len(by_patient)
        means = by_patient.mean(axis=0)
        means_of_draws = bootstrap_sums(by_patient) / patients
        sign = -1 if MEASURES[self.measure].better == DOWN else 1
        beyond = percentile_interval(sign * (means_of_draws[:, 0] - means_of_draws[:, 1]))
        verdict = "passes" if beyond[0] > 0 else "fails" if beyond[1] < 0 else "at chance"
        if MEASURES[self.measure].better == REPORTED or patients < FEW:
            verdict = "told"
        interval = percentile_interval(means_of_draws[:, 0])
        return Summary(float(means[0]), interval, float(means[1]), beyond, patients, int(known.sum()), nothing, verdict)


def _by_patient(
    values: npt.NDArray[np.float64], patients: Sequence[str] | npt.NDArray[np.str_]
) -> npt.NDArray[np.float64]:
    """Each patient's mean over the images: (images, columns) to (patients, columns)."""
    _, places = np.unique(np.asarray(patients), return_inverse=True)
    counts = np.bincount(places)
    return np.stack([np.bincount(places, weights=column) / counts for column in values.T], axis=1)
