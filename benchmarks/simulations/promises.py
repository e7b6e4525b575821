"""Whether tests reject as often as they should where nothing differs, and whether sets cover what they promise.

    python benchmarks/simulations/promises.py OUT.json [--samples 2000]

Tests: two classifiers of equal error on the same exams, one exam a woman or one to three. Sets: fitted on the exams of
a sample, tried on those of 1000 other women. Two processes; about half an hour.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from population import ERROR, draw

from densight.assessment.conformal import fit_sets
from densight.figures.comparison import compare_cases
from densight.figures.data import Cases

SIZES = (60, 128, 500)
LEVEL = 0.05
COMPARED = ("accuracy", "kappa_quadratic", "dense_auc", "macro_auc")
COVERAGES = (0.8, 0.9, 0.95)
OTHERS = 1000


def main() -> None:
    """Run both simulations and write what they found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("--samples", type=int, default=2000)
    given = options.parse_args()
    found: dict[str, Any] = {"samples": given.samples, "tests": [], "sets": []}
    with ProcessPoolExecutor(2) as pool:
        for clustered in (False, True):
            for n in SIZES:
                few = given.samples if n < 500 else given.samples // 2
                blocks = [range(start, min(start + 50, few)) for start in range(0, few, 50)]
                rejected: Counter[str] = Counter()
                tried: Counter[str] = Counter()
                for part, of in pool.map(_reject, blocks, [n] * len(blocks), [clustered] * len(blocks)):
                    rejected += part
                    tried += of
                shares = {name: [rejected[name], tried[name]] for name in tried}
                found["tests"].append({"n": n, "clustered": clustered, "rejected": shares})
                parts = pool.map(_hold, blocks, [n] * len(blocks), [clustered] * len(blocks))
                held = _means([row for part in parts for row in part])
                found["sets"].append({"n": n, "clustered": clustered, "held": held})
                given.out.write_text(json.dumps(found, indent=1))
                print(n, clustered, {name: round(a / b, 3) for name, (a, b) in shares.items()}, held["0.9 all"])


def _reject(seeds: range, n: int, clustered: bool) -> tuple[Counter[str], Counter[str]]:
    """How often each test rejected, and how often it could be made."""
    rejected: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for seed in seeds:
        sample = draw(
            np.random.default_rng([seed, n, 7, int(clustered)]), n, clustered=clustered, errors=(ERROR, ERROR)
        )
        one, other = (Cases.of(sample.truth, said.argmax(axis=1), sample.patients, 4, said) for said in sample.said)
        differences, tests = compare_cases(one, other, 2, COMPARED)
        values = {name: test.p for name, test in tests.items()} | {
            f"bootstrap {k}": d.p for k, d in differences.items()
        }
        for name, difference in differences.items():
            if limits := difference.difference.interval:
                values[f"interval {name}"] = 0.0 if limits[0] > 0 or limits[1] < 0 else 1.0
        for name, p in values.items():
            if np.isfinite(p):
                tried[name] += 1
                rejected[name] += p < LEVEL
    return rejected, tried


def _hold(seeds: range, n: int, clustered: bool) -> list[dict[str, float]]:
    """By promise and kind: the share of other women's sets that hold the true class, and their mean size."""
    rows = []
    for seed in seeds:
        generator = np.random.default_rng([seed, n, 8, int(clustered)])
        sample, others = draw(generator, n, clustered=clustered), draw(generator, OTHERS, clustered=False)
        row = {}
        for coverage in COVERAGES:
            for by_class in (False, True):
                fitted = fit_sets(sample.said[0], sample.truth, sample.patients, coverage, by_class=by_class)
                sets = fitted.of(others.said[0])
                held = sets[np.arange(OTHERS), others.truth]
                kind = f"{coverage} {'by class' if by_class else 'all'}"
                row[kind] = float(held.mean())
                row[f"{kind} size"] = float(sets.sum(axis=1).mean())
                for place, label in enumerate("ABCD"):
                    row[f"{kind} {label}"] = float(held[others.truth == place].mean())
        rows.append(row)
    return rows


def _means(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """The mean over samples and its standard error."""
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: [float(one.mean()), float(one.std() / np.sqrt(len(one)))] for name, one in values.items()}


if __name__ == "__main__":
    main()
