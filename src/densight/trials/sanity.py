"""Networks with shuffled weights: the map of one should differ if a map shows what the network has learnt.

Reference: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from densight.network.blocks import DensityNetwork

__all__ = ["STAGES", "randomise"]

STAGES = 4
"""The number of parts, of about as many layers each, into which a network is divided from output to input."""

_STATISTICS = (nn.BatchNorm2d,)


def randomise(network: DensityNetwork, stages: Sequence[int], images: Tensor, seed: int = 0) -> DensityNetwork:
    """A copy of a network with the weights of some stages shuffled.

    Each array of weights keeps its values in random order, so their size stays the same. The statistics of batch
    normalisation are measured again on the images. Without that a shuffled network gives numbers too large or too
    small to map.

    Parameters
    ----------
    network : DensityNetwork
    stages : sequence of int
        0 holds the layers nearest the output, ``STAGES - 1`` those nearest the input.
    images : Tensor, shape (B, channels, rows, columns)
        Several images, as the network sees them.
    seed : int

    Returns
    -------
    DensityNetwork
        In evaluation mode.

    Examples
    --------
    >>> from densight.network.mobilenet import MobileNetV2
    >>> network = MobileNetV2(4, width=0.35).eval()
    >>> changed = randomise(network, [0], torch.rand(2, 1, 64, 64))
    >>> torch.equal(changed.classifier.weight, network.classifier.weight)
    False
    >>> torch.equal(changed.features[0][0].weight, network.features[0][0].weight)
    True
    """
    changed = copy.deepcopy(network)
    layers = [module for module in changed.modules() if list(module.parameters(recurse=False))][::-1]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for place, module in enumerate(layers):
            if place * STAGES // len(layers) not in stages:
                continue
            for values in module.parameters(recurse=False):
                order = torch.randperm(values.numel(), generator=generator).to(values.device)
                values.copy_(values.flatten()[order].reshape(values.shape))
        _measure_statistics(changed, images)
    return changed.eval()


def _measure_statistics(network: nn.Module, images: Tensor) -> None:
    norms = [module for module in network.modules() if isinstance(module, _STATISTICS)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the images
        norm.train()
    network(images)
