"""Put a fitted model into the package: with its card, and with what its scope refuses.

python benchmarks/starter_release.py starter OUT [--failures FILE] [--trials WORDS=RUN …]

``OUT`` is what ``starter_fit.py`` and ``starter_figures.py -o OUT/NAME.figures`` wrote; ``FILE`` has a line for each
kind of failure that was seen; ``RUN`` is a run folder of ``densight explain`` and ``densight trial``, ``WORDS`` what
its images are.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from densight.network.bundle import CARD, read_bundle, write_bundle
from densight.storage import write_text
from densight.trials.verdicts import read_trials
from starter.card import make_card

MODELS = Path(__file__).parents[1] / "src" / "densight" / "network" / "models"


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("starter", "starter-research"))
    parser.add_argument("output", type=Path)
    parser.add_argument("--failures", type=Path)
    parser.add_argument("--trials", nargs="*", default=())
    given = parser.parse_args()
    figures = given.output / f"{given.name}.figures"
    found = json.loads((figures / "figures.json").read_text())
    found["failures"] = given.failures.read_text().splitlines() if given.failures else []
    bundle = read_bundle(given.output / given.name)
    runs = {words: Path(run) for words, run in (each.split("=", 1) for each in given.trials)}
    found["trials"] = {words: trials_of(run) for words, run in runs.items()}
    assert bundle.scope is not None
    scope = replace(bundle.scope, false_alarms=false_alarms(figures))
    write_bundle(
        MODELS / given.name, {k: v.half() for k, v in bundle.network.state_dict().items()}, bundle.facts, scope
    )
    released = read_bundle(MODELS / given.name)
    assert released.checksum == bundle.checksum
    write_text(MODELS / given.name / CARD, make_card(released, given.name, found))


def trials_of(run: Path) -> list[dict[str, Any]]:
    """The verdicts on the class map in closed form."""
    tried = read_trials(run)
    assert tried is not None, f"{run} has no trials of its own models"
    return list(tried["cards"]["grad-cam"]["lines"])


def false_alarms(figures: Path) -> str:
    """How many of the patients' mammograms are refused, in words."""
    shown = []
    for name, words in (
        ("mias", "films of mini-MIAS"),
        ("ddsm", "films of DDSM"),
        ("infn", "of the tutorial's images"),
    ):
        if not (figures / f"{name}.csv").is_file():
            continue
        refused = pd.read_csv(figures / f"{name}.csv", keep_default_na=False)["refused"]
        far = int(refused.str.contains("unlike").sum())
        shown.append(f"{int((refused != '').sum())} of {len(refused)} {words} ({far} as too far)")
    return f"So it refuses {', '.join(shown)}."


if __name__ == "__main__":
    main()
