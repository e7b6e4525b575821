"""The pixel pitch in the breast.

Source: DICOM PS3.3, sections C.8.11.4 (DX Detector Module: ImagerPixelSpacing, DetectorElementSpacing), C.8.11.7.1
(EstimatedRadiographicMagnificationFactor, distances from the source) and 10.7 (PixelSpacing and its calibration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from densight.intake.dicom.header import number, numbers, text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["read_spacing"]

_LEAST, _MOST = 0.005, 2.0


def read_spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, str]:
    """Pixel pitch (rows, columns) in mm where the breast is, and where it comes from in words.

    What was calibrated comes first; then the pitch at the detector, divided by the magnification.

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> dataset = Dataset()
    >>> dataset.ImagerPixelSpacing, dataset.EstimatedRadiographicMagnificationFactor = [0.07, 0.07], 1.07
    >>> spacing, note = read_spacing(dataset)
    >>> round(spacing[0], 4), note
    (0.0654, 'pitch from ImagerPixelSpacing, magnified 1.07 times')
    """
    calibrated = _pair(dataset, "PixelSpacing")
    if calibrated and text(dataset, "PixelSpacingCalibrationType").upper() in ("FIDUCIAL", "GEOMETRY"):
        return calibrated, "pitch from PixelSpacing, calibrated"
    for keyword in ("ImagerPixelSpacing", "DetectorElementSpacing"):
        pitch = _pair(dataset, keyword)
        if pitch:
            magnified = _magnification(dataset)
            words = f", magnified {magnified:g} times" if magnified != 1 else ""
            return (pitch[0] / magnified, pitch[1] / magnified), f"pitch from {keyword}{words}"
    if calibrated:
        return calibrated, "pitch from PixelSpacing"
    return None, "no pixel pitch in the file"


def _magnification(dataset: Dataset) -> float:
    """How many times larger the breast is shown at the detector than it is."""
    magnification = number(dataset, "EstimatedRadiographicMagnificationFactor")
    if magnification is None:
        detector, patient = number(dataset, "DistanceSourceToDetector"), number(dataset, "DistanceSourceToPatient")
        magnification = detector / patient if detector and patient else 1.0
    return magnification if 1 <= magnification < 4 else 1.0


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """Two numbers in mm that can be a mammogram's pitch."""
    values = numbers(dataset, keyword)
    if len(values) != 2 or not all(_LEAST <= value <= _MOST for value in values):
        return None
    return values[0], values[1]
