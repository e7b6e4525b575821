"""Figures of merit against R: pROC, psych and base R, on twenty random and five degenerate tables.

    apt-get install r-base-core r-cran-proc r-cran-psych
    python benchmarks/figures_equality.py FOLDER

Prints the largest difference of each figure. ``tests/unit/figures/test_figures_equality.py`` holds every figure of the
same tables against scikit-learn, statsmodels and loops.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.unit.figures.test_figures_equality import DENSE, TABLES, K

from densight.figures.merit import measure
from densight.figures.paired_tests import delong, mcnemar


def main(folder: Path) -> None:
    """Write the tables, let R compute, compare."""
    folder.mkdir(parents=True, exist_ok=True)
    ours: dict[tuple[str, str], float] = {}
    frames = []
    for number, (name, (truth, said)) in enumerate(TABLES.items()):
        other = np.random.default_rng(number).dirichlet(np.ones(K), len(truth)) + np.eye(K)[truth] / 2
        told = said.argmax(axis=1)
        columns = {f"p{k}": said[:, k] for k in range(K)} | {f"q{k}": other[:, k] for k in range(K)}
        known = {"table": name, "truth": truth, "told": told, "other": other.argmax(axis=1)}
        frames.append(pd.DataFrame(known | columns))
        owners = np.arange(len(truth))
        merit = measure(truth, told, owners.astype(str).tolist(), K, probabilities=said, dense_from=DENSE)
        ours |= {(name, figure): estimate.value for figure, estimate in merit.estimates.items()}
        for kind in ("exact", "wilson"):
            low, high = merit["accuracy"].intervals[kind]
            ours |= {(name, f"{kind}_low"): low, (name, f"{kind}_high"): high}
        ours[name, "mcnemar_p"] = mcnemar(told == truth, other.argmax(axis=1) == truth, owners).p
        if 0 < (truth >= DENSE).sum() < len(truth) and len(truth) > 10:
            scores = (said[:, DENSE:].sum(axis=1), other[:, DENSE:].sum(axis=1))
            ours[name, "delong_p"] = delong(truth >= DENSE, *scores, owners).p
    pd.concat(frames).to_csv(folder / "cases.csv", index=False)
    subprocess.run(["Rscript", Path(__file__).with_suffix(".R"), folder], check=True)
    apart: dict[str, list[float]] = defaultdict(list)
    for row in pd.read_csv(folder / "r.csv").itertuples():
        apart[str(row.figure)].append(abs(float(row.value) - ours[str(row.table), str(row.figure)]))
    for figure, differences in apart.items():
        print(f"{figure}: {len(differences)} tables, largest difference {max(differences):.1e}")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(Path(sys.argv[1]))
