"""Phantom exams that lie in a folder: what is known of an image, and the same image without dense tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from densight.intake.mammogram import Mammogram
from densight.phantom.exams import RECORD, SHIFT, TRUTH
from densight.phantom.imaging import image_without_gland
from densight.phantom.settings import Settings
from densight.storage import read_json
from densight.vocabulary import DensightError

__all__ = ["StoredTruth", "read_truth", "without_dense_tissue"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StoredTruth:
    """What is known of an image of a set.

    Parameters
    ----------
    breast, pectoral, dense : ndarray of bool, shape (rows, columns)
        As in `densight.phantom.truth.ImageTruth`.
    """

    breast: Mask
    pectoral: Mask
    dense: Mask


def read_truth(image: str | Path) -> StoredTruth | None:
    """What is known of an image that `densight.phantom.exams.write_exams` made; None of any other image.

    Raises
    ------
    DensightError
        If the file beside the image is damaged.
    """
    path = Path(image).with_suffix(".npz")
    if not (path.is_file() and (path.parent / TRUTH).is_file()):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return StoredTruth(*(np.asarray(file[name], np.bool_) for name in ("breast", "pectoral", "dense")))
    except (OSError, KeyError, ValueError) as error:
        raise DensightError(
            f"what is known of the phantom cannot be read ({error})", path, "make the set again"
        ) from error


def without_dense_tissue(mammogram: Mammogram) -> Mammogram:
    """The same patient, imaged with the same noise and with fat in place of all her glandular tissue.

    Outside the breast the picture stays as it is in the file, whatever was put there.

    Parameters
    ----------
    mammogram : Mammogram
        An image of a set, read from its file.

    Raises
    ------
    DensightError
        If the set's own record is missing, or the exam that it describes is not the one in the file.
    """
    image, projection = mammogram.path, mammogram.projection
    assert image is not None
    assert projection is not None
    record = read_json(image.parent.parent / RECORD)
    settings = Settings(
        **{
            "mix": tuple(record["mix"]),
            "shape": tuple(record["shape"]),
            **{name: record[name] for name in ("density", "thickness", "vendor", "style", "photometric", "mirrored")},
        }
    )
    seed, bits = int(read_json(image.parent / TRUTH)["seed"]), SHIFT[settings.style]
    breast, original, pixels = image_without_gland(seed, settings, projection)
    if mammogram.shape != breast.shape or not np.array_equal((original << bits)[breast], mammogram.pixels[breast]):
        raise DensightError(
            "this is not the image that the phantom's record describes", image, "make the set anew, or use another"
        )
    shown = mammogram.pixels.copy()
    shown[breast] = pixels[breast] << bits
    return replace(mammogram, pixels=shown)
