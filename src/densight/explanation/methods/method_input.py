"""The input and the output of a method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from densight.explanation.methods.layers import AtLayer, layer_output
from densight.explanation.methods.targets import with_expected
from densight.network.blocks import DensityNetwork

__all__ = ["Maps", "MethodInput", "chunks"]

_PIXELS_AT_ONCE = 1_600_000
"""The most input pixels in one pass. It bounds the memory."""


@dataclass(frozen=True, eq=False)
class MethodInput:
    """One image before a network.

    Parameters
    ----------
    network : DensityNetwork
        In evaluation mode.
    x : Tensor, shape (1, channels, rows, columns)
        The network's input.
    baseline : Tensor, shape of ``x``, or None
        The same breast without dense tissue. Methods that remove tissue put this in its place.
    regions : Tensor of int64, shape (rows, columns), or None
        Regions of tissue numbered from 1; 0 outside the breast.
    layer : str or None
        The layer to explain; None for the network's ``feature_layer``.
    features : Tensor or None
        The output of ``forward_features`` for ``x``, if it is known.
    seed : int
        Of a method's random numbers.
    """

    network: DensityNetwork
    x: Tensor
    baseline: Tensor | None = None
    regions: Tensor | None = None
    layer: str | None = None
    features: Tensor | None = None
    seed: int = 0

    @property
    def n_classes(self) -> int:
        """The number of classes. The target of this number is the expected class."""
        return self.network.classifier.out_features

    @property
    def targets(self) -> tuple[int, ...]:
        """All that can be explained: the classes, and the expected class."""
        return tuple(range(self.n_classes + 1))

    def with_network(self, network: DensityNetwork) -> MethodInput:
        """The same image for another network."""
        return replace(self, network=network, features=None)

    def layer_output(self) -> AtLayer:
        """The output of the layer to explain."""
        return layer_output(self.network, self.x, self.layer, self.features)

    def scores(self, images: Tensor) -> Tensor:
        """All targets' scores ``(B, k + 1)`` of images ``(B, channels, rows, columns)``, without gradients."""
        with torch.no_grad():
            parts = [with_expected(self.network(part)) for part in chunks(images)]
        return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class Maps:
    """The output of a method.

    Parameters
    ----------
    cells : Tensor, shape (targets, rows, columns)
    layer : str
        ``input``, or the layer that the cells are of.
    origin, step : (float, float)
        Where the cells lie on the network's input, in pixels.
    forward, backward : int
        Passes through the network beyond that of the assessment. Passes through the head only do not count.
    """

    cells: Tensor
    layer: str
    origin: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, float] = (1.0, 1.0)
    forward: int = 0
    backward: int = 0


def chunks(images: Tensor) -> Iterator[Tensor]:
    """Split images into batches of a bounded number of pixels.

    Examples
    --------
    >>> [len(part) for part in chunks(torch.zeros(5, 1, 1000, 800))]
    [2, 2, 1]
    """
    at_once = max(1, _PIXELS_AT_ONCE // (images.shape[-2] * images.shape[-1]))
    for start in range(0, len(images), at_once):
        yield images[start : start + at_once]
