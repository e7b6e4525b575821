"""The report as FHIR resources: a DiagnosticReport and its Observations, in JSON.

Source: HL7 FHIR R5 (5.0.0), resources Bundle, DiagnosticReport and Observation.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from densight.assessment.assess import Assessment, BreastAssessment
from densight.intake.dicom.uids import stable_uid
from densight.interchange.codes import (
    BREAST,
    BREAST_COMPOSITION,
    COMPOSITIONS,
    MAMMOGRAPHY,
    OWN_SCHEME,
    PERCENT_DENSITY_IMAGES,
    PERCENT_FIBROGLANDULAR,
    SIDES,
    Coded,
    probability_of,
)
from densight.interchange.source import EQUIPMENT, Source
from densight.vocabulary import Laterality

__all__ = ["make_fhir"]

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    OWN_SCHEME: "urn:densight:codes",
}
_UNITS = "http://unitsofmeasure.org"


def make_fhir(assessment: Assessment, sources: Sequence[Source], models: Sequence[str]) -> dict[str, Any]:
    """Make a Bundle of a DiagnosticReport, preliminary, and an Observation of the exam and of each breast.

    The same assessment gives the same Bundle: it bears no time of its own.

    Parameters
    ----------
    assessment : Assessment
        With the classes A B C D.
    sources : sequence of Source
        The images that it is based on.
    models : sequence of str
        The models' names and checksums.

    Returns
    -------
    dict
        A Bundle, ready for JSON.
    """
    first = sources[0].dataset
    common = {
        "status": "preliminary",
        "subject": {"type": "Patient", "identifier": {"value": str(first.PatientID)}},
        "effectiveDateTime": _day(str(first.get("StudyDate") or "")),
    }
    common = {name: value for name, value in common.items() if value}
    units: list[tuple[str, Assessment | BreastAssessment, Laterality | None]] = [("exam", assessment, None)]
    units += [(f"breast {side}", breast, side) for side, breast in assessment.breasts.items()]
    observations = [
        _observation(unit, side, models) | common | {"id": _id(name, sources, models)} for name, unit, side in units
    ]
    study = f"urn:oid:{sources[0].study}"
    report = {
        "resourceType": "DiagnosticReport",
        "id": _id("report", sources, models),
        **common,
        "code": _concept(MAMMOGRAPHY),
        "study": [{"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": study}}],
        "result": [{"reference": f"urn:uuid:{observation['id']}"} for observation in observations],
        "conclusion": f"Breast composition {assessment.density}: {COMPOSITIONS[assessment.density].meaning}. "
        f"By {_device(models)}; research only, not a medical device.",
        "conclusionCode": [_concept(COMPOSITIONS[assessment.density])],
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in (report, *observations)],
    }


def _observation(
    assessment: Assessment | BreastAssessment, side: Laterality | None, models: Sequence[str]
) -> dict[str, Any]:
    parts = [
        {"code": _concept(probability_of(label)), "valueQuantity": {"value": round(float(value), 4), "code": "1"}}
        for label, value in zip(assessment.classes, assessment.probabilities, strict=True)
    ]
    if assessment.percent_density is not None:
        percent = {"value": round(assessment.percent_density, 4), "unit": "%", "code": "%"}
        parts.append({"code": _concept(PERCENT_FIBROGLANDULAR), "valueQuantity": percent})
    number = {"value": assessment.percent.images, "code": "1"}
    parts.append({"code": _concept(PERCENT_DENSITY_IMAGES), "valueQuantity": number})
    for part in parts:
        part["valueQuantity"]["system"] = _UNITS
    where = [_coding(BREAST), *([] if side is None else [_coding(SIDES[side])])]
    return {
        "resourceType": "Observation",
        "code": _concept(BREAST_COMPOSITION),
        "bodySite": {"coding": where, "text": " ".join(coding["display"] for coding in reversed(where))},
        "valueCodeableConcept": _concept(COMPOSITIONS[assessment.density]),
        "device": {"display": _device(models)},
        "component": parts,
        **({"note": [{"text": assessment.percent.summary}]} if assessment.percent.missing else {}),
    }


def _device(models: Sequence[str]) -> str:
    return f"densight {EQUIPMENT['software_versions']}, {'models' if len(models) > 1 else 'model'} {', '.join(models)}"


def _concept(coded: Coded) -> dict[str, Any]:
    return {"coding": [_coding(coded)], "text": coded.meaning}


def _coding(coded: Coded) -> dict[str, str]:
    return {"system": _SYSTEMS[coded.scheme], "code": coded.value, "display": coded.meaning}


def _id(name: str, sources: Sequence[Source], models: Sequence[str]) -> str:
    """A UUID from the stable UID of the content: the same content has the same id."""
    uid = stable_uid("fhir", name, *models, *(source.uid for source in sources))
    return str(uuid.UUID(int=int(uid.removeprefix("2.25."))))


def _day(date: str) -> str:
    """A DICOM date in the form of FHIR; empty where it is missing."""
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 and date.isdigit() else ""
