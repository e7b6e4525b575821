"""What the starter models learn from, framed as they see it and kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from densight.anatomy.reading import read
from densight.intake.image import read_mammogram
from densight.intake.split import split_by_patient
from densight.preparation.prepare import Preparation, prepare
from densight.vocabulary import DensightError

__all__ = ["CELLS", "PREPARATION", "SPLIT", "Framed", "ddsm", "mias", "msynth", "phantoms"]

PREPARATION = Preparation.usual("breast")

CELLS = (80, 52)
"""Rows and columns of the network's feature map."""

SPLIT = ((0.4, 0.1, 0.5), 8)
"""Parts of mini-MIAS' women for training, validation and test, and the seed: chosen before any fitting."""


@dataclass(frozen=True, eq=False)
class Framed:
    """An image as the network sees it, and what is known of it.

    Parameters
    ----------
    image : ndarray of uint8, shape (rows, columns)
        The framed image, of 255.
    dense, glandular : ndarray of float32, shape `CELLS`, or None
        Part of each cell that is dense; glandular part of the tissue along its rays.
    row : dict
        What its catalogue says.
    """

    image: npt.NDArray[np.uint8]
    dense: npt.NDArray[np.float32] | None
    glandular: npt.NDArray[np.float32] | None
    row: dict[str, object]


def phantoms(folder: Path) -> list[Framed]:
    """Of a folder that ``densight phantom`` wrote."""
    table = pd.read_csv(folder / "catalogue.csv", dtype={"patient_id": str, "exam_id": str})
    table["file"] = [str(folder / path) for path in table["path"]]
    table["projection"] = table["view"] + "_" + table["laterality"]
    return list(_framed(table, _phantom_truth))


def mias(folder: Path) -> list[Framed]:
    """mini-MIAS, its women split by `SPLIT`."""
    table = pd.read_csv(folder / "manifest.csv", dtype=str)
    table["file"] = [str(folder / path) for path in table["path"]]
    table["projection"] = table["view"] + "_" + table["laterality"]
    table = table.assign(density=table["tissue"], split="")
    return list(_framed(split_by_patient(table, ("F", "G", "D"), *SPLIT), None))


def ddsm(folder: Path) -> list[Framed]:
    """The films of DDSM whose tissue is outlined."""
    paths = sorted((folder / "images").iterdir())
    table = pd.DataFrame({"file": [str(path) for path in paths], "patient_id": [path.stem for path in paths]})
    return list(_framed(table.assign(projection="MLO_R"), _outlined))


def msynth(folder: Path) -> list[Framed]:
    """M-SYNTH."""
    table = pd.read_csv(folder / "manifest.csv", dtype={"patient_id": str})
    table["file"] = [str(folder / "images" / name) for name in table["filename"]]
    return list(_framed(table.assign(projection="CC_R", density=table["breast_density"]), None))


Truth = Callable[[dict[str, object]], dict[str, npt.NDArray[np.floating]]]


def _framed(table: pd.DataFrame, truth: Truth | None) -> Iterator[Framed]:
    rows = table.to_dict("records")
    with ProcessPoolExecutor(2) as pool:
        for row, one in zip(rows, pool.map(partial(_frame, truth=truth), rows, chunksize=8), strict=True):
            if one is None:
                print(f"left out: {row['file']}")
            else:
                yield one


def _frame(row: dict[str, object], truth: Truth | None) -> Framed | None:
    cv2.setNumThreads(1)
    import torch

    torch.set_num_threads(1)
    mammogram = read_mammogram(str(row["file"]), projection=str(row["projection"]))
    anatomy = read(mammogram)
    try:
        prepared = prepare(mammogram, PREPARATION, anatomy)
    except DensightError:
        return None
    row = row | {"faults": list(anatomy.verdict.faults), "pd": anatomy.measured_density}
    known = {} if truth is None else truth(row)
    cells = {
        name: cv2.resize(prepared.geometry.image_to_frame(part), CELLS[::-1], interpolation=cv2.INTER_AREA)
        for name, part in known.items()
    }
    image = np.rint(prepared.image * 255).astype(np.uint8)
    return Framed(image, cells.get("dense"), cells.get("glandular"), row)


def _phantom_truth(row: dict[str, object]) -> dict[str, npt.NDArray[np.floating]]:
    with np.load(Path(str(row["file"])).with_suffix(".npz")) as truth:
        return {
            "dense": truth["dense"].astype(np.float32),
            "glandular": truth["glandular"].astype(np.float32) / np.float32(row["thickness"]),
        }


def _outlined(row: dict[str, object]) -> dict[str, npt.NDArray[np.floating]]:
    path = Path(str(row["file"]))
    tissue = cv2.imread(str(path.parent.parent / "tissue" / path.name), cv2.IMREAD_GRAYSCALE)
    assert tissue is not None
    row["true"] = 100 * float((tissue == 192).sum() / np.isin(tissue, (128, 192)).sum())
    return {"dense": (tissue == 192).astype(np.float32)}
