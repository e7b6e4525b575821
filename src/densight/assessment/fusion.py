"""From images to breasts and exams: by default the mean of the class probabilities of the projections there are.

A breast's probabilities are the mean over its CC and MLO, an exam's the mean over all its projections; other rules are
in `densight.assessment.pooling`. A projection counts once: two images of one in an exam are averaged first. With all
four projections the exam's mean is also the mean of its two breasts' means. With a projection missing it is not, for
then each projection there is still weighs the same, so the side with one weighs less than the side with two.

References
----------
Scapicchio, Lizzi, Fantacci, "Explainability of a CNN classifier for breast density assessment", tutorial repository
``MLINFN-CNNBreastDensityClassifier-Explainability``, notebook ``Figure_merit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.calibration import Fusion
from densight.assessment.percent_density import fuse_percent_density
from densight.vocabulary import PROJECTIONS, DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MEAN",
    "by_projection",
    "class_indices",
    "fuse_breasts",
    "fuse_exams",
    "group_means",
    "mean_of",
    "patients_of",
    "predicted_class",
    "probability_columns",
    "set_labels",
]

Probabilities = npt.NDArray[np.float64]

MEAN = Fusion()
"""The tutorial's: the mean of the projections' probabilities."""


def probability_columns(classes: Sequence[str]) -> list[str]:
    """The names of the probability columns, in class order.

    Examples
    --------
    >>> probability_columns(["A", "B", "C", "D"])
    ['p_A', 'p_B', 'p_C', 'p_D']
    """
    return [f"p_{label}" for label in classes]


def predicted_class(probabilities: npt.ArrayLike, classes: Sequence[str]) -> list[str]:
    """The class of the greatest probability; the less dense of two that are exactly equal.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, k)
    classes : sequence of str, length k

    Returns
    -------
    list of str, length n

    Examples
    --------
    >>> predicted_class([[0.1, 0.9], [0.5, 0.5]], ["A", "B"])
    ['B', 'A']
    """
    return [classes[index] for index in np.asarray(probabilities).argmax(axis=1)]


def class_indices(labels: Sequence[str], classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """The place of each label among the classes.

    Parameters
    ----------
    labels : sequence of str, length n
        Each one of the classes.
    classes : sequence of str

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> class_indices(["B", "A"], "ABCD")
    array([1, 0])
    """
    places = {label: place for place, label in enumerate(classes)}
    return np.array([places[label] for label in labels], dtype=np.int64)


def patients_of(table: pd.DataFrame) -> list[str]:
    """The patient of each row of a table; the exam stands in where the patient is unknown."""
    return [patient or f"exam {exam}" for patient, exam in zip(table["patient_id"], table["exam_id"], strict=True)]


def set_labels(sets: npt.ArrayLike, classes: Sequence[str]) -> list[str]:
    """Sets of classes in words.

    Parameters
    ----------
    sets : array-like of bool, shape (n, k)
    classes : sequence of str, length k

    Examples
    --------
    >>> set_labels([[False, True, True]], ["A", "B", "C"])
    ['B C']
    """
    rows = np.asarray(sets, dtype=bool).tolist()
    return [" ".join(label for label, inside in zip(classes, row, strict=True) if inside) for row in rows]


def group_means(probabilities: npt.ArrayLike, groups: npt.ArrayLike) -> Probabilities:
    """The mean of the rows of each group.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, k)
    groups : array-like of int, shape (n,)
        The group of each row, 0 to g - 1; none may be empty.

    Returns
    -------
    ndarray of float64, shape (g, k)

    Raises
    ------
    DensightError
        If the shapes do not fit or a group has no row.

    Examples
    --------
    >>> group_means([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]], [0, 0, 1])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    numbers = np.asarray(groups, dtype=np.int64)
    if rows.ndim != 2 or numbers.shape != rows.shape[:1] or not len(rows):
        raise DensightError(
            f"probabilities are (n, k) with a group for each row, n at least 1; these are {rows.shape} with groups "
            f"{numbers.shape}"
        )
    counts = np.bincount(numbers)
    if not counts.all():
        raise DensightError(f"group {int(counts.argmin())} has no row, so it has no mean")
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, numbers, rows)
    return np.asarray(sums / counts[:, None])


