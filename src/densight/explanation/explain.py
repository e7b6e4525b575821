"""Explanations by the name of the method: from the result of one image to an `Explanation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.assessment.assess import ImageResult
from densight.explanation.explanation import Explanation
from densight.explanation.methods.methods import METHODS, Method, choose_methods
from densight.preparation.prepare import finish
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.explanation.methods.method_input import MethodInput

__all__ = ["explain", "method_input"]


def explain(result: ImageResult, method: str = "grad-cam", layer: str | None = None, *, seed: int = 0) -> Explanation:
    """Explain the network's output for one mammogram, for every class and for the expected class.

    Parameters
    ----------
    result : ImageResult
        As `densight.assessment.assess.assess_image` returns it.
    method : str
        One of `densight.explanation.methods.methods.METHODS`.
    layer : str, optional
        The layer whose output is mapped, by its name in the network; the last feature map if None.
    seed : int
        Of the methods that use random numbers.

    Raises
    ------
    DensightError
        If there is no such method or layer, the method cannot explain at a layer, it needs a baseline and no breast is
        found, or the map is not finite.
    """
    (method,) = choose_methods([method], layer=layer)
    definition = METHODS[method]
    try:
        maps = definition.make(method_input(result, definition, layer, seed=seed))
    except DensightError as error:
        raise DensightError(error.fault, result.mammogram.path, error.remedy) from error
    cells = np.ascontiguousarray(maps.cells.detach().float().cpu().numpy())
    return Explanation(
        cells[:-1],
        result.assessment.classes,
        result.assessment.probabilities,
        method,
        maps.layer,
        result.prepared.geometry,
        maps.origin,
        maps.step,
        cells[-1],
        (maps.forward, maps.backward),
    )


def method_input(result: ImageResult, method: Method, layer: str | None = None, *, seed: int = 0) -> MethodInput:
    """The input of a method, from the result of one image. The baseline is made with the tissue that anatomy read."""
    import torch

    from densight.explanation.baseline import TissueMasks, smooth_fat_image, tissue_regions
    from densight.explanation.methods.method_input import MethodInput

    prepared, network = result.prepared, result.bundle.network
    device = network.classifier.weight.device

    def as_input(tensor: npt.NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(tensor)[None].to(device, memory_format=torch.channels_last)

    baseline = regions = None
    if method.needs_baseline:
        tissue = TissueMasks.of(result.anatomy, prepared.geometry)
        baseline = as_input(finish(smooth_fat_image(prepared.image, tissue), result.bundle.facts.preparation))
        if method.needs_regions:
            regions = torch.from_numpy(tissue_regions(prepared.image, tissue)).to(device)
    return MethodInput(network, as_input(prepared.tensor), baseline, regions, layer, result.features, seed)
