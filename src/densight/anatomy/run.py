"""The anatomy of every image of an input, in a run folder: masks, pictures, ``anatomy.csv``."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from densight.anatomy.network import load_network
from densight.anatomy.reading import Anatomy, read_with
from densight.intake.exam import read_entry
from densight.intake.failures import FAILURES, Failure, write_failures
from densight.intake.files import modified
from densight.intake.mammogram import Entry, Mammogram
from densight.storage import append_csv, write_bytes, write_csv
from densight.vocabulary import DensightError
from densight.workers import workers_for

if TYPE_CHECKING:
    import numpy.typing as npt

    from densight.anatomy.network import TissueNetwork

__all__ = ["ANATOMY", "COLUMNS", "LABELS", "anatomy_run"]

ANATOMY = "anatomy.csv"
"""One row an image."""

COLUMNS = (
    "path",
    "patient_id",
    "exam_id",
    "laterality",
    "view",
    "percent_density",
    "verdict",
    "faults",
    "notes",
    "chest_wall",
    "breast_pixels",
    "pectoral_pixels",
    "dense_pixels",
    "breast_mm2",
    "pectoral_mm2",
    "dense_mm2",
    "nipple_row",
    "nipple_column",
    "weights",
    "mask",
    "picture",
)
"""Of ``anatomy.csv``."""

LABELS = {"background": 0, "breast": 1, "dense": 2, "pectoral": 3}
"""Grey values of a mask file: fat is what is only ``breast``."""


def anatomy_run(
    entries: Sequence[Entry],
    folder: Path,
    *,
    base: Path,
    weights: str = "free",
    failures: Sequence[Failure] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[dict[str, object]], list[Failure]]:
    """Read the anatomy of images; what a stopped run had done is not done again unless the file has changed.

    Parameters
    ----------
    entries : sequence of Entry
    folder : Path
        The run folder: ``masks/…png`` (`LABELS`), ``pictures/…png``, ``anatomy.csv``, ``failures.csv``.
    base : Path
        The folder to which paths in the table are relative.
    weights : str
        As in `densight.anatomy.read`.
    failures : sequence of Failure
        Files of the input that are damaged as far as is known, to be listed with those that turn out to be.
    progress : callable
        Called with the number of images done and of all.

    Returns
    -------
    rows : list of dict
        Of ``anatomy.csv``, in the order of the entries.
    failures : list of Failure

    Raises
    ------
    DensightError
        If the folder cannot be written.
    """
    network = load_network(weights)
    earlier = _known(folder, weights)
    known: dict[str, dict[str, object]] = {
        key: dict(earlier[key])
        for entry in entries
        if (key := _key(entry, base)) in earlier and _is_newer(folder, earlier[key], entry.path)
    }
    waiting = [entry for entry in entries if _key(entry, base) not in known]
    done = len(entries) - len(waiting)
    progress(done, len(entries))
    failures = list(failures)
    table = folder / ANATOMY
    write_csv(table, COLUMNS, known.values())
    with workers_for(len(waiting)) as workers:
        for result in workers.in_order(
            lambda entry: _look(folder, _key(entry, base), entry, network, weights), waiting
        ):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                append_csv(table, COLUMNS, [result])
                known[str(result["path"])] = result
            done += 1
            progress(done, len(entries))
    rows = [known[key] for entry in entries if (key := _key(entry, base)) in known]
    write_csv(table, COLUMNS, rows)
    write_failures(folder / FAILURES, failures)
    return rows, failures


def _look(folder: Path, key: str, entry: Entry, network: TissueNetwork, weights: str) -> dict[str, object] | Failure:
    """Read an image and its anatomy, keep mask and picture, and give its row."""
    try:
        mammogram = read_entry(entry)
    except DensightError as error:
        return Failure.of(error, entry.path)
    return _keep(folder, key, entry, mammogram, read_with(network, mammogram, weights))


def _key(entry: Entry, base: Path) -> str:
    """The image's path as the table gives it."""
    return Path(os.path.relpath(entry.path, base)).as_posix()


def _known(folder: Path, weights: str) -> dict[str, dict[str, str]]:
    """Rows of an earlier run by path."""
    path = folder / ANATOMY
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as table:
        reader = csv.DictReader(table)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            return {}
        # A run that was killed while it wrote leaves a row that ends early.
        return {row["path"]: row for row in reader if row["picture"] and row["weights"] == weights}


def _is_newer(folder: Path, row: dict[str, str], path: Path) -> bool:
    """Whether the mask and the picture are there and were written after the image."""
    try:
        written = [(folder / row[kind]).stat().st_mtime_ns for kind in ("mask", "picture")]
        return min(written) > modified(path)
    except OSError:
        return False


def _keep(folder: Path, key: str, entry: Entry, mammogram: Mammogram, anatomy: Anatomy) -> dict[str, object]:
    from densight.anatomy.pictures import draw_anatomy

    # Only .png is left out, so that a.png and a.tif do not write over each other.
    name = "__".join(Path(key).parts).replace("..", "up").removesuffix(".png")
    mask = np.zeros(mammogram.shape, np.uint8)
    for label, part in (("breast", anatomy.breast), ("dense", anatomy.dense), ("pectoral", anatomy.pectoral)):
        mask[part] = LABELS[label]
    files = {"mask": f"masks/{name}.png", "picture": f"pictures/{name}.png"}
    _write_png(folder / files["mask"], mask)
    _write_png(folder / files["picture"], draw_anatomy(mammogram, anatomy)[..., ::-1])
    projection = mammogram.projection
    row: dict[str, object] = {
        "path": key,
        "patient_id": entry.patient_id,
        "exam_id": entry.exam_id,
        "laterality": projection.laterality.value if projection else "",
        "view": projection.view.value if projection else "",
        "percent_density": _number(anatomy.percent_density, 2),
        "verdict": "good" if anatomy.verdict.good else "not to be trusted",
        "faults": "; ".join(anatomy.verdict.faults),
        "notes": "; ".join(anatomy.verdict.notes),
        "chest_wall": anatomy.side,
        "weights": anatomy.weights,
        **files,
    }
    for what, pixels in (("breast", anatomy.breast), ("pectoral", anatomy.pectoral), ("dense", anatomy.dense)):
        row[f"{what}_pixels"] = int(np.count_nonzero(pixels))
        row[f"{what}_mm2"] = _number(anatomy.area(pixels), 1)
    if anatomy.nipple is not None:
        row["nipple_row"], row["nipple_column"] = (_number(place, 1) for place in anatomy.nipple)
    return row


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    coded, content = cv2.imencode(".png", np.ascontiguousarray(image), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not coded:
        raise DensightError("cannot be coded as PNG", path)
    write_bytes(path, content.tobytes())
