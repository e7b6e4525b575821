"""The tutorial's residual network, layer for layer.

Source: Lizzi et al., "Residual convolutional neural networks to automatically extract significant breast density
features", CAIP 2019 Workshops, CCIS 1089; and the tutorial by Scapicchio, Lizzi and Fantacci, "Explainability of a CNN
classifier for breast density assessment" (see ``CITATION.cff``). After He et al., CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from densight.network.blocks import DensityNetwork, SameConv2d, SameMaxPool2d, keras_initialise

__all__ = ["TutorialResNet"]

SLOPE = 0.3
"""The slope of Keras' LeakyReLU below zero."""

STAGES = ((64, 128, 1), (128, 256, 2), (128, 256, 2), (128, 256, 2))
"""(bottleneck width, output width, stride of the first block) of each stage."""

BLOCKS_PER_STAGE = 3


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with Keras' constants; its momentum .99 is PyTorch's .01."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _leaky_relu(x: Tensor, *, training: bool) -> Tensor:
    """LeakyReLU, in place where nothing else reads the input and no gradients of single layers are computed."""
    return functional.leaky_relu(x, SLOPE, inplace=_may_overwrite(training=training))


def _add(x: Tensor, y: Tensor, *, training: bool) -> Tensor:
    """The sum, in place of ``y`` where allowed."""
    return y.add_(x) if _may_overwrite(training=training) else x + y


def _may_overwrite(*, training: bool) -> bool:
    return training or not torch.is_grad_enabled()


class Bottleneck(nn.Module):
    """1×1 to ``inner``, 3×3 carrying the stride, 1×1 to ``outer``, added to the shortcut.

    The addition is returned *before* its LeakyReLU, so that the last one is the tutorial's ``add_12``.
    """

    def __init__(self, channels: int, inner: int, outer: int, stride: int, *, project: bool) -> None:
        super().__init__()
        self.reduce = SameConv2d(channels, inner, 1)
        self.reduce_norm = _batch_norm(inner)
        self.conv = SameConv2d(inner, inner, 3, stride)
        self.conv_norm = _batch_norm(inner)
        self.expand = SameConv2d(inner, outer, 1)
        self.expand_norm = _batch_norm(outer)
        self.shortcut = SameConv2d(channels, outer, 1, stride) if project else None
        self.shortcut_norm = _batch_norm(outer) if project else None

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, rows, columns)`` to ``(B, outer, rows/stride, columns/stride)``."""
        y = _leaky_relu(self.reduce_norm(self.reduce(x)), training=self.training)
        y = _leaky_relu(self.conv_norm(self.conv(y)), training=self.training)
        y = self.expand_norm(self.expand(y))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return _add(x, y, training=self.training)


class TutorialResNet(DensityNetwork):
    """The tutorial's network: 41 convolutions in 12 bottleneck blocks.

    Input ``(B, 3, rows, columns)``, 650×650 in the tutorial; 2,262,660 parameters for four classes, of which 12,672
    are batch norm statistics.

    Parameters
    ----------
    n_classes : int
        Number of density classes.
    channels : int
        Input channels.

    Examples
    --------
    >>> network = TutorialResNet(4)
    >>> sum(t.numel() for n, t in network.state_dict().items() if "num_batches" not in n)
    2262660
    """

    feature_layer = "add_12"

    def __init__(self, n_classes: int, channels: int = 3) -> None:
        super().__init__()
        self.stem = SameConv2d(channels, 64, 3, 2)
        self.stem_norm = _batch_norm(64)
        self.pool = SameMaxPool2d(3, 2)
        width = 64
        blocks = []
        for inner, outer, stride in STAGES:
            for i in range(BLOCKS_PER_STAGE):
                blocks.append(Bottleneck(width, inner, outer, stride if i == 0 else 1, project=i == 0))
                width = outer
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(width, n_classes)
        keras_initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """The tutorial's ``add_12``, ``(B, 256, 21, 21)`` for 650×650."""
        # LeakyReLU after the pooling instead of before it: of the greatest it gives the same, and has a quarter to do.
        x = _leaky_relu(self.pool(self.stem_norm(self.stem(x))), training=self.training)
        for i, block in enumerate(self.blocks):
            x = block(_leaky_relu(x, training=self.training) if i else x)
        return x

    def forward_head(self, features: Tensor) -> Tensor:
        """LeakyReLU, dropout, global average pooling, dense layer: logits ``(B, n_classes)``."""
        pooled: Tensor = self.dropout(self.activate(features)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(pooled)
        return logits

    def activate(self, features: Tensor) -> Tensor:
        """LeakyReLU of slope .3."""
        return functional.leaky_relu(features, SLOPE)

    def activation_slope(self, features: Tensor) -> Tensor:
        """One above zero, .3 elsewhere: as Keras and PyTorch differentiate LeakyReLU at zero."""
        return torch.where(features > 0, 1.0, SLOPE)
