"""REDCap as an output of a run: its exams in REDCap's import form, and the data dictionary that describes them.

References
----------
Vanderbilt University, "Creating a Data Dictionary in REDCap" (2015): the eighteen columns, names of lower-case letters,
digits and underscores, choices as ``code, label | code, label``; Harris et al., "Research electronic data capture
(REDCap)", J Biomed Inform 42 (2009) 377, doi 10.1016/j.jbi.2008.08.010.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from densight.assessment.fusion import probability_columns
from densight.explanation.picture_names import exam_picture_name
from densight.intake.failures import Failure
from densight.runs.outputs import AssessedExam, RunContext
from densight.runs.result import RunResult
from densight.storage import delete, write_csv

__all__ = ["DATA_DICTIONARY", "IMPORT", "Redcap", "RedcapOutput"]

IMPORT, DATA_DICTIONARY = "redcap_import.csv", "redcap_data_dictionary.csv"
"""File names in a run folder."""

FORM = "breast_density"
"""The instrument's name."""

COMPLETE = 2
"""REDCap's status of a form that is filled in."""

_COLUMNS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)


@dataclass(frozen=True)
class Field:
    """A field of the instrument.

    Parameters
    ----------
    name : str
    label : str
    choices : sequence of str
        The classes, coded from 1; none for a field of text.
    validation : str
        ``number`` or ``integer``; empty for free text.
    low, high : str
        The least and the greatest value.
    note : str
    is_identifier : bool
        Whether it may identify a patient, so that REDCap can leave it out of exports.
    """

    name: str
    label: str
    choices: Sequence[str] = ()
    validation: str = ""
    low: str = ""
    high: str = ""
    note: str = ""
    is_identifier: bool = False

    @property
    def row(self) -> dict[str, str]:
        """Its row of the data dictionary."""
        return dict.fromkeys(_COLUMNS, "") | {
            "Variable / Field Name": self.name,
            "Form Name": FORM,
            "Field Type": "radio" if self.choices else "text",
            "Field Label": self.label,
            "Choices, Calculations, OR Slider Labels": " | ".join(
                f"{code}, {label}" for code, label in enumerate(self.choices, start=1)
            ),
            "Field Note": self.note,
            "Text Validation Type OR Show Slider Number": self.validation,
            "Text Validation Min": self.low,
            "Text Validation Max": self.high,
            "Identifier?": "y" if self.is_identifier else "",
        }


@dataclass(frozen=True)
class Redcap:
    """A request for the exams in REDCap's import form."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The options of the command line that request it."""
        return ("--redcap",)

    def open(self, context: RunContext) -> RedcapOutput:
        """The output; nothing can be wrong with the request."""
        return RedcapOutput(context)


@dataclass(frozen=True, eq=False)
class RedcapOutput:
    """The exams of a run for REDCap: ``redcap_import.csv`` and ``redcap_data_dictionary.csv``.

    One record per exam, whose id is the patient's and the exam's. Classes are coded from 1 in their order. Import the
    data dictionary into an empty project first, then the records.

    Parameters
    ----------
    context : RunContext
    """

    context: RunContext

    @property
    def key(self) -> str:
        """Nothing: it is made of the tables."""
        return ""

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        """Do nothing: records are written once all exams are assessed."""
        return []

    def finish(self, result: RunResult) -> None:
        """Write both files; where no image could be assessed, none stays."""
        folder, classes = self.context.folder, self.context.models.classes
        if result.exams is None:
            delete(folder / IMPORT)
            delete(folder / DATA_DICTIONARY)
            return
        fields = _fields(classes)
        write_csv(folder / DATA_DICTIONARY, _COLUMNS, (field.row for field in fields))
        columns = [*(field.name for field in fields), f"{FORM}_complete"]
        models = " ".join(bundle.label for bundle in self.context.models.bundles)
        records = (_record(row, classes, models) for row in result.exams.to_dict("records"))
        write_csv(folder / IMPORT, columns, records)


def _fields(classes: Sequence[str]) -> list[Field]:
    return [
        Field("record_id", "Record", note="the patient's and the exam's id"),
        Field("patient_id", "Patient", is_identifier=True),
        Field("exam_id", "Exam", is_identifier=True),
        Field("density", "Breast density, by the model", classes),
        Field("density_reference", "Breast density, by the readers", classes),
        Field("density_set", "Density classes that the model cannot rule out"),
        *(
            Field(_name(column), f"Probability of class {label}", (), "number", "0", "1")
            for label, column in zip(classes, probability_columns(classes), strict=True)
        ),
        Field("percent_density", "Percent density", (), "number", "0", "100", "dense area / breast area, per cent"),
        Field("percent_density_images", "Images of the percent density", (), "integer", "0"),
        Field("percent_density_missing", "Images without percent density, and why"),
        Field("projections", "Projections"),
        Field("missing", "Missing projections"),
        Field("model", "Model", note="name and first digits of the checksum"),
        Field("densight", "Version of densight", note="research software, not a medical device"),
    ]


def _name(column: str) -> str:
    """A column's name as REDCap allows it.

    Examples
    --------
    >>> _name("p_A"), _name("p_F/G")
    ('p_a', 'p_f_g')
    """
    return re.sub(r"[^a-z0-9_]", "_", column.lower())


def _record(row: dict[Any, Any], classes: Sequence[str], models: str) -> dict[str, object]:
    code = {label: place for place, label in enumerate(classes, start=1)}
    return {
        "record_id": exam_picture_name(row["patient_id"], row["exam_id"]).removesuffix(".png"),
        "patient_id": row["patient_id"],
        "exam_id": row["exam_id"],
        "density": code[row["predicted"]],
        "density_reference": code.get(row["density"], ""),
        "density_set": row.get("set", ""),
        **{_name(column): f"{row[column]:.6f}" for column in probability_columns(classes)},
        **{name: row[name] for name in ("percent_density", "percent_density_images", "percent_density_missing")},
        "projections": row["projections"],
        "missing": row["missing"],
        "model": models,
        "densight": version("densight"),
        f"{FORM}_complete": COMPLETE,
    }
