"""Make a catalogue of a folder: the tutorial's layout, known data sets, a catalogue, loose images."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.catalogue import COLUMNS, Catalogue, read_catalogue
from densight.intake.failures import Failure
from densight.intake.image import read_pixels
from densight.intake.naming import (
    DICOM_SUFFIXES,
    Entry,
    check_folder,
    find_images,
    is_projection,
    read_names,
    read_tutorial_name,
    strip_projection,
)
from densight.intake.split import FRACTIONS, check_fractions, split_by_patient
from densight.vocabulary import (
    BIRADS,
    PROJECTIONS,
    SPLITS,
    DensightError,
    Laterality,
    View,
    check_classes,
    find_projection,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DATA_SETS", "LAYOUTS", "DataSet", "Listing", "detect", "index", "list_folder"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DataSet:
    """A published data set that comes with a table of its images.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    manifest : str
        The table's file name; CSV, its paths relative to its folder.
    columns : mapping of str to str
        Which of its columns each column of the catalogue is taken from. Its other columns are kept.
    classes : tuple of str
        Its labels, from the least to the most dense.
    source : str
        Where it is described.
    """

    name: str
    manifest: str
    columns: Mapping[str, str]
    classes: tuple[str, ...]
    source: str


DATA_SETS = {
    "mias": DataSet(
        name="mias",
        manifest="manifest.csv",
        columns={
            "path": "path",
            "patient_id": "patient_id",
            "exam_id": "patient_id",
            "laterality": "laterality",
            "view": "view",
            "density": "tissue",
        },
        classes=("F", "G", "D"),
        source="Suckling et al., The Mammographic Image Analysis Society digital mammogram database, 1994",
    ),
}
"""The data sets known by name. In mini-MIAS, F is fatty, G fatty-glandular and D dense-glandular: not BI-RADS."""

LAYOUTS = ("tutorial", *DATA_SETS, "catalogue", "loose")
"""What ``index`` understands, in the order in which it looks."""

_UNDERSTOOD = (
    "name the projection in each file's name (P07_MLO_R.png), or lay the folder out as the tutorial does "
    "(MLO_R/train/B/P07.png), or put a catalogue.csv into it"
)

_INHERITED = "split taken from the patient's other images"


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder's layout says of its images, before any is read.

    Parameters
    ----------
    table : pandas.DataFrame
        The catalogue's columns and further ones; paths relative to the folder.
    classes : tuple of str
        The labels, from the least to the most dense.
    failures : tuple of Failure
        Images that have no place in the layout.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    failures: tuple[Failure, ...]


def index(
    folder: str | Path,
    dataset: str | None = None,
    *,
    classes: Sequence[str] | None = None,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Catalogue, list[Failure]]:
    """Make a catalogue of a folder of mammograms; read each image once, so that faults come to light.

    Layouts, tried in this order where none is named:

    ``tutorial``
        ``<PROJECTION>/[train|validation|test]/<CLASS>/*``. File names ``<exam>_<number>_<CLASS>_<PROJECTION>`` tell
        the exam, which is taken as the patient, too; of another name, what is left without its projection is the
        patient and the exam, of each class where that would give an exam one projection twice.
    ``mias``
        Mini-MIAS with a ``manifest.csv`` (path, patient_id, laterality, view, tissue); an exam a patient.
    ``catalogue``
        A folder with a ``catalogue.csv`` or ``catalogue.parquet``; images that it does not list are left out.
    ``loose``
        Any other folder whose files' or folders' names tell the projection. A folder named as a class labels what
        lies in it; otherwise the images have no label. See `read_names` for exams and patients.

    Files that are no images by their suffix and hidden ones are not looked at (see `find_images`). Where no image has
    a split, the labelled patients are split; see `split_by_patient`. What was assumed is in the column ``assumed``.

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
        The other images, in the order of their paths.

    Raises
    ------
    DensightError
        If there is no such folder or layout, no image in it, or a patient in two splits.
    """
    folder = Path(folder)
    check_fractions(fractions)
    listing = list_folder(folder, dataset, classes)
    readings = _read_all([folder / path for path in listing.table["path"]], progress)
    faults = [reading for reading in readings if isinstance(reading, Failure)]
    readable = [not isinstance(reading, Failure) for reading in readings]
    table = _note(listing.table, ["" if isinstance(said, Failure) else "; ".join(said) for said in readings])
    table = table.loc[readable].reset_index(drop=True)
    Catalogue(table, listing.classes, folder)
    divided = split_by_patient(table, listing.classes, fractions, seed)
    given = set(table.loc[table["split"] != "", "patient_id"])
    inherited = (table["split"] == "") & table["patient_id"].isin(given)
    divided = _note(divided, [_INHERITED if row else "" for row in inherited])
    failures = sorted([*listing.failures, *faults], key=lambda failure: failure.path)
    return Catalogue(divided, listing.classes, folder), failures


def detect(folder: str | Path) -> str:
    """Which of `LAYOUTS` a folder has.

    Raises
    ------
    DensightError
        If there is no such folder.
    """
    folder = Path(folder)
    check_folder(folder)
    if any(child.is_dir() and is_projection(child.name) for child in folder.iterdir()):
        return "tutorial"
    for name, dataset in DATA_SETS.items():
        if set(dataset.columns.values()) <= _header(folder / dataset.manifest):
            return name
    return "catalogue" if _catalogue_in(folder) else "loose"


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
        return _list_manifest(folder, DATA_SETS[layout], labels)
    if layout == "catalogue":
        return _list_catalogue(folder, labels)
    images = find_images(folder)
    if not images:
        raise DensightError("there is no image in the folder", folder, "give a folder of PNG, JPEG, TIFF or PGM files")
    dicom = [path for path in images if path.suffix.lower() in DICOM_SUFFIXES]
    others = [path for path in images if path.suffix.lower() not in DICOM_SUFFIXES]
    as_laid_out = _list_tutorial if layout == "tutorial" else _list_loose
    entries, failures = as_laid_out(others, folder, labels or BIRADS)
    fault, remedy = "DICOM is not read by this version", "export it as one grey channel of 16 bits, PNG for instance"
    failures += [Failure(path, fault, remedy) for path in dicom]
    return Listing(_table(entries, folder), labels or BIRADS, tuple(failures))


def _list_tutorial(images: list[Path], root: Path, classes: tuple[str, ...]) -> tuple[list[Entry], list[Failure]]:
    """Images in the folders of their projection, split and class, told by those alone."""
    entries, failures = [], []
    told = {entry.path: entry for entry in read_names(images, root, classes)}
    for path in images:
        try:
            entries.append(_place_in_tutorial(path, told[path], root, classes))
        except DensightError as error:
            failures.append(Failure.of(error, path))
    seen = Counter((entry.exam_id, entry.projection) for entry in entries)
    alike = {exam for (exam, _), times in seen.items() if times > 1}
    return [_by_class(one) if one.exam_id in alike and one.assumed else one for one in entries], failures


def _by_class(entry: Entry) -> Entry:
    """Tell apart the patients, taken from the files' names, of class folders that number their files alike."""
    patient = f"{entry.density}_{entry.patient_id}"
    said = "patient told apart by the class, for other folders hold the same file names"
    return replace(entry, patient_id=patient, exam_id=patient, assumed=(*entry.assumed, said))


def _place_in_tutorial(path: Path, told: Entry, root: Path, classes: tuple[str, ...]) -> Entry:
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
        return Entry(path, by_folder, told.patient_id, told.exam_id, folders[-1], split)
    patient = strip_projection(path.stem) or path.stem
    return Entry(path, by_folder, patient, patient, folders[-1], split, ("patient taken from the file's name",))


def _list_loose(images: list[Path], root: Path, classes: tuple[str, ...]) -> tuple[list[Entry], list[Failure]]:
    """Images told by whatever their names and folders say."""
    entries = read_names(images, root, classes)
    if images and all(entry.projection is None for entry in entries):
        raise DensightError("the projection of no image in the folder is known", root, _UNDERSTOOD)
    failures = [
        Failure(entry.path, "the projection is not known", f"name it in the file's name: {entry.path.stem}_MLO_R")
        for entry in entries
        if entry.projection is None
    ]
    return [entry for entry in entries if entry.projection is not None], failures


def _table(entries: list[Entry], root: Path) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for entry in entries:
        assert entry.projection is not None
        row = {column: value for column, value in asdict(entry).items() if column in COLUMNS}
        row |= {
            "path": entry.path.relative_to(root).as_posix(),
            "laterality": entry.projection.laterality.value,
            "view": entry.projection.view.value,
            "density": entry.density or "",
        }
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    if any(entry.assumed for entry in entries):
        table["assumed"] = ["; ".join(entry.assumed) for entry in entries]
    return table


def _list_manifest(root: Path, dataset: DataSet, labels: tuple[str, ...] | None) -> Listing:
    """Images as the data set's own table lists them; rows that do not fit are failures."""
    import pandas as pd

    path = root / dataset.manifest
    if not path.is_file():
        raise DensightError(
            f"the data set {dataset.name} has its table here, but there is none", path, "check the folder"
        )
    wanted = set(dataset.columns.values())
    if not wanted <= _header(path):
        raise DensightError(
            f"the table has not the columns {', '.join(sorted(wanted))}", path, "check the data set's name"
        )
    source = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = pd.DataFrame({column: source[name] for column, name in dataset.columns.items()})
    table["split"] = ""
    others = [name for name in source if name not in wanted]
    table = pd.concat([table[list(COLUMNS)], source[others]], axis=1)
    classes = labels or dataset.classes
    known: dict[str, list[str]] = {"density": ["", *classes], "laterality": list(Laterality), "view": list(View)}
    good, failures = [], []
    for row in table.to_dict("records"):
        wrong = [column for column, values in known.items() if row[column] not in values]
        good.append(not wrong)
        failures += [
            Failure(root / row["path"], f"unknown {column} {row[column]!r}", f"correct it in {dataset.manifest}")
            for column in wrong[:1]
        ]
    return Listing(table[good].reset_index(drop=True), classes, tuple(failures))


def _list_catalogue(root: Path, labels: tuple[str, ...] | None) -> Listing:
    path = _catalogue_in(root)
    if path is None:
        raise DensightError("there is no catalogue.csv or catalogue.parquet in the folder", root, "put one into it")
    catalogue = read_catalogue(path)
    return Listing(catalogue.table, labels or catalogue.classes, ())


def _catalogue_in(folder: Path) -> Path | None:
    found = (folder / name for name in ("catalogue.csv", "catalogue.parquet"))
    return next((path for path in found if path.is_file()), None)


def _header(path: Path) -> set[str]:
    """The columns of a CSV file; none where it is not one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _read_all(paths: Sequence[Path], progress: Progress | None) -> list[Failure | tuple[str, ...]]:
    """Read every image; for each, in order, what is wrong with it or else what was assumed."""

    def reading(path: Path) -> Failure | tuple[str, ...]:
        try:
            return read_pixels(path)[1]
        except DensightError as error:
            return Failure.of(error, path)

    readings = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, one in enumerate(pool.map(reading, paths), start=1):
            readings.append(one)
            if progress:
                progress(done, len(paths))
    return readings


def _note(table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """Add to what was assumed of each row; nothing where ``said`` is empty."""
    if not any(said):
        return table
    before = table["assumed"] if "assumed" in table else [""] * len(table)
    notes = ["; ".join(filter(None, pair)) for pair in zip(before, said, strict=True)]
    return table.assign(assumed=notes)
