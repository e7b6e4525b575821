"""The attributes that densight's DICOM objects copy from their source images, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.intake.dicom.header import numbers, read_header
from densight.intake.dicom.identity import read_identity
from densight.intake.dicom.orientation import Orientation, read_orientation
from densight.intake.dicom.uids import stable_uid
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["EQUIPMENT", "Source", "placed", "read_source", "series_facts"]

EQUIPMENT: dict[str, Any] = {
    "manufacturer": "densight",
    "manufacturer_model_name": "densight",
    "software_versions": version("densight"),
    "device_serial_number": "0",
}
"""The equipment that wrote an object: densight."""

_REFERENCES = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_IMAGE = (
    "Modality",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImageLaterality",
    "PatientOrientation",
    "ImagerPixelSpacing",
    "PixelSpacing",
)
_PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")


@dataclass(frozen=True, eq=False)
class Source:
    """The source image of an object.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The attributes that are copied.
    orientation : Orientation
        The rotation and mirroring between the file's pixels and the mammogram's.
    projection : Projection
        The image's projection.
    """

    dataset: Dataset
    orientation: Orientation
    projection: Projection

    @property
    def uid(self) -> str:
        """The SOP instance UID of the image."""
        return str(self.dataset.SOPInstanceUID)

    @property
    def number(self) -> int:
        """The number of its projection among the four, from 1."""
        return list(Projection).index(self.projection) + 1

    @property
    def study(self) -> str:
        """The study instance UID of the image."""
        return str(self.dataset.StudyInstanceUID)


def read_source(path: Path, projection: Projection, *, identified: bool) -> Source:
    """Read the attributes to copy from an image.

    Parameters
    ----------
    path : Path
    projection : Projection
        The image's projection.
    identified : bool
        Whether to copy the patient's name, id and date of birth, and the study's dates and numbers. If not, a
        pseudonym replaces name and id, and the others are empty. The study's UID, by which a PACS finds the exam, is
        copied in both cases.

    Raises
    ------
    DensightError
        If the file is not DICOM or has no UIDs.
    """
    from pydicom.dataset import Dataset

    header = read_header(path)
    dataset = Dataset()
    for keyword in (*_REFERENCES, *_IMAGE, *(_PATIENT + _STUDY if identified else ("PatientSex",))):
        if keyword in header:
            dataset[keyword] = header[keyword]
    if identified and "SpecificCharacterSet" in header:
        dataset.SpecificCharacterSet = header.SpecificCharacterSet
    lacking = [keyword for keyword in _REFERENCES if not dataset.get(keyword)]
    if lacking:
        raise DensightError(f"the DICOM file has no {', '.join(lacking)}", path, "export it from the PACS again")
    if not identified:
        dataset.PatientID = read_identity(header, path).patient_id
        dataset.PatientName = f"{dataset.PatientID}^"
    for keyword in (*_PATIENT, *_STUDY):
        if keyword not in dataset and keyword != "IssuerOfPatientID":
            setattr(dataset, keyword, None if keyword.endswith(("Date", "Time")) else "")
    return Source(dataset, read_orientation(header, projection), projection)


def placed(source: Source) -> Dataset:
    """Add a frame of reference to a source, for objects that need one.

    A projection lies in no plane of the patient, so the frame is that of the image itself: x runs along its rows and y
    along its columns, in mm at the detector, from the centre of its first pixel. One pixel counts as 1 mm where the
    file has no pixel spacing.
    """
    from pydicom.dataset import Dataset

    dataset = Dataset()
    dataset.update(source.dataset)
    spacing = numbers(dataset, "ImagerPixelSpacing") or numbers(dataset, "PixelSpacing")
    dataset.FrameOfReferenceUID = stable_uid("frame", source.uid)
    dataset.PixelSpacing = list(spacing) if len(spacing) == 2 else [1.0, 1.0]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.SliceThickness = 1.0
    return dataset


def series_facts(
    kind: str, number: int, sources: Sequence[Source], *words: object, instance: int = 1
) -> dict[str, Any]:
    """The UIDs and numbers of an object: the same for the same content and images.

    Parameters
    ----------
    kind : str
        For instance ``report``; one series per kind.
    number : int
        The series' number.
    sources : sequence of Source
    words : object
        What else determines the content: models, methods.
    instance : int
        The object's number in its series.
    """
    identity = (kind, version("densight"), sources[0].study)
    return {
        "series_instance_uid": stable_uid("series", *identity),
        "series_number": number,
        "sop_instance_uid": stable_uid("instance", *identity, *words, *(source.uid for source in sources)),
        "instance_number": instance,
    }
