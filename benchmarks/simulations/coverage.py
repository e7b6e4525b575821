"""How often the intervals hold the truth.

    python benchmarks/simulations/coverage.py OUT.json [--samples 2000]

Draws samples of 60, 128 and 500 exams from a population whose figures are known (`population.py`), one exam a woman or
one to three, and counts for each kind of interval how often it holds the true figure. Two processes; about an hour.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from population import draw

from densight.figures.merit import measure

SIZES = (60, 128, 500)
POPULATION = 400_000


def main() -> None:
    """Run the simulation and write what it found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("--samples", type=int, default=2000)
    given = options.parse_args()
    found: dict[str, Any] = {"samples": given.samples, "settings": []}
    with ProcessPoolExecutor(2) as pool:
        for clustered in (False, True):
            truth = _figures(0, POPULATION, clustered)
            for n in SIZES:
                few = given.samples if n < 500 else given.samples // 2
                parts = pool.map(_cover, *zip(*((seed, n, clustered, truth) for seed in _blocks(few)), strict=True))
                held: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
                for part in parts:
                    for name, kinds in part.items():
                        for kind, counts in kinds.items():
                            held[name][kind] = [a + b for a, b in zip(held[name][kind], counts, strict=True)]
                found["settings"].append({"n": n, "clustered": clustered, "samples": few, "truth": truth, "held": held})
                given.out.write_text(json.dumps(found, indent=1))
                print(
                    n,
                    clustered,
                    {name: {k: round(v[0] / few, 3) for k, v in kinds.items()} for name, kinds in held.items()},
                )


def _blocks(samples: int, size: int = 50) -> list[range]:
    return [range(1 + start, 1 + min(start + size, samples)) for start in range(0, samples, size)]


def _figures(seed: int, n: int, clustered: bool) -> dict[str, float]:
    sample = draw(np.random.default_rng(seed), n, clustered=clustered)
    merit = measure(
        sample.y_true, sample.y_prob[0].argmax(axis=1), sample.patients, 4, probabilities=sample.y_prob[0], dense_from=2
    )
    return {name: one.value for name, one in merit.estimates.items()}


def _cover(seeds: range, n: int, clustered: bool, truth: dict[str, float]) -> dict[str, dict[str, list[int]]]:
    """By figure and kind of interval: how often it held the truth, lay below it, lay above it."""
    held: dict[str, dict[str, list[int]]] = {}
    for seed in seeds:
        sample = draw(np.random.default_rng([seed, n, int(clustered)]), n, clustered=clustered)
        y_prob = sample.y_prob[0]
        merit = measure(sample.y_true, y_prob.argmax(axis=1), sample.patients, 4, probabilities=y_prob, dense_from=2)
        for name, one in merit.estimates.items():
            chosen = {"chosen": one.interval} if one.interval else {}
            for kind, (low, high) in (one.intervals | chosen).items():
                counts = held.setdefault(name, {}).setdefault(kind, [0, 0, 0])
                counts[0 if low <= truth[name] <= high else 1 if high < truth[name] else 2] += 1
    return held


if __name__ == "__main__":
    main()
