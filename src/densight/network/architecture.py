"""Which networks there are, and how to build one from the few values that a bundle stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.network.blocks import DensityNetwork

__all__ = ["ARCHITECTURES", "Architecture", "build_network"]


@dataclass(frozen=True)
class Architecture:
    """What is needed to build a network again.

    Parameters
    ----------
    name : str
        A name of :data:`ARCHITECTURES`, or ``timm:<model>`` where the ``timm`` extra is installed.
    classes : int
        Number of classes.
    channels : int
        Input channels: 3 for the presets ``tutorial`` and ``breast``, 1 for ``default``.
    """

    name: str
    classes: int
    channels: int


def _tutorial(architecture: Architecture) -> DensityNetwork:
    from densight.network.resnet import TutorialResNet

    return TutorialResNet(architecture.classes, architecture.channels)


def _mobilenet(width: float) -> Callable[[Architecture], DensityNetwork]:
    def build(architecture: Architecture) -> DensityNetwork:
        from densight.network.mobilenet import MobileNetV2

        return MobileNetV2(architecture.classes, architecture.channels, width)

    return build


def _breastnet(architecture: Architecture) -> DensityNetwork:
    from densight.network.breastnet import BreastNet

    return BreastNet(architecture.classes, architecture.channels)


ARCHITECTURES: dict[str, Callable[[Architecture], DensityNetwork]] = {
    "tutorial-resnet": _tutorial,
    "mobilenetv2-100": _mobilenet(1.0),
    "mobilenetv2-050": _mobilenet(0.5),
    "mobilenetv2-035": _mobilenet(0.35),
    "breastnet": _breastnet,
}
"""Every network by name."""


def build_network(architecture: Architecture) -> DensityNetwork:
    """Build a network with fresh weights, drawn from PyTorch's global generator.

    Raises
    ------
    DensightError
        If the name is unknown, or a ``timm:`` model is asked for where timm cannot be imported.

    Examples
    --------
    >>> network = build_network(Architecture("mobilenetv2-035", classes=4, channels=1))
    >>> sum(p.numel() for p in network.parameters()) < 1_000_000
    True
    """
    if architecture.name.startswith("timm:"):
        from densight.network.timm import build_timm

        return build_timm(architecture.name.removeprefix("timm:"), architecture.classes, architecture.channels)
    if architecture.name not in ARCHITECTURES:
        raise DensightError(
            f"unknown network {architecture.name!r}",
            remedy=f"use one of {', '.join(ARCHITECTURES)}, or timm:<model> with the extra densight[timm]",
        )
    return ARCHITECTURES[architecture.name](architecture)
