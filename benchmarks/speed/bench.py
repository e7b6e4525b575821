"""densight beside other programs, on the same images and with the same weights, in turn; one command, one table.

    python benchmarks/speed/bench.py [--work build/bench] [--rounds 5] [--exams 3] [--only WORD …]

Makes environments of their own for Keras 2.15 and for the map packages, phantom exams of full size as PNG and as DICOM,
and weights in Keras; then asks each program, which stays loaded, for each of its tasks in turn, round after round. What
is written to ``benchmarks/RESULTS.md`` are ratios of medians of one run, and how far the rounds lie apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tables import write_results

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

ENVIRONMENTS = {
    "keras": [["tensorflow-cpu==2.15.*", "pillow", "scipy"]],
    "peers": [
        ["--requirement", str(ROOT / "requirements.lock")],
        # Not with what they ask for: torchvision and plotting, for their examples.
        ["--no-deps", "grad-cam", "torchcam", "ttach"],
        ["--no-deps", "--editable", str(ROOT)],
    ],
}
"""What is installed beside densight's own environment, step by step."""

WORKERS = {"keras": "keras_worker.py", "peers": "torch_worker.py", "densight": "densight_worker.py"}
LIMIT = 1e-3
"""The greatest difference of a probability, in order of size, for what does the same."""

SIZE, DICOM_SIZE = (2294, 1378), (3328, 2560)
"""Rows and columns of the exams: those of the tutorial's images, and of a usual unit's."""


@dataclass
class Worker:
    """A program that waits for tasks."""

    process: subprocess.Popen[str]
    versions: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, python: Path | str, script: str, folder: Path) -> Worker:
        """Start it and wait until it has loaded what it needs."""
        command = [str(python), str(HERE / script), str(folder)]
        with (folder / f"{script}.log").open("w") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=HERE
            )
        worker = cls(process)
        content = worker._answer()
        worker.versions, worker.tasks = content["versions"], content["tasks"]
        return worker

    def ask(self, task: str) -> dict[str, Any]:
        """Have a task done."""
        assert self.process.stdin is not None
        print(task, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(map(str, self.process.args))} ended; see its log in the work folder")  # type: ignore[arg-type]
        answer: dict[str, Any] = json.loads(line)
        return answer


def make_environment(name: str, work: Path) -> Path:
    """The Python of an environment, which is made if it is not there."""
    folder = work / "environments" / name
    if not (folder / "ready").is_file():
        print(f"making the environment {name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        for packages in ENVIRONMENTS[name]:
            subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", *packages], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def make_images(folder: Path, exams: int) -> None:
    """Phantom exams as PNG and DICOM, and sixteen of the images in folders of classes, to learn from."""
    from densight.phantom.exams import write_exams
    from densight.phantom.settings import Settings
    from densight.vocabulary import BIRADS

    sys.path.insert(0, str(HERE.parent))
    from dicom_speed import compress

    if (folder / "train").is_dir():
        return
    print("making phantom exams", flush=True)
    write_exams(max(exams, 4), 1, folder / "all", Settings(shape=SIZE), suffix=".png")
    write_exams(exams, 1, folder / "dicom", Settings(shape=DICOM_SIZE), suffix=".dcm")
    for path in (folder / "dicom").rglob("*.dcm"):
        compress(path)
    images = sorted((folder / "all").rglob("*.png"))
    for path in images:
        in_eight_bits(path)
    for path in images[: 4 * exams]:
        copy(path, folder / "images" / path.parent.name / path.name)
    for i, path in enumerate(images[:16]):
        copy(path, folder / "train" / BIRADS[i % 4] / path.name)


def in_eight_bits(path: Path) -> None:
    """Write an image again with the bits of the tutorial's, which the other programs read as they are meant."""
    from densight.intake.image import read_pixels

    pixels = read_pixels(path)[0].astype(np.float32)
    Image.fromarray(np.rint(255 * pixels / pixels.max()).astype(np.uint8)).save(path)


def check_equal(answers: dict[str, list[dict[str, Any]]]) -> None:
    """End if programs say something else of the same images: then they have not done the same."""
    printed = {task: np.array(shown[0]["values"]) for task, shown in answers.items() if shown[0]["values"]}
    printed = {task: np.sort(values) for task, values in printed.items() if "DICOM" not in task}
    for task, values in printed.items():
        apart = float(np.abs(values - next(iter(printed.values()))).max())
        print(f"{task}: probabilities within {apart:.1e}", flush=True)
        if apart > LIMIT:
            sys.exit(f"{task} says something else than {next(iter(printed))}, by {apart:.3f}")


def copy(path: Path, into: Path) -> None:
    """Copy a file to a folder that need not be there."""
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, into)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--exams", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="Only tasks with one of these words; writes no table.")
    options = parser.parse_args()
    folder = options.work.resolve() / f"exams-{options.exams}"
    folder.mkdir(parents=True, exist_ok=True)
    pythons = {name: make_environment(name, options.work.resolve()) for name in ENVIRONMENTS}
    make_images(folder, options.exams)
    workers = {
        name: Worker.start(pythons.get(name, sys.executable), script, folder) for name, script in WORKERS.items()
    }
    asked = [
        (worker, task)
        for worker in workers.values()
        for task in worker.tasks
        if not options.only or any(word in task for word in options.only)
    ]
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(options.rounds + 1):
        for worker, task in asked:
            answer = worker.ask(task)
            print(f"{number}/{options.rounds} {task}: {answer['seconds']:.2f} s", flush=True)
            if number:  # the first round only makes caches warm
                answers[task].append(answer)
    check_equal(answers)
    content = {
        "images": 4 * options.exams,
        "rounds": options.rounds,
        "versions": [version for worker in workers.values() for version in worker.versions],
        "answers": answers,
    }
    (folder / "results.json").write_text(json.dumps(content, indent=1))
    if not options.only:
        write_results(content, HERE.parent / "RESULTS.md")


if __name__ == "__main__":
    main()
