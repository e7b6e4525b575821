"""What can be assessed: an image, a folder of exams, a catalogue; and reading one exam."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from densight.intake.catalogue import Catalogue, read_catalogue
from densight.intake.dicom.directory import list_directory
from densight.intake.dicom.listing import list_dicom
from densight.intake.failures import Failure, LeftOut
from densight.intake.files import is_there, is_zip
from densight.intake.image import read_mammogram
from densight.intake.layouts import detect, list_folder
from densight.intake.mammogram import Entry, Exam, Mammogram
from densight.intake.naming import (
    DIRECTORY,
    find_images,
    is_picture,
    label_in,
    no_image,
    projection_of,
    read_names,
    read_tutorial_name,
    strip_projection,
)
from densight.intake.published import DATA_SETS
from densight.vocabulary import BIRADS, DensightError, Projection

__all__ = ["Entry", "Inputs", "entries_of", "find_inputs", "find_labelled", "group_exams", "read_entry", "read_exam"]


@dataclass(frozen=True)
class Inputs:
    """The images that an input names.

    Parameters
    ----------
    entries : list of Entry
        Those to be read, in the catalogue's order, else in that of the paths.
    classes : tuple of str or None
        The ordered classes of the labels; None where no image has a label.
    left_out : tuple of LeftOut
        DICOM files that show none of the views that are assessed, and repeats of those that do.
    failures : tuple of Failure
        Files that are known to be damaged before their pixels are read.
    remark : str
        Why labels were left out; empty where none was.
    """

    entries: list[Entry]
    classes: tuple[str, ...] | None
    left_out: tuple[LeftOut, ...] = ()
    failures: tuple[Failure, ...] = ()
    remark: str = ""


def find_inputs(path: str | Path, *, split: str | None = None, classes: Sequence[str] = BIRADS) -> Inputs:
    r"""The images that an input names, without reading their pixels.

    Parameters
    ----------
    path : path-like
        An image; a folder or zip archive of images, of one exam or several, the tutorial's layout among them (see
        `read_names`); a DICOMDIR; the folder of a data set that comes with a table; or a catalogue. DICOM files tell
        themselves what they show (see `densight.intake.dicom.listing.list_dicom`).
    split : {"train", "validation", "test"}, optional
        Only the images of this split.
    classes : sequence of str
        The names of folders that are taken as labels, where no catalogue names the classes.

    Returns
    -------
    Inputs

    Raises
    ------
    DensightError
        If there is no such file or folder, no image in it, or none of the split.

    Examples
    --------
    >>> from densight.storage import write_bytes
    >>> write_bytes("build/exams/7/LMLO.pgm", b"P5 64 64 255\n" + bytes(range(64)) * 64)
    >>> inputs = find_inputs("build/exams")
    >>> inputs.entries[0].exam_id, inputs.entries[0].projection, inputs.classes
    ('7', <Projection.MLO_L: 'MLO_L'>, None)
    """
    path = Path(path)
    if path.is_dir() or is_zip(path):
        inputs = _in_folder(path, classes)
    elif path.suffix.lower() in (".csv", ".parquet"):
        catalogue = read_catalogue(path)
        inputs = Inputs(entries_of(catalogue), catalogue.classes)
    elif path.name.upper() == DIRECTORY and path.is_file():
        inputs = _of_files(list_directory(path), path.parent, classes)
    elif is_there(path):
        inputs = _single(path)
    else:
        raise DensightError("there is no such file or folder", path, "check the path; names are case-sensitive")
    entries = [entry for entry in inputs.entries if split in (None, entry.split)]
    if not entries and (inputs.entries or not (inputs.left_out or inputs.failures)):
        raise DensightError(f"there is no image of the split {split!r}", path, "name another split, or none for all")
    return replace(inputs, entries=entries)


def find_labelled(path: str | Path, split: str | None, classes: Sequence[str]) -> Inputs:
    """The images that an input names, with their labels where these are a model's classes.

    Folders named as classes are read as the model's classes or as A B C D, whichever labels more images.

    Parameters
    ----------
    path : path-like
    split : {"train", "validation", "test"} or None
        As for `find_inputs`.
    classes : sequence of str
        The model's.

    Returns
    -------
    Inputs
        Without labels where they are on another scale, which ``remark`` and the entries' ``assumed`` then say.

    Raises
    ------
    DensightError
        As `find_inputs`.
    """
    readings = [find_inputs(path, split=split, classes=scale) for scale in dict.fromkeys((tuple(classes), BIRADS))]
    inputs = max(readings, key=lambda reading: sum(entry.density is not None for entry in reading.entries))
    if inputs.classes in (None, tuple(classes)):
        return inputs
    remark = f"labels left out, because they are {', '.join(inputs.classes or ())} and the model's {', '.join(classes)}"
    entries = [replace(entry, density=None, assumed=(*entry.assumed, remark)) for entry in inputs.entries]
    return replace(inputs, entries=entries, remark=remark)


def entries_of(catalogue: Catalogue) -> list[Entry]:
    """The rows of a catalogue as entries, in its order."""
    table = catalogue.table
    notes = table["assumed"].fillna("") if "assumed" in table else [""] * len(table)
    columns = [table[name] for name in ("view", "laterality", "patient_id", "exam_id", "density", "split")]
    return [
        Entry(
            path,
            Projection.of(view, laterality),
            patient,
            exam,
            density or None,
            split,
            tuple(filter(None, str(note).split("; "))),
        )
        for path, view, laterality, patient, exam, density, split, note in zip(
            catalogue.paths, *columns, notes, strict=True
        )
    ]


def group_exams(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries of each exam, exams in the order of their first image.

    Examples
    --------
    >>> entries = [Entry(Path(name), None, "p", name[0]) for name in ("1a.png", "2.png", "1b.png")]
    >>> [[entry.path.name for entry in exam] for exam in group_exams(entries)]
    [['1a.png', '1b.png'], ['2.png']]
    """
    exams: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        exams.setdefault((entry.patient_id, entry.exam_id), []).append(entry)
    return list(exams.values())


