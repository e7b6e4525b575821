"""MobileNetV2: inverted residuals and linear bottlenecks, for small data and ordinary computers.

Source: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, table 2.
"""

from __future__ import annotations

from torch import Tensor, nn

from densight.network.blocks import DensityNetwork

__all__ = ["MobileNetV2"]

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""(expansion, width, blocks, stride of the first block): the paper's t, c, n, s."""

STEM, LAST = 32, 1280


def round_width(width: float) -> int:
    """Channels as a multiple of 8 that loses at most a tenth of what the multiplier asks for.

    Examples
    --------
    >>> round_width(24 * 0.5), round_width(32 * 0.35)
    (16, 16)
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8


def _conv_norm(
    channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, active: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    if active:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise 3×3 carrying the stride, project 1×1 without activation; add where shapes allow."""

    def __init__(self, channels: int, outer: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        layers = [] if expansion == 1 else [_conv_norm(channels, inner)]
        layers += [_conv_norm(inner, inner, 3, stride, groups=inner), _conv_norm(inner, outer, active=False)]
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and channels == outer

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, rows, columns)`` to ``(B, outer, rows/stride, columns/stride)``."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class MobileNetV2(DensityNetwork):
    """MobileNetV2 with a width multiplier and a finer last stage.

    Parameters
    ----------
    n_classes : int
        Number of density classes.
    channels : int
        Input channels.
    width : float
        The paper's width multiplier.
    output_stride : {16, 32}
        Input pixels per cell of the last feature map. The paper's 32 leaves too coarse a map to explain; 16 keeps the
        last stage at the resolution of the one before.

    Examples
    --------
    >>> import torch
    >>> MobileNetV2(4, width=0.5).forward_features(torch.zeros(1, 1, 64, 96)).shape
    torch.Size([1, 640, 4, 6])
    """

    feature_layer = "last convolution, before ReLU6"

    def __init__(self, n_classes: int, channels: int = 1, width: float = 1.0, output_stride: int = 16) -> None:
        super().__init__()
        current = round_width(STEM * width)
        stride_left = output_stride // 2
        layers: list[nn.Module] = [_conv_norm(channels, current, 3, 2)]
        for expansion, outer, blocks, stage_stride in STAGES:
            stride = stage_stride if stride_left >= stage_stride else 1
            stride_left //= stride
            for i in range(blocks):
                layers.append(InvertedResidual(current, round_width(outer * width), stride if i == 0 else 1, expansion))
                current = round_width(outer * width)
        last = round_width(LAST * width)
        layers.append(_conv_norm(current, last, active=False))
        self.features = nn.Sequential(*layers)
        self.activation = nn.ReLU6()
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(last, n_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
                nn.init.zeros_(module.bias)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last convolution's normalised output, before its ReLU6."""
        features: Tensor = self.features(x)
        return features

    def forward_head(self, features: Tensor) -> Tensor:
        """ReLU6, global average pooling, dropout, dense layer: logits ``(B, n_classes)``."""
        logits: Tensor = self.classifier(self.dropout(self.activate(features).mean(dim=(2, 3))))
        return logits

    def activate(self, features: Tensor) -> Tensor:
        """ReLU6."""
        activated: Tensor = self.activation(features)
        return activated

    def activation_slope(self, features: Tensor) -> Tensor:
        """One between 0 and 6, zero outside."""
        return ((features > 0) & (features < 6)).to(features.dtype)
