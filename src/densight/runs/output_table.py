"""The outputs that users request by name, as keywords of `densight.run` and options of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from densight.runs.dicom import Dicom
from densight.runs.outputs import OutputOption
from densight.runs.redcap import Redcap
from densight.vocabulary import DensightError

__all__ = ["OutputFlags", "choose_outputs"]


class OutputFlags(TypedDict, total=False):
    """Keywords of `densight.run` and options of the command line that request outputs."""

    dicom: bool
    identified: bool
    redcap: bool


def choose_outputs(*, dicom: bool = False, identified: bool = False, redcap: bool = False) -> tuple[OutputOption, ...]:
    """The outputs that are requested by name.

    Parameters
    ----------
    dicom : bool
        DICOM objects in the studies of the exams, and FHIR beside them.
    identified : bool
        With the patients' names and ids in the DICOM objects.
    redcap : bool
        The exams in REDCap's import form, with the data dictionary.

    Raises
    ------
    DensightError
        If ``identified`` is given without ``dicom``.
    """
    if identified and not dicom:
        raise DensightError("--identified goes with --dicom alone", remedy="give both, or neither")
    requested: Sequence[tuple[bool, OutputOption]] = ((dicom, Dicom(identified=identified)), (redcap, Redcap()))
    return tuple(option for is_requested, option in requested if is_requested)
