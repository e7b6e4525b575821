"""The catalogue: one row per image, checked when it is made, in CSV or Parquet."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densight.storage import replacing
from densight.vocabulary import BIRADS, PROJECTIONS, SPLITS, DensightError, Laterality, Projection, View, check_classes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "Catalogue",
    "catalogue_suffix",
    "check_trainable",
    "read_catalogue",
    "write_catalogue",
]

COLUMNS = ("path", "patient_id", "exam_id", "laterality", "view", "density", "split")
"""The columns that every catalogue has, in this order; further ones come after them."""

_CLASSES = "classes"
"""The column that carries ordered labels other than A B C D."""

_MAY_BE_EMPTY = ("density", "split")
_CSV_UTF8 = "save the table as CSV with UTF-8 encoding"


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A checked table of images.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per image; `COLUMNS` first, all of them strings. ``density`` is empty where unlabelled, ``split`` where
        the image is in none.
    classes : tuple of str
        The class labels, from the least to the most dense.
    root : Path
        The folder to which relative paths refer.
    source : Path or None
        The file that it was read from, for messages.

    Raises
    ------
    DensightError
        If a column is missing, a class, view, laterality or split is unknown, an id is empty, an image occurs twice,
        or a patient is in two splits.

    Examples
    --------
    >>> import pandas as pd
    >>> row = ["a.png", "007", "1", "R", "CC", "B", "test"]
    >>> Catalogue(pd.DataFrame([row], columns=COLUMNS), ("A", "B", "C", "D"), Path("exams")).projections
    (<Projection.CC_R: 'CC_R'>,)
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    root: Path
    source: Path | None = None

    def __post_init__(self) -> None:
        _check_table(self.table, self.classes, self.source, self.root)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def paths(self) -> list[Path]:
        """The image files, in the table's order."""
        return [self.root / path for path in self.table["path"]]

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The projections that occur, in the tutorial's order."""
        present = set(self.table["view"] + "_" + self.table["laterality"])
        return tuple(projection for projection in PROJECTIONS if projection in present)

    def select(
        self, *, split: str | None = None, projection: Projection | Iterable[Projection] | None = None
    ) -> Catalogue:
        """The rows of one split, of one or some projections, or both; possibly none.

        Parameters
        ----------
        split : {"train", "validation", "test"}, optional
            All splits if None.
        projection : Projection or iterable of Projection, optional
            All projections if None.
        """
        table = self.table
        if split is not None:
            table = table[table["split"] == split]
        if projection is not None:
            wanted = [projection] if isinstance(projection, str) else [str(name) for name in projection]
            table = table[(table["view"] + "_" + table["laterality"]).isin(wanted)]
        return Catalogue(table.reset_index(drop=True), self.classes, self.root, self.source)


