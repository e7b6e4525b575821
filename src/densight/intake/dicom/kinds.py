"""What kind of object a DICOM file is, and whether it is one that is assessed.

Sources: DICOM PS3.4, annex B.5 (storage SOP classes); PS3.3, sections C.8.11.3.1.1 (Image Type of X-ray images),
C.8.11.7 (Mammography Image Module) and C.8.21 (Breast Tomosynthesis).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from densight.intake.dicom.header import integer, number, text, words
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "FOR_PRESENTATION",
    "FOR_PROCESSING",
    "is_for_processing",
    "is_partial",
    "is_synthetic",
    "kind_name",
    "why_not_assessed",
]

FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
"""SOP class of mammograms as they are read, PS3.4 table B.5-1."""

FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
"""SOP class of mammograms as the detector gave them, same table."""

_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
_PROJECTIONS = ("1.2.840.10008.5.1.4.1.1.13.1.4", "1.2.840.10008.5.1.4.1.1.13.1.5")
_CAPTURES = (
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1.1",
)
"""Secondary captures, computed radiography and general digital x-ray images, which may be mammograms."""

_SYNTHETIC = ("TOMO_2D", "GENERATED_2D", "C-VIEW", "S-VIEW", "V-PREVIEW")
"""Values of Image Type that makers give a two-dimensional image computed from tomosynthesis."""

CONTACT = 1.3
"""Geometric magnification above which an image is no contact view: those are magnified by 1.0 to 1.1, magnification
views by 1.5 to 2."""


def why_not_assessed(dataset: Dataset) -> str:
    """Why an object is none that is assessed, in words, its view apart; empty where it is one.

    Raises
    ------
    DensightError
        If it has no SOPClassUID, or an attribute that tells is damaged.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> dataset = Dataset()
    >>> dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    >>> why_not_assessed(dataset)
    'Ultrasound Image, no mammogram'
    """
    kind = text(dataset, "SOPClassUID")
    if not kind:
        raise DensightError("the DICOM file does not state its kind, it may be truncated", remedy="export it again")
    frames = integer(dataset, "NumberOfFrames") or 1
    if kind == _TOMOSYNTHESIS and frames > 1:
        return f"a tomosynthesis volume of {frames} slices"
    if kind in _PROJECTIONS or {"TOMO_PROJ", "PROJECTION"} & _image_type(dataset):
        return "projections of a tomosynthesis"
    if kind in _CAPTURES:
        reason = _why_no_mammogram(dataset)
        if reason:
            return reason
    elif kind not in (FOR_PRESENTATION, FOR_PROCESSING, _TOMOSYNTHESIS):
        return f"{kind_name(kind)}, no mammogram"
    if frames > 1:
        return f"it holds {frames} frames"
    if not integer(dataset, "Rows"):
        raise DensightError("the DICOM file has no image, it is truncated perhaps", remedy="export it again")
    return _why_no_screening_view(dataset)


def is_for_processing(dataset: Dataset) -> bool:
    """Whether an image is the detector's, not yet processed for display."""
    intent = text(dataset, "PresentationIntentType").upper()
    return text(dataset, "SOPClassUID") == FOR_PROCESSING or intent == "FOR PROCESSING"


def is_synthetic(dataset: Dataset) -> bool:
    """Whether an image was computed from tomosynthesis."""
    named = text(dataset, "SeriesDescription").upper()
    return (
        text(dataset, "SOPClassUID") == _TOMOSYNTHESIS
        or bool(_image_type(dataset) & set(_SYNTHETIC))
        or any(name in named for name in ("C-VIEW", "S-VIEW", "V-PREVIEW", "INSIGHT 2D"))
    )


def is_partial(dataset: Dataset) -> bool:
    """Whether the file says that it shows a part of the view, the breast being larger than the detector."""
    return text(dataset, "PartialView").upper() == "YES"


def _image_type(dataset: Dataset) -> set[str]:
    return {word.upper() for word in words(dataset, "ImageType")}


def _why_no_mammogram(dataset: Dataset) -> str:
    """Of a capture or plain x-ray image; the view, which a scanned report has not, is looked at elsewhere."""
    modality = text(dataset, "Modality").upper()
    if modality not in ("MG", "CR", "DX", "OT", "SC", ""):
        return f"an image of the modality {modality}, no mammogram"
    part = text(dataset, "BodyPartExamined").upper()
    if modality != "MG" and part not in ("BREAST", ""):
        return f"an image of another part of the body ({part})"
    return ""


def _why_no_screening_view(dataset: Dataset) -> str:
    if text(dataset, "QualityControlImage").upper() == "YES":
        return "an image for quality control"
    if text(dataset, "BreastImplantPresent").upper() == "YES":
        return "the breast has an implant, which no model here has learnt"
    magnification = number(dataset, "EstimatedRadiographicMagnificationFactor") or 1.0
    if magnification > CONTACT:
        return f"the view is magnified {magnification:g} times"
    return ""


def kind_name(kind: str) -> str:
    """The kind of an object of a SOP class in the words of the standard."""
    from pydicom.uid import UID

    name = UID(kind).name
    return "an object of an unknown kind" if name == kind else name.replace(" Storage", "")
