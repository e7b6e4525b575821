"""Make a catalogue of a folder: the tutorial's layout, known data sets, a catalogue, loose images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.catalogue import Catalogue, read_catalogue
from densight.intake.datasets import list_data_set
from densight.intake.dicom.identity import UID_COLUMNS, read_uids
from densight.intake.dicom.listing import list_dicom
from densight.intake.failures import Failure, LeftOut
from densight.intake.files import is_zip
from densight.intake.image import read_pixels
from densight.intake.listing import Listing, table_of
from densight.intake.mammogram import Entry
from densight.intake.naming import (
    check_folder,
    find_images,
    is_picture,
    is_projection,
    label_in,
    no_image,
    read_names,
    read_tutorial_name,
    strip_projection,
)
from densight.intake.published import AS_DICOM, DATA_SETS, data_set_in
from densight.intake.split import FRACTIONS, check_fractions, split_by_patient
from densight.vocabulary import (
    BIRADS,
    PROJECTIONS,
    SPLITS,
    DensightError,
    check_classes,
    find_projection,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LAYOUTS", "detect", "index", "list_folder", "with_uids"]

Progress = Callable[[int, int], None]


LAYOUTS = ("tutorial", *DATA_SETS, *AS_DICOM, "catalogue", "loose")
"""What ``index`` understands, in the order in which it looks."""

_UNDERSTOOD = (
    "name the projection in each file's name (P07_MLO_R.png), or lay the folder out as the tutorial does "
    "(MLO_R/train/B/P07.png), or put a catalogue.csv into it"
)

_UNKNOWN = "the projection is not known"
_INHERITED = "split taken from the patient's other images"
_HELD_BACK = "validation taken from the data set's own training part"


def index(
    folder: str | Path,
    dataset: str | None = None,
    *,
    classes: Sequence[str] | None = None,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Catalogue, list[Failure], tuple[LeftOut, ...]]:
    """Make a catalogue of a folder of mammograms; read each image once, so that faults come to light.

    Layouts, tested in this order where none is named:

    ``tutorial``
        ``<PROJECTION>/[train|validation|test]/<CLASS>/*``. File names ``<exam>_<number>_<CLASS>_<PROJECTION>`` tell
        the exam, which is taken as the patient, too; of another name, what is left without its projection is the
        patient and the exam, of each class where that would give an exam one projection twice.
    ``mini-mias``, ``vindr-mammo``, …
        A published data set, by its own tables: see `densight.intake.published`.
    ``catalogue``
        A folder with a ``catalogue.csv`` or ``catalogue.parquet``; images that it does not list are left out.
    ``loose``
        Any other folder whose files' or folders' names tell the projection, and DICOM files, which tell it themselves
        (see `densight.intake.dicom.listing.list_dicom`), or a zip archive of such. A folder named as a class labels
        what lies in it; otherwise the images have no label. See `read_names` for exams and patients.

    Files that are no images by their suffix and hidden ones are not looked at (see `find_images`). Where no image has
    a split, the labelled patients are split; see `split_by_patient`. Of a published data set that has training and test
    alone, a part of the training's patients becomes validation. What was assumed is in the column ``assumed``.

    Parameters
    ----------
    folder : path-like
        The data set.
    dataset : str, optional
        One of `LAYOUTS`; detected if None.
    classes : sequence of str, optional
        The labels, from the least to the most dense. By default those of the data set, else A B C D.
    fractions : sequence of three floats
        Parts of training, validation and test.
    seed : int
        The seed of the split.
    progress : callable, optional
        Called with the number of images read and of all images.

    Returns
    -------
    catalogue : Catalogue
        The images that can be used; empty where none can.
    failures : list of Failure
        Images that cannot be used, in the order of their paths.
    left_out : tuple of LeftOut
        DICOM files that show none of the views that are assessed, and repeats of those that do.

    Raises
    ------
    DensightError
        If there is no such folder or layout, no image in it, or a patient in two splits.
    """
    folder = Path(folder)
    check_fractions(fractions)
    layout = dataset or detect(folder)
    listing = list_folder(folder, layout, classes)
    readings = _read_all([folder / path for path in listing.table["path"]], progress)
    faults = [reading for reading in readings if isinstance(reading, Failure)]
    readable = [not isinstance(reading, Failure) for reading in readings]
    table = _note(listing.table, ["" if isinstance(reading, Failure) else "; ".join(reading) for reading in readings])
    table = table.loc[readable].reset_index(drop=True)
    if layout in DATA_SETS:
        table = _hold_back(table, listing.classes, fractions, seed)
    Catalogue(table, listing.classes, folder)
    divided = split_by_patient(table, listing.classes, fractions, seed)
    given = set(table.loc[table["split"] != "", "patient_id"])
    inherited = (table["split"] == "") & table["patient_id"].isin(given)
    divided = _note(divided, [_INHERITED if row else "" for row in inherited])
    failures = sorted([*listing.failures, *faults], key=lambda failure: failure.path)
    return Catalogue(divided, listing.classes, folder), failures, listing.left_out


def _hold_back(table: pd.DataFrame, classes: tuple[str, ...], fractions: Sequence[float], seed: int) -> pd.DataFrame:
    """Where a data set is published in training and test alone, a part of the training's patients for validation."""
    train = table["split"] == "train"
    whole = fractions[0] + fractions[1]
    if set(table["split"]) - {""} != {"train", "test"} or not fractions[1]:
        return table
    parts = (fractions[0] / whole, fractions[1] / whole, 0.0)
    divided = split_by_patient(table[train].assign(split=""), classes, parts, seed)
    held = train & (divided["split"].reindex(table.index) == "validation")
    table = table.assign(split=table["split"].mask(held, "validation"))
    return _note(table, [_HELD_BACK if row else "" for row in held])


def with_uids(catalogue: Catalogue) -> Catalogue:
    """The catalogue with the columns ``study_uid``, ``series_uid`` and ``sop_uid``; empty for what is not DICOM.

    A UID leads whoever has the archive to the patient: they are in a catalogue only if someone asks for them.

    Raises
    ------
    DensightError
        If a file cannot be read any more.
    """
    uids_of_images = [read_uids(path) for path in catalogue.paths]
    columns = {name: [uids[place] for uids in uids_of_images] for place, name in enumerate(UID_COLUMNS)}
    return replace(catalogue, table=catalogue.table.assign(**columns))


def detect(folder: str | Path) -> str:
    """Which of `LAYOUTS` a folder has.

    Raises
    ------
    DensightError
        If there is no such folder.
    """
    folder = Path(folder)
    check_folder(folder)
    if is_zip(folder):
        return "loose"
    if any(child.is_dir() and is_projection(child.name) for child in folder.iterdir()):
        return "tutorial"
    return data_set_in(folder) or ("catalogue" if _catalogue_in(folder) else "loose")


def list_folder(folder: str | Path, dataset: str | None = None, classes: Sequence[str] | None = None) -> Listing:
    """List the images of a folder as its layout says, without reading them; parameters as of `index`.

    Raises
    ------
    DensightError
        If there is no such folder or layout, or no image in it.
    """
    folder = Path(folder)
    labels = None if classes is None else check_classes(classes)
    layout = dataset or detect(folder)
    if layout not in LAYOUTS:
        raise DensightError(f"unknown data set {layout!r}", folder, f"use one of {', '.join(LAYOUTS)}")
    if layout in DATA_SETS:
        return list_data_set(folder, DATA_SETS[layout], labels)
    if layout == "catalogue":
        return _list_catalogue(folder, labels)
    images = find_images(folder)
    if not images:
        raise no_image(folder)
    as_laid_out = _list_tutorial if layout == "tutorial" else _list_loose
    labels = labels or BIRADS
    dicom = list_dicom([path for path in images if not is_picture(path)], folder, lambda p: label_in(p, folder, labels))
    entries, failures = as_laid_out([path for path in images if is_picture(path)], folder, labels)
    more, contradicted = _without_contradiction(dicom.entries, folder if layout == "tutorial" else None)
    entries, failures = sorted([*entries, *more], key=lambda entry: entry.path), [*failures, *contradicted]
    return Listing(table_of(entries, folder), labels, (*failures, *dicom.failures), dicom.left_out)


def _without_contradiction(entries: Sequence[Entry], root: Path | None) -> tuple[list[Entry], list[Failure]]:
    """DICOM images whose projection is known and, below a root, is that of their folder; and the others."""
    good, failures = [], []
    for entry in entries:
        folder = None if root is None else find_projection(entry.path.relative_to(root).parts[0])
        if entry.projection is None:
            failures.append(Failure(entry.path, _UNKNOWN, f"assess it, or name it: {entry.path.stem}_MLO_R"))
        elif folder not in (None, entry.projection):
            fault = f"its folder says {folder}, the file {entry.projection}"
            failures.append(Failure(entry.path, fault, "move the image"))
        else:
            good.append(entry)
    return good, failures


def _list_tutorial(images: list[Path], root: Path, classes: tuple[str, ...]) -> tuple[list[Entry], list[Failure]]:
    """Images in the folders of their projection, split and class, read from those folders only."""
    entries, failures = [], []
    by_name = {entry.path: entry for entry in read_names(images, root, classes)}
    for path in images:
        try:
            entries.append(_place_in_tutorial(path, by_name[path], root, classes))
        except DensightError as error:
            failures.append(Failure.of(error, path))
    seen = Counter((entry.exam_id, entry.projection) for entry in entries)
    alike = {exam for (exam, _), times in seen.items() if times > 1}
    return [_by_class(entry) if entry.exam_id in alike and entry.assumed else entry for entry in entries], failures


def _by_class(entry: Entry) -> Entry:
    """Tell apart the patients, taken from the files' names, of class folders that number their files alike."""
    patient = f"{entry.density}_{entry.patient_id}"
    note = "patient named by class and number, because other folders hold the same file names"
    return replace(entry, patient_id=patient, exam_id=patient, assumed=(*entry.assumed, note))


def _place_in_tutorial(path: Path, named: Entry, root: Path, classes: tuple[str, ...]) -> Entry:
    folders = path.relative_to(root).parts[:-1]
    if not folders or not is_projection(folders[0]):
        fault = f"unknown projection folder {folders[0]!r}" if folders else "the image lies in no projection folder"
        raise DensightError(fault, path, f"the folders of projections are {', '.join(PROJECTIONS)}")
    if len(folders) == 3 and folders[1] not in SPLITS:
        raise DensightError(
            f"unknown split folder {folders[1]!r}", path, f"the folders of splits are {', '.join(SPLITS)}"
        )
    labels = f"the folders of classes are {', '.join(classes)}; name other labels with --classes"
    if len(folders) > 3 or len(folders) == 1 or (len(folders) == 2 and folders[1] in SPLITS):
        raise DensightError("the image lies in no class folder", path, labels)
    if folders[-1] not in classes:
        raise DensightError(f"unknown class folder {folders[-1]!r}", path, labels)
    name, by_folder, by_name = read_tutorial_name(path.stem), find_projection(folders[0]), find_projection(path.stem)
    if by_name not in (None, by_folder):
        raise DensightError(f"its folder says {by_folder}, its name {by_name}", path, "move or rename the image")
    if name and name.density in classes and name.density != folders[-1]:
        raise DensightError(
            f"its folder says class {folders[-1]}, its name {name.density}", path, "move or rename the image"
        )
    split = folders[1] if len(folders) == 3 else ""
    if name:
        return Entry(path, by_folder, named.patient_id, named.exam_id, folders[-1], split)
    patient = strip_projection(path.stem) or path.stem
    return Entry(path, by_folder, patient, patient, folders[-1], split, ("patient taken from the file's name",))


def _list_loose(images: list[Path], root: Path, classes: tuple[str, ...]) -> tuple[list[Entry], list[Failure]]:
    """Images described by their names and folders."""
    entries = read_names(images, root, classes)
    if images and all(entry.projection is None for entry in entries):
        raise DensightError("the projection of no image in the folder is known", root, _UNDERSTOOD)
    failures = [
        Failure(entry.path, _UNKNOWN, f"name it in the file's name: {entry.path.stem}_MLO_R")
        for entry in entries
        if entry.projection is None
    ]
    return [entry for entry in entries if entry.projection is not None], failures


def _list_catalogue(root: Path, labels: tuple[str, ...] | None) -> Listing:
    path = _catalogue_in(root)
    if path is None:
        raise DensightError("there is no catalogue.csv or catalogue.parquet in the folder", root, "put one into it")
    catalogue = read_catalogue(path)
    return Listing(catalogue.table, labels or catalogue.classes, ())


def _catalogue_in(folder: Path) -> Path | None:
    candidates = (folder / name for name in ("catalogue.csv", "catalogue.parquet"))
    return next((path for path in candidates if path.is_file()), None)


def _read_all(paths: Sequence[Path], progress: Progress | None) -> list[Failure | tuple[str, ...]]:
    """Read every image; for each, in order, what is wrong with it or else what was assumed."""

    def reading(path: Path) -> Failure | tuple[str, ...]:
        try:
            return read_pixels(path)[1]
        except DensightError as error:
            return Failure.of(error, path)

    readings = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, result in enumerate(pool.map(reading, paths), start=1):
            readings.append(result)
            if progress:
                progress(done, len(paths))
    return readings


def _note(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Add to what was assumed of each row; nothing where ``notes`` is empty."""
    if not any(notes):
        return table
    before = table["assumed"] if "assumed" in table else [""] * len(table)
    joined = ["; ".join(filter(None, pair)) for pair in zip(before, notes, strict=True)]
    return table.assign(assumed=joined)
