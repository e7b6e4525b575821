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
from nbformat import NotebookNode

STYLES = re.compile(r"\x1b\[[\d;]*m")
"""What a terminal would show bold; a page need not."""

FOLDER = Path(__file__).parents[1] / "notebooks"


def execute(source: Path) -> NotebookNode:
    """A notebook, run from its source, with what it prints; those that make files go to a folder of their own."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        # The same every time, so that a notebook changes only where its source or its output does.
        cell["id"] = f"{source.stem[0]}-{number}"
    # What `%%sh` calls is the densight of this environment.
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
    for one in sorted(FOLDER.glob("[0-9]_*.py")):
        if not chosen or one.stem[0] in chosen:
            begun = time.perf_counter()
            nbformat.write(execute(one), one.with_suffix(".ipynb"))
            print(f"{one.stem}: {time.perf_counter() - begun:.0f} s", flush=True)
