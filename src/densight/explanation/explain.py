"""Explanations by name: from what the network saw to an `Explanation`."""

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


def explain(examined: ImageResult, method: str = "grad-cam", layer: str | None = None, *, seed: int = 0) -> Explanation:
    """Explain what a network said of one mammogram, for every class and for the expected class.

    Parameters
    ----------
    examined : ImageResult
        What `densight.assessment.assess.run_network` gave.
    method : str
        One of `densight.explanation.methods.methods.METHODS`.
    layer : str, optional
        The layer whose output is mapped, by its name in the network; the last feature map if None.
    seed : int
        Of methods that draw.

    Raises
    ------
    DensightError
        If there is no such method or layer, the method cannot explain at a layer, it needs a breast and none is found,
        or the map is not finite.
    """
    (method,) = choose_methods([method], layer=layer)
    made = METHODS[method]
    try:
        maps = made.make(method_input(examined, made, layer, seed=seed))
    except DensightError as error:
        raise DensightError(error.fault, examined.mammogram.path, error.remedy) from error
    cells = np.ascontiguousarray(maps.cells.detach().float().cpu().numpy())
    return Explanation(
        cells[:-1],
        examined.assessment.classes,
        examined.assessment.probabilities,
        method,
        maps.layer,
        examined.prepared.geometry,
        maps.origin,
        maps.step,
        cells[-1],
        (maps.forward, maps.backward),
    )


def method_input(examined: ImageResult, method: Method, layer: str | None = None, *, seed: int = 0) -> MethodInput:
    """What a method needs of an image that was assessed; the baseline is made with the tissue that anatomy read."""
    import torch

    from densight.explanation.baseline import Tissue, fat_level, tissue_regions
    from densight.explanation.methods.method_input import MethodInput

    prepared, network = examined.prepared, examined.bundle.network
    device = network.classifier.weight.device

    def as_input(tensor: npt.NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(tensor)[None].to(device, memory_format=torch.channels_last)

    fat = regions = None
    if method.needs_fat:
        tissue = Tissue.of(examined.anatomy, prepared.geometry)
        fat = as_input(finish(fat_level(prepared.image, tissue), examined.bundle.facts.preparation))
        if method.needs_regions:
            regions = torch.from_numpy(tissue_regions(prepared.image, tissue)).to(device)
    return MethodInput(network, as_input(prepared.tensor), fat, regions, layer, examined.features, seed)
