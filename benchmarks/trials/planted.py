"""Networks built by hand, of which it is known what they look at. Trials must distinguish them.

They have the form of densight's own networks, a convolution's feature map, an activation, its mean over places, and a
linear layer, and among their channels some that they do not use, so that shuffled weights have somewhere to go.

- ``looks_at_dense_tissue``: its score rises with the amount of bright tissue. Its explanations should pass.
- ``reads_marker``: its score rises with sharp detail of full brightness, such as letters of lead.
- ``reads_size``: its score rises with the part of the picture that is not air.
- A random network needs no building: one with fresh weights is random.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from densight.network.blocks import DensityNetwork

__all__ = ["Planted", "looks_at_dense_tissue", "reads_marker", "reads_size"]

_KERNEL = 7


class Planted(DensityNetwork):
    """A network of one convolution that uses only the first of its channels.

    Parameters
    ----------
    kernel : Tensor, shape (7, 7)
        What the first channel looks for, in the mean of the input's channels.
    bias : float
        Added to it, before ReLU6.
    thresholds : sequence of float
        Means of the activated channel at which one class gives way to the next: one fewer than classes.
    steepness : float
        By how much a logit rises for a rise of that mean by 1.
    channels : int
        Of the input.
    stride : int
        Input pixels a cell.
    """

    feature_layer = "planted"

    def __init__(
        self,
        kernel: Tensor,
        bias: float,
        thresholds: Sequence[float],
        steepness: float,
        channels: int = 1,
        stride: int = 4,
    ) -> None:
        super().__init__()
        self.stride = stride
        generator = torch.Generator().manual_seed(0)
        unused = torch.randn(5, _KERNEL, _KERNEL, generator=generator) / _KERNEL**2
        kernels = torch.cat([kernel[None], unused])
        self.convolution = nn.Conv2d(channels, len(kernels), _KERNEL, stride, _KERNEL // 2)
        self.classifier = nn.Linear(len(kernels), len(thresholds) + 1)
        with torch.no_grad():
            self.convolution.weight.copy_(kernels[:, None].repeat(1, channels, 1, 1) / channels)
            self.convolution.bias.zero_()  # type: ignore[union-attr]
            self.convolution.bias[0] = bias  # type: ignore[index]
            self.classifier.weight.zero_()
            places = torch.arange(len(thresholds) + 1)
            self.classifier.weight[:, 0] = steepness * places
            self.classifier.bias.copy_(-steepness * torch.tensor([0.0, *thresholds]).cumsum(0))
        self.eval()

    def forward_features(self, x: Tensor) -> Tensor:
        """``(B, channels, rows, columns)`` in, the convolution out."""
        features: Tensor = self.convolution(x)
        return features

    def activate(self, features: Tensor) -> Tensor:
        """ReLU6."""
        return nn.functional.relu6(features)

    def activation_slope(self, features: Tensor) -> Tensor:
        """One between 0 and 6, zero outside."""
        return ((features > 0) & (features < 6)).to(features.dtype)

    def forward_head(self, features: Tensor) -> Tensor:
        """ReLU6, mean, linear layer."""
        logits: Tensor = self.classifier(self.activate(features).mean(dim=(2, 3)))
        return logits

    def strides(self, size: int) -> list[tuple[int, int, int]]:
        """The one of the convolution."""
        del size
        return [(_KERNEL, self.stride, _KERNEL // 2)]


def looks_at_dense_tissue() -> Planted:
    """For the preset ``default``: what is brighter than three fifths of the breast's range, and it alone.

    Examples
    --------
    >>> bright = torch.full((1, 1, 64, 64), 2.0)
    >>> looks_at_dense_tissue()(bright).argmax().item(), looks_at_dense_tissue()(-bright).argmax().item()
    (3, 0)
    """
    return Planted(_bell(), -0.4, (0.1, 0.25, 0.45), 12.0)


def reads_marker() -> Planted:
    """For the preset ``tutorial``: sharp detail of nearly full brightness, which tissue never has."""
    kernel = -_bell()
    kernel[_KERNEL // 2, _KERNEL // 2] += 1.0
    return Planted(40 * kernel, -18.0, (0.001, 0.003, 0.006), 1000.0, channels=3, stride=2)


def reads_size() -> Planted:
    """For the preset ``tutorial``: how much of the picture is brighter than the picture's mean."""
    return Planted(60 * _bell(), 0.0, (1.3, 1.7, 2.1), 4.0, channels=3)


def _bell() -> Tensor:
    """A smooth kernel of sum 1."""
    away = torch.arange(_KERNEL) - _KERNEL // 2
    line = torch.exp(-(away**2) / 8.0)
    return torch.outer(line, line) / line.sum() ** 2
