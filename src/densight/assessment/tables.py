"""The run folder's tables on disk: images, breasts and exams.

Ids are text from end to end, so that ``001`` stays ``001``. Probabilities are written with nine significant digits,
which bring every float32 back exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.calibration import Fusion
from densight.assessment.fusion import MEAN, fuse_breasts, fuse_exams, predicted_class, probability_columns
from densight.storage import write_csv
from densight.vocabulary import BIRADS, DensightError, Laterality, View, check_classes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ASSESSMENTS",
    "BREASTS",
    "EXAMS",
    "check_probabilities",
    "read_assessments",
    "read_breasts",
    "read_exams",
    "read_table",
    "write_assessments",
]

ASSESSMENTS = "assessments.csv"
"""One row per image."""
BREASTS = "breasts.csv"
"""One row per breast."""
EXAMS = "exams.csv"
"""One row per exam."""

_BEFORE = ("path", "patient_id", "exam_id", "laterality", "view", "density")
_AFTER = ("predicted", "percent_density", "preparation", "warnings", "model")
_FUSED = ("exam_id", "patient_id", "density", "predicted", "projections", "missing", "assumed")
_SUM_TOLERANCE = 1e-3
_TIE_TOLERANCE = 1e-6


def check_probabilities(probabilities: npt.NDArray[np.float64], path: str | Path | None = None) -> None:
    """Refuse rows that are no probabilities over the classes.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, k)
    path : path-like, optional
        The file they come from, for the message.

    Raises
    ------
    DensightError
        With the first row that is not finite, not within [0, 1], or does not sum to 1 within 0.001. Rows count from
        one, without a header.

    Examples
    --------
    >>> check_probabilities(np.array([[0.5, 0.5], [0.9, 0.2]]), "predictions_ccr.txt")
    Traceback (most recent call last):
    densight.vocabulary.DensightError: predictions_ccr.txt: row 2: the probabilities sum to 1.1, not to 1. Fix: ...
    """
    finite = np.asarray(np.isfinite(probabilities).all(axis=1))
    within = np.asarray(((probabilities >= 0) & (probabilities <= 1)).all(axis=1))
    sums = np.asarray(np.where(finite[:, None], probabilities, 0).sum(axis=1))
    bad = np.asarray(~(finite & within & (np.abs(sums - 1) <= _SUM_TOLERANCE)))
    if not bad.any():
        return
    row = int(bad.argmax())
    if not finite[row]:
        fault = "a probability is not a finite number"
    elif not within[row]:
        fault = f"a probability lies outside 0 to 1: {', '.join(f'{value:g}' for value in probabilities[row])}"
    else:
        fault = f"the probabilities sum to {sums[row]:.6g}, not to 1"
    raise DensightError(f"row {row + 1}: {fault}", path, "assess these images again, or correct the row")


def read_table(path: str | Path, required: Sequence[str], remedy: str) -> pd.DataFrame:
    r"""Read a CSV with a header as text, cell by cell, blanks around values removed.

    Parameters
    ----------
    path : path-like
    required : sequence of str
        Columns that must be there.
    remedy : str
        What to do where the file is no such table.

    Returns
    -------
    DataFrame of str
        An empty cell is the empty string.

    Raises
    ------
    DensightError
        If the file is missing, empty, no table, has no row, or lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.csv"
    ...     _ = path.write_text("exam_id,density\n001, B\n")
    ...     read_table(path, ["density"], "write one").to_dict("records")
    [{'exam_id': '001', 'density': 'B'}]
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        fault = getattr(error, "strerror", None) or str(error).strip()
        raise DensightError(f"cannot be read as a table ({fault})", path, remedy) from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes surplus cells of the first row for row names
        raise DensightError("its rows have more cells than its header", path, remedy)
    table.columns = table.columns.str.strip()
    missing = [column for column in required if column not in table]
    if missing:
        found = ", ".join(table.columns)
        raise DensightError(f"no column {', '.join(missing)}; its columns are: {found}", path, remedy)
    if table.empty:
        raise DensightError("the table has a header but no row", path, remedy)
    # A short last row leaves its last cells without a value.
    return pd.DataFrame({column: table[column].fillna("").str.strip() for column in table})


def write_assessments(
    run: str | Path, images: pd.DataFrame, classes: Sequence[str] = BIRADS, fusion: Fusion = MEAN
) -> None:
    """Write a run's three tables: images, breasts, exams.

    The images' table comes first, so that nothing assessed is lost where the images cannot be fused.

    Parameters
    ----------
    run : path-like
        The run folder.
    images : DataFrame
        One row per image: ``path, patient_id, exam_id, laterality, view, density, p_<class>…, predicted,
        percent_density, preparation, warnings, model``. Percent density is 0 to 100, or missing. Further columns are
        kept after these.
    classes : sequence of str
        The labels in order.
    fusion : Fusion
        How images become breasts and exams; the mean by default.

    Raises
    ------
    DensightError
        If a row is not an assessment.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> images = pd.DataFrame([{
    ...     "path": "a.png", "patient_id": "001", "exam_id": "001_1", "laterality": "R", "view": "CC", "density": "B",
    ...     "p_A": 0.25, "p_B": 0.75, "predicted": "B", "percent_density": None, "preparation": "default",
    ...     "warnings": "", "model": "starter"}])
    >>> with tempfile.TemporaryDirectory() as run:
    ...     write_assessments(run, images, ["A", "B"])
    ...     back, classes = read_assessments(run)
    >>> classes, back.loc[0, "patient_id"], back.loc[0, "p_B"].item()
    (('A', 'B'), '001', 0.75)
    """
    classes = check_classes(classes)
    path = Path(run) / ASSESSMENTS
    wanted = [*_BEFORE, *probability_columns(classes), *_AFTER]
    if missing := [column for column in wanted if column not in images]:
        raise DensightError(f"the images have no column {', '.join(missing)}", path)
    images = images[[*wanted, *(column for column in images if column not in wanted)]]
    _check_images(images, classes, path)
    _write(path, images)
    _write(Path(run) / BREASTS, fuse_breasts(images, classes, fusion))
    _write(Path(run) / EXAMS, fuse_exams(images, classes, fusion))


