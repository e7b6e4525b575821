"""Predictions from elsewhere: the tutorial's prediction files with their labels, and tables of classified exams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.fusion import predicted_class, probability_columns
from densight.assessment.tables import check_probabilities, check_words, read_table, with_probabilities
from densight.storage import replacing
from densight.vocabulary import BIRADS, DensightError, check_classes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["identify", "read_classified", "read_labels", "read_predictions", "write_predictions"]


def read_predictions(path: str | Path, classes: Sequence[str] = BIRADS) -> npt.NDArray[np.float64]:
    """Read the tutorial's ``predictions_<projection>.txt``: one row per exam, a column a class, no header.

    Parameters
    ----------
    path : path-like
    classes : sequence of str
        The labels in the columns' order.

    Returns
    -------
    ndarray of float64, shape (n, k)

    Raises
    ------
    DensightError
        If the file is missing, empty, not all numbers, has another number of columns than classes, or a row is no
        probability.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "predictions_ccr.txt"
    ...     write_predictions(path, [[0.1, 0.2, 0.3, 0.4]])
    ...     read_predictions(path)
    array([[0.1, 0.2, 0.3, 0.4]])
    """
    remedy = "give a text file with one row per exam and a column a class, separated by spaces, without a header"
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise DensightError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path, remedy) from error
    rows: list[list[float]] = []
    for number, cells in enumerate(filter(None, map(str.split, lines)), start=1):
        if len(cells) != len(classes):
            raise DensightError(
                f"row {number} has {len(cells)} columns but there are {len(classes)} classes ({', '.join(classes)})",
                path,
                f"{remedy}, and name the classes in the columns' order",
            )
        try:
            rows.append([float(cell) for cell in cells])
        except ValueError as error:
            raise DensightError(f"row {number}: {error}", path, remedy) from error
    if not rows:
        raise DensightError("the file has no row", path, remedy)
    probabilities = np.array(rows)
    check_probabilities(probabilities, path)
    return probabilities


def write_predictions(path: str | Path, probabilities: npt.ArrayLike) -> None:
    """Write a file such as the tutorial's, byte for byte as ``numpy.savetxt`` does.

    Parameters
    ----------
    path : path-like
    probabilities : array-like of float, shape (n, k)

    Raises
    ------
    DensightError
        If a row is no probability or the file cannot be written.
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    check_probabilities(rows, path)
    with replacing(path) as temporary:
        np.savetxt(temporary, rows)


def read_labels(path: str | Path, classes: Sequence[str] = BIRADS) -> pd.DataFrame:
    r"""Read the reference densities of the exams of prediction files, in the files' order.

    Parameters
    ----------
    path : path-like
        A CSV with the column ``density``. Where it has no ``exam_id``, the rows are numbered.
    classes : sequence of str
        The labels.

    Returns
    -------
    DataFrame of str
        ``patient_id`` (empty where unknown), ``exam_id``, ``density``, and any further columns.

    Raises
    ------
    DensightError
        If the file is no such table, a label is unknown, or an exam is nameless or repeated; the message names the row.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.csv"
    ...     _ = path.write_text("density\nA\nB\n")
    ...     read_labels(path)["exam_id"].tolist()
    ['1', '2']
    """
    path = Path(path)
    table = read_table(path, ["density"], "write a comma-separated table with the column density, one row per exam")
    unknown = ~table["density"].isin(list(classes)).to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        raise DensightError(
            f"row {row + 1}: the density {table['density'].iloc[row]!r} is not one of {', '.join(classes)}",
            path,
            "correct the label, or name the classes in order",
        )
    return identify(table, path)


def read_classified(path: str | Path, classes: Sequence[str] | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    r"""Read a table of classified exams, one row each, whatever classified them.

    Parameters
    ----------
    path : path-like
        A CSV with ``density`` (empty where unknown) and ``p_<class>`` for every class, or ``predicted``, or both;
        ``patient_id``, ``exam_id`` and further columns are kept.
    classes : sequence of str, optional
        The labels in order. By default those of the columns ``p_<class>``, or A B C D.

    Returns
    -------
    exams : DataFrame
        ``p_<class>`` as float64, all else as str. Without ``predicted``, the class of the greatest probability.
    classes : tuple of str

    Raises
    ------
    DensightError
        If the file is no such table, or a row is faulty; the message names the row.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "exams.csv"
    ...     _ = path.write_text("exam_id,density,p_A,p_B\n1,A,0.25,0.75\n")
    ...     exams, found = read_classified(path)
    >>> found, exams.loc[0, "predicted"]
    (('A', 'B'), 'B')
    """
    path = Path(path)
    table = read_table(path, ["density"], "write a CSV with the columns density and p_A, p_B, p_C, p_D or predicted")
    if any(str(column).startswith("p_") for column in table):
        table, found = with_probabilities(path, table, classes)
        if "predicted" not in table:
            table["predicted"] = predicted_class(table[probability_columns(found)].to_numpy(), found)
    elif "predicted" in table:
        found = check_classes(classes or BIRADS)
    else:
        raise DensightError(
            f"no column predicted and none such as p_A; its columns are: {', '.join(map(str, table))}",
            path,
            "give the exams' predicted classes, or their probabilities",
        )
    check_words(table, {"density": ("", *found), "predicted": found}, path)
    return identify(table, path), found


def identify(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with patient and exam of each row.

    Parameters
    ----------
    table : DataFrame of str
        Without ``patient_id`` it is empty, without ``exam_id`` the rows are numbered.
    path : Path
        For the message.

    Raises
    ------
    DensightError
        If an exam is nameless or repeated; the message names the row.
    """
    if "patient_id" not in table:
        table["patient_id"] = ""
    if "exam_id" not in table:
        table["exam_id"] = [str(number + 1) for number in range(len(table))]
    repeated = table.duplicated(["patient_id", "exam_id"])
    for fault, bad in (("has no exam_id", table["exam_id"].eq("")), ("repeats an exam", repeated)):
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DensightError(f"row {row + 1} {fault}", path, "give each row an exam_id of its own")
    return table
