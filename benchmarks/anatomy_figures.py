"""Measure `densight.anatomy` on images that no fitting has seen.

python benchmarks/anatomy_figures.py DATA PHANTOMS -o OUT [--folds FOLDER] [--only PART …]

``DATA`` has the folders ``ddsm_tissue``, ``mias``, ``infn`` and ``msynth``; ``PHANTOMS`` a folder of sets that
``densight phantom`` wrote, other than those of the fitting. ``FOLDER`` holds the ``fold0.safetensors`` to
``fold4.safetensors`` of ``anatomy_fit.py research --fold N``. Writes ``figures.json`` and contact sheets.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from anatomy import figures, material
from densight.anatomy.network import TissueNetwork, load_network, read_network
from densight.anatomy.pictures import draw_anatomy
from densight.anatomy.reading import read_with
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.vocabulary import Projection

PARTS = ("ddsm", "folds", "mias", "phantoms", "sheets", "invariance", "failures", "speed")


def main() -> None:
    """Measure each part and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("--folds", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / "figures.json"
    measured: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for part in given.only:
        if part != "folds" or given.folds is not None:
            measured[part] = measure(part, given.data, given.phantoms, given.folds, given.output)
            print(part, json.dumps(measured[part], indent=1, ensure_ascii=False), flush=True)
            path.write_text(json.dumps(measured, indent=1, ensure_ascii=False))


def measure(part: str, data: Path, phantoms: Path, folds: Path | None, output: Path) -> Any:
    """One part's figures."""
    free = load_network("free")
    if part == "ddsm":
        return figures.ddsm(data / "ddsm_tissue", [free], [range(49)])
    if part == "folds":
        assert folds is not None
        known = list(material.ddsm(data / "ddsm_tissue"))
        networks = [read_network(folds / f"fold{i}.safetensors") for i in range(5)]
        return figures.ddsm(data / "ddsm_tissue", networks, material.folds(known))
    if part == "mias":
        summary, rows = figures.mias(data / "mias", free)
        paths = [data / "mias" / "images" / f"{name}.png" for _, name in rows[:20]]
        sheet(paths, free, output / "mias_worst.jpg")
        return summary | {"worst": {name: round(value, 3) for value, name in rows[:20]}}
    if part == "phantoms":
        return {folder.name: figures.phantoms(folder, free) for folder in sorted(phantoms.iterdir())}
    if part == "sheets":
        sheet(sorted((data / "infn" / "TestSet").rglob("*.png")), free, output / "infn.jpg")
        sheet(sorted((data / "msynth").rglob("*.jpg"))[::6], free, output / "msynth.jpg")
        sheet(sorted((data / "ddsm_tissue" / "images").iterdir())[::3], free, output / "ddsm.jpg")
        return "infn.jpg, msynth.jpg, ddsm.jpg"
    mammograms = chosen(data, phantoms)
    if part == "invariance":
        return figures.invariance(mammograms, free)
    if part == "failures":
        return figures.failures(mammograms[::4], free)
    return speed(free)


def chosen(data: Path, phantoms: Path) -> list[Mammogram]:
    """Some of every kind."""
    paths = [
        *((path, None) for path in sorted((data / "infn" / "TestSet").rglob("*.png"))),
        *((path, Projection.MLO_R) for path in sorted((data / "ddsm_tissue" / "images").iterdir())[::2]),
        *((path, Projection.MLO_R) for path in sorted((data / "mias" / "images").iterdir())[::8]),
        *list(figures.phantom_images(phantoms / "display"))[::4],
        *list(figures.phantom_images(phantoms / "film"))[::6],
    ]
    return [read_mammogram(path, projection=projection) for path, projection in paths]


def speed(network: TissueNetwork) -> dict[str, float]:
    """Milliseconds an image of 3000 × 4000 pixels, in turn with and without reading; peak memory of the process."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((4000, 3000), np.float32)
    inside = ((rows - 2000) / 1700) ** 2 + (columns / 1900) ** 2 < 1
    pixels = (inside * (2000 + 60 * rng.standard_normal((4000, 3000), dtype=np.float32))).clip(0, 4095)
    mammogram = Mammogram(pixels.astype(np.uint16), Projection.MLO_L)
    del pixels, rows, columns, inside
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        read_with(network, mammogram, "free")
        taken.append(1000 * (time.perf_counter() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"median ms": statistics.median(taken[1:]), "worst ms": max(taken[1:]), "peak MiB of the process": peak}


def sheet(paths: Sequence[Path], network: TissueNetwork, output: Path, across: int = 4) -> None:
    """Pictures of images with outlines, side by side."""
    pictures = []
    for path in paths:
        projection = "MLO_R" if path.name.startswith("mdb") else None
        mammogram = read_mammogram(path, projection=projection)
        pictures.append(draw_anatomy(mammogram, read_with(network, mammogram, "free")))
    width = max(picture.shape[1] for picture in pictures)
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % across)
    rows = [
        np.hstack([_widened(one, width) for one in pictures[i : i + across]]) for i in range(0, len(pictures), across)
    ]
    whole = cv2.resize(np.vstack(rows), None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(output), whole[..., ::-1])


def _widened(picture: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    wide = np.zeros((picture.shape[0], width, 3), np.uint8)
    wide[:, : picture.shape[1]] = picture
    return wide


if __name__ == "__main__":
    main()