def read_assessments(path: str | Path, classes: Sequence[str] | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read and check a run's table of images.

    Parameters
    ----------
    path : path-like
        A run folder or its ``assessments.csv``.
    classes : sequence of str, optional
        The class order that the columns must have. The columns' own order where not given.

    Returns
    -------
    images : DataFrame
        Ids and words are str; ``p_<class>`` and ``percent_density`` are float64, the latter NaN where empty.
    classes : tuple of str

    Raises
    ------
    DensightError
        If the file is missing or no such table, or a row is not an assessment; the message names the row.
    """
    path = Path(path)
    path = path / ASSESSMENTS if path.is_dir() else path
    remedy = "make it with densight assess"
    images, found = with_probabilities(path, read_table(path, [*_BEFORE, *_AFTER], remedy), classes)
    images["percent_density"] = _numbers(images, ["percent_density"], path, empty_is_nan=True)[:, 0]
    _check_images(images, found, path)
    return images, found


def read_breasts(path: str | Path, classes: Sequence[str] | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read and check a run's ``breasts.csv``: parameters, returns and errors as for `read_assessments`."""
    return _read_fused(path, BREASTS, ("laterality", *_FUSED), classes)


def read_exams(path: str | Path, classes: Sequence[str] | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read and check a run's ``exams.csv``: parameters, returns and errors as for `read_assessments`."""
    return _read_fused(path, EXAMS, _FUSED, classes)


def _read_fused(
    path: str | Path, name: str, required: Sequence[str], classes: Sequence[str] | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    path = Path(path)
    path = path / name if path.is_dir() else path
    table = read_table(path, required, "make it with densight assess")
    table, found = with_probabilities(path, table, classes)
    check_words(table, {"density": ("", *found), "predicted": found}, path)
    return table, found


def with_probabilities(
    path: Path, table: pd.DataFrame, classes: Sequence[str] | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table with its probabilities as checked numbers, and the classes in its columns' order."""
    found = check_classes([column.removeprefix("p_") for column in map(str, table) if column.startswith("p_")])
    if classes is not None and tuple(classes) != found:
        raise DensightError(
            f"its classes are {', '.join(found)}, not {', '.join(classes)}", path, "name the classes in that order"
        )
    columns = probability_columns(found)
    table[columns] = _numbers(table, columns, path)
    check_probabilities(table[columns].to_numpy(), path)
    return table, found


def _numbers(
    table: pd.DataFrame, columns: list[str], path: Path, *, empty_is_nan: bool = False
) -> npt.NDArray[np.float64]:
    import pandas as pd

    text = table[columns]
    numbers = text.apply(pd.to_numeric, errors="coerce")
    bad = (numbers.isna() & ~((text == "") & empty_is_nan)).to_numpy()
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DensightError(
            f"row {row + 1}: {columns[column]} is {text.iloc[row, column]!r}, not a number",
            path,
            "assess this image again, or correct the row",
        )
    return np.asarray(numbers, dtype=np.float64)


def check_words(table: pd.DataFrame, allowed: dict[str, Sequence[str]], path: Path) -> None:
    for column, words in allowed.items():
        bad = ~table[column].fillna("").isin(list(words)).to_numpy()
        if bad.any():
            row = int(bad.argmax())
            raise DensightError(
                f"row {row + 1}: {column} is {table[column].iloc[row]!r}, not one of "
                f"{', '.join(str(word) or '(empty)' for word in words)}",
                path,
                "correct the row",
            )


def _check_images(images: pd.DataFrame, classes: tuple[str, ...], path: Path) -> None:
    words: dict[str, Sequence[str]] = {
        "laterality": list(Laterality),
        "view": list(View),
        "density": ("", *classes),
        "predicted": classes,
    }
    check_words(images, words, path)
    probabilities = images[probability_columns(classes)].to_numpy(dtype=np.float64)
    check_probabilities(probabilities, path)
    y_pred = np.array([classes.index(label) for label in images["predicted"]])
    behind = probabilities.max(axis=1) - probabilities[np.arange(len(y_pred)), y_pred] > _TIE_TOLERANCE
    if behind.any():
        row = int(behind.argmax())
        likelier = predicted_class(probabilities[row : row + 1], classes)[0]
        raise DensightError(
            f"row {row + 1}: predicted is {classes[y_pred[row]]}, but {likelier} has the greatest probability",
            path,
            "assess this image again, or correct the row",
        )
    percent = _percent(images)
    if (outside := (percent < 0) | (percent > 100)).any():
        row = int(outside.argmax())
        raise DensightError(
            f"row {row + 1}: the percent density is {percent[row]:g}, not 0 to 100", path, "correct the row"
        )
    again = (images["path"].duplicated() & images["path"].ne("")).to_numpy()
    if again.any():
        row = int(again.argmax())
        raise DensightError(f"row {row + 1} repeats the image {images['path'].iloc[row]}", path, "keep one row")


def _percent(images: pd.DataFrame) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in images["percent_density"]], dtype=np.float64)


def _write(path: Path, table: pd.DataFrame) -> None:
    def cell(value: object) -> object:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.9g}"
        return value

    names = [str(column) for column in table.columns]
    write_csv(path, names, (dict(zip(names, map(cell, row), strict=True)) for row in table.itertuples(index=False)))
