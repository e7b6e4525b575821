"""Drawing the hung exams of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from densight.assessment.record import read_fusion
from densight.explanation.explanation import Explanation
from densight.explanation.panels import read_raw
from densight.explanation.picture_names import EXAM_PICTURES, exam_picture_name
from densight.explanation.save import save_exam
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.vocabulary import Projection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["hang_again"]


def hang_again(run: Path, base: Path, table: pd.DataFrame, warning: str) -> None:
    """Draw the pictures of hung exams in a run folder again, with a warning or without one.

    Parameters
    ----------
    run : Path
        The run folder with the maps.
    base : Path
        The folder to which the paths in the table are relative.
    table : DataFrame
        ``assessments.csv``.
    warning : str
        Empty where there is nothing to warn of, so that an earlier warning disappears.
    """
    fusion = read_fusion(run)
    for (patient, exam), rows in table[table["maps"] != ""].groupby(["patient_id", "exam_id"], sort=False):
        if not (run / EXAM_PICTURES / exam_picture_name(str(patient), str(exam))).is_file():
            continue
        views: dict[Projection, list[tuple[Mammogram, Explanation]]] = {}
        for row in rows.to_dict("records"):
            projection = Projection.of(row["view"], row["laterality"])
            mammogram = read_mammogram(base / str(row["path"]), projection)
            views.setdefault(projection, []).append((mammogram, read_raw(run / f"{row['maps']}_raw.json")))
        save_exam(run, str(patient), str(exam), views, fusion, warning)
