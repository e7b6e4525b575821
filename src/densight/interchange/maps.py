"""Class activation maps as Parametric Maps, in the pixels of the image that they explain.

Source: DICOM PS3.3, annex A.75 (Parametric Map IOD), with the quantities of PS3.16, CID 218 that Supplement 220 added:
class activation and gradient-weighted class activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.geometry import set_back
from densight.interchange.codes import CLASS_ACTIVATION, GRADIENT_CLASS_ACTIVATION, NO_UNITS
from densight.interchange.source import EQUIPMENT, Source, placed, series_facts

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["make_map", "quantised"]

SERIES_NUMBER = 9003
ZERO = 2**15
"""The stored value of a map's zero: positive and negative values have the same resolution."""

_LOSSLESS = "1.2.840.10008.1.2.4.80"


def make_map(explanation: Explanation, label: str, source: Source, words: Sequence[str]) -> Dataset:
    """Make a Parametric Map of the evidence for a class.

    The raw, signed values are stored as 16-bit integers with a real-world value mapping back; zero stays exactly zero.
    The map matches the image in its file pixel by pixel, however the mammogram was turned for the network.

    Parameters
    ----------
    explanation : Explanation
        The explanation of the source's mammogram.
    label : str
        A class, or `densight.explanation.explanation.EXPECTED_CLASS`.
    source : Source
    words : sequence of str
        What else determines the content: models.
    """
    from highdicom import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from highdicom.sr import CodedConcept

    stored, slope = quantised(explanation.map(label))
    laid = set_back(stored, source.orientation.turns, source.orientation.mirrored)
    quantity = GRADIENT_CLASS_ACTIVATION if "grad" in explanation.method else CLASS_ACTIVATION
    name = label if label == EXPECTED_CLASS else f"class {label}"
    mapping = RealWorldValueMapping(
        lut_label=name,
        lut_explanation=f"{explanation.method} of {name} at {explanation.layer}"[:64],
        unit=CodedConcept(*NO_UNITS),
        value_range=(0, 2**16 - 1),
        slope=slope,
        intercept=-ZERO * slope,
        quantity_definition=CodedConcept(*quantity),
    )
    made = (explanation.method, explanation.layer, label)
    number = 2 * source.number - (label != EXPECTED_CLASS)
    facts: dict[str, Any] = series_facts("maps", SERIES_NUMBER, [source], *made, *words, instance=number)
    written = ParametricMap(
        source_images=[placed(source)],
        pixel_array=np.ascontiguousarray(laid)[None],
        real_world_value_mappings=[mapping],
        contains_recognizable_visual_features=False,
        voi_lut_transformations=[VOILUTTransformation(window_center=float(ZERO), window_width=float(2**16))],
        transfer_syntax_uid=_LOSSLESS,
        content_description=f"{explanation.method} of {name}, research only"[:64],
        content_label="DENSIGHT_MAP",
        series_description="densight: maps, research only",
        **EQUIPMENT,
        **facts,
    )
    written.Laterality = source.dataset.get("ImageLaterality")
    return written


def quantised(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint16], float]:
    """Signed values as 16-bit integers, and the value of one step.

    Examples
    --------
    >>> stored, slope = quantised(np.array([[-2.0, 0.0, 1.0]], np.float32))
    >>> ((stored.astype(float) - ZERO) * slope).round(4).tolist()
    [[-2.0, 0.0, 1.0]]
    """
    greatest = float(np.abs(values).max())
    slope = greatest / (ZERO - 1) if greatest > 0 else 1.0
    return (np.rint(values / np.float32(slope)).astype(np.int32) + ZERO).astype(np.uint16), slope
