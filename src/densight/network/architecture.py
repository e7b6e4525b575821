"""Which networks there are, and how to build one from the few values that a bundle stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.network.blocks import DensityNetwork

__all__ = ["ARCHITECTURES", "Architecture", "NetworkDesign", "build_network", "check_preparation"]


@dataclass(frozen=True)
class Architecture:
    """What is needed to build a network again.

    Parameters
    ----------
    name : str
        A name of :data:`ARCHITECTURES`, or ``timm:<model>`` where the ``timm`` extra is installed.
    n_classes : int
        Number of classes.
    channels : int
        Input channels: 3 for the presets ``tutorial`` and ``breast``, 1 for ``default``.
    """

    name: str
    n_classes: int
    channels: int


@dataclass(frozen=True)
class NetworkDesign:
    """How a network is built, and what its input has to be.

    Parameters
    ----------
    build : callable
        Builds the network of an `Architecture` with fresh weights.
    preparation : str or None
        The preparation preset whose channels the network needs; None where it works with any.
    """

    build: Callable[[Architecture], DensityNetwork]
    preparation: str | None = None


def _tutorial(architecture: Architecture) -> DensityNetwork:
    from densight.network.resnet import TutorialResNet

    return TutorialResNet(architecture.n_classes, architecture.channels)


def _mobilenet(width: float) -> Callable[[Architecture], DensityNetwork]:
    def build(architecture: Architecture) -> DensityNetwork:
        from densight.network.mobilenet import MobileNetV2

        return MobileNetV2(architecture.n_classes, architecture.channels, width)

    return build


def _breastnet(architecture: Architecture) -> DensityNetwork:
    from densight.network.breastnet import BreastNet

    return BreastNet(architecture.n_classes, architecture.channels)


ARCHITECTURES: dict[str, NetworkDesign] = {
    "tutorial-resnet": NetworkDesign(_tutorial),
    "mobilenetv2-100": NetworkDesign(_mobilenet(1.0)),
    "mobilenetv2-050": NetworkDesign(_mobilenet(0.5)),
    "mobilenetv2-035": NetworkDesign(_mobilenet(0.35)),
    # Its last input channel is the mask of the breast, which only this preset has.
    "breastnet": NetworkDesign(_breastnet, preparation="breast"),
}
"""Every network by name."""


def check_preparation(network: str, preparation: str) -> None:
    """Refuse a preparation preset whose channels a network would misread.

    Parameters
    ----------
    network : str
        A name as in `Architecture`; an unknown one passes, and is refused by `build_network`.
    preparation : str
        A name of :data:`densight.preparation.prepare.PRESETS`.

    Raises
    ------
    DensightError
        If the network needs another preset.

    Examples
    --------
    >>> check_preparation("mobilenetv2-050", "default")
    >>> check_preparation("breastnet", "default")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    densight.vocabulary.DensightError: the network breastnet needs the preparation breast, but the recipe's is ...
    """
    design = ARCHITECTURES.get(network)
    if design is None or design.preparation in {None, preparation}:
        return
    raise DensightError(
        f"the network {network} needs the preparation {design.preparation}, but the recipe's is {preparation}",
        remedy=f"set preparation: {design.preparation}, or choose another network",
    )


def build_network(architecture: Architecture) -> DensityNetwork:
    """Build a network with fresh weights, drawn from PyTorch's global generator.

    Raises
    ------
    DensightError
        If the name is unknown, or a ``timm:`` model is asked for where timm cannot be imported.

    Examples
    --------
    >>> network = build_network(Architecture("mobilenetv2-035", n_classes=4, channels=1))
    >>> sum(p.numel() for p in network.parameters()) < 1_000_000
    True
    """
    if architecture.name.startswith("timm:"):
        from densight.network.timm import build_timm

        return build_timm(architecture.name.removeprefix("timm:"), architecture.n_classes, architecture.channels)
    if architecture.name not in ARCHITECTURES:
        raise DensightError(
            f"unknown network {architecture.name!r}",
            remedy=f"use one of {', '.join(ARCHITECTURES)}, or timm:<model> with the extra densight[timm]",
        )
    return ARCHITECTURES[architecture.name].build(architecture)
