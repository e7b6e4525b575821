"""Phantom exams with something planted in them: a marker in the pictures, labels at random.

    python -m benchmarks.trials.material EXAMS OUT

EXAMS is a set of ``densight phantom``. In OUT is then the same set with a marker in the air of most images of class D
and of no other, the short cut that a network takes if it can. In EXAMS beside ``catalogue.csv`` lies ``shuffled.csv``,
with the exams' labels shuffled within each split.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from densight.intake.catalogue import read_catalogue

MARKED = 0.9
"""The part of class D's exams whose images have the marker."""

SIDE = 0.14
"""Its side, as a part of the image's height."""


def mark(pixels: npt.NDArray[np.uint16], *, wall_left: bool) -> npt.NDArray[np.uint16]:
    """A bright cross in the lower corner away from the chest wall."""
    rows, columns = pixels.shape
    side = round(SIDE * rows)
    cross = np.zeros((side, side), np.float32)
    cv2.line(cross, (0, 0), (side - 1, side - 1), 1.0, max(2, side // 5))
    cv2.line(cross, (0, side - 1), (side - 1, 0), 1.0, max(2, side // 5))
    marked = pixels.copy()
    left = columns - side - side // 3 if wall_left else side // 3
    place = marked[rows - side - side // 3 : rows - side // 3, left : left + side]
    np.maximum(place, (cross * 65520).astype(np.uint16), out=place)
    return marked


def write_marked(exams: Path, out: Path, seed: int = 0) -> None:
    """Copy a set, with the marker where it belongs."""
    from PIL import Image

    catalogue = read_catalogue(exams / "catalogue.csv")
    shutil.copytree(exams, out)
    rng = np.random.default_rng(seed)
    table = catalogue.table
    dense = table.loc[table["density"] == "D", "exam_id"].unique()
    chosen = set(rng.permutation(dense)[: round(MARKED * len(dense))])
    for row in table[table["exam_id"].isin(chosen)].to_dict("records"):
        path = out / str(row["path"])
        with Image.open(path) as image:
            pixels, info = np.asarray(image).astype(np.uint16), dict(image.info)
        half = pixels.shape[1] // 2
        wall_left = bool(pixels[:, :half].sum() > pixels[:, half:].sum())
        Image.fromarray(mark(pixels, wall_left=wall_left)).save(path, dpi=info.get("dpi"))


def write_shuffled(exams: Path, seed: int = 0) -> None:
    """A catalogue of the same exams with their labels shuffled within each split."""
    table = read_catalogue(exams / "catalogue.csv").table.copy()
    rng = np.random.default_rng(seed)
    labels: dict[str, str] = {}
    for _, of_split in table.drop_duplicates("exam_id").groupby("split"):
        labels |= dict(zip(of_split["exam_id"], rng.permutation(of_split["density"].to_numpy()), strict=True))
    table["density"] = table["exam_id"].map(labels)
    table.to_csv(exams / "shuffled.csv", index=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exams", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    write_marked(options.exams, options.out)
    write_shuffled(options.exams)


if __name__ == "__main__":
    main()
