"""The notebooks run from the first cell to the last, and what is kept of them is of their sources and small."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.references import DOCS, load_extension

jupytext = pytest.importorskip("jupytext", reason="the notebooks' sources are read with jupytext")

SOURCES = sorted((DOCS / "notebooks").glob("*.py"))
MOST = 700_000
"""Bytes of a notebook with its outputs: what a page can load at once."""

sources = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def test_there_are_five() -> None:
    assert [path.stem[0] for path in SOURCES] == list("12345")


@sources
def test_a_notebook_runs(source: Path) -> None:
    notebook = load_extension("execute").execute(source)
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")


@sources
def test_what_is_kept_is_of_the_source_and_small(source: Path) -> None:
    kept = source.with_suffix(".ipynb")
    assert kept.stat().st_size < MOST
    notebook = jupytext.read(kept)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in jupytext.read(source).cells]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert all(output.output_type != "error" for output in outputs)
    assert "site-packages" not in kept.read_text("utf-8"), "a warning, and a path of the machine that ran it"


@sources
def test_every_exercise_has_a_solution_that_is_folded_away_or_says_that_it_has_none(source: Path) -> None:
    cells = jupytext.read(source).cells
    exercises = [cell.source for cell in cells if cell.cell_type == "markdown" and "**Exercise" in cell.source]
    solutions = [cell for cell in cells if cell.source.startswith("# @title Solution")]
    assert len(exercises) - sum("no solution" in text for text in exercises) == len(solutions) >= 2
    for cell in solutions:
        assert "hide-cell" in cell.metadata["tags"]
        assert cell.metadata["jupyter"]["source_hidden"]
        assert cell.metadata["cellView"] == "form"
