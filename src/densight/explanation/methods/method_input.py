"""What a method is given and what it gives."""

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
"""Bounds the memory of a pass: so many input pixels are in it."""


@dataclass(frozen=True, eq=False)
class MethodInput:
    """One image before a network.

    Parameters
    ----------
    network : DensityNetwork
        In evaluation mode.
    x : Tensor, shape (1, channels, rows, columns)
        What it sees.
    fat : Tensor, shape of ``x``, or None
        The same breast without dense tissue: what a method compares with that takes tissue away.
    regions : Tensor of int64, shape (rows, columns), or None
        Regions of tissue numbered from 1; 0 outside the breast.
    layer : str or None
        The layer that is asked for; None for the network's ``feature_layer``.
    features : Tensor or None
        What ``forward_features`` gave for ``x``, if that is known.
    seed : int
        Of what a method draws.
    """

    network: DensityNetwork
    x: Tensor
    fat: Tensor | None = None
    regions: Tensor | None = None
    layer: str | None = None
    features: Tensor | None = None
    seed: int = 0

    @property
    def classes(self) -> int:
        """How many classes there are; the target of this number is the expected class."""
        return self.network.classifier.out_features

    @property
    def targets(self) -> tuple[int, ...]:
        """All that can be explained: the classes, and the expected class."""
        return tuple(range(self.classes + 1))

    def before(self, network: DensityNetwork) -> MethodInput:
        """The same image before another network."""
        return replace(self, network=network, features=None)

    def look(self) -> AtLayer:
        """The layer that is asked for."""
        return layer_output(self.network, self.x, self.layer, self.features)

    def scores(self, images: Tensor) -> Tensor:
        """All targets' scores ``(B, k + 1)`` of images ``(B, channels, rows, columns)``, without gradients."""
        with torch.no_grad():
            parts = [with_expected(self.network(part)) for part in chunks(images)]
        return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class Maps:
    """What a method gives.

    Parameters
    ----------
    cells : Tensor, shape (targets, rows, columns)
    layer : str
        ``input``, or the layer that the cells are of.
    origin, step : (float, float)
        Where the cells lie on the network's input, in pixels.
    forward, backward : int
        Passes through the network that it took beyond assessing the image; those through the head alone are none.
    """

    cells: Tensor
    layer: str
    origin: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, float] = (1.0, 1.0)
    forward: int = 0
    backward: int = 0


def chunks(images: Tensor) -> Iterator[Tensor]:
    """Images in as many at a time as go through a network together.

    Examples
    --------
    >>> [len(part) for part in chunks(torch.zeros(5, 1, 1000, 800))]
    [2, 2, 1]
    """
    at_once = max(1, _PIXELS_AT_ONCE // (images.shape[-2] * images.shape[-1]))
    for start in range(0, len(images), at_once):
        yield images[start : start + at_once]
