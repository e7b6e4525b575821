"""Images whose tissue is known: phantoms, and the real films that are free for research only."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import UPRIGHT, chest_wall, on_film
from densight.geometry import set_upright

__all__ = ["Known", "ddsm", "folds", "mias", "phantoms"]

LONGEST = 512
"""Images are kept with at most so many pixels on their longer side: half as many again as the network sees."""

DISC = 12
"""Radius in pixels of the disc around a nipple: large enough to be learnt."""


@dataclass(frozen=True, eq=False)
class Known:
    """An upright image and what is known of its tissue.

    Parameters
    ----------
    grey : ndarray of float32, shape (rows, columns)
        Brighter is denser, 0 to 1.
    breast, pectoral, dense, nipple : ndarray of float32, shape (rows, columns), or None
        Parts of each pixel; the breast includes the muscle; of the nipple a disc around it. None where it is not known.
    patient : str
    real : bool
        Of a woman, not a phantom: it has what phantoms are given at random.
    """

    grey: npt.NDArray[np.float32]
    breast: npt.NDArray[np.float32]
    pectoral: npt.NDArray[np.float32] | None
    dense: npt.NDArray[np.float32] | None
    nipple: npt.NDArray[np.float32] | None
    patient: str
    real: bool


def phantoms(*folders: Path) -> Iterator[Known]:
    """Of folders that ``densight phantom`` wrote, in any style."""
    for folder in folders:
        raw = "raw" in folder.name
        with (folder / "catalogue.csv").open() as table:
            for row in csv.DictReader(table):
                path = folder / row["path"]
                truth = np.load(path.with_suffix(".npz"))
                grey = _read(path)
                yield _known(
                    on_film(grey, grey[truth["breast"]]) if raw else grey,
                    truth["breast"],
                    truth["pectoral"],
                    truth["dense"],
                    truth["nipple"],
                    row["patient_id"],
                    real=False,
                )


def ddsm(folder: Path) -> Iterator[Known]:
    """The folder ``ddsm_tissue``: 128 adipose, 192 fibroglandular, 255 pectoral."""
    for path in sorted((folder / "images").iterdir()):
        tissue = _read(folder / "tissue" / path.name)
        yield _known(
            _read(path), tissue > 64, tissue == 255, tissue == 192, None, path.stem.removesuffix("_1_MLO_R"), real=True
        )


def mias(folder: Path) -> Iterator[Known]:
    """The folder ``mias``: the breast only."""
    with (folder / "manifest.csv").open() as table:
        for row in csv.DictReader(table):
            mask = _read(next((folder / "breast_masks").glob(f"{row['image_id']}*"))) > 0
            yield _known(_read(folder / row["path"]), mask, None, None, None, row["patient_id"], real=True)


def folds(known: list[Known], number: int = 5, seed: int = 0) -> list[list[int]]:
    """Indices of the images of each fold; no patient is in two."""
    patients = sorted({one.patient for one in known})
    order = np.random.default_rng(seed).permutation(len(patients))
    part = {patients[i]: n % number for n, i in enumerate(order)}
    return [[i for i, one in enumerate(known) if part[one.patient] == fold] for fold in range(number)]


def _read(path: Path) -> npt.NDArray[np.float32]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return (image if image.ndim == 2 else image[..., 0]).astype(np.float32)


def _known(
    grey: npt.NDArray[np.float32],
    breast: npt.NDArray[np.bool_],
    pectoral: npt.NDArray[np.bool_] | None,
    dense: npt.NDArray[np.bool_] | None,
    nipple: npt.NDArray[np.bool_] | None,
    patient: str,
    *,
    real: bool,
) -> Known:
    scale = min(1.0, LONGEST / max(grey.shape))
    size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
    turns, mirrored = UPRIGHT[chest_wall(breast)]

    def smaller(image: npt.NDArray[np.float32] | npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        small = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(set_upright(small, turns, mirrored))

    return Known(
        smaller(grey / grey.max()),
        smaller(breast),
        None if pectoral is None else smaller(pectoral),
        None if dense is None else smaller(dense),
        None if nipple is None else _disc(smaller(nipple)),
        patient,
        real,
    )


def _disc(nipple: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A disc around what is seen of a nipple; nothing if nothing is."""
    disc = np.zeros(nipple.shape, np.uint8)
    if nipple.max() > 0.5:
        row, column = (round(float(np.average(at, weights=nipple))) for at in np.indices(nipple.shape))
        cv2.circle(disc, (column, row), DISC, 1, -1)
    return disc.astype(np.float32)
