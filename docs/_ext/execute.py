"""Run the notebooks and keep what they print beside their sources: ``make notebooks``."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

STYLES = re.compile(r"\x1b\[[\d;]*m")
"""What a terminal would show bold; a page need not."""

FOLDER = Path(__file__).parents[1] / "notebooks"


def run(source: Path) -> float:
    """Run a notebook's source in a folder of its own; gives the seconds it took."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        # The same every time, so that a notebook changes only where its source or its output does.
        cell["id"] = f"{source.stem[0]}-{number}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    begun = time.perf_counter()
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False, coalesce_streams=True)
    client.execute(env={**os.environ, "PATH": path})
    taken = time.perf_counter() - begun
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = STYLES.sub("", output["text"])
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    return taken


if __name__ == "__main__":
    chosen = sys.argv[1:]
    for one in sorted(FOLDER.glob("[0-9]_*.py")):
        if not chosen or one.stem[0] in chosen:
            print(f"{one.stem}: {run(one):.0f} s", flush=True)
