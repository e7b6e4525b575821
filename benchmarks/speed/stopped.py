"""What a stop costs: a run of 60 exams killed at three moments, and what the same command then still does.

    python benchmarks/speed/stopped.py WORK [--verb assess|explain] [--exams 60]

WORK is that of `growth`. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from growth import make_exams, measure, repeat


def noted(run: Path) -> int:
    """Exams in the journal."""
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines() if journal.is_file() else []
    return sum(_is_whole(line) for line in lines)


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--verb", choices=("assess", "explain"), default="assess")
    parser.add_argument("--exams", type=int, default=60)
    options = parser.parse_args()
    catalogue = repeat(make_exams(options.work), options.exams, options.work / f"exams-{options.exams}")
    run = options.work / "stopped"
    command = [options.verb, str(catalogue), "-o", str(run)]
    shutil.rmtree(run, ignore_errors=True)
    whole = measure(command)
    nothing = measure(command)
    tables = {name: (run / name).read_bytes() for name in ("assessments.csv", "exams.csv")}
    seconds = [round(one["processor_seconds"]) for one in (whole, nothing)]
    print(f"whole {seconds[0]} s of the processor; again, all done, {seconds[1]} s")
    print(
        "| killed after | exams noted | exams that the same command did | its seconds of the processor | same tables |"
    )
    print("|---|---|---|---|---|")
    for part in (0.2, 0.5, 0.8):
        shutil.rmtree(run, ignore_errors=True)
        process = subprocess.Popen([sys.executable, "-m", "densight", *command], stdout=subprocess.DEVNULL)
        while noted(run) < part * options.exams:
            time.sleep(0.1)
        process.kill()
        process.wait()
        before = noted(run)
        rest = measure(command)
        done = sum(map(_is_whole, (run / "journal.jsonl").read_text().splitlines())) - before
        same = all((run / name).read_bytes() == content for name, content in tables.items())
        print(f"| {part:.0%} | {before} | {done} | {rest['processor_seconds']:.0f} | {same} |", flush=True)


if __name__ == "__main__":
    main()
