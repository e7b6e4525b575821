"""What the names of files and folders state: which are images, of which projection, exam and patient."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from densight.intake.files import is_dicom, is_zip, list_zip
from densight.intake.mammogram import Entry
from densight.vocabulary import BIRADS, PROJECTION_WORDS, SPLITS, DensightError, Projection, find_projection

__all__ = [
    "DIRECTORY",
    "TutorialName",
    "check_folder",
    "find_images",
    "is_picture",
    "is_projection",
    "label_in",
    "no_image",
    "projection_of",
    "read_names",
    "read_tutorial_name",
    "strip_projection",
]

_DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})

_PICTURE_SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".pgm", ".pnm", ".ppm", ".bmp", ".gif", ".webp", ".jp2", ".j2k"]
)
"""Files that ought to be mammograms, those of kinds that are not read among them, so that none is passed over."""

DIRECTORY = "DICOMDIR"
"""The name of the file that lists the DICOM files of a disc: DICOM PS3.10, section 8.6."""

_TUTORIAL_NAME = re.compile(
    r"(?P<exam>[^_]+)_(?P<number>\d+)_(?P<density>[A-Za-z][^_]*)_(?P<projection>(?:CC|MLO)_[RL])"
)


@dataclass(frozen=True)
class TutorialName:
    """A file name of the tutorial, ``<exam>_<number>_<density>_<projection>``."""

    exam: str
    number: str
    density: str
    projection: Projection


def read_tutorial_name(stem: str) -> TutorialName | None:
    """Read a file name of the tutorial; None where it is of another form.

    Source: the test set in the tutorial's repository (Scapicchio, Lizzi and Fantacci).

    Examples
    --------
    >>> read_tutorial_name("1302_1_D_MLO_R").exam
    '1302'
    """
    match = _TUTORIAL_NAME.fullmatch(stem)
    if match is None:
        return None
    return TutorialName(match["exam"], match["number"], match["density"], Projection(match["projection"]))


def strip_projection(stem: str) -> str:
    """What is left of a name without the words of its projection.

    Examples
    --------
    >>> strip_projection("P07-left_RCC"), strip_projection("07MLO_L_b"), strip_projection("CC_R")
    ('P07-left', '07_b', '')
    """
    left = PROJECTION_WORDS.sub("", stem)
    return re.sub(r"([ _.-])[ _.-]+", r"\1", left).strip(" _.-")


def is_projection(name: str) -> bool:
    """Whether a folder's name is that of a projection and nothing else.

    Examples
    --------
    >>> is_projection("MLO_L"), is_projection("CC_R_model")
    (True, False)
    """
    return find_projection(name) is not None and not strip_projection(name)


def projection_of(path: Path) -> tuple[Projection | None, tuple[str, ...]]:
    """The projection in a file's name, else the nearest folder that names one; and what was assumed.

    Examples
    --------
    >>> projection_of(Path("CC_L/test/07.png"))
    (<Projection.CC_L: 'CC_L'>, ("projection taken from the folder's name",))
    """
    named = find_projection(path.stem)
    if named:
        return named, ()
    for folder in path.absolute().parents:
        named = find_projection(folder.name)
        if named:
            return named, ("projection taken from the folder's name",)
    return None, ()


def check_folder(folder: Path) -> None:
    """Check that a folder, or a zip archive, is there.

    Raises
    ------
    DensightError
        If it is missing or another file.
    """
    if folder.is_dir() or is_zip(folder):
        return
    if folder.exists():
        raise DensightError("this is a file, not a folder", folder, "give the folder that holds the images")
    raise DensightError("there is no such folder", folder, "check the path; names are case-sensitive")


def find_images(folder: Path) -> list[Path]:
    """All files below a folder, or in a zip archive, that are images by their suffix or DICOM, in order.

    DICOM files often have no suffix, or what looks like one; the mark within identifies them. Anything else (text,
    tables, ``Thumbs.db``, a ``DICOMDIR``) and all that is hidden (``.DS_Store``, ``._a.png``, ``.git``) is not an image
    and is left out. Links to folders are followed, each folder once.

    Raises
    ------
    DensightError
        If the folder is missing, is a file, or cannot be listed.
    """
    check_folder(folder)
    if is_zip(folder):
        return [path for path in list_zip(folder) if _is_image(path)]

    def refuse(error: OSError) -> None:
        raise DensightError(f"the folder cannot be listed ({error.strerror})", error.filename, "check its permissions")

    images: list[Path] = []
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real not in seen:
            images += [path for path in (Path(parent, name) for name in files) if _is_image(path)]
        seen.add(real)
    return sorted(images)


def is_picture(path: Path) -> bool:
    """Whether a file is, by its suffix, an image that is not DICOM."""
    return path.suffix.lower() in _PICTURE_SUFFIXES


def label_in(path: Path, root: Path, classes: Sequence[str]) -> tuple[str | None, str]:
    """The reference label and the split that the folders of an image name; None and empty where they do not.

    Examples
    --------
    >>> label_in(Path("in/train/B/7.png"), Path("in"), BIRADS)
    ('B', 'train')
    """
    folders = path.relative_to(root).parts[:-1]
    density = folders[-1] if folders and folders[-1] in classes else None
    return density, next((name for name in reversed(folders) if name in SPLITS), "")


def no_image(folder: Path) -> DensightError:
    """The error of a folder without any image."""
    remedy = "give a folder of DICOM, PNG, JPEG, TIFF or PGM files"
    return DensightError("there is no image in the folder", folder, remedy)


def _is_image(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() == DIRECTORY:
        return False
    return is_picture(path) or path.suffix.lower() in _DICOM_SUFFIXES or is_dicom(path)


def read_names(paths: Sequence[Path], root: Path, classes: Sequence[str] = BIRADS) -> list[Entry]:
    """Read what the names and folders of loose images state.

    The projection is in the file's name, else in the nearest folder that names one. A folder named as a class holds
    images of that class, one named as a split those of that split. Images of one folder (not counting folders of
    projections, classes and splits) belong together as follows.

    - Names of the tutorial's form name the exam, which is taken as the patient too, because the form states no more.
      Where an exam has one projection twice, the number in the name parts it.
    - Otherwise, where the names without their projection words group the images, each group is an exam.
    - Otherwise, where all projections are different, the folder is an exam.
    - Otherwise each image is a separate exam.

    Exams of the same name in several folders are told apart by their folder's name, which is then taken as the
    patient, but for names of the tutorial's form.

    Parameters
    ----------
    paths : sequence of Path
        Images below ``root``.
    root : Path
        The folder that the user gave.
    classes : sequence of str
        The class labels.

    Returns
    -------
    list of Entry
        In the order of ``paths``; what was assumed is in them.

    Examples
    --------
    >>> entries = read_names([Path("in/p1_CC_R.png"), Path("in/p1_CC_L.png"), Path("in/p2_CC_L.png")], Path("in"))
    >>> [entry.exam_id for entry in entries]
    ['p1', 'p1', 'p2']
    """
    homes: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for path in paths:
        folders = path.relative_to(root).parts[:-1]
        home = tuple(name for name in folders if not (is_projection(name) or name in SPLITS or name in classes))
        homes[home].append(_read_name(path, root, classes))
    grouped = [(home, entry) for home, entries in homes.items() for entry in _group(entries, home, root)]
    places: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for home, entry in grouped:
        places[entry.exam_id].add(home)
    read = {e.path: _part(e, home) if len(places[e.exam_id]) > 1 else e for home, e in grouped}
    return [read[path] for path in paths]


def _part(entry: Entry, home: tuple[str, ...]) -> Entry:
    """Tell an exam from those of the same name in other folders."""
    exam = "_".join((*home, entry.exam_id))
    if not home or read_tutorial_name(entry.path.stem):
        return replace(entry, exam_id=exam)
    assumed = (*entry.assumed, "patient taken from the folder's name, because other folders hold the same file names")
    return replace(entry, exam_id=exam, patient_id="_".join(home), assumed=assumed)


def _read_name(path: Path, root: Path, classes: Sequence[str]) -> Entry:
    projection, assumed = projection_of(path)
    density, split = label_in(path, root, classes)
    return Entry(path, projection, "", "", density, split, assumed)


def _group(entries: list[Entry], home: tuple[str, ...], root: Path) -> list[Entry]:
    """Give the images of one folder their exams, in the same order."""
    tutorial = {entry.path: read_tutorial_name(entry.path.stem) for entry in entries}
    others = [entry for entry in entries if tutorial[entry.path] is None]
    keys = {entry.path: strip_projection(entry.path.stem) for entry in others}
    groups = defaultdict(list)
    for entry in others:
        groups[keys[entry.path]].append(entry)
    if len(groups) < len(others) and "" not in groups and all(map(_may_be_exam, groups.values())):
        ids, note = keys, "exam and patient taken from the file's name"
    elif _may_be_exam(others):
        ids, note = (
            dict.fromkeys(keys, "_".join(home) or root.resolve().name),
            "exam and patient taken from the folder's name",
        )
    else:
        stems = Counter(path.stem for path in keys)
        ids = {path: path.stem if stems[path.stem] == 1 else "_".join(path.relative_to(root).parts) for path in keys}
        note = "each image taken as a separate exam and patient"
    repeated = _repeated_exams([name for name in tutorial.values() if name])
    named = []
    for entry in entries:
        name = tutorial[entry.path]
        if name is None:
            exam = ids[entry.path]
            named.append(replace(entry, patient_id=exam, exam_id=exam, assumed=(*entry.assumed, note)))
        else:
            exam = f"{name.exam}_{name.number}" if name.exam in repeated else name.exam
            named.append(replace(entry, patient_id=name.exam, exam_id=exam))
    return named


def _may_be_exam(entries: list[Entry]) -> bool:
    """Whether all projections are known and different, and no two labels contradict each other."""
    projections = [entry.projection for entry in entries]
    densities = {entry.density for entry in entries if entry.density}
    return None not in projections and len(set(projections)) == len(projections) and len(densities) < 2


def _repeated_exams(names: list[TutorialName]) -> set[str]:
    """The exams that have one projection twice."""
    seen: set[tuple[str, Projection]] = set()
    repeated: set[str] = set()
    for name in names:
        if (name.exam, name.projection) in seen:
            repeated.add(name.exam)
        seen.add((name.exam, name.projection))
    return repeated