def read_entry(entry: Entry) -> Mammogram:
    """Read the image of an entry, with all that is known and was assumed of it.

    Raises
    ------
    DensightError
        As `read_pixels`.
    """
    mammogram = read_mammogram(
        entry.path,
        entry.projection,
        patient_id=entry.patient_id,
        exam_id=entry.exam_id,
        density=entry.density,
    )
    assumed = dict.fromkeys((*entry.assumed, *mammogram.assumed))
    return replace(mammogram, assumed=tuple(assumed))


def read_exam(source: str | Path | Sequence[str | Path]) -> Exam:
    r"""Read the mammograms of one exam.

    Parameters
    ----------
    source : path-like or sequence of path-like
        A folder that holds one exam, an image, or the images that make up the exam.

    Returns
    -------
    Exam
        One to four mammograms of different projections, in the tutorial's order of projections.

    Raises
    ------
    DensightError
        If the folder holds several exams, a projection is unknown or occurs twice, or an image cannot be read.

    Examples
    --------
    >>> from densight.storage import write_bytes
    >>> for name in ("RCC", "LCC"):
    ...     write_bytes(f"build/exam9/{name}.pgm", b"P5 64 64 255\n" + bytes(range(64)) * 64)
    >>> exam = read_exam("build/exam9")
    >>> exam.exam_id, [mammogram.projection.value for mammogram in exam]
    ('exam9', ['CC_R', 'CC_L'])
    """
    if isinstance(source, str | Path):
        entries = _readable(find_inputs(source), Path(source))
        exams = group_exams(entries)
        unknown = any(entry.projection is None for entry in entries)
        if len(exams) > 1 and not unknown:
            raise DensightError(
                f"this holds {len(exams)} exams ({_some(exam[0].exam_id for exam in exams)}){_repeated(entries)}",
                source,
                "give one exam's folder, or the list of its images, one of each projection",
            )
    else:
        entries = [entry for path in source for entry in _readable(_single(Path(path)), Path(path))]
    order = list(Projection)
    mammograms = sorted(
        (read_entry(entry) for entry in entries),
        key=lambda mammogram: order.index(mammogram.projection) if mammogram.projection else len(order),
    )
    return Exam(
        tuple(mammograms),
        exam_id=_common(entry.exam_id for entry in entries),
        patient_id=_common(entry.patient_id for entry in entries),
        density=_common(entry.density or "" for entry in entries) or None,
    )


def _readable(inputs: Inputs, source: Path) -> list[Entry]:
    """The images of an input that must be without fault and hold at least one."""
    for failure in inputs.failures:
        raise DensightError(failure.fault, failure.path, failure.remedy)
    if not inputs.entries:
        first = inputs.left_out[0]
        raise DensightError(f"no view is assessed; {first.path.name}: {first.reason}", source, "give CC and MLO views")
    return inputs.entries


def _some(words: Iterable[str]) -> str:
    """The first five words."""
    words = list(words)
    return ", ".join(words[:5]) + (", …" if len(words) > 5 else "")


def _repeated(entries: Sequence[Entry]) -> str:
    """Say which images share a projection, of the first projection for which some do; empty where none do."""
    for projection in Projection:
        names = [entry.path.name for entry in entries if entry.projection is projection]
        if len(names) > 1:
            return f"; {len(names)} of its images are {projection} ({_some(names)})"
    return ""


def _common(values: Iterable[str]) -> str:
    """The value that all share, else the empty string."""
    different = set(values)
    return different.pop() if len(different) == 1 else ""


def _single(path: Path) -> Inputs:
    """One file: an image by its name, a DICOM file by what it says."""
    if not is_picture(path):
        return _of_files([path], path.parent, ())
    projection, assumed = projection_of(path)
    name = read_tutorial_name(path.stem)
    exam = name.exam if name else strip_projection(path.stem) or path.stem
    note = () if name else ("exam and patient taken from the file's name",)
    return Inputs([Entry(path, projection, exam, exam, assumed=(*assumed, *note))], None)


def _in_folder(folder: Path, classes: Sequence[str]) -> Inputs:
    layout = detect(folder)
    if layout in DATA_SETS or layout == "catalogue":
        listing = list_folder(folder, layout)
        for failure in listing.failures:
            raise DensightError(failure.fault, failure.path, failure.remedy)
        return Inputs(entries_of(Catalogue(listing.table, listing.classes, folder)), listing.classes)
    images = find_images(folder)
    if not images:
        raise no_image(folder)
    return _of_files(images, folder, classes)


def _of_files(paths: Sequence[Path], root: Path, classes: Sequence[str]) -> Inputs:
    """Files below a root: images by their names, DICOM files by what they say."""
    named = read_names([path for path in paths if is_picture(path)], root, classes)
    dicom = list_dicom(
        [path for path in paths if not is_picture(path)], root, lambda path: label_in(path, root, classes)
    )
    entries = sorted([*named, *dicom.entries], key=lambda entry: entry.path)
    labels = tuple(classes) if any(entry.density for entry in entries) else None
    return Inputs(entries, labels, dicom.left_out, dicom.failures)
