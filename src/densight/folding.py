"""Batch normalisation folded into the convolutions before it, for networks that learn no more."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_batch_norm"]

Network = TypeVar("Network", bound=nn.Module)

_SIDE = 64
"""Rows and columns of the image that finds out what follows what."""


def fold_batch_norm(network: Network, channels: int) -> Network:
    """A copy of a network in which convolutions do what the batch normalisation behind them did, in evaluation mode.

    What it computes is the same but for rounding. Layers that are left with nothing to do are still there, by name.

    Parameters
    ----------
    network : torch.nn.Module
        On any device; takes ``(batch, channels, rows, columns)``.
    channels : int
        Of its input.

    References
    ----------
    Markuš, "Fusing batch normalization and convolution in runtime", 2018; `torch.nn.utils.fusion`.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    >>> fold_batch_norm(network, 1)[1]
    Identity()
    """
    folded = copy.deepcopy(network).eval()
    for convolution, norm in _pairs(folded, channels):
        module, behind = folded.get_submodule(convolution), folded.get_submodule(norm)
        assert isinstance(module, nn.Conv2d)
        assert isinstance(behind, nn.BatchNorm2d)
        folded.set_submodule(convolution, fuse_conv_bn_eval(module, behind))
        folded.set_submodule(norm, nn.Identity())
    return folded


def _pairs(network: nn.Module, channels: int) -> list[tuple[str, str]]:
    """Names of each convolution and of the batch norm that takes what it gives, found by one pass of a small image."""
    # Holds the tensors, so that no new tensor gets the number of an old one.
    given: dict[int, tuple[str, Tensor]] = {}
    pairs = []
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(_: nn.Module, __: object, output: Tensor, name: str = name) -> None:
                given[id(output)] = (name, output)

            hooks.append(module.register_forward_hook(note))
        # Its subclasses may do more: those of timm contain an activation.
        elif type(module) is nn.BatchNorm2d:

            def pair(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                if id(inputs[0]) in given:
                    pairs.append((given[id(inputs[0])][0], name))

            hooks.append(module.register_forward_pre_hook(pair))
    parameter = next(network.parameters())
    try:
        with torch.no_grad():
            network(torch.zeros(1, channels, _SIDE, _SIDE, device=parameter.device, dtype=parameter.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return pairs