def catalogue_suffix(path: str | Path) -> str:
    """The suffix of a catalogue's file, ``.csv`` or ``.parquet``, in small letters.

    Raises
    ------
    DensightError
        If it is another.

    Examples
    --------
    >>> catalogue_suffix("exams.CSV")
    '.csv'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".parquet"):
        fault = f"a catalogue cannot be a {suffix} file" if suffix else "a catalogue cannot be a file without suffix"
        raise DensightError(fault, path, "use .csv or .parquet")
    return suffix


def read_catalogue(path: str | Path) -> Catalogue:
    r"""Read a catalogue and check it.

    A CSV may have a byte-order mark and may be separated by commas, semicolons or tabs. Empty lines are left out.
    Without a column ``classes`` the classes are A B C D; with it every row names all of them in ascending order of
    density, for instance ``F G D``. Views and lateralities may be in small letters.

    Parameters
    ----------
    path : path-like
        A ``.csv`` or ``.parquet`` file. Relative paths in it are relative to its folder.

    Returns
    -------
    Catalogue

    Raises
    ------
    DensightError
        If it is missing, no table, without rows, or fails a check of `Catalogue`. Rows are counted as a spreadsheet
        shows them: the header is row 1.

    Examples
    --------
    >>> from densight.storage import write_text
    >>> header = "path;patient_id;exam_id;laterality;view;density;split;classes"
    >>> write_text("build/films.csv", header + "\nm.png;007;1;L;MLO;G;;F G D\n")
    >>> catalogue = read_catalogue("build/films.csv")
    >>> catalogue.classes, catalogue.table["patient_id"][0]
    (('F', 'G', 'D'), '007')
    """
    path = Path(path)
    if not path.is_file():
        raise DensightError("there is no such catalogue", path, "make one with: densight index FOLDER -o catalogue.csv")
    table = _read_parquet(path) if catalogue_suffix(path) == ".parquet" else _read_csv(path)
    if table.empty:
        raise DensightError("the catalogue has no row", path, "list at least one image in it")
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise DensightError(
            f"the catalogue has no column {', '.join(missing)}",
            path,
            f"its columns are {', '.join(COLUMNS)}, then any others; of a data set's own table give the folder to "
            "densight index",
        )
    classes = _read_classes(table, path)
    others = [column for column in table if column not in (*COLUMNS, _CLASSES)]
    table = table[[*COLUMNS, *others]].copy()
    for column in COLUMNS:
        table[column] = [_as_text(value) for value in table[column]]
    for column in ("laterality", "view"):
        table[column] = table[column].str.upper()
    _check_table(table, classes, path, path.parent)
    return Catalogue(table.reset_index(drop=True), classes, path.parent, path)


def write_catalogue(catalogue: Catalogue, path: str | Path) -> None:
    """Write a catalogue, the same bytes for the same content.

    Paths are written relative to the file's folder, with ``/`` between folders. A column ``classes`` is written where
    the classes are not A B C D.

    Parameters
    ----------
    catalogue : Catalogue
        What to write.
    path : path-like
        A ``.csv`` or ``.parquet`` file; replaced if it exists.

    Raises
    ------
    DensightError
        If the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    suffix = catalogue_suffix(path)
    table = catalogue.table.copy()
    root, folder = catalogue.root.resolve(), path.parent.resolve()
    table["path"] = [_relative(root / image, folder) for image in table["path"]]
    if catalogue.classes != BIRADS:
        table.insert(len(COLUMNS), _CLASSES, " ".join(catalogue.classes))
    with replacing(path) as temporary:
        if suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def check_trainable(catalogue: Catalogue, projections: Sequence[Projection]) -> None:
    """Check that one network can be trained on the images of these projections taken together.

    Parameters
    ----------
    catalogue : Catalogue
        Labelled and split.
    projections : sequence of Projection
        One for a network of its own, several for one network of all of them.

    Raises
    ------
    DensightError
        If a class has no training image, or there is no labelled validation image.
    """
    of_these = catalogue.select(projection=projections)
    where = ", ".join(projections)
    training = set(of_these.select(split="train").table["density"])
    absent = [label for label in catalogue.classes if label not in training]
    if absent:
        raise DensightError(
            f"no training image of class {', '.join(absent)} among the projections {where}",
            catalogue.source or catalogue.root,
            "add such images, or make a catalogue with the classes that there are",
        )
    if not (of_these.select(split="validation").table["density"] != "").any():
        raise DensightError(
            f"no validation image among the projections {where}",
            catalogue.source or catalogue.root,
            "give some patients the split 'validation', or let densight index --split do it",
        )


