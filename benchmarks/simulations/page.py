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

INTRODUCTION = """# Simulations: validity of intervals, tests and sets

The simulations use a population with known true figures. Density is continuous and divided into classes of 10, 40, 40
and 10 per cent. A classifier observes it with an error, half of which is specific to the patient, and is
overconfident (`benchmarks/simulations/population.py`). Samples have 60, 128 and 500 exams, with one exam per patient,
or one to three.

```
python benchmarks/simulations/coverage.py coverage.json --samples {coverage}
python benchmarks/simulations/promises.py promises.json --samples {promises}
python benchmarks/simulations/page.py coverage.json promises.json docs/simulations.md
```
"""
COVERAGE = """
## Intervals

How often the 95 % interval that densight shows contains the true figure, in per cent ({samples} samples, half as many
with 500 exams; the standard error is half a point).

"""
KINDS = """
By kind of interval, with one to three exams per patient:

"""
TESTS = """
## Tests

How often a test at level .05 rejects when two classifiers of equal error are compared, in per cent (the standard
error is half a point; .7 with 500 exams).

"""
SETS = """
## Sets of classes

The mean coverage of sets for other patients, in per cent, and the mean number of classes in a set; the sets are
fitted on as many exams. Also the coverage of the worst covered class, for coverage guaranteed over all exams and for
each class.

"""
CLOSING = """
## Conclusions

- For κ, accuracy and AUC the intervals contain the true figure 93 to 97 times in 100, from 60 exams on, also with
  several exams per patient.
- For figures near 1 the BCa interval has higher coverage than the percentile interval and is therefore used. Wilson's
  is used for proportions of independent cases. The mean recall of four classes (balanced accuracy) needs more than 60
  exams, because its rare classes then have six.
- Calibration errors are too large by chance, and more so with fewer exams. The pivotal interval removes most of this
  bias from the expected calibration error. For the classwise error 60 exams are not enough with any method here.
- With 60 exams DeLong's test and the Stuart–Maxwell test reject too rarely, because few exams differ. The paired
  bootstrap is closer to the level; for κ and the macro AUC it rejects slightly too often (up to 6.8 per cent). From
  128 exams on, all tests are between 3.2 and 6.2 per cent.
- Sets have the stated coverage on average over the samples that they are fitted on. If it is guaranteed over all
  exams, rare classes have lower coverage. If it is guaranteed for each class, sets are larger.
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
    heads = [f"{one['n']}{', 1–3 per patient' if one['clustered'] else ''}" for one in settings]
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
    heads = [f"{one['n']}{', 1–3 per patient' if one['clustered'] else ''}" for one in tests]
    page += TESTS + table(["test", *heads], rows)
    page += SETS + table(
        ["coverage", *heads], [row for promise in (0.8, 0.9, 0.95) for row in sets(other["sets"], promise)]
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
