"""Write the page of the simulations from what `coverage.py` and `promises.py` found.

python benchmarks/simulations/page.py coverage.json promises.json docs/simulations.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from densight.figures.metrics import METRICS

INTRODUCTION = """# Simulations: whether intervals, tests and sets keep what they promise

A population of women of which the true figures are known: density on a continuous scale, cut into 10, 40, 40 and 10 per
cent; a classifier that sees it with an error, half of it the woman's own, and is surer than it should be
(`benchmarks/simulations/population.py`). Samples of 60, 128 and 500 exams, one exam a woman, or one to three.

```
python benchmarks/simulations/coverage.py coverage.json --samples {coverage}
python benchmarks/simulations/promises.py promises.json --samples {promises}
python benchmarks/simulations/page.py coverage.json promises.json docs/simulations.md
```
"""
COVERAGE = """
## Intervals

How often the 95 % interval that densight chooses holds the true figure, in per cent ({samples} samples; of 500 exams
half as many; the standard error is half a point).

"""
KINDS = """
And by kind of interval, where patients have one to three exams:

"""
TESTS = """
## Tests

How often a test at .05 rejects where two classifiers of equal error are compared, in per cent (the standard error is
half a point, with 500 exams .7).

"""
SETS = """
## Sets of classes

The mean coverage of sets for other women, in per cent, and how many classes they hold; fitted on as many exams. And the
coverage of the worst covered class, where it was promised of all exams and of each class.

"""
CLOSING = """
## What follows

- For κ, accuracy and AUC the intervals hold between 93 and 97 of 100 times from 60 exams on, also where patients have
  several.
- The BCa interval holds oftener than the percentile interval for figures near 1, hence it is chosen; Wilson's is chosen
  for proportions of independent cases. The mean recall of four classes (balanced accuracy) needs more than 60 exams:
  its rare classes have six.
- Calibration errors are too great by chance, the more so the fewer exams. The pivotal interval takes most of it off for
  the expected calibration error; for the classwise one 60 exams are not enough by any method here.
- With 60 exams DeLong's and Stuart and Maxwell's tests reject too seldom, for few exams differ. The paired bootstrap is
  nearer, and of κ and the macro AUC a little too ready (up to 6.8 per cent). From 128 exams on all lie between 3.2 and
  6.2 per cent.
- Sets cover what they promise, on average over what they are fitted on. Promised of all exams, rare classes are covered
  less; promised of each class, sets are larger.
"""
SHOWN = (
    "accuracy", "balanced_accuracy", "macro_precision", "kappa", "kappa_linear", "kappa_quadratic", "ac2", "macro_auc",
    "c_index", "dense_accuracy", "dense_auc", "brier", "log_score", "ece", "ece_adaptive", "ece_classwise",
)  # fmt: skip
BY_KIND = ("accuracy", "kappa_quadratic", "macro_auc", "dense_auc", "ece")


def main(coverage: Path, promises: Path, out: Path) -> None:
    """Read, and write the page."""
    intervals, other = json.loads(coverage.read_text()), json.loads(promises.read_text())
    settings = intervals["settings"]
    heads = [f"{one['n']}{', 1–3 a woman' if one['clustered'] else ''}" for one in settings]
    page = INTRODUCTION.format(coverage=intervals["samples"], promises=other["samples"])
    page += COVERAGE.format(samples=intervals["samples"])
    page += table(
        ["figure", *heads], [[METRICS[name].title, *(chosen(one, name) for one in settings)] for name in SHOWN]
    )
    page += KINDS
    kinds = [(name, kind) for name in BY_KIND for kind in ("bca", "percentile", "pivotal")]
    clustered = [one for one in settings if one["clustered"]]
    page += table(
        ["figure", "interval", *(str(one["n"]) for one in clustered)],
        [
            [METRICS[name].title, {"bca": "BCa"}.get(kind, kind), *(held(one["held"][name][kind]) for one in clustered)]
            for name, kind in kinds
            if kind in clustered[0]["held"][name]
        ],
    )
    tests = other["tests"]
    names = {"mcnemar": "McNemar", "stuart_maxwell": "Stuart–Maxwell", "delong": "DeLong, dense"}
    rows = [[words, *(share(one["rejected"][name]) for one in tests)] for name, words in names.items()]
    for name in ("accuracy", "kappa_quadratic", "dense_auc", "macro_auc"):
        words = f"paired bootstrap, {METRICS[name].short}"
        rows.append([words, *(share(one["rejected"][f"bootstrap {name}"]) for one in tests)])
    heads = [f"{one['n']}{', 1–3 a woman' if one['clustered'] else ''}" for one in tests]
    page += TESTS + table(["test", *heads], rows)
    page += SETS + table(
        ["promise", *heads], [row for promise in (0.8, 0.9, 0.95) for row in sets(other["sets"], promise)]
    )
    out.write_text(page + CLOSING)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def chosen(setting: dict[str, Any], name: str) -> str:
    """The coverage of the interval that is chosen."""
    return held(setting["held"][name]["chosen"])


def held(counts: Sequence[int]) -> str:
    """The share held, in per cent."""
    return f"{100 * counts[0] / sum(counts):.1f}"


def share(counts: Sequence[int]) -> str:
    """The share rejected, in per cent."""
    return f"{100 * counts[0] / counts[1]:.1f}"


def sets(settings: Sequence[dict[str, Any]], promise: float) -> list[list[str]]:
    """The rows of one promise."""

    def means(name: str, factor: float, digits: int) -> list[str]:
        return [f"{factor * one['held'][name][0]:.{digits}f}" for one in settings]

    def worst(kind: str) -> list[str]:
        return [f"{100 * min(one['held'][f'{promise} {kind} {label}'][0] for label in 'ABCD'):.1f}" for one in settings]

    words = f"{100 * promise:g}"
    return [
        [f"{words}, of all exams", *means(f"{promise} all", 100, 1)],
        [f"{words}, of all exams: classes in a set", *means(f"{promise} all size", 1, 2)],
        [f"{words}, of all exams: worst class", *worst("all")],
        [f"{words}, of each class: worst class", *worst("by class")],
        [f"{words}, of each class: classes in a set", *means(f"{promise} by class size", 1, 2)],
    ]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
