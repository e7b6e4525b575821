"""Engines that compute a network's feature maps: which library, and in which precision.

PyTorch always computes the head, and with it probabilities and closed-form maps, in single precision from the engine's
feature maps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from densight.network.blocks import DensityNetwork

__all__ = ["ENGINES", "PRECISIONS", "Computing", "Engine", "build_engine"]

ENGINES = ("torch", "openvino")
"""Libraries that run the convolutions; OpenVINO is an extra."""

PRECISIONS = ("fp32", "bf16", "auto")
"""Precisions of the convolutions; auto is bf16 where the processor has instructions for it, else fp32."""

CHECKED, BOUND = 8, 0.05
"""For how many images probabilities are also computed in fp32, and how much they may differ."""

Compute = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Computing:
    """The engine and precision that run a network.

    Parameters
    ----------
    engine : {"torch", "openvino"}
    precision : {"fp32", "bf16", "auto"}

    Raises
    ------
    DensightError
        If there is no such engine or precision.
    """

    engine: str = "torch"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        for kind, name, known in (("engine", self.engine, ENGINES), ("precision", self.precision, PRECISIONS)):
            if name not in known:
                raise DensightError(f"unknown {kind} {name!r}", remedy=f"use one of {', '.join(known)}")


class Engine:
    """Computes the last feature map of one network.

    Made by `build_engine`.

    Attributes
    ----------
    precision : {"fp32", "bf16"}
        The one that is used.
    change : float
        In bf16, the largest difference from probabilities in fp32 over the first `CHECKED` images.
    """

    def __init__(self, name: str, precision: str, compute: Compute, network: DensityNetwork) -> None:
        self.name, self.precision, self.change = name, precision, 0.0
        self._compute, self._network = compute, network
        self._left = CHECKED if precision == "bf16" else 0
        self._lock = threading.Lock()

    @property
    def description(self) -> str:
        """The library, its version and the precision, in words."""
        words = f"{self.name} {version(self.name)}, {self.precision}"
        return f"{words}, probabilities within {self.change:.4f} of fp32" if self.precision == "bf16" else words

    def features(self, x: Tensor) -> Tensor:
        """The result of the network's ``forward_features``, float32, for an image ``(1, channels, rows, columns)``.

        Raises
        ------
        DensightError
            If bf16 changes a probability by more than `BOUND`.
        """
        features = self._compute(x)
        if self._left > 0:
            self._check(x, features)
        return features

    def _check(self, x: Tensor, features: Tensor) -> None:
        with self._lock:
            self._left -= 1
            exact, used = (
                self._network.forward_head(computed).softmax(dim=1)
                for computed in (self._network.forward_features(x), features)
            )
            self.change = max(self.change, float((exact - used).abs().max()))
        if self.change > BOUND:
            raise DensightError(
                f"bf16 changes a probability by {self.change:.3f}, more than {BOUND}", remedy="use --precision fp32"
            )


def build_engine(network: DensityNetwork, channels: int, shape: tuple[int, int], computing: Computing) -> Engine:
    """Build the engine for a network.

    Parameters
    ----------
    network : DensityNetwork
        In evaluation mode, on the device where it runs.
    channels : int
    shape : (int, int)
        Rows and columns of its input.
    computing : Computing

    Raises
    ------
    DensightError
        If OpenVINO is asked for and is not installed, or the network is not on the CPU.
    """
    import torch

    from densight.folding import fold_batch_norm

    device = network.classifier.weight.device
    precision = computing.precision
    if precision == "auto":
        precision = "bf16" if _has_bf16(device) else "fp32"
    folded = fold_batch_norm(network, channels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if computing.engine == "openvino":
        from densight.network.openvino import compile_features

        if device.type != "cpu":
            raise DensightError("OpenVINO runs on the CPU here", remedy="use --device cpu, or --engine torch")
        return Engine("openvino", precision, compile_features(folded, channels, shape, precision), network)
    if precision == "fp32":
        _by_onednn(folded)
        return Engine("torch", precision, folded.forward_features, network)
    half = folded.to(torch.bfloat16)
    return Engine("torch", precision, lambda x: half.forward_features(x.to(torch.bfloat16)).float(), network)


def _by_onednn(network: nn.Module) -> None:
    """Have 1×1 convolutions computed by the library that computes the others, which is a fifth quicker.

    PyTorch gives them to another one where it has one thread, but not if they are dilated, which changes nothing in a
    kernel of one pixel: ``use_mkldnn`` in PyTorch's ``aten/src/ATen/native/Convolution.cpp``.
    """
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.dilation = (2, 2)


def _has_bf16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
