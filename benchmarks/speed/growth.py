"""Whether cost grows straight: exams assessed, reported and scored, 10 to 5000 of them; seconds, memory, a picture.

    python benchmarks/speed/growth.py WORK [--exams 10 100 1000 5000] [--picture FILE]

Makes 40 phantom exams and lists them again and again under other names (links, so that the disk holds them once), with
a catalogue; runs ``densight assess`` and ``densight figures`` on each number of exams, as processes of their own.
Writes ``growth.json`` into WORK.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DISTINCT = 40


def make_exams(work: Path) -> Path:
    """Phantom exams of 1024×832 pixels, each different."""
    folder = work / "distinct"
    if not (folder / "catalogue.csv").is_file():
        command = ["phantom", "-n", str(DISTINCT), "--seed", "1", "--size", "1024x832", "-o", str(folder)]
        subprocess.run([sys.executable, "-m", "densight", *command], check=True, stdout=subprocess.DEVNULL)
    return folder


def repeat(folder: Path, exams: int, into: Path) -> Path:
    """A folder of so many exams, links to those of another; its catalogue."""
    shutil.rmtree(into, ignore_errors=True)
    with (folder / "catalogue.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    patients = sorted({row["patient_id"] for row in rows})
    made = []
    for number in range(exams):
        patient = patients[number % len(patients)]
        name = f"Q{number + 1:06d}"
        for row in rows:
            if row["patient_id"] != patient:
                continue
            path = Path(name) / Path(row["path"]).name.replace(patient, name)
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / row["path"], into / path)
            made.append(row | {"path": path.as_posix(), "patient_id": name, "exam_id": name, "split": "test"})
    with (into / "catalogue.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(made)
    return into / "catalogue.csv"


def measure(command: list[str]) -> dict[str, float]:
    """Seconds, processor seconds and peak memory of a command of densight's."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "densight", *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"densight {' '.join(command)} failed")
    return {
        "seconds": time.perf_counter() - start,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Seconds against exams, and memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    exams = [one["exams"] for one in found]
    for verb, colour in (("assess", "#1b6ca8"), ("figures", "#c0562b")):
        left.plot(exams, [one[verb]["seconds"] for one in found], "o-", color=colour, label=f"densight {verb}")
        right.plot(exams, [one[verb]["peak_mb"] / 1024 for one in found], "o-", color=colour)
    steepest = found[-1]["assess"]["seconds"] / exams[-1]
    left.plot(exams, [steepest * n for n in exams], ":", color="#777777", label=f"{steepest:.2f} s an exam")
    left.set(xscale="log", yscale="log", xlabel="exams", ylabel="s")
    right.set(xscale="log", ylim=(0, 1.6), xlabel="exams", ylabel="peak memory, GiB")
    right.axhline(1.5, color="#777777", linestyle=":")
    left.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--exams", type=int, nargs="+", default=[10, 100, 1000, 5000])
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    folder = make_exams(options.work)
    found: list[dict[str, Any]] = []
    for exams in options.exams:
        catalogue = repeat(folder, exams, options.work / f"exams-{exams}")
        run = options.work / f"run-{exams}"
        shutil.rmtree(run, ignore_errors=True)
        one: dict[str, Any] = {"exams": exams}
        one["assess"] = measure(["assess", str(catalogue), "-o", str(run)])
        one["again"] = measure(["assess", str(catalogue), "-o", str(run)])
        one["figures"] = measure(["figures", str(run)])
        found.append(one)
        (options.work / "growth.json").write_text(json.dumps(found, indent=1))
        print(json.dumps(one), flush=True)
    if options.picture:
        draw(found, options.picture)


if __name__ == "__main__":
    main()
