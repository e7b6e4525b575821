"""What is known of a phantom exam: tissue, density, class and the classes that readers give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.intake.mammogram import Exam
from densight.phantom.patient import SyntheticPatient
from densight.phantom.settings import Settings
from densight.vocabulary import Laterality, Projection

__all__ = ["DENSE", "ExamTruth", "ImageTruth", "PhantomExam"]

DENSE = 0.08
"""Glandular part of the tissue along a ray from which an area counts as dense.

A reader who outlines dense tissue counts what stands out from fat, not what is wholly glandular. With this part the
mean percent density of the classes is nearest to what readers found in women: see ``benchmarks/realism.py``.
"""


@dataclass(frozen=True, eq=False)
class ImageTruth:
    """What is known of one image, in the image's own pixels and orientation.

    Parameters
    ----------
    breast : ndarray of bool, shape (rows, columns)
        Everything of the patient, pectoral muscle and skin included.
    pectoral, skin, nipple : ndarray of bool, shape (rows, columns)
        Pixels whose ray passes the muscle; that pass no breast tissue but skin; that pass the nipple.
    dense : ndarray of bool, shape (rows, columns)
        Where glandular tissue is at least `DENSE` of what the ray passes, outside the pectoral.
    glandular : ndarray of float32, shape (rows, columns)
        Glandular thickness along the ray, in mm.
    percent_density : float
        Area of ``dense`` in per cent of the breast without the pectoral.
    thickness : float
        Compressed thickness in mm.
    touched : ndarray of bool, shape (rows, columns), or None
        After an intervention, pixels whose rays pass the region that was changed.
    """

    breast: npt.NDArray[np.bool_]
    pectoral: npt.NDArray[np.bool_]
    skin: npt.NDArray[np.bool_]
    nipple: npt.NDArray[np.bool_]
    dense: npt.NDArray[np.bool_]
    glandular: npt.NDArray[np.float32]
    percent_density: float
    thickness: float
    touched: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class ExamTruth:
    """What is known of an exam.

    Parameters
    ----------
    images : dict of Projection to ImageTruth
    volumetric_density : float
        Glandular volume in per cent of breast volume, skin and muscle left out, both breasts together.
    breast_volumetric_density : dict of Laterality to float
        The same of each breast.
    percent_density : float
        Mean of the images'.
    density : str
        The BI-RADS class that `volumetric_density` stands for.
    readers : tuple of str
        The classes that two simulated readers give.
    """

    images: dict[Projection, ImageTruth]
    volumetric_density: float
    breast_volumetric_density: dict[Laterality, float]
    percent_density: float
    density: str
    readers: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class PhantomExam(Exam):
    """An exam of four projections of which everything is known.

    Parameters
    ----------
    truth : ExamTruth
    patient : SyntheticPatient
        The synthetic patient.
    settings : Settings
        How she was imaged.
    """

    truth: ExamTruth
    patient: SyntheticPatient
    settings: Settings
