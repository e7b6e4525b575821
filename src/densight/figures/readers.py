"""Agreement of the model with readers, and of readers with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.fusion import patients_of
from densight.assessment.predictions import identify
from densight.assessment.tables import read_table
from densight.figures.bootstrap import BootstrapDistribution
from densight.figures.data import KEYS, Cases
from densight.figures.intervals import Estimate
from densight.figures.metrics import Row, bootstrap_metrics, mean_distribution, measure_row
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MODEL", "Pair", "ReaderMerit", "measure_readers", "read_readings"]

MODEL = "model"
"""The name of the model among the readers."""

_PAIR_METRICS = ("accuracy", "kappa", "kappa_linear", "kappa_quadratic")
_REFERENCE_METRICS = ("accuracy", "kappa_quadratic", "dense_accuracy")

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """The agreement of two raters on the exams that both have read.

    Parameters
    ----------
    one, other : str
        Their names.
    n, patients : int
        The number of these exams, and of their patients.
    estimates : mapping of str to Estimate
        ``accuracy`` (the share of exams on which they agree), ``kappa``, ``kappa_linear``, ``kappa_quadratic``.
    """

    one: str
    other: str
    n: int
    patients: int
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True)
class ReaderMerit:
    """The model among readers.

    Parameters
    ----------
    pairs : tuple of Pair
        The readers with each other, then the model with each reader.
    complete : int
        The number of exams that all have read; the three means are taken over them.
    among_readers, with_model : Estimate or None
        Mean quadratic κ of the pairs of readers, and of the model with each reader. None with one reader, or without
        such exams.
    difference : Estimate or None
        ``with_model`` minus ``among_readers``: about 0 if the model agrees like one more reader.
    references : tuple of Row
        The model against the readers' majority and against their median.
    """

    pairs: tuple[Pair, ...]
    complete: int
    among_readers: Estimate | None
    with_model: Estimate | None
    difference: Estimate | None
    references: tuple[Row, ...]


def read_readings(path: str | Path, classes: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    r"""Read a table of readings: one row per exam, one column per reader.

    Parameters
    ----------
    path : path-like
        A CSV with ``exam_id``, optionally ``patient_id``, and a column for each reader, empty where an exam was not
        read. Columns that contain no class are ignored.
    classes : sequence of str

    Returns
    -------
    readings : DataFrame of str
    readers : tuple of str
        The readers' columns.

    Raises
    ------
    DensightError
        If the file is not such a table, has no reader, or a reading is not a class; the message names the row.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "readings.csv"
    ...     _ = path.write_text("exam_id,R1,R2\n1,A,B\n2,B,\n")
    ...     read_readings(path, "ABCD")[1]
    ('R1', 'R2')
    """
    path = Path(path)
    table = read_table(path, ["exam_id"], "write a CSV with exam_id and a column for each reader")
    columns = [str(column) for column in table if column not in KEYS]
    readers = tuple(column for column in columns if table[column].isin(list(classes)).any())
    for reader in readers:
        unknown = ~table[reader].isin([*classes, ""]).to_numpy()
        if unknown.any():
            row = int(unknown.argmax())
            raise DensightError(
                f"row {row + 1}: {reader} is {table[reader].iloc[row]!r}, not one of {', '.join(classes)}",
                path,
                "correct the reading, or leave it empty",
            )
    if MODEL in readers:
        raise DensightError(f"a reader is named {MODEL}, like the model", path, "give the reader another name")
    if not readers:
        raise DensightError(
            f"no column contains readings of {', '.join(classes)}",
            path,
            "give each reader a column with the classes read",
        )
    return identify(table, path), readers


def measure_readers(
    exams: pd.DataFrame,
    readings: pd.DataFrame,
    readers: Sequence[str],
    classes: Sequence[str],
    dense_from: int | None,
) -> ReaderMerit:
    """Measure the agreement of a model's exams with readings of them.

    Parameters
    ----------
    exams : DataFrame
        The model's exams, labelled or not.
    readings : DataFrame
    readers : sequence of str
        As `read_readings` returns them.
    classes : sequence of str
    dense_from : int or None

    Raises
    ------
    DensightError
        If no exam of the model was read, or several patients have exams with one exam_id and the readings have no
        patient_id.
    """
    keys = KEYS if readings["patient_id"].ne("").any() else ["exam_id"]
    if exams.duplicated(keys).any():
        raise DensightError(
            "several patients have exams with the same exam_id, and the readings have no patient_id",
            remedy="add the column patient_id to the readings",
        )
    others = exams.drop(columns=[column for column in readers if column in exams])
    both = others.merge(readings[[*keys, *readers]], on=keys)
    if both.empty:
        raise DensightError(
            "none of the exams read has been assessed", remedy="check patient_id and exam_id of the readings"
        )
    places = {label: place for place, label in enumerate(classes)} | {"": -1}
    raters = {MODEL: both["predicted"], **{reader: both[reader] for reader in readers}}
    ratings = _Ratings(
        {name: np.asarray(column.map(places), dtype=np.int64) for name, column in raters.items()},
        patients_of(both),
        len(classes),
    )
    pairs = [*combinations(readers, 2), *((MODEL, reader) for reader in readers)]
    complete = np.all([rating >= 0 for rating in ratings.by_rater.values()], axis=0)
    several = len(readers) > 1
    among, with_model, difference = (
        _mean_kappas(ratings, readers, complete) if several and complete.any() else (None, None, None)
    )
    return ReaderMerit(
        tuple(pair for one, other in pairs if (pair := _measure_pair(ratings, one, other))),
        int(complete.sum()),
        among,
        with_model,
        difference,
        tuple(_measure_references(ratings, readers, dense_from)) if several else (),
    )


@dataclass(frozen=True, eq=False)
class _Ratings:
    """The class indices that each rater gave; -1 where an exam was not read."""

    by_rater: Mapping[str, Integers]
    patients: Sequence[str]
    n_classes: int

    def cases(self, reference: Integers, rating: Integers, rows: npt.NDArray[np.bool_]) -> Cases:
        """A rating of some exams against a reference."""
        patients = [self.patients[row] for row in np.flatnonzero(rows).tolist()]
        return Cases.of(reference[rows], rating[rows], patients, self.n_classes)


def _measure_pair(ratings: _Ratings, one: str, other: str) -> Pair | None:
    """The agreement of two raters on the exams that both have read; None without such exams."""
    first, second = ratings.by_rater[one], ratings.by_rater[other]
    rows = (first >= 0) & (second >= 0)
    if not rows.any():
        return None
    row = measure_row(one, other, ratings.cases(first, second, rows), None, _PAIR_METRICS)
    return Pair(one, other, row.n, row.patients, row.estimates)


def _mean_kappas(
    ratings: _Ratings, readers: Sequence[str], complete: npt.NDArray[np.bool_]
) -> tuple[Estimate, Estimate, Estimate]:
    """Mean quadratic κ among readers, of the model with readers, and their difference."""

    def kappa(one: str, other: str) -> BootstrapDistribution:
        cases = ratings.cases(ratings.by_rater[one], ratings.by_rater[other], complete)
        return bootstrap_metrics(cases, names=["kappa_quadratic"])["kappa_quadratic"].distribution

    among = mean_distribution([kappa(one, other) for one, other in combinations(readers, 2)])
    with_model = mean_distribution([kappa(MODEL, reader) for reader in readers])
    return among.estimate(), with_model.estimate(), (with_model - among).estimate_difference()


def _measure_references(ratings: _Ratings, readers: Sequence[str], dense_from: int | None) -> list[Row]:
    """The model against the majority and the median of the readers of each exam."""
    k = ratings.n_classes
    readings = np.stack([ratings.by_rater[reader] for reader in readers], axis=1)
    count = (readings >= 0).sum(axis=1)
    votes = np.stack([(readings == place).sum(axis=1) for place in range(k)], axis=1)
    majority = np.where(votes.max(axis=1) * 2 > count, votes.argmax(axis=1), -1)
    ranked = np.sort(np.where(readings < 0, k, readings), axis=1)
    median = np.where(count > 0, ranked[np.arange(len(ranked)), np.maximum(count - 1, 0) // 2], -1)
    rows = []
    for name, description, reference in (
        ("majority", "the class that more than half of the readers gave", majority),
        ("median", "the readers' median, the less dense of two", median),
    ):
        known = reference >= 0
        if known.any():
            cases = ratings.cases(reference, ratings.by_rater[MODEL], known)
            rows.append(measure_row(name, description, cases, dense_from, _REFERENCE_METRICS))
    return rows
