"""The trials of a run as a table in Markdown.

    python benchmarks/trials/tables.py RUN [MEASURES]

Rows are methods and baselines, columns the deciding measures, or those named, separated by commas: mean, 95 % interval
by patient, + better than chance, ~ no better, - worse.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from densight.explanation.methods.methods import method_name
from densight.storage import read_json
from densight.trials.verdicts import JUDGED, TRIALS, number

SIGNS = {"passes": "+", "at chance": "~", "fails": "−"}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("measures", nargs="?", default=",".join(name for names in JUDGED.values() for name in names))
    options = parser.parse_args()
    methods = read_json(options.run / TRIALS)["methods"]
    columns = [name for name in options.measures.split(",") if any(name in of for of in methods.values())]
    print("| method | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for method, of in methods.items():
        cells = []
        for name in columns:
            one = of.get(name)
            if one is None or one["value"] is None:
                cells.append("")
                continue
            low, high = one["interval"]
            sign = SIGNS.get(one["verdict"], "")
            cells.append(f"{number(one['value'])} [{number(low)}, {number(high)}] {sign}".strip())
        print(f"| {method_name(method)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