def mean_of(probabilities: npt.ArrayLike) -> Probabilities:
    """The mean of some images' or projections' probabilities.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, k)
        One row per projection.

    Returns
    -------
    ndarray of float64, shape (k,)

    Raises
    ------
    DensightError
        If there is no row.

    Examples
    --------
    >>> mean_of([[0.25, 0.75], [0.75, 0.25]])
    array([0.5, 0.5])
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    means: Probabilities = group_means(rows, np.zeros(len(rows), dtype=np.int64))[0]
    return means


def fuse_breasts(images: pd.DataFrame, classes: Sequence[str], fusion: Fusion = MEAN) -> pd.DataFrame:
    """One row per breast: its CC and its MLO.

    Parameters
    ----------
    images : DataFrame
        One row per image, with the columns ``patient_id``, ``exam_id``, ``laterality``, ``view``, ``density`` (empty
        where unknown) and ``p_<class>`` for every class.
    classes : sequence of str
        The labels in order.
    fusion : Fusion
        How; the mean by default.

    Returns
    -------
    DataFrame
        Columns ``exam_id``, ``patient_id``, ``laterality``, ``density`` (the reference; empty where no image has a
        label, and where labels differ, which ``assumed`` then says), ``p_<class>``, ``predicted``, ``projections``
        (those there are), ``missing`` (those there are not) and ``assumed``, in the order in which the breasts first
        occur. Where the images have the column ``percent_density``, three more: ``percent_density`` (0 to 100, NaN
        where no image has one; see `densight.assessment.percent_density`), ``percent_density_images`` (of how many
        images it is) and ``percent_density_missing`` (the images that have none, and why: their ``warnings``).

    Raises
    ------
    DensightError
        If an image has no exam or no known projection.

    Examples
    --------
    >>> import pandas as pd
    >>> images = pd.DataFrame({
    ...     "patient_id": "7", "exam_id": "7_1", "laterality": "R", "view": ["CC", "MLO"], "density": "B",
    ...     "p_A": [0.8, 0.1], "p_B": [0.2, 0.9]})
    >>> fuse_breasts(images, ["A", "B"])[["projections", "p_A", "predicted"]].values.tolist()
    [['CC_R MLO_R', 0.45, 'B']]
    """
    return _fuse(images, classes, ["exam_id", "patient_id", "laterality"], fusion)


def fuse_exams(images: pd.DataFrame, classes: Sequence[str], fusion: Fusion = MEAN) -> pd.DataFrame:
    """One row per exam: the projections there are.

    ``patient_id`` and ``exam_id`` together identify an exam, so that visits may be numbered from 1 for each patient.

    Parameters
    ----------
    images : DataFrame
        As for `fuse_breasts`.
    classes : sequence of str
        The labels in order.
    fusion : Fusion
        How; the mean by default.

    Returns
    -------
    DataFrame
        As from `fuse_breasts`, without ``laterality``; where the fusion has sets of classes, with ``set``.

    Raises
    ------
    DensightError
        If an image has no exam or no known projection.

    Examples
    --------
    >>> import pandas as pd
    >>> images = pd.DataFrame({
    ...     "patient_id": "7", "exam_id": "7_1", "laterality": ["R", "R", "L"], "view": ["CC", "MLO", "CC"],
    ...     "density": "B", "p_A": [0.75, 0.25, 0.25], "p_B": [0.25, 0.75, 0.75]})
    >>> fuse_exams(images, ["A", "B"])[["projections", "missing", "predicted"]].values.tolist()
    [['CC_R CC_L MLO_R', 'MLO_L', 'B']]
    """
    return _fuse(images, classes, ["exam_id", "patient_id"], fusion)


def by_projection(
    images: pd.DataFrame, classes: Sequence[str], keys: Sequence[str] = ("exam_id", "patient_id")
) -> tuple[pd.DataFrame, Probabilities]:
    """The images' probabilities by exam, or breast, and projection; two images of one projection averaged.

    Parameters
    ----------
    images : DataFrame
        As for `fuse_breasts`.
    classes : sequence of str
        The labels in order.
    keys : sequence of str
        The columns that identify a row of the result.

    Returns
    -------
    units : DataFrame
        The keys, in the order in which they first occur.
    cube : ndarray of float64, shape (units, 4, k)
        In the order of `densight.vocabulary.PROJECTIONS`; NaN where there is no image.

    Raises
    ------
    DensightError
        If an image has no exam or no known projection.
    """
    units, places = _places(images, keys)
    cells, cell_of = np.unique(units * len(PROJECTIONS) + places, return_inverse=True)
    cube = np.full((int(units.max()) + 1, len(PROJECTIONS), len(classes)), np.nan)
    once = group_means(images[probability_columns(classes)].to_numpy(dtype=np.float64), cell_of)
    cube[cells // len(PROJECTIONS), cells % len(PROJECTIONS)] = once
    return images[list(keys)].drop_duplicates(ignore_index=True), cube


def _fuse(images: pd.DataFrame, classes: Sequence[str], keys: list[str], fusion: Fusion) -> pd.DataFrame:
    table, cube = by_projection(images, classes, keys)
    fused = fusion.of_breasts(cube) if "laterality" in keys else fusion.of_exams(cube)
    units, places = _places(images, keys)
    counts = np.zeros((len(fused), len(PROJECTIONS)), dtype=np.int64)
    np.add.at(counts, (units, places), 1)

    labels = _labels(images, units, len(table), classes)
    table["density"] = [of_unit[0] if len(of_unit) == 1 else "" for of_unit in labels]
    table[probability_columns(classes)] = fused
    table["predicted"] = predicted_class(fused, classes)
    if fusion.sets is not None and "laterality" not in keys:
        table["set"] = set_labels(fusion.sets.of(fused), classes)
    sides = table["laterality"].tolist() if "laterality" in keys else [""] * len(table)
    there = counts > 0
    table["projections"] = [_names(tuple(row), "RL", True) for row in there.tolist()]
    table["missing"] = [
        _names(tuple(row), side or "RL", False) for row, side in zip(there.tolist(), sides, strict=True)
    ]
    plain: list[bool] = np.asarray(counts.max(axis=1) <= 1).tolist()
    table["assumed"] = [
        "" if once and len(of_unit) < 2 else _assumed(row, of_unit)
        for once, row, of_unit in zip(plain, list(counts), labels, strict=True)
    ]
    if "percent_density" in images:
        for name, column in _percent_columns(images, units, len(table)).items():
            table[name] = column
    return table


def _percent_columns(
    images: pd.DataFrame, units: npt.NDArray[np.int64], count: int
) -> dict[str, list[float] | list[int] | list[str]]:
    """The percent density of each breast or exam, of how many images it is, and why others have none."""
    of_unit: list[list[tuple[Projection, float | None, str]]] = [[] for _ in range(count)]
    warnings = images["warnings"] if "warnings" in images else [""] * len(images)
    rows = zip(units.tolist(), images["view"], images["laterality"], images["percent_density"], warnings, strict=True)
    for unit, view, laterality, value, reason in rows:
        known = None if value in ("", None) else float(value)
        of_unit[unit].append((Projection.of(view, laterality), known, str(reason).replace("; ", ", ")))
    fused = [fuse_percent_density(rows) for rows in of_unit]
    return {
        "percent_density": [np.nan if one.value is None else one.value for one in fused],
        "percent_density_images": [one.images for one in fused],
        "percent_density_missing": [one.reasons for one in fused],
    }


@cache
def _names(there: tuple[bool, ...], sides: str, wanted: bool) -> str:
    """The projections of these sides that are there, or that are not."""
    pairs = zip(PROJECTIONS, there, strict=True)
    return " ".join(p for p, one in pairs if one is wanted and p.laterality.value in sides)


def _places(images: pd.DataFrame, keys: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The number of each image's exam, or breast, and that of its projection."""
    if images.empty:
        raise DensightError("there is no assessed image to fuse", remedy="assess at least one image")
    if (nameless := images["exam_id"].fillna("").eq("")).any():
        raise DensightError(
            f"row {int(nameless.to_numpy().argmax()) + 1} of the images has no exam_id",
            remedy="give every image the id of its exam",
        )
    units = images.groupby(list(keys), sort=False, dropna=False).ngroup().to_numpy(dtype=np.int64)
    pairs = images["view"].astype(str) + " " + images["laterality"].astype(str)
    number = {pair: PROJECTIONS.index(Projection.of(*pair.split(" ", 1))) for pair in pairs.unique()}
    return np.asarray(units), np.asarray(pairs.map(number), dtype=np.int64)


def _assumed(counts: npt.NDArray[np.int64], labels: Sequence[str]) -> str:
    """What was assumed of a breast or exam with so many images of each projection, and these labels."""
    notes = [f"{n} images of {p} averaged" for p, n in zip(PROJECTIONS, counts, strict=True) if n > 1]
    if len(labels) > 1:
        notes.append(f"no reference, for the images carry different densities, {' and '.join(labels)}")
    return "; ".join(notes)


def _labels(images: pd.DataFrame, units: npt.NDArray[np.int64], count: int, classes: Sequence[str]) -> list[list[str]]:
    """The different densities that the images of each breast or exam carry, the least dense first."""
    carried = images["density"].fillna("")
    of_label = [np.bincount(units[(carried == label).to_numpy()], minlength=count) > 0 for label in classes]
    rows = list(map(tuple, np.stack(of_label, axis=1).tolist()))
    named = {row: [label for label, there in zip(classes, row, strict=True) if there] for row in set(rows)}
    return [named[row] for row in rows]
