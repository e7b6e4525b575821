"""Explanations by name: from what the network saw to an `Explanation`."""

from __future__ import annotations

import numpy as np

from densight.assessment.assess import Examined
from densight.explanation.explanation import Explanation
from densight.vocabulary import DensightError

__all__ = ["METHODS", "check_method", "explain"]

METHODS = ("grad-cam",)
"""The methods there are."""


def check_method(method: str) -> str:
    """The method's name, if there is such a method.

    Raises
    ------
    DensightError
        If there is not.
    """
    if method not in METHODS:
        raise DensightError(f"unknown method {method!r}", remedy=f"use one of {', '.join(METHODS)}")
    return method


def explain(examined: Examined, method: str = "grad-cam") -> Explanation:
    """Explain what a network said of one mammogram, for every class.

    Parameters
    ----------
    examined : Examined
        What `densight.assessment.assess.examine` gave; the network is not run again.
    method : str
        One of `METHODS`.

    Raises
    ------
    DensightError
        If there is no such method, or the map is not finite.
    """
    import torch

    from densight.explanation.gradcam import grad_cam
    from densight.network.blocks import feature_centres

    check_method(method)
    network, geometry = examined.bundle.network, examined.prepared.geometry
    with torch.inference_mode():
        cells = grad_cam(network, examined.features)[0].float().cpu().numpy()
    rows, columns = (feature_centres(network, size) for size in geometry.frame_shape)
    return Explanation(
        np.ascontiguousarray(cells),
        examined.assessment.classes,
        examined.assessment.probabilities,
        method,
        network.feature_layer,
        geometry,
        (rows[0], columns[0]),
        (rows[1], columns[1]),
    )
