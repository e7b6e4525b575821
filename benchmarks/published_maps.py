"""The tutorial's two published Grad-CAM maps, tried: whether attention is focused on the dense regions.

    python benchmarks/published_maps.py MAPS [OUT]

MAPS is the folder of the tutorial's outputs (``<PROJECTION>/<CLASS>/<predicted>_<stem>_{650,map}.png``). The map's
values are read back from its colours, matplotlib's ``seismic``; the breast and its dense tissue are what anatomy reads
in the image. Prints each map's trials that need no network, beside those of the image's own brightness and of its blur;
with OUT draws them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

import densight
from densight.anatomy.reading import Anatomy
from densight.intake.mammogram import Mammogram
from densight.trials import map_measures

Image = npt.NDArray[np.float32]


def values_of(path: Path) -> Image:
    """A map's values, 0 to 1, from the nearest of the 256 colours."""
    from matplotlib import colormaps

    colours = np.rint(colormaps["seismic"](np.linspace(0, 1, 256))[:, :3] * 255)
    with PillowImage.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    kinds, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    away = ((kinds[:, None] - colours[None]) ** 2).sum(axis=2)
    return np.asarray(away.argmin(axis=1)[places].reshape(pixels.shape[:2]) / 255, np.float32)


def measure(values: Image, image: Image, anatomy: Anatomy) -> dict[str, float]:
    """The trials that need a map and an image alone."""
    breast, dense = anatomy.breast, anatomy.dense
    return {
        "Spearman, whole image": map_measures.rank_correlation(values, image),
        "Spearman, inside the breast": map_measures.rank_correlation(values[breast], image[breast]),
        "AUC for dense tissue": map_measures.area_under_curve(values, dense, breast),
        "overlap at equal area": map_measures.overlap_at_equal_area(values, dense, breast),
        "greatest value in dense tissue": map_measures.points_at(values, dense, breast),
        "part of the mass in the breast": map_measures.mass_in(
            values - np.median(values), breast, np.ones_like(breast)
        ),
    }


def chance(anatomy: Anatomy) -> dict[str, float]:
    """What a map that knows nothing would have."""
    part = float(anatomy.dense.sum() / anatomy.breast.sum())
    return {
        "Spearman, whole image": 0.0,
        "Spearman, inside the breast": 0.0,
        "AUC for dense tissue": 0.5,
        "overlap at equal area": map_measures.chance_overlap(part),
        "greatest value in dense tissue": part,
        "part of the mass in the breast": float(anatomy.breast.mean()),
    }


def draw(path: Path, image: Image, values: Image, anatomy: Anatomy) -> None:
    """The image with the outline of its dense tissue, and the map with the same."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.7), layout="constrained", facecolor="black")
    left, right = figure.subplots(1, 2)
    left.imshow(image, cmap="gray")
    right.imshow(values, cmap="seismic", vmin=0, vmax=1)
    for axes, words in ((left, "what the network saw"), (right, "the published map")):
        axes.contour(anatomy.breast, [0.5], colors="#9aa1ac", linewidths=0.8)
        axes.contour(anatomy.dense, [0.5], colors="#ffd23f", linewidths=1.2)
        axes.set_title(f"{words}; yellow: dense tissue", fontsize=8, color="white")
        axes.set_axis_off()
    figure.savefig(path, dpi=150)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("maps", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    options = parser.parse_args()
    for path in sorted(options.maps.rglob("*_map.png")):
        stem = path.name.removesuffix("_map.png")
        with PillowImage.open(path.with_name(f"{stem}_650.png")) as picture:
            pixels = np.asarray(picture.convert("L"))
        values, image = values_of(path), pixels.astype(np.float32)
        anatomy = densight.anatomy.read(Mammogram(pixels))
        blur = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.08 * max(image.shape)), np.float32)
        columns = {
            "map": measure(values, image, anatomy),
            "blur": measure(blur, image, anatomy),
            "brightness": measure(image, image, anatomy),
            "chance": chance(anatomy),
        }
        print(f"{stem}: dense tissue {anatomy.measured_density:.0f} % of the breast")
        print(f"{'':34s}" + "".join(f"{name:>12s}" for name in columns))
        for name in columns["map"]:
            print(f"{name:34s}" + "".join(f"{column[name]:12.2f}" for column in columns.values()))
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            draw(options.out / f"{stem}.png", image, values, anatomy)


if __name__ == "__main__":
    main()
