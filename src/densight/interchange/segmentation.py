"""Breast, pectoral muscle and dense tissue as a DICOM Segmentation, in the pixels of the image.

Source: DICOM PS3.3, annex A.51 (Segmentation IOD).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from densight.anatomy.reading import Anatomy
from densight.geometry import set_back
from densight.interchange.codes import BREAST, DENSE_TISSUE, PECTORAL_MUSCLE, STRUCTURE, TISSUE
from densight.interchange.source import EQUIPMENT, Source, placed, series_facts

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["SEGMENTS", "make_segmentation"]

SERIES_NUMBER = 9004
SEGMENTS = (("breast", STRUCTURE, BREAST), ("pectoral", STRUCTURE, PECTORAL_MUSCLE), ("dense", TISSUE, DENSE_TISSUE))
"""Masks of `Anatomy` in the order of the segment numbers, from 1, with category and type."""


def make_segmentation(anatomy: Anatomy, source: Source, words: Sequence[str]) -> Dataset | None:
    """Make a Segmentation of a mammogram's anatomy; None where all masks are empty.

    Parameters
    ----------
    anatomy : Anatomy
        The anatomy of the source's mammogram.
    source : Source
    words : sequence of str
        What else determines the content.
    """
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    algorithm = AlgorithmIdentificationSequence(
        name="densight anatomy",
        version=EQUIPMENT["software_versions"],
        family=codes.DCM.ArtificialIntelligence,
        parameters={"weights": anatomy.weights},
    )
    masks, described = [], []
    for name, category, kind in SEGMENTS:
        mask = set_back(getattr(anatomy, name), source.orientation.turns, source.orientation.mirrored)
        if mask.any():
            masks.append(mask)
            described.append(
                SegmentDescription(
                    segment_number=len(masks),
                    segment_label=name,
                    segmented_property_category=CodedConcept(*category),
                    segmented_property_type=CodedConcept(*kind),
                    algorithm_type="AUTOMATIC",
                    algorithm_identification=algorithm,
                )
            )
    if not masks:
        return None
    made = (anatomy.weights, *words)
    facts: dict[str, Any] = series_facts("segmentation", SERIES_NUMBER, [source], *made, instance=source.number)
    return Segmentation(
        source_images=[placed(source)],
        pixel_array=np.ascontiguousarray(np.stack(masks, axis=-1)[None].astype(np.uint8)),
        segmentation_type="BINARY",
        segment_descriptions=described,
        content_description="breast, pectoral muscle and dense tissue, research only",
        content_label="DENSIGHT_TISSUE",
        series_description="densight: tissue, research only",
        **EQUIPMENT,
        **facts,
    )
