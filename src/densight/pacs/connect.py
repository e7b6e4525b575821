"""Open the PACS at an address, by DICOMweb or DIMSE."""

from __future__ import annotations

from densight.pacs.address import Address, Security
from densight.pacs.protocol import Pacs
from densight.vocabulary import DensightError

__all__ = ["connect"]


def connect(address: Address, security: Security, own_title: str) -> Pacs:
    """The PACS at an address; it is not called yet.

    Parameters
    ----------
    address : Address
    security : Security
    own_title : str
        densight's application entity title, for DIMSE.

    Raises
    ------
    DensightError
        If what speaks to it is not installed.
    """
    # The libraries of either protocol are optional.
    try:
        if address.url:
            from densight.pacs.web import WebPacs

            return WebPacs.of(address, security)
        from densight.pacs.dimse import DimsePacs

        return DimsePacs(address, security, own_title)
    except ImportError:
        raise DensightError("what speaks to a PACS is not installed", remedy="pip install 'densight[dicom]'") from None
