"""The model beside readers: who agrees with whom, and whether the model agrees as readers do."""

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
from densight.figures.bootstrap import Drawn
from densight.figures.drawn import Cases, draw_figures, mean_of_drawn
from densight.figures.intervals import Estimate
from densight.figures.rows import Row, measure_row
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MODEL", "Pair", "ReaderMerit", "measure_readers", "read_readings"]

MODEL = "model"
"""What the model is called among the readers."""

_KEYS = ["patient_id", "exam_id"]
_OF_PAIR = ("accuracy", "kappa", "kappa_linear", "kappa_quadratic")

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """The agreement of two raters on the exams that both have read.

    Parameters
    ----------
    one, other : str
    n, patients : int
    estimates : mapping of str to Estimate
        ``accuracy`` (the share on which they agree), ``kappa``, ``kappa_linear``, ``kappa_quadratic``.
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
        Exams that all have read, on which the three means are taken.
    among_readers, with_model : Estimate or None
        Mean quadratic κ of the pairs of readers, and of the model with each. None with one reader, or without such
        exams.
    difference : Estimate or None
        ``with_model`` less ``among_readers``: about 0 where the model is as one more reader.
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
    r"""Read a table of readings: a row an exam, a column a reader.

    Parameters
    ----------
    path : path-like
        A CSV with ``exam_id``, ``patient_id`` where there is one, and a column for each reader, empty where an exam was
        not read. Columns without any class in them are no readers.
    classes : sequence of str

    Returns
    -------
    readings : DataFrame of str
    readers : tuple of str
        Their columns.

    Raises
    ------
    DensightError
        If the file is no such table, has no reader, or a reading is no class; the message names the row.

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
    known = {*classes, ""}
    others = [str(column) for column in table if column not in _KEYS]
    readers = tuple(column for column in others if table[column].isin(list(classes)).any())
    for reader in readers:
        unknown = ~table[reader].isin(list(known)).to_numpy()
        if unknown.any():
            row = int(unknown.argmax())
            raise DensightError(
                f"row {row + 1}: {reader} says {table[reader].iloc[row]!r}, not one of {', '.join(classes)}",
                path,
                "mend the reading, or leave it empty",
            )
    if MODEL in readers:
        raise DensightError(f"a reader is named {MODEL}, as the model is", path, "give the reader another name")
    if not readers:
        raise DensightError(
            f"no column holds readings of {', '.join(classes)}", path, "give each reader a column with the classes read"
        )
    return identify(table, path), readers


def measure_readers(
    exams: pd.DataFrame,
    readings: pd.DataFrame,
    readers: Sequence[str],
    classes: Sequence[str],
    dense_from: int | None,
) -> ReaderMerit:
    """Compare a model's exams with readings of them.

    Parameters
    ----------
    exams : DataFrame
        The model's exams, labelled or not.
    readings : DataFrame
    readers : sequence of str
        As `read_readings` gives them.
    classes : sequence of str
    dense_from : int or None

    Raises
    ------
    DensightError
        If no exam of the model was read, or the readings do not tell which of several patients' exams they are of.
    """
    keys = _KEYS if readings["patient_id"].ne("").any() else ["exam_id"]
    if exams.duplicated(keys).any():
        raise DensightError(
            "several patients have exams of one exam_id, and the readings have no patient_id",
            remedy="add the column patient_id to the readings",
        )
    plain = exams.drop(columns=[column for column in readers if column in exams])
    both = plain.merge(readings[[*keys, *readers]], on=keys)
    if both.empty:
        raise DensightError(
            "none of the exams read is among those assessed", remedy="check patient_id and exam_id of the readings"
        )
    places = {label: place for place, label in enumerate(classes)} | {"": -1}
    raters = {MODEL: both["predicted"], **{reader: both[reader] for reader in readers}}
    told = {name: np.asarray(column.map(places), dtype=np.int64) for name, column in raters.items()}
    patients = patients_of(both)
    k = len(classes)
    pairs = [*combinations(readers, 2), *((MODEL, reader) for reader in readers)]
    complete = np.all([values >= 0 for values in told.values()], axis=0)
    kappas = {pair: _kappa(told, pair, complete, patients, k) for pair in pairs} if complete.any() else {}
    several = bool(kappas) and len(readers) > 1
    among = mean_of_drawn([kappas[pair] for pair in combinations(readers, 2)]) if several else None
    with_model = mean_of_drawn([kappas[MODEL, reader] for reader in readers]) if several else None
    return ReaderMerit(
        tuple(pair for one, other in pairs if (pair := _pair(told, one, other, patients, k))),
        int(complete.sum()),
        *_three(among, with_model),
        tuple(_references(told, readers, patients, k, dense_from)) if len(readers) > 1 else (),
    )


def _pair(told: Mapping[str, Integers], one: str, other: str, patients: Sequence[str], classes: int) -> Pair | None:
    """The agreement of two on what both have read; None where that is nothing."""
    rows = np.flatnonzero((told[one] >= 0) & (told[other] >= 0))
    if not len(rows):
        return None
    cases = Cases.of(told[one][rows], told[other][rows], [patients[row] for row in rows.tolist()], classes)
    row = measure_row(one, other, cases, None, _OF_PAIR)
    return Pair(one, other, row.n, row.patients, row.estimates)


def _kappa(
    told: Mapping[str, Integers], pair: tuple[str, str], rows: npt.NDArray[np.bool_], patients: Sequence[str], k: int
) -> Drawn:
    owners = [patients[row] for row in np.flatnonzero(rows).tolist()]
    cases = Cases.of(told[pair[0]][rows], told[pair[1]][rows], owners, k)
    return draw_figures(cases, names=["kappa_quadratic"])["kappa_quadratic"].drawn


def _three(among: Drawn | None, with_model: Drawn | None) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    if among is None or with_model is None:
        return None, None, None
    return among.estimate(), with_model.estimate(), (with_model - among).estimate_difference()


def _references(
    told: Mapping[str, Integers],
    readers: Sequence[str],
    patients: Sequence[str],
    classes: int,
    dense_from: int | None,
) -> list[Row]:
    """The model against majority and median of the readers there are."""
    readings = np.stack([told[reader] for reader in readers], axis=1)
    count = (readings >= 0).sum(axis=1)
    votes = np.stack([(readings == place).sum(axis=1) for place in range(classes)], axis=1)
    majority = np.where(votes.max(axis=1) * 2 > count, votes.argmax(axis=1), -1)
    ranked = np.sort(np.where(readings < 0, classes, readings), axis=1)
    median = np.where(count > 0, ranked[np.arange(len(ranked)), np.maximum(count - 1, 0) // 2], -1)
    rows = []
    for name, words, reference in (
        ("majority", "the class that more than half of the readers gave", majority),
        ("median", "the readers' median, the less dense of two", median),
    ):
        kept = np.flatnonzero(reference >= 0)
        if len(kept):
            owners = [patients[row] for row in kept.tolist()]
            cases = Cases.of(reference[kept], told[MODEL][kept], owners, classes)
            rows.append(measure_row(name, words, cases, dense_from, ("accuracy", "kappa_quadratic", "dense_accuracy")))
    return rows
