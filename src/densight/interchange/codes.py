"""The codes of the concepts that densight reports.

Sources: DICOM PS3.16, CID 6000 and 6001 (breast composition), annex D (DCM codes), and SNOMED CT.
"""

from __future__ import annotations

from typing import NamedTuple

from densight.vocabulary import BIRADS, Laterality

__all__ = [
    "BREAST",
    "BREAST_COMPOSITION",
    "CLASS_ACTIVATION",
    "COMPOSITIONS",
    "DENSE_TISSUE",
    "ENGLISH",
    "GRADIENT_CLASS_ACTIVATION",
    "MAMMOGRAPHY",
    "NO_UNITS",
    "OWN_SCHEME",
    "PECTORAL_MUSCLE",
    "PERCENT",
    "PERCENT_DENSITY_IMAGES",
    "PERCENT_FIBROGLANDULAR",
    "SIDES",
    "STRUCTURE",
    "TISSUE",
    "Coded",
    "probability_of",
]


OWN_SCHEME = "99DENSIGHT"
"""The coding scheme for concepts without a code in a public scheme."""


class Coded(NamedTuple):
    """A concept: code, coding scheme and meaning."""

    value: str
    scheme: str
    meaning: str


BREAST_COMPOSITION = Coded("129715009", "SCT", "Breast composition")
COMPOSITIONS = {
    "A": Coded("129716005", "SCT", "Almost entirely fat"),
    "B": Coded("129717001", "SCT", "Scattered fibroglandular densities"),
    "C": Coded("129718006", "SCT", "Heterogeneously dense"),
    "D": Coded("129719003", "SCT", "Extremely dense"),
}
"""The concepts of the classes A to D."""
PERCENT_FIBROGLANDULAR = Coded("111046", "DCM", "Percent Fibroglandular Tissue")
PERCENT_DENSITY_IMAGES = Coded("density-images", OWN_SCHEME, "Images of the percent fibroglandular tissue")
CLASS_ACTIVATION = Coded("130402", "DCM", "Class activation")
GRADIENT_CLASS_ACTIVATION = Coded("130403", "DCM", "Gradient-weighted class activation")
MAMMOGRAPHY = Coded("71651007", "SCT", "Mammography")
BREAST = Coded("76752008", "SCT", "Breast")
SIDES = {Laterality.R: Coded("24028007", "SCT", "Right"), Laterality.L: Coded("7771000", "SCT", "Left")}
"""The concepts of the sides."""
TISSUE = Coded("85756007", "SCT", "Tissue")
STRUCTURE = Coded("91723000", "SCT", "Anatomical Structure")
PECTORAL_MUSCLE = Coded("60005003", "SCT", "Pectoralis major muscle")
DENSE_TISSUE = Coded("dense-tissue", OWN_SCHEME, "Fibroglandular tissue of breast")
PERCENT = Coded("%", "UCUM", "percent")
ENGLISH = Coded("en", "RFC5646", "English")
NO_UNITS = Coded("1", "UCUM", "no units")


def probability_of(label: str) -> Coded:
    """The concept of the probability of a class, for which no public scheme has a code.

    Examples
    --------
    >>> probability_of("B").meaning
    'Probability of scattered fibroglandular densities (B)'
    """
    meaning = COMPOSITIONS[label].meaning
    return Coded(f"probability-{label}", OWN_SCHEME, f"Probability of {meaning[0].lower()}{meaning[1:]} ({label})")


assert tuple(COMPOSITIONS) == BIRADS