def _relative(image: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(image, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return image.as_posix()


def _as_text(value: object) -> str:
    """An id or a label as text: Parquet may hold numbers, and numbers with gaps as floats."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DensightError(f"this is not a Parquet table ({error})", path, "write it again, or use CSV") from error


def _read_csv(path: Path) -> pd.DataFrame:
    """All cells as text; the index keeps each row's place in the file."""
    import pandas as pd

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DensightError(f"the file cannot be read ({error.strerror})", path, "check its permissions") from error
    except UnicodeDecodeError:
        raise DensightError("this is not a CSV file in UTF-8", path, _CSV_UTF8) from None
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise DensightError(f"this is not a CSV file ({error})", path, _CSV_UTF8) from error
    header = [name.strip() for name in lines[0]] if lines else []
    if len(set(header)) < max(len(header), 2) or "\0" in text:
        raise DensightError("this is not a CSV file with a header of different names", path, _CSV_UTF8)
    rows = {i: cells for i, cells in enumerate(lines[1:]) if any(cell.strip() for cell in cells)}
    for i, cells in rows.items():
        if len(cells) != len(header):
            fault = f"row {i + 2} has {len(cells)} cells, the header has {len(header)}"
            raise DensightError(fault, path, f"put cells that hold a {separator!r} in double quotes")
    return pd.DataFrame.from_dict(rows, orient="index", columns=header, dtype=str)


def _read_classes(table: pd.DataFrame, path: Path) -> tuple[str, ...]:
    if _CLASSES not in table:
        return BIRADS
    listed = [_as_text(value) for value in table[_CLASSES]]
    for index, value in zip(table.index, listed, strict=True):
        if value != listed[0]:
            fault = f"row {index + 2} has the classes {value!r}, the first row {listed[0]!r}"
            raise DensightError(fault, path, "name the same classes in all rows")
    try:
        return check_classes(listed[0].split())
    except DensightError as error:
        raise DensightError(error.fault, path, "name all labels in ascending density, for instance F G D") from None


def _check_table(table: pd.DataFrame, classes: tuple[str, ...], source: Path | None, root: Path) -> None:
    if any(len(label.split()) != 1 for label in check_classes(classes)):
        raise DensightError(
            f"a label of the classes {list(classes)} holds a space", source or root, "use one word for each"
        )
    allowed = "use one of {}"
    words: dict[str, tuple[str, list[str], str]] = {
        "laterality": ("laterality", list(Laterality), allowed),
        "view": ("view", list(View), allowed),
        "split": ("split", ["", *SPLITS], allowed),
        "density": ("class", ["", *classes], f"{allowed}, or name other labels in a column 'classes' ('F G D')"),
    }
    checks = [
        (table[column] == "", f"has no {column}", "fill it in") for column in COLUMNS if column not in _MAY_BE_EMPTY
    ]
    for column, (word, values, remedy) in words.items():
        known = ", ".join(value for value in values if value)
        checks.append((~table[column].isin(values), f"has the unknown {word} {{{column}!r}}", remedy.format(known)))
    duplicates = table["path"].map(lambda path: os.path.normpath(root / path)).duplicated()
    checks.append((duplicates, "is a duplicate of an earlier row", "keep one of them"))
    for wrong, fault, remedy in checks:
        if wrong.any():
            position = int(wrong.to_numpy().argmax())
            description = fault.format(**table.iloc[position])
            raise DensightError(f"{_place(table, position, source)} {description}", source or root, remedy)
    _check_patients(table, source, root)


def _place(table: pd.DataFrame, position: int, source: Path | None) -> str:
    """A row as a spreadsheet shows it, where there is a file, and its image."""
    path = table["path"].iloc[position]
    return f"row {table.index[position] + 2} ({path})" if source else f"the image {path}"


def _check_patients(table: pd.DataFrame, source: Path | None, root: Path) -> None:
    first: dict[str, int] = {}
    splits = table["split"].tolist()
    for position, (patient, split) in enumerate(zip(table["patient_id"], splits, strict=True)):
        earlier = first.setdefault(patient, position) if split else position
        if splits[earlier] != split:
            raise DensightError(
                f"the patient {patient!r} is in two splits: {splits[earlier]} ({_place(table, earlier, source)}) "
                f"and {split} ({_place(table, position, source)})",
                source or root,
                "keep all images of a patient in one split, and give different patients different ids",
            )
