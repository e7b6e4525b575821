"""Where the time goes: each step of assessing and explaining an image, alone on one thread; a picture and a table.

    python benchmarks/speed/where.py FOLDER PICTURE

FOLDER is that of `bench`: phantom images as PNG and DICOM, and ``model.h5``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from densight.anatomy.reading import read
from densight.assessment.assess import PreparedImage, run_network
from densight.assessment.models import Models
from densight.explanation.explain import explain
from densight.explanation.save import save_image
from densight.intake.exam import find_inputs, read_entry
from densight.network.engine import Computing
from densight.network.keras import read_keras_bundle
from densight.preparation.prepare import prepare
from densight.vocabulary import BIRADS, PROJECTIONS

COLOURS = {
    "decode": "#8c6bb1",
    "anatomy": "#2a9d8f",
    "prepare": "#e9c46a",
    "network": "#1b6ca8",
    "maps": "#c0562b",
}


class Clock:
    """Seconds of each step, an entry an image."""

    def __init__(self) -> None:
        self.steps: dict[str, list[float]] = {}

    def __call__(self, step: str, work: Callable[[], Any]) -> Any:
        """Do a step's work and give what it gives."""
        start = time.perf_counter()
        result = work()
        self.steps.setdefault(step, []).append(time.perf_counter() - start)
        return result

    def medians(self) -> dict[str, float]:
        """In ms."""
        return {step: 1000 * median(seconds) for step, seconds in self.steps.items()}


def clock(folder: Path, models: Models, rounds: int) -> Clock:
    """Every image of a folder, step by step."""
    bundle = models.bundles[0]
    found, engine = Clock(), models.engines[bundle]
    entries = find_inputs(folder).entries
    with tempfile.TemporaryDirectory() as run:
        for number in range(rounds + 1):
            if number == 1:  # the first round only makes caches warm
                found = Clock()
            for entry in entries:
                image = found("decode", lambda entry=entry: read_entry(entry))
                anatomy = found("anatomy", lambda image=image: read(image))
                ready = found("prepare", lambda image=image: prepare(image, bundle.facts.preparation))
                seen = PreparedImage(image, ready, anatomy)
                examined = found("network", lambda seen=seen: run_network(bundle, seen, engine=engine))

                def maps(examined: Any = examined) -> Any:
                    made = explain(examined)
                    for label in BIRADS:
                        made.map(label)
                    return made

                made = found("maps", maps)
                if number == rounds:
                    given = (Path(run), entry.path.stem, image, ready.image, [made], "grad-cam")
                    found("pictures", lambda given=given: save_image(*given))
    return found


def draw(found: dict[str, dict[str, float]], path: Path) -> None:
    """A bar a source, a piece a step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.1 + 0.55 * len(found)), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for row, steps in enumerate(found.values()):
        left = 0.0
        for step, colour in COLOURS.items():
            bar = axes.barh(row, steps[step], left=left, color=colour, label=step if row == 0 else None)
            if steps[step] > 25:
                axes.bar_label(bar, [f"{steps[step]:.0f}"], label_type="center", color="white", fontsize=8)
            left += steps[step]
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlabel("ms an image, one thread")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(COLOURS), frameon=False)
    figure.savefig(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    bundle = read_keras_bundle(options.folder / "model.h5", projections=PROJECTIONS)
    found: dict[str, dict[str, float]] = {}
    for name, engine in (("densight", "torch"), ("with OpenVINO", "openvino")):
        models = Models((bundle,), computing=Computing(engine))
        for source in ("images", "dicom"):
            kind = "PNG" if source == "images" else "DICOM"
            found[f"{kind}, {name}"] = clock(options.folder / source, models, options.rounds).medians()
    print("| | " + " | ".join((*COLOURS, "pictures")) + " |")
    print("|---" * (len(COLOURS) + 2) + "|")
    for source, steps in found.items():
        print(f"| {source} | " + " | ".join(f"{steps[step]:.0f}" for step in (*COLOURS, "pictures")) + " |")
    draw(found, options.picture)


if __name__ == "__main__":
    main()
