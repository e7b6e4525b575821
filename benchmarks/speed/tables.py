"""What `bench` writes: ratios of medians of one run, and how far the rounds lie apart."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["write_results"]

OURS = {"torch": "densight", "openvino": "densight, OpenVINO"}
"""densight's engines, as the tables name them."""

AIMS = {
    "keras grad-cam": ("Keras 2.15: predict, Grad-CAM of four classes", "assess and maps", 12.0),
    "pytorch-grad-cam": ("PyTorch and pytorch-grad-cam", "assess and maps", 10.0),
    "captum": ("PyTorch and Captum's LayerGradCam", "assess and maps", 6.0),
    "torch-cam": ("torch-cam", "assess and maps", 1.5),
    "keras predict": ("Keras 2.15: predict", "assess", 1.7),
    "pytorch predict": ("PyTorch", "assess", None),
}
"""What is compared with which of densight's tasks, and how many times as fast it is to be."""


def write_results(content: dict[str, Any], path: Path) -> None:
    """Write the tables.

    Parameters
    ----------
    content : dict
        ``images``, ``rounds``, ``versions`` and ``answers``: of each task what it said in every round.
    path : Path
        Markdown.
    """
    numbers = _Numbers(content)
    versions = [version for version in dict.fromkeys(content["versions"]) if not version.startswith("gflop")]
    lines = [
        "# Speed",
        "",
        "Written by `make bench`. Ratios of medians of one run, in which all programs did the same in turn, "
        f"{content['rounds']} rounds after one that is not counted; in brackets the least and the greatest ratio of a "
        "round.",
        "",
        f"- {_processor()}, {_cores()} cores; {platform.system()}, Python {platform.python_version()}",
        f"- {', '.join(versions)}",
        f"- The tutorial's network, 650×650, {numbers.gflop:.2f} GFLOP an image, random weights, the same in all; "
        f"{content['images']} phantom images of 2294×1378 pixels, 8 bits, PNG; as DICOM 3328×2560, 12 bits, lossless "
        "JPEG.",
        "",
        *_compared(numbers),
        *_of_the_processor(numbers),
        *_training(numbers),
        *_seconds(numbers),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Numbers:
    """Medians and ratios of what was measured."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.images: int = content["images"]
        self.seconds = {task: [one["seconds"] for one in shown] for task, shown in content["answers"].items()}
        self.memory = {task: max(one["peak_mb"] for one in shown) for task, shown in content["answers"].items()}
        self.gflop = next(float(one.split()[1]) for one in content["versions"] if one.startswith("gflop"))

    def ratio(self, task: str, other: str) -> str:
        """How many times as long a task takes as another."""
        whole = self.median(task) / self.median(other)
        rounds = [a / b for a, b in zip(self.seconds[task], self.seconds[other], strict=True)]
        return f"{whole:.2f} [{min(rounds):.2f}, {max(rounds):.2f}]"

    def median(self, task: str) -> float:
        return median(self.seconds[task])

    def rate(self, engine: str) -> float:
        """GFLOP/s of an engine's network."""
        return self.images * self.gflop / self.median(f"{engine}: network")


def _compared(numbers: _Numbers) -> list[str]:
    lines = [
        "## From files to probabilities and maps",
        "",
        "How many times as long others take. densight reads the anatomy of every image, too, and keeps a run folder; "
        "the others read, resize, predict and explain. The last rows are against densight doing no more than they.",
        "",
        f"| | {' | '.join(OURS.values())} | aim |",
        "|---|---|---|---|",
    ]
    for other, (words, task, aim) in AIMS.items():
        ratios = [numbers.ratio(other, f"{engine}: {task}") for engine in OURS]
        lines.append(f"| {words} / {task} | {' | '.join(ratios)} | {'' if aim is None else f'≥ {aim:g}'} |")
    for other, (words, task, _) in AIMS.items():
        if task == "assess and maps":
            ratios = [numbers.ratio(other, f"{engine}: no more than the others") for engine in OURS]
            lines.append(f"| {words} / no more than they | {' | '.join(ratios)} | |")
    return [*lines, ""]


def _of_the_processor(numbers: _Numbers) -> list[str]:
    from peak import gflop

    rates = {name: gflop(name) / numbers.median(name) for name in numbers.seconds if _is_peak(name)}
    best = max(rates, key=lambda name: rates[name])
    lines = [
        "## Of what the processor can do",
        "",
        f"The fastest large operation in single precision: {best}, {rates[best]:.0f} GFLOP/s. All: "
        + "; ".join(f"{name} {rate:.0f}" for name, rate in sorted(rates.items(), key=lambda one: -one[1]))
        + ".",
        "",
        f"| | {' | '.join(OURS.values())} | aim |",
        "|---|---|---|---|",
        "| the network, GFLOP/s | " + " | ".join(f"{numbers.rate(engine):.0f}" for engine in OURS) + " | |",
        "| of the fastest operation | "
        + " | ".join(f"{numbers.rate(engine) / rates[best]:.0%}" for engine in OURS)
        + " | ≥ 80 % |",
    ]
    other = numbers.rate("onnxruntime")
    lines.insert(3, f"The same network exported by `densight convert`, by ONNX Runtime: {other:.0f} GFLOP/s.")
    lines.insert(4, "")
    for task, aim in (("assess", "≥ 85 %"), ("assess from DICOM", "≥ 60 %")):
        parts = [numbers.median(f"{engine}: network") / numbers.median(f"{engine}: {task}") for engine in OURS]
        source = "DICOM" if "DICOM" in task else "PNG"
        lines.append(
            f"| from {source}, of the network's throughput | {' | '.join(f'{p:.0%}' for p in parts)} | {aim} |"
        )
    return [*lines, ""]


def _is_peak(name: str) -> bool:
    return " convolution " in name or " matrix " in name


def _training(numbers: _Numbers) -> list[str]:
    return [
        "## Training",
        "",
        "An epoch of 16 images, batches of four, the tutorial's augmentation. How many times as long Keras takes: "
        f"{numbers.ratio('keras fit', 'densight fit')} (aim ≥ 1.2).",
        "",
    ]


def _seconds(numbers: _Numbers) -> list[str]:
    lines = [
        "## What was measured",
        "",
        "| task | s, median | least | greatest | peak MB of the program so far |",
        "|---|---|---|---|---|",
    ]
    for task, seconds in numbers.seconds.items():
        lines.append(
            f"| {task} | {median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {numbers.memory[task]:.0f} |"
        )
    return lines


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    if not names:
        return platform.processor() or platform.machine()
    flags = next(line for line in info.read_text().splitlines() if line.startswith("flags")).split()
    kind = next((one for one in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if one in flags), "")
    return f"{names[0].partition(':')[2].strip()}, {kind.upper()}"


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    write_results(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
