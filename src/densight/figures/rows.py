"""Rows of tables that set classifications of cases side by side: rules of fusion, scalings, groups, readers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densight.assessment.fusion import class_indices, patients_of, probability_columns
from densight.figures.drawn import MAIN, Cases, draw_figures
from densight.figures.intervals import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "cases_of", "measure_row"]


@dataclass(frozen=True)
class Row:
    """One classification of cases and its figures.

    Parameters
    ----------
    name, words : str
        What it is, in a word and in words.
    n, patients : int
        How many cases, of how many patients.
    estimates : mapping of str to Estimate
        Keys of `densight.figures.drawn.FIGURES`.
    """

    name: str
    words: str
    n: int
    patients: int
    estimates: Mapping[str, Estimate]


def measure_row(name: str, words: str, cases: Cases, dense_from: int | None, names: Collection[str] = MAIN) -> Row:
    """The row of some cases.

    Parameters
    ----------
    name, words : str
    cases : Cases
    dense_from : int or None
    names : collection of str
        The figures.

    Examples
    --------
    >>> row = measure_row("mean", "the mean", Cases.of([0, 1], [0, 0], ["a", "b"], 2), None)
    >>> row.n, row.estimates["accuracy"].value
    (2, 0.5)
    """
    found = {key: one.estimate() for key, one in draw_figures(cases, dense_from, names).items()}
    return Row(name, words, len(cases.truth), cases.patients, found)


def cases_of(table: pd.DataFrame, classes: Sequence[str]) -> Cases:
    """The cases of a table whose rows are all labelled.

    Parameters
    ----------
    table : DataFrame
        As a table of `densight.figures.material.Material`.
    classes : sequence of str
        The labels in order.
    """
    columns = probability_columns(classes)
    return Cases.of(
        class_indices(table["density"].tolist(), classes),
        class_indices(table["predicted"].tolist(), classes),
        patients_of(table),
        len(classes),
        table[columns].to_numpy(dtype=float) if columns[0] in table else None,
    )
