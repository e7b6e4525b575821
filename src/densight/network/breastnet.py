"""A small U-Net for the preset ``breast``: its input has the mask of the breast, and its features are zero outside it.

After Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015.
Its first layers are those of `densight.anatomy.network.TissueNetwork`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from densight.anatomy.network import STRIDE, conv_block
from densight.network.blocks import DensityNetwork

__all__ = ["BreastNet"]

WIDTHS = (16, 32, 64, 128)
FEATURES = 64


class BreastNet(DensityNetwork):
    """Features at every position in the breast, and their mean over the breast.

    Input ``(B, 3, rows, columns)`` of the preset ``breast``, whose last channel is the mask of the breast. The features
    are zero outside the mask and scaled by frame area over breast area, so that their mean over the frame is the mean
    over the breast: density is a fraction of the breast, not of the image.

    Parameters
    ----------
    n_classes : int
        Number of density classes.
    channels : int
        Input channels.

    Examples
    --------
    >>> network = BreastNet(4).eval()
    >>> network.forward_features(torch.rand(1, 3, 320, 208) - 0.4).shape
    torch.Size([1, 64, 80, 52])
    """

    feature_layer = "features"

    def __init__(self, n_classes: int, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, WIDTHS[0], 5, stride=STRIDE, padding=2)
        self.down = nn.ModuleList(conv_block(a, b) for a, b in zip((WIDTHS[0], *WIDTHS[:-1]), WIDTHS, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.context = nn.Linear(WIDTHS[-1], WIDTHS[-1])
        self.up = nn.ModuleList(conv_block(a + b, b) for a, b in ((WIDTHS[3], WIDTHS[2]), (WIDTHS[2], WIDTHS[1])))
        self.mix = nn.Conv2d(WIDTHS[1], FEATURES, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(FEATURES)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(FEATURES, n_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """``(B, 64, rows / 4, columns / 4)``."""
        breast = (x[:, -1:] > 0).to(x.dtype)
        x = self.stem(x)
        kept = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            kept.append(x)
        whole = _mean_over(x, _cells(breast, x))
        x = x + self.context(whole)[:, :, None, None]
        for block, before in zip(self.up, (kept[2], kept[1]), strict=True):
            x = functional.interpolate(x, before.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, before], 1))
        part = _cells(breast, x)
        features: Tensor = self.mix_norm(self.mix(x)) * part / part.mean((2, 3), keepdim=True).clamp(min=1e-3)
        return features

    def forward_head(self, features: Tensor) -> Tensor:
        """ReLU, mean, dense layer: logits ``(B, n_classes)``."""
        logits: Tensor = self.classifier(self.dropout(self.activate(features).mean((2, 3))))
        return logits

    def activate(self, features: Tensor) -> Tensor:
        """ReLU."""
        return functional.relu(features)

    def activation_slope(self, features: Tensor) -> Tensor:
        """One above zero."""
        return (features > 0).to(features.dtype)


def _cells(breast: Tensor, x: Tensor) -> Tensor:
    """The part of each cell of ``x`` that is breast: ``(B, 1, rows, columns)``."""
    return functional.adaptive_avg_pool2d(breast, (x.shape[-2], x.shape[-1]))


def _mean_over(x: Tensor, part: Tensor) -> Tensor:
    """The mean of each channel weighted by ``part``: ``(B, channels)``."""
    return (x * part).sum((2, 3)) / part.sum((2, 3)).clamp(min=1e-3)
