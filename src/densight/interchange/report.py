"""The structured report of an exam: a model's assessment in DICOM's words.

Source: DICOM PS3.16, TID 1500 (Measurement Report), TID 1501 and TID 300; PS3.3, annex A.35.3 (Comprehensive SR).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from densight.assessment.assess import Assessment, BreastAssessment, ImageAssessment
from densight.intake.dicom.uids import stable_uid
from densight.interchange.codes import (
    BREAST,
    BREAST_COMPOSITION,
    COMPOSITIONS,
    ENGLISH,
    MAMMOGRAPHY,
    NO_UNITS,
    OWN_SCHEME,
    PERCENT,
    PERCENT_DENSITY_IMAGES,
    PERCENT_FIBROGLANDULAR,
    SIDES,
    Coded,
    probability_of,
)
from densight.interchange.source import EQUIPMENT, Source, series_facts
from densight.vocabulary import Laterality, Projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["make_report"]

SERIES_NUMBER = 9001


def make_report(assessment: Assessment, sources: Mapping[Projection, Source], models: Sequence[str]) -> Dataset:
    """Make the structured report of an exam, its breasts and its images.

    Each has the composition, the probability of each class and, where it could be measured, the percent fibroglandular
    tissue (by area; of the exam and of a breast with the number of images that it is of), with the algorithm's name,
    version and models. It is complete, preliminary and not verified.

    Parameters
    ----------
    assessment : Assessment
        With the classes A B C D.
    sources : mapping of Projection to Source
        The images that it is based on.
    models : sequence of str
        The models' names and checksums.

    Returns
    -------
    pydicom.Dataset
        A Comprehensive SR.
    """
    from highdicom.sr import (
        ComprehensiveSR,
        DeviceObserverIdentifyingAttributes,
        LanguageOfContentItemAndDescendants,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=stable_uid("device", *EQUIPMENT.values()),
        name="densight",
        manufacturer_name=EQUIPMENT["manufacturer"],
        model_name=EQUIPMENT["manufacturer_model_name"],
    )
    images = [source.dataset for source in sources.values()]
    report = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(codes.DCM.Device, observer_identifying_attributes=device)
        ),
        procedure_reported=_concept(MAMMOGRAPHY),
        title=codes.DCM.ImagingMeasurementReport,
        imaging_measurements=list(_groups(assessment, sources, models)),
        referenced_images=images,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(_concept(ENGLISH)),
    )
    written = ComprehensiveSR(
        evidence=images,
        content=report[0],
        manufacturer=EQUIPMENT["manufacturer"],
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="densight: breast density, research only",
        **series_facts("report", SERIES_NUMBER, list(sources.values()), *models),
    )
    written.CodingSchemeIdentificationSequence = [_own_scheme()]
    return written


def _own_scheme() -> Dataset:
    """The identification of densight's own coding scheme."""
    from pydicom.dataset import Dataset

    scheme = Dataset()
    scheme.CodingSchemeDesignator = OWN_SCHEME
    scheme.CodingSchemeName = "Codes of densight"
    scheme.CodingSchemeResponsibleOrganization = "densight"
    return scheme


def _groups(assessment: Assessment, sources: Mapping[Projection, Source], models: Sequence[str]) -> Iterator[Any]:
    yield _group("exam", assessment, list(sources.values()), None, models)
    for side, breast in assessment.breasts.items():
        of_side = [source for projection, source in sources.items() if projection.laterality == side]
        yield _group(f"breast {side}", breast, of_side, side, models)
    for projection, image in assessment.images.items():
        yield _group(f"image {projection}", image, [sources[projection]], projection.laterality, models)


def _group(
    name: str,
    assessment: Assessment | BreastAssessment | ImageAssessment,
    sources: Sequence[Source],
    side: Laterality | None,
    models: Sequence[str],
) -> Any:
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    images = [
        SourceImageForMeasurementGroup(source.dataset.SOPClassUID, source.dataset.SOPInstanceUID) for source in sources
    ]
    measured = [
        Measurement(_concept(probability_of(label)), _rounded(value), _concept(NO_UNITS))
        for label, value in zip(assessment.classes, assessment.probabilities, strict=True)
    ]
    if assessment.percent_density is not None:
        percent = _rounded(assessment.percent_density)
        concept, unit = _concept(PERCENT_FIBROGLANDULAR), _concept(PERCENT)
        measured.append(Measurement(concept, percent, unit))
    if not isinstance(assessment, ImageAssessment):
        images_measured = assessment.percent.images
        measured.append(Measurement(_concept(PERCENT_DENSITY_IMAGES), images_measured, _concept(NO_UNITS)))
    site = FindingSite(_concept(BREAST), None if side is None else _concept(SIDES[side]))
    identity = (name, *models, *(source.uid for source in sources))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(stable_uid("tracking", *identity), name),
        algorithm_id=AlgorithmIdentification(
            "densight", EQUIPMENT["software_versions"], [f"model {model}" for model in models]
        ),
        finding_type=_concept(BREAST_COMPOSITION),
        finding_sites=[site],
        source_images=images,
        measurements=measured,
        qualitative_evaluations=[
            QualitativeEvaluation(_concept(BREAST_COMPOSITION), _concept(COMPOSITIONS[assessment.density]))
        ],
    )


def _concept(coded: Coded) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(coded.value, coded.scheme, coded.meaning)


def _rounded(value: float) -> float:
    """Round to four decimals: a decimal string holds 16 characters, and more digits would have no meaning."""
    return round(float(np.float64(value)), 4)
