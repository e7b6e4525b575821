"""The network that tells fibroglandular tissue and the pectoral muscle from the rest of a breast."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from densight.folding import fold_batch_norm
from densight.shapes import RANKS, grey_levels, median
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FRAME", "LABELS", "STRIDE", "WEIGHTS", "TissueNetwork", "conv_block", "load_network", "network_input"]

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

FRAME = (320, 208)
"""Rows and columns that the network sees: a breast as large as fits, its chest wall at the left."""

STRIDE = 2
"""Frame pixels a cell of what the network gives."""

LABELS = ("breast", "pectoral", "dense", "nipple")
"""What the network gives a logit for: breast with pectoral muscle, the muscle, fibroglandular tissue, a disc around the
nipple."""

WEIGHTS = ("free", "research")
"""The weights that are shipped, by what may be done with them; see the card beside them."""

_WIDTHS = (16, 32, 64, 128)


class TissueNetwork(nn.Module):
    """A small U-Net (Ronneberger, Fischer, Brox, MICCAI 2015).

    Examples
    --------
    >>> TissueNetwork()(torch.zeros(1, 3, 320, 208)).shape
    torch.Size([1, 4, 160, 104])
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _WIDTHS[0], 5, stride=STRIDE, padding=2)
        self.down = nn.ModuleList(conv_block(a, b) for a, b in zip((_WIDTHS[0], *_WIDTHS[:-1]), _WIDTHS, strict=True))
        self.up = nn.ModuleList(conv_block(a + b, b) for a, b in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True))
        self.head = nn.Conv2d(_WIDTHS[0], len(LABELS), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Frames ``(n, 3, rows, columns)`` of `network_input` to logits of `LABELS`, a value every `STRIDE` pixels."""
        x = self.stem(x)
        kept = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for block, before in zip(self.up, kept[-2::-1], strict=True):
            x = nn.functional.interpolate(x, before.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, before], 1))
        logits: Tensor = self.head(x)
        return logits


def conv_block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3×3 convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def network_input(grey: Image, breast: Mask) -> Image:
    """What the network sees of a framed breast.

    Parameters
    ----------
    grey : ndarray of float32, shape (rows, columns)
        Grey values of the frame, brighter is denser; air where the image ends.
    breast : ndarray of bool, shape (rows, columns)
        Where the breast is, with the pectoral muscle.

    Returns
    -------
    ndarray of float32, shape (3, rows, columns)
        Grey values from that of air to nearly the greatest in the breast; their ranks in the breast, which do not
        change with a film's or a display's curve; the breast.

    Examples
    --------
    >>> network_input(np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32) > 0).shape
    (3, 4, 4)
    """
    levels = grey_levels(grey[breast])
    air = median(grey[~breast]) if not breast.all() else float(levels[0])
    span = max(float(levels[-2]) - air, 1e-6)
    linear = np.clip((grey - air) / span, -0.25, 1.25)
    # Equal levels would make ranks depend on which of them is found first.
    ranks = np.interp(grey, levels + 1e-6 * span * np.arange(levels.size), RANKS)
    return np.stack([linear, ranks, breast]).astype(np.float32) - np.float32(0.5)


def check_weights(weights: str) -> None:
    """Refuse a name that is not one of `WEIGHTS`."""
    if weights not in WEIGHTS:
        raise DensightError(f"there are no weights {weights!r} for anatomy", remedy=f"use one of {', '.join(WEIGHTS)}")


@cache
def load_network(weights: str) -> TissueNetwork:
    """The network with shipped weights, in evaluation mode on the CPU.

    Raises
    ------
    DensightError
        If there are no such weights.
    """
    check_weights(weights)
    with as_file(files("densight.anatomy").joinpath("weights", f"{weights}.safetensors")) as path:
        network = fold_batch_norm(read_network(path), channels=3)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def read_network(path: Path) -> TissueNetwork:
    """The network with the weights of a file, in evaluation mode on the CPU."""
    from safetensors.torch import load_file

    network = TissueNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return network.eval()


def probabilities(network: TissueNetwork, inputs: Image) -> Image:
    """Probabilities of `LABELS` for one frame, shape (4, rows / STRIDE, columns / STRIDE)."""
    with torch.inference_mode():
        x = torch.from_numpy(inputs)[None].to(memory_format=torch.channels_last)
        return np.asarray(torch.sigmoid(network(x))[0].contiguous().numpy(), np.float32)
