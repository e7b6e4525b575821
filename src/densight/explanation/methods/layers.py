"""Layers by name: their output for an image, and the network's output for changed activations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from densight.network.blocks import DensityNetwork, feature_centres
from densight.vocabulary import DensightError

__all__ = ["AtLayer", "layer_output", "name_layers"]


@dataclass(frozen=True, eq=False)
class AtLayer:
    """The output of a layer for one image.

    Parameters
    ----------
    name : str
    activations : Tensor, shape (1, channels, rows, columns)
    logits_of : callable
        Activations ``(B, channels, rows, columns)`` to the logits ``(B, k)`` that follow from them.
    origin, step : (float, float)
        Where its cells lie on the network's input, in pixels; see `densight.network.blocks.feature_centres`.
    """

    name: str
    activations: Tensor
    logits_of: Callable[[Tensor], Tensor]
    origin: tuple[float, float]
    step: tuple[float, float]


def layer_output(
    network: DensityNetwork, x: Tensor, name: str | None = None, features: Tensor | None = None
) -> AtLayer:
    """The output of a layer for one image.

    Parameters
    ----------
    network : DensityNetwork
        In evaluation mode.
    x : Tensor, shape (1, channels, rows, columns)
    name : str, optional
        One of `name_layers`, or the network's ``feature_layer``, which is the default.
    features : Tensor, optional
        The output of ``forward_features`` for ``x``, if it is known.

    Raises
    ------
    DensightError
        If there is no such layer. The message lists the layers.
    """
    if name in (None, network.feature_layer):
        if features is None:
            with torch.no_grad():
                features = network.forward_features(x)
        return AtLayer(network.feature_layer, features.detach(), network.forward_head, *_places(network, x))
    layers = name_layers(network, x)
    if name not in layers:
        blocks = [network.feature_layer, *(layer for layer in layers if layer.count(".") < 2)]
        parts = [layer for layer in layers if layer.count(".") >= 2]
        remedy = f"use one of {', '.join(blocks)}" + (f", or a part of one, such as {parts[0]}" if parts else "")
        raise DensightError(f"there is no layer {name!r} that gives a map", remedy=remedy)
    module = network.get_submodule(name)
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # what follows may change its input in place

    with torch.no_grad(), _changed(module, keep):
        network(x)

    def logits_of(activations: Tensor) -> Tensor:
        with _changed(module, lambda _: activations.clone()):
            logits: Tensor = network(x.expand(len(activations), *x.shape[1:]))
        return logits

    return AtLayer(name, kept[0], logits_of, *_places(network, x, kept[0]))


def name_layers(network: nn.Module, x: Tensor) -> dict[str, tuple[int, int]]:
    """The layers with one output ``(B, channels, rows, columns)`` per pass, with the rows and columns of each.

    Parameters
    ----------
    network : torch.nn.Module
    x : Tensor, shape (1, channels, rows, columns)

    Examples
    --------
    >>> from densight.network.mobilenet import MobileNetV2
    >>> layers = name_layers(MobileNetV2(4, width=0.35).eval(), torch.zeros(1, 1, 64, 96))
    >>> layers["features.0"], layers["features.18"]
    ((32, 48), (4, 6))
    """
    sizes: dict[str, tuple[int, int]] = {}
    times: Counter[str] = Counter()

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], object], None]:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: object) -> None:
            times[name] += 1
            if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
                sizes[name] = (output.shape[2], output.shape[3])

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in network.named_modules() if name]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: size for name, size in sizes.items() if times[name] == 1}


@contextmanager
def _changed(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Change the output of a module. The hook is removed afterwards, whatever happens."""
    hook = module.register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        yield
    finally:
        hook.remove()


def _places(
    network: DensityNetwork, x: Tensor, cells: Tensor | None = None
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Origin and step of a layer's cells; of the last layer's if no cells are given."""
    sizes = (None, None) if cells is None else cells.shape[2:]
    rows, columns = (feature_centres(network, x.shape[axis + 2], sizes[axis]) for axis in (0, 1))
    return (rows[0], columns[0]), (rows[1], columns[1])
