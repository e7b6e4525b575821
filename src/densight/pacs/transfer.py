"""Pull exams from a PACS into a folder, and push a run's results into their studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from densight.assessment.record import read_record
from densight.intake.dicom.header import read_header, text
from densight.intake.pseudonyms import pseudonym
from densight.pacs.protocol import Pacs, Query, check_held
from densight.runs.dicom import DICOM_FOLDER, IDENTIFIED
from densight.storage import write_bytes
from densight.vocabulary import DensightError

__all__ = ["pull", "push", "results_of"]

Progress = Callable[[int, int], None]


def pull(pacs: Pacs, query: Query, folder: Path, progress: Progress = lambda done, total: None) -> tuple[int, int]:
    """Retrieve the images of the studies that match, those that are not there yet.

    Folders and files bear pseudonyms; the files are as the PACS keeps them, with patients' names.

    Parameters
    ----------
    pacs : Pacs
    query : Query
    folder : Path
        Gets one folder per exam.
    progress : callable
        Called with the number of studies done and of all.

    Returns
    -------
    studies, images : int
        How many match, and how many images came.

    Raises
    ------
    DensightError
        If the PACS cannot be reached, nothing matches, or the folder cannot be written.
    """
    studies = pacs.find_studies(query)
    if not studies:
        raise DensightError("the PACS has no study that matches", remedy="ask for other days, or another modality")
    images = 0
    for done, study in enumerate(studies):
        progress(done, len(studies))
        home = folder / f"E{pseudonym('exam', study)}"

        def place(sop: str, home: Path = home) -> Path:
            return home / f"{pseudonym('image', sop)}.dcm"

        def is_there(sop: str, place: Callable[[str], Path] = place) -> bool:
            return place(sop).is_file()

        def keep(sop: str, content: bytes, place: Callable[[str], Path] = place) -> None:
            write_bytes(place(sop), content)

        images += pacs.fetch(study, query.modality, is_there, keep)
    progress(len(studies), len(studies))
    return len(studies), images


def results_of(run: Path) -> list[Path]:
    """The DICOM objects of a run that can be stored in a PACS.

    Raises
    ------
    DensightError
        If the run has none, or they bear pseudonyms instead of the patients' names and ids.
    """
    files = sorted((run / DICOM_FOLDER).rglob("*.dcm"))
    if not files:
        raise DensightError("the run has no DICOM objects", run, "assess or explain with --dicom --identified")
    if read_record(run).dicom != IDENTIFIED:
        raise DensightError(
            "the run's DICOM objects bear pseudonyms, and a PACS would not find their patients",
            run,
            "assess or explain again with --dicom --identified, into another folder",
        )
    return files


def push(pacs: Pacs, files: list[Path], progress: Progress = lambda done, total: None) -> None:
    """Store DICOM objects and ask the PACS for them; those of an exam at once.

    Raises
    ------
    DensightError
        If the PACS cannot be reached, refuses, or does not find what it has taken.
    """
    exams: dict[str, list[Path]] = {}
    for path in files:
        exams.setdefault(text(read_header(path), "StudyInstanceUID"), []).append(path)
    for done, of_exam in enumerate(exams.values()):
        progress(done, len(exams))
        pacs.store(of_exam)
        check_held(pacs, of_exam)
    progress(len(exams), len(exams))
