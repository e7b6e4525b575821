"""Secondary captures: pictures that any PACS viewer can display.

Source: DICOM PS3.3, annex A.8.1 (Secondary Capture Image IOD).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.interchange.source import EQUIPMENT, Source, series_facts

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["make_capture"]

SERIES_NUMBER = 9002


def make_capture(picture: npt.NDArray[np.uint8], sources: Sequence[Source], words: Sequence[str]) -> Dataset:
    """Make a secondary capture of the picture of a hung exam with its maps.

    Parameters
    ----------
    picture : ndarray of uint8, shape (rows, columns, 3)
        RGB.
    sources : sequence of Source
        The images that it shows.
    words : sequence of str
        What else determines the content: models, methods.
    """
    from highdicom.sc import SCImage
    from pydicom.dataelem import DataElement

    facts: dict[str, Any] = series_facts("capture", SERIES_NUMBER, sources, *words)
    capture = SCImage.from_ref_dataset(
        ref_dataset=sources[0].dataset,
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        manufacturer=EQUIPMENT["manufacturer"],
        patient_orientation=("L", "F"),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        series_description="densight: maps, research only",
        **facts,
    )
    # The picture combines several images, so it has neither one orientation nor one side.
    capture["PatientOrientation"].value = None
    capture["Laterality"] = DataElement(0x00200060, "CS", None)
    capture.BurnedInAnnotation = "YES"
    return capture
