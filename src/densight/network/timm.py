"""Any convolutional network of timm (PyTorch Image Models), through the extra ``densight[timm]``.

Weights start fresh: nothing is fetched. Grad-CAM is computed by differentiation, because timm's heads have many forms.

Source: timm documentation, "Feature extraction" (``forward_features``, ``forward_head``).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from densight.network.blocks import PROBE, DensityNetwork
from densight.vocabulary import DensightError

__all__ = ["TimmNetwork", "build_timm"]


class TimmNetwork(DensityNetwork):
    """A network of timm with the two halves that densight needs.

    Parameters
    ----------
    model : torch.nn.Module
        With timm's ``forward_features``, giving ``(B, channels, rows, columns)``, and ``forward_head``.
    channels : int
        Input channels.
    """

    feature_layer = "last feature map, as timm's forward_features gives it"
    linear_head = False

    def __init__(self, model: Any, channels: int) -> None:
        super().__init__()
        self.model = model
        self.channels = channels

    @property
    def input_channels(self) -> int:
        """Channels of the input, as given when the network was built."""
        return self.channels

    @property
    def classifier(self) -> nn.Linear:  # type: ignore[override]
        """The last layer, which is the wrapped network's own."""
        layer: nn.Linear = self.model.get_classifier()
        return layer

    def forward_features(self, x: Tensor) -> Tensor:
        """``(B, channels, rows, columns)`` in, timm's last feature map out, its activation included."""
        features: Tensor = self.model.forward_features(x)
        return features

    def forward_head(self, features: Tensor) -> Tensor:
        """The feature map in, logits ``(B, n_classes)`` out."""
        logits: Tensor = self.model.forward_head(features)
        return logits


def build_timm(name: str, n_classes: int, channels: int) -> TimmNetwork:
    """Build a network of timm by its name there, with fresh weights.

    Parameters
    ----------
    name : str
        Such as ``resnet18``; ``timm.list_models()`` gives all.
    n_classes, channels : int

    Raises
    ------
    DensightError
        If timm is not installed or cannot be imported, has no such network, or the network does not make a feature map
        of ``(B, channels, rows, columns)`` of an image of any size, as transformers do not, or does not end in a linear
        layer.
    """
    try:
        import timm
    except Exception as error:  # a torchvision that does not fit PyTorch fails with a RuntimeError
        raise DensightError(
            f"timm cannot be imported ({error})",
            remedy="pip install 'densight[timm]', with a torchvision that fits the installed PyTorch",
        ) from error
    # Names such as hf-hub:… would be fetched; is_model knows only those that timm itself brings.
    if not timm.is_model(name):
        raise DensightError(f"timm has no network {name!r}", remedy="take a name that timm.list_models() gives")
    network = TimmNetwork(timm.create_model(name, num_classes=n_classes, in_chans=channels), channels)
    if not (_makes_map(network) and isinstance(network.classifier, nn.Linear)):
        raise DensightError(
            f"the timm network {name!r} does not make a feature map (channels, rows, columns) of an image of any size, "
            "with a linear layer at its end",
            remedy="take a convolutional network, such as timm:resnet18, timm:efficientnet_b0 or timm:convnext_tiny",
        )
    return network


def _makes_map(network: TimmNetwork) -> bool:
    try:
        features = network.probe(PROBE)
    except (AssertionError, RuntimeError, TypeError, ValueError):  # raised by a network of one fixed input size
        return False
    channels = int(network.model.num_features)
    return features.ndim == 4 and features.shape[1] == channels and features.shape[2] < features.shape[3]
