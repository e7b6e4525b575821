"""Phantom images as DICOM files, as a mammography unit, or a film's scanner, would send them.

Source: DICOM PS3.3, annex A.26 (Digital Mammography X-Ray Image IOD) and A.8.1 (Secondary Capture Image IOD).
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.dicom.kinds import FOR_PRESENTATION, FOR_PROCESSING
from densight.intake.dicom.uids import stable_uid
from densight.intake.dicom.views import VIEWS
from densight.intake.mammogram import Mammogram
from densight.phantom.truth import PhantomExam
from densight.phantom.units import UNITS, choose_exposure
from densight.storage import replacing
from densight.vocabulary import DensightError, Laterality, View

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

__all__ = ["write_dicom"]

_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_CLASS = {"display": FOR_PRESENTATION, "raw": FOR_PROCESSING, "film": _CAPTURE}
BITS = {"display": 12, "raw": 14, "film": 8}
"""Bits of a pixel, by style."""

_FIRST_DAY = date(2024, 1, 1)
_MATERIALS = {"W": "TUNGSTEN", "Mo": "MOLYBDENUM", "Rh": "RHODIUM", "Ag": "SILVER"}


def write_dicom(path: Path, mammogram: Mammogram, exam: PhantomExam, name: str, number: int) -> None:
    """Write an image of a phantom exam as a DICOM file, uncompressed.

    Parameters
    ----------
    path : Path
    mammogram : Mammogram
        One of the exam's.
    exam : PhantomExam
    name : str
        The patient's id.
    number : int
        The exam's in its set, from 1; it tells the day on which the exam took place.

    Raises
    ------
    DensightError
        If pydicom is not installed or the file cannot be written.
    """
    try:
        dataset = _dataset(mammogram, exam, name, number)
    except ImportError:
        remedy = "pip install 'densight[dicom]'"
        raise DensightError("what writes DICOM files is not installed", path, remedy) from None
    with replacing(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _dataset(mammogram: Mammogram, exam: PhantomExam, name: str, number: int) -> FileDataset:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    kind = _CLASS[exam.settings.style]
    identity = (exam.patient.seed, exam.settings, mammogram.projection)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = UID(kind), ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = UID(stable_uid("phantom image", *identity))
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    _add_patient_and_study(dataset, exam, name, number)
    _add_image(dataset, mammogram, exam)
    _add_view(dataset, mammogram)
    if kind == _CAPTURE:
        dataset.ConversionType = "DF"
        dataset.NominalScannedPixelSpacing = [exam.settings.pitch] * 2
    else:
        _add_acquisition(dataset, mammogram, exam)
    return dataset


def _add_patient_and_study(dataset: Dataset, exam: PhantomExam, name: str, number: int) -> None:
    day = (_FIRST_DAY + timedelta(days=number - 1)).strftime("%Y%m%d")
    dataset.PatientName, dataset.PatientID = f"PHANTOM^{name}", name
    dataset.PatientBirthDate, dataset.PatientSex = "", "F"
    dataset.StudyInstanceUID = stable_uid("phantom study", exam.patient.seed, exam.settings)
    dataset.SeriesInstanceUID = stable_uid("phantom series", exam.patient.seed, exam.settings)
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = str(number), "", ""
    dataset.SeriesNumber, dataset.Modality = 1, "MG"
    for what in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{what}Date", day)
        setattr(dataset, f"{what}Time", "120000")
    dataset.Manufacturer, dataset.ManufacturerModelName = "densight", f"phantom, {exam.patient.vendor}"
    dataset.SoftwareVersions, dataset.DeviceSerialNumber = version("densight"), "0"


def _add_image(dataset: Dataset, mammogram: Mammogram, exam: PhantomExam) -> None:
    bits = BITS[exam.settings.style]
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = exam.settings.photometric
    dataset.Rows, dataset.Columns = mammogram.shape
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.BitsAllocated = 8 if bits == 8 else 16
    dataset.PixelData = mammogram.pixels.astype("u1" if bits == 8 else "<u2").tobytes()
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "INVERSE" if exam.settings.photometric == "MONOCHROME1" else "IDENTITY"
    if exam.settings.style != "raw":
        dataset.WindowCenter, dataset.WindowWidth = 1 << (bits - 1), 1 << bits


def _add_view(dataset: Dataset, mammogram: Mammogram) -> None:
    projection = mammogram.projection
    assert projection is not None
    view = next(one for one in VIEWS if one.view == projection.view)
    dataset.ViewCodeSequence = [_code(view.sct, view.meaning)]
    dataset.ImageLaterality = projection.laterality.value
    right = projection.laterality == Laterality.R
    across, down = ("P", "L") if right else ("A", "R")
    if projection.view == View.MLO:
        down = "FL" if right else "FR"
    dataset.PatientOrientation = [across, down]
    dataset.AnatomicRegionSequence = [_code("76752008", "Breast")]
    dataset.BodyPartExamined = "BREAST"
    dataset.InstanceNumber = list(type(projection)).index(projection) + 1


def _add_acquisition(dataset: Dataset, mammogram: Mammogram, exam: PhantomExam) -> None:
    projection = mammogram.projection
    assert projection is not None
    raw, thickness = exam.settings.style == "raw", exam.truth.images[projection].thickness
    exposure = choose_exposure(UNITS[exam.patient.vendor], thickness)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""] if raw else ["DERIVED", "PRIMARY", ""]
    dataset.PresentationIntentType = "FOR PROCESSING" if raw else "FOR PRESENTATION"
    dataset.PixelIntensityRelationship = "LIN" if raw else "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if raw else -1
    if exam.settings.photometric == "MONOCHROME1":
        dataset.PixelIntensityRelationshipSign *= -1
    dataset.ImagerPixelSpacing = [exam.settings.pitch] * 2
    dataset.ViewPosition, dataset.ViewCodeSequence[0].ViewModifierCodeSequence = projection.view.value, []
    dataset.PositionerType, dataset.DetectorType = "MAMMOGRAPHIC", "DIRECT"
    dataset.BreastImplantPresent, dataset.PartialView, dataset.OrganExposed = "NO", "NO", "BREAST"
    dataset.KVP, dataset.BodyPartThickness = exposure.beam.kvp, round(thickness, 1)
    dataset.ExposureInuAs = round(1000 * exposure.mas)
    dataset.AnodeTargetMaterial = _MATERIALS[exposure.beam.target]
    dataset.FilterMaterial = _MATERIALS[exposure.beam.filter]
    dataset.AcquisitionContextSequence = []
    dataset.DerivationDescription = "phantom, computed"


def _code(value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
