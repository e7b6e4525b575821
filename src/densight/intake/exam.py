"""What can be assessed: an image, a folder of exams, a catalogue; and reading one exam."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from densight.intake.catalogue import Catalogue, read_catalogue
from densight.intake.image import read_mammogram
from densight.intake.layouts import DATA_SETS, detect, list_folder
from densight.intake.mammogram import Exam, Mammogram
from densight.intake.naming import Entry, find_images, projection_of, read_names, read_tutorial_name, strip_projection
from densight.vocabulary import BIRADS, DensightError, Projection

__all__ = ["Entry", "entries_of", "find_inputs", "find_labelled", "group_exams", "read_entry", "read_exam"]


def find_inputs(
    path: str | Path, *, split: str | None = None, classes: Sequence[str] = BIRADS
) -> tuple[list[Entry], tuple[str, ...] | None]:
    r"""The images that an input names, without reading them.

    Parameters
    ----------
    path : path-like
        An image; a folder of images, of one exam or several, the tutorial's layout among them (see `read_names`); the
        folder of a data set that comes with a table; or a catalogue.
    split : {"train", "validation", "test"}, optional
        Only the images of this split.
    classes : sequence of str
        The names of folders that are taken as labels, where no catalogue names the classes.

    Returns
    -------
    entries : list of Entry
        In the catalogue's order, else in that of the paths.
    classes : tuple of str or None
        The ordered classes of the labels; None where no image has a label.

    Raises
    ------
    DensightError
        If there is no such file or folder, no image in it, or none of the split.

    Examples
    --------
    >>> from densight.storage import write_bytes
    >>> write_bytes("build/exams/7/LMLO.pgm", b"P5 64 64 255\n" + bytes(range(64)) * 64)
    >>> entries, classes = find_inputs("build/exams")
    >>> entries[0].exam_id, entries[0].projection, classes
    ('7', <Projection.MLO_L: 'MLO_L'>, None)
    """
    path = Path(path)
    if path.is_dir():
        entries, known = _in_folder(path, classes)
    elif path.suffix.lower() in (".csv", ".parquet"):
        catalogue = read_catalogue(path)
        entries, known = entries_of(catalogue), catalogue.classes
    elif path.is_file():
        entries, known = [_single(path)], None
    else:
        raise DensightError("there is no such file or folder", path, "check the path; names are case-sensitive")
    entries = [entry for entry in entries if split in (None, entry.split)]
    if not entries:
        raise DensightError(f"there is no image of the split {split!r}", path, "name another split, or none for all")
    return entries, known


def find_labelled(path: str | Path, split: str | None, classes: Sequence[str]) -> tuple[list[Entry], str]:
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
    entries : list of Entry
        Without labels where they are on another scale.
    left_out : str
        Why labels were left out, in words for the terminal and the entries' ``assumed``; empty where none was.

    Raises
    ------
    DensightError
        As `find_inputs`.
    """
    readings = [find_inputs(path, split=split, classes=scale) for scale in dict.fromkeys((tuple(classes), BIRADS))]
    entries, labels = max(readings, key=lambda reading: sum(entry.density is not None for entry in reading[0]))
    if labels in (None, tuple(classes)):
        return entries, ""
    left_out = f"labels left out, for they are {', '.join(labels or ())} and the model's {', '.join(classes)}"
    return [replace(entry, density=None, assumed=(*entry.assumed, left_out)) for entry in entries], left_out


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
        entries, _ = find_inputs(source)
        exams = group_exams(entries)
        unknown = any(entry.projection is None for entry in entries)
        if len(exams) > 1 and not unknown:
            raise DensightError(
                f"this holds {len(exams)} exams ({_some(exam[0].exam_id for exam in exams)}){_repeated(entries)}",
                source,
                "give one exam's folder, or the list of its images, one of each projection",
            )
    else:
        entries = [_single(Path(path)) for path in source]
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


def _single(path: Path) -> Entry:
    projection, assumed = projection_of(path)
    name = read_tutorial_name(path.stem)
    exam = name.exam if name else strip_projection(path.stem) or path.stem
    said = () if name else ("exam and patient taken from the file's name",)
    return Entry(path, projection, exam, exam, assumed=(*assumed, *said))


def _in_folder(folder: Path, classes: Sequence[str]) -> tuple[list[Entry], tuple[str, ...] | None]:
    layout = detect(folder)
    if layout in DATA_SETS or layout == "catalogue":
        listing = list_folder(folder, layout)
        for failure in listing.failures:
            raise DensightError(failure.fault, failure.path, failure.remedy)
        return entries_of(Catalogue(listing.table, listing.classes, folder)), listing.classes
    images = find_images(folder)
    if not images:
        raise DensightError("there is no image in the folder", folder, "give a folder of PNG, JPEG, TIFF or PGM files")
    entries = read_names(images, folder, classes)
    return entries, tuple(classes) if any(entry.density for entry in entries) else None
