"""What is received: kinds of images and their encodings, and a file made of what arrives."""

from __future__ import annotations

from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE

from densight.intake.dicom.pixels import TRANSFER_SYNTAXES

__all__ = ["IMAGES", "SYNTAXES", "file_of"]

IMAGES = (
    "1.2.840.10008.5.1.4.1.1.1.2",  # digital mammography, for presentation
    "1.2.840.10008.5.1.4.1.1.1.2.1",  # digital mammography, for processing
    "1.2.840.10008.5.1.4.1.1.13.1.3",  # breast tomosynthesis
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
    "1.2.840.10008.5.1.4.1.1.1",  # computed radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # digital x-ray, for presentation
)
"""SOP classes (DICOM PS3.4, annex B.5) of images that may be mammograms."""

SYNTAXES = list(TRANSFER_SYNTAXES)
"""Every encoding that is read, so that a PACS need not change what it keeps."""


def file_of(event: evt.Event) -> tuple[str, bytes]:
    """The SOP instance UID of what a C-STORE brings, and the whole file, its pixels as they came."""
    request = event.request
    assert isinstance(request, C_STORE)
    return str(request.AffectedSOPInstanceUID), event.encoded_dataset()
