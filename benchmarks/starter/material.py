"""What the starter models learn from, framed as they see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from densight.anatomy.reading import read
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.intake.split import split_by_patient
from densight.preparation.prepare import Preparation, prepare
from densight.vocabulary import DensightError

__all__ = ["CELLS", "FOLDS", "PREPARATION", "SPLIT", "Framed", "ddsm", "mias", "msynth", "phantoms", "read_image"]

PREPARATION = Preparation.usual("breast")

CELLS = (80, 52)
"""Rows and columns of the network's feature map."""

SPLIT = ((0.4, 0.1, 0.5), 8)
"""Parts of mini-MIAS' women for training, validation and test, and the seed: chosen before any fitting."""


FOLDS = 5
"""Parts of DDSM's women, each held out once."""


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
    row: dict[str, Any]


def phantoms(folder: Path) -> list[Framed]:
    """Of a folder that ``densight phantom`` wrote."""
    table = pd.read_csv(folder / "catalogue.csv", dtype={"patient_id": str, "exam_id": str})
    table["file"] = [str(folder / path) for path in table["path"]]
    table["projection"] = table["view"] + "_" + table["laterality"]
    table["patient_id"] = f"{folder.name} " + table["patient_id"]
    return _framed(table, _phantom_truth)


def mias(folder: Path) -> list[Framed]:
    """mini-MIAS, its women split by `SPLIT`."""
    table = pd.read_csv(folder / "manifest.csv", dtype=str)
    table["file"] = [str(folder / path) for path in table["path"]]
    table["projection"] = table["view"] + "_" + table["laterality"]
    table = table.assign(density=table["tissue"], split="")
    return _framed(split_by_patient(table, ("F", "G", "D"), *SPLIT), None)


def ddsm(folder: Path) -> list[Framed]:
    """The films of DDSM whose tissue is outlined, in five folds."""
    paths = sorted((folder / "images").iterdir())
    table = pd.DataFrame({"file": [str(path) for path in paths], "patient_id": [path.stem for path in paths]})
    order = np.random.default_rng(SPLIT[1]).permutation(len(table))
    return _framed(table.assign(projection="MLO_R", fold=order % FOLDS), _outlined)


def msynth(folder: Path) -> list[Framed]:
    """M-SYNTH, turned so that the chest wall, which is at the top of its images, is at the left."""
    table = pd.read_csv(folder / "manifest.csv", dtype={"patient_id": str})
    table["file"] = [str(folder / "images" / name) for name in table["filename"]]
    return _framed(table.assign(projection="CC_L", density=table["breast_density"]), None)


def read_image(row: Mapping[str, Any]) -> Mammogram:
    """The mammogram of a row."""
    mammogram = read_mammogram(str(row["file"]), projection=str(row["projection"]))
    if "lesion_size" not in row:
        return mammogram
    return replace(mammogram, pixels=np.ascontiguousarray(np.rot90(mammogram.pixels)))


Truth = Callable[[dict[str, Any]], dict[str, npt.NDArray[np.floating]]]


def _framed(table: pd.DataFrame, truth: Truth | None) -> list[Framed]:
    rows = table.to_dict("records")
    # Forked after torch has run, a process would wait for threads that it has not.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_alone) as pool:
        framed = list(pool.map(partial(_frame, truth=truth), rows, chunksize=8))
    left_out = [str(row["file"]) for row, one in zip(rows, framed, strict=True) if one is None]
    if left_out:
        print(f"{len(left_out)} images show no breast: {', '.join(left_out)}")
    return [one for one in framed if one is not None]


def _alone() -> None:
    """One thread a process."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _frame(row: dict[str, Any], truth: Truth | None) -> Framed | None:
    mammogram = read_image(row)
    anatomy = read(mammogram)
    try:
        prepared = prepare(mammogram, PREPARATION, anatomy)
    except DensightError:
        return None
    row = row | {"faults": list(anatomy.verdict.faults), "percent_density_read": anatomy.measured_density}
    known = {} if truth is None else truth(row)
    cells = {
        name: cv2.resize(prepared.geometry.image_to_frame(part), CELLS[::-1], interpolation=cv2.INTER_AREA)
        for name, part in known.items()
    }
    image = np.rint(prepared.image * 255).astype(np.uint8)
    return Framed(image, cells.get("dense"), cells.get("glandular"), row)


def _phantom_truth(row: dict[str, Any]) -> dict[str, npt.NDArray[np.floating]]:
    with np.load(Path(str(row["file"])).with_suffix(".npz")) as truth:
        return {
            "dense": truth["dense"].astype(np.float32),
            "glandular": truth["glandular"].astype(np.float32) / np.float32(row["thickness"]),
        }


def _outlined(row: dict[str, Any]) -> dict[str, npt.NDArray[np.floating]]:
    path = Path(str(row["file"]))
    tissue = cv2.imread(str(path.parent.parent / "tissue" / path.name), cv2.IMREAD_GRAYSCALE)
    assert tissue is not None
    row["true"] = 100 * float((tissue == 192).sum() / np.isin(tissue, (128, 192)).sum())
    return {"dense": (tissue == 192).astype(np.float32)}
