"""Run the notebooks and store them with their output beside their sources: ``make notebooks``."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

STYLES = re.compile(r"\x1b\[[\d;]*m")
"""Escape sequences of a terminal, such as bold, which a page does not need."""

FOLDER = Path(__file__).parents[1] / "notebooks"


def execute(source: Path) -> NotebookNode:
    """Run a notebook from its source and return it with its output; notebooks write files into folders of their own."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        # Ids are fixed, so that a notebook changes only where its source or its output changes.
        cell["id"] = f"{source.stem[0]}-{number}"
    # `%%sh` must call the densight of this environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False, coalesce_streams=True)
    client.execute(env={**os.environ, "PATH": path})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = STYLES.sub("", output["text"])
    return notebook


if __name__ == "__main__":
    chosen = sys.argv[1:]
    for source in sorted(FOLDER.glob("[0-9]_*.py")):
        if not chosen or source.stem[0] in chosen:
            begun = time.perf_counter()
            nbformat.write(execute(source), source.with_suffix(".ipynb"))
            print(f"{source.stem}: {time.perf_counter() - begun:.0f} s", flush=True)
