"""How long the figures of many exams take, and how much memory.

    python benchmarks/figures_speed.py FOLDER [--exams 100000]

Writes the prediction files of four networks and a table of their exams into FOLDER, runs ``densight figures`` on the
table and on the files, each in a process of its own, and prints wall time and peak memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

NAMES = ("ccr", "ccl", "mlor", "mlol")


def main() -> None:
    """Write the files and time the command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--exams", type=int, default=100_000)
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    y_true = rng.choice(4, given.exams, p=[0.1, 0.4, 0.4, 0.1])
    y_prob = []
    for name in NAMES:
        logits = np.eye(4)[y_true] * 2 + rng.normal(size=(given.exams, 4))
        y_prob.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
        np.savetxt(given.folder / f"predictions_{name}.txt", y_prob[-1], fmt="%.9f")
    labels = pd.DataFrame({"density": np.array(list("ABCD"))[y_true]})
    labels.to_csv(given.folder / "labels.csv", index=False)
    fused = np.mean(y_prob, axis=0)
    labels.assign(**{f"p_{label}": fused[:, k] for k, label in enumerate("ABCD")}).to_csv(
        given.folder / "exams.csv", index=False
    )
    files = [str(given.folder / f"predictions_{name}.txt") for name in NAMES]
    for words, arguments in (
        ("table of exams", [str(given.folder / "exams.csv")]),
        ("four prediction files, seven levels", [*files, "--labels", str(given.folder / "labels.csv")]),
    ):
        start = time.perf_counter()
        command = [sys.executable, "-m", "densight", "figures", *arguments, "-o", str(given.folder / "out")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        print(f"{words}: {seconds:.1f} s, {peak:.2f} GB")


if __name__ == "__main__":
    main()
