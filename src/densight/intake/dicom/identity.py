"""Who the patient is and which exam it was: pseudonyms for both, and no trace of either in the paths of files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.dicom.header import read_header, text, words
from densight.intake.files import conceal, is_dicom
from densight.intake.pseudonyms import pseudonym

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "UID_COLUMNS",
    "Identity",
    "conceal_path",
    "exam_day",
    "identifying",
    "read_identity",
    "read_uids",
    "shown_name",
]

_NAMES = ("PatientName", "OtherPatientNames", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName")
_DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_IDS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "InstitutionName", "StationName")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_IS_UID = re.compile(r"\d+(\.\d+){4,}(\.[A-Za-z]+)?")

UID_COLUMNS = ("study_uid", "series_uid", "sop_uid")
"""The columns of a catalogue that hold UIDs, where they are asked for."""

SHORTEST = 4
"""Letters and digits that a name or id needs at least to be recognised within a longer word."""


@dataclass(frozen=True)
class Identity:
    """What stands for a patient and an exam.

    Parameters
    ----------
    patient_id, exam_id : str
        ``P`` or ``E`` and ten letters and digits; see `densight.intake.pseudonyms.pseudonym`.
    notes : tuple of str
        What was assumed.
    """

    patient_id: str
    exam_id: str
    notes: tuple[str, ...] = ()


def read_identity(dataset: Dataset, path: Path) -> Identity:
    """The pseudonyms of a file's PatientID, with its issuer, and of its StudyInstanceUID.

    A file without a study is of the exam of its folder; one without PatientID is of a patient of that exam alone.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> dataset = Dataset()
    >>> dataset.PatientID, dataset.StudyInstanceUID = "4711", "1.2.3"
    >>> identity = read_identity(dataset, Path("IM1"))
    >>> identity.patient_id[0], len(identity.patient_id), identity.exam_id[0]
    ('P', 11, 'E')
    """
    study, patient, notes = text(dataset, "StudyInstanceUID"), text(dataset, "PatientID"), []
    if not study:
        study = str(path.absolute().parent)
        notes.append("exam taken from the folder, because the file names no study")
    if patient:
        patient = f"{patient}\0{text(dataset, 'IssuerOfPatientID')}"
    else:
        patient = study
        notes.append("patient taken to have this exam only, because the file names none")
    return Identity(f"P{pseudonym('patient', patient)}", f"E{pseudonym('exam', study)}", tuple(notes))


def read_uids(path: Path) -> tuple[str, str, str]:
    """The UIDs of a DICOM file's study, series and instance; empty of any other file."""
    if not is_dicom(path):
        return "", "", ""
    dataset = read_header(path)
    study, series, instance = (text(dataset, keyword) for keyword in _UIDS)
    return study, series, instance


def exam_day(path: Path) -> date | None:
    """The day of a DICOM file's exam, for comparing it with earlier ones; None where it states none."""
    if not is_dicom(path):
        return None
    dataset = read_header(path)
    for keyword in ("StudyDate", "AcquisitionDate", "ContentDate"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text(dataset, keyword), "%Y%m%d").date()
    return None


def conceal_path(path: Path, root: Path, dataset: Dataset) -> Path:
    """The path without what tells who the patient is: parts below the root that hold names, ids, dates or UIDs.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> dataset = Dataset()
    >>> dataset.PatientName, dataset.StudyDate = "DOE^JANE", "20240131"
    >>> [part[0] for part in conceal_path(Path("in/Doe_Jane/2024-01-31/cc.dcm"), Path("in"), dataset).parts]
    ['i', '~', '~', 'c']
    """
    known = set(identifying(dataset))
    parts = path.relative_to(root).parts
    return root.joinpath(*(conceal(part) if _tells(part, known) else part for part in parts))


def shown_name(path: Path) -> str:
    """A file's name as it may be shown: concealed where it tells who the patient is."""
    if not is_dicom(path):
        return path.name
    return conceal_path(path, path.parent, read_header(path)).name


def identifying(dataset: Dataset) -> Iterator[str]:
    """Everything in a file that tells who the patient is, without spaces and in capitals."""
    for keyword in _NAMES:
        for value in words(dataset, keyword):
            yield from (_plain(word) for word in re.split(r"[\^=\s]", value) if len(word) > 2)
    for keyword in (*_IDS, *_DATES, *_UIDS):
        yield from (_plain(value) for value in words(dataset, keyword))


def _plain(word: str) -> str:
    """Letters and digits only, so that it does not matter how they are parted."""
    return "".join(letter for letter in word.upper() if letter.isalnum())


def _tells(part: str, known: set[str]) -> bool:
    if _IS_UID.fullmatch(part):
        return True
    whole, single = _plain(part), {_plain(word) for word in re.split(r"[\W_]+", part)}
    return any(word in single or (len(word) >= SHORTEST and word in whole) for word in known if word)
