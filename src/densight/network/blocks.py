"""What every network of densight offers, and the pieces that Keras and PyTorch define differently."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "DensityNetwork",
    "SameConv2d",
    "SameMaxPool2d",
    "as_channels_last",
    "feature_centres",
    "keras_initialise",
    "same_padding",
]


Pair = tuple[int, int]
"""A value for rows and one for columns."""

Stride = tuple[int, int, int]
"""(kernel, stride, padding before) of a layer along one axis."""

PROBE = (128, 160)
"""Rows and columns of the blank image that shows what a network makes: its axes differ."""


class DensityNetwork(nn.Module):
    """A network in two halves: the last feature map, and the head that makes class scores of it.

    Where ``linear_head`` is true, ``logits = W mean(activation(features)) + b`` with ``W`` the weights of
    ``classifier``. That form is what makes Grad-CAM exact in closed form.

    Attributes
    ----------
    classifier : torch.nn.Linear
        The last layer, weights ``(n_classes, channels)``.
    feature_layer : str
        What literature and users call the layer that ``forward_features`` returns.
    linear_head : bool
        Whether the head has the form above.
    """

    classifier: nn.Linear
    feature_layer: str
    linear_head: bool = True

    def __init__(self) -> None:
        super().__init__()
        self._strides: dict[int, list[Stride]] = {}

    def forward_features(self, x: Tensor) -> Tensor:
        """``(B, channels, rows, columns)`` in, the last feature map *before* its activation out."""
        raise NotImplementedError

    def forward_head(self, features: Tensor) -> Tensor:
        """The feature map in, logits ``(B, n_classes)`` out."""
        raise NotImplementedError

    def activate(self, features: Tensor) -> Tensor:
        """The last activation of the feature map, in its shape; only where ``linear_head`` is true."""
        raise NotImplementedError

    def activation_slope(self, features: Tensor) -> Tensor:
        """The derivative of the last activation at every position, in the shape of ``features``."""
        raise NotImplementedError

    @property
    def input_channels(self) -> int:
        """Channels of the input, those of the first convolution."""
        return next(module.in_channels for module in self.modules() if isinstance(module, nn.Conv2d))

    def strides(self, size: int) -> list[Stride]:
        """(kernel, stride, padding before) of every layer on the main path that makes the map smaller, for one axis.

        Found by a probe, once per size: a blank image passes through, and hooks record kernel and sizes of
        convolutions and poolings. Where several layers start from one size, the one with the largest kernel is on the
        main path; the others are shortcuts. Layers that make a map smaller than the last feature map are left out,
        because later layers enlarge it again.
        """
        if size not in self._strides:
            self._strides[size] = self._probe_strides(size)
        return self._strides[size]

    def _probe_strides(self, size: int) -> list[Stride]:
        layers: dict[int, tuple[Stride, int]] = {}

        def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            before, after = inputs[0].shape[-1], output.shape[-1]
            kernel, stride, padding = (_last(getattr(module, name)) for name in ("kernel_size", "stride", "padding"))
            if after < before and (before not in layers or kernel > layers[before][0][0]):
                # "Same" padding is made outside the layer, whose own padding is then less than its output needs.
                needed = max((after - 1) * stride + kernel - before, 0)
                layers[before] = (kernel, stride, padding if 2 * padding >= needed else needed // 2), after

        kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
        hooks = [module.register_forward_hook(record) for module in self.modules() if isinstance(module, kinds)]
        try:
            last = self.probe((PROBE[0], size)).shape[-1]
        finally:
            for hook in hooks:
                hook.remove()
        return [layer for layer, after in layers.values() if after >= last]

    def probe(self, shape: Pair) -> Tensor:
        """The feature map of a blank image of these rows and columns, in evaluation mode."""
        training = self.training
        parameter = next(self.parameters())
        blank = torch.zeros(1, self.input_channels, *shape, device=parameter.device, dtype=parameter.dtype)
        with torch.inference_mode():
            features = self.eval().forward_features(blank)
        self.train(training)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, n_classes)``."""
        return self.forward_head(self.forward_features(x))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after one axis, as Keras' ``padding="same"`` makes it.

    The output has ``ceil(size / stride)`` positions; where the padding is odd the extra one comes after, so that a
    stride of 2 on an even size pads (0, 1) where PyTorch's symmetric ``padding=1`` pads (1, 1).

    Source: TensorFlow, API documentation of ``tf.nn``, "Notes on padding".

    Examples
    --------
    >>> same_padding(650, 3, 2), same_padding(325, 3, 2), same_padding(163, 1, 2)
    ((0, 1), (1, 1), (0, 0))
    """
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pad_same(x: Tensor, kernel: int, stride: int, value: float) -> tuple[Tensor, Pair]:
    """An image padded where that differs between two sides; else as it is, and how the layer is to pad it."""
    rows, columns = (same_padding(int(size), kernel, stride) for size in x.shape[-2:])
    if rows[0] == rows[1] and columns[0] == columns[1]:
        return x, (rows[0], columns[0])
    return functional.pad(x, (*columns, *rows), value=value), (0, 0)


class SameConv2d(nn.Conv2d):
    """A convolution with bias and Keras' "same" padding."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels_in, rows, columns)`` to ``(B, channels_out, ceil(rows/stride), ceil(columns/stride))``."""
        x, padding = _pad_same(x, self.kernel_size[0], self.stride[0], 0.0)
        planes = self.training and self.kernel_size[0] > 1 and _learns_by_planes(x)
        convolve: Any = _ByPlanes.apply if planes else functional.conv2d
        convolved: Tensor = convolve(x, self.weight, self.bias, self.stride, padding, self.dilation)
        return convolved


def _learns_by_planes(x: Tensor) -> bool:
    """Whether `_ByPlanes` is faster: on processors with AVX2 and no more."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and torch.backends.cpu.get_cpu_capability() == "AVX2"


class _ByPlanes(torch.autograd.Function):
    """A convolution channels-last whose weights' gradient is computed channel by channel.

    PyTorch's library, oneDNN, computes that gradient with AVX2 two to four times as fast so, and all else faster
    channels-last: see ``docs/performance.md``.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, dilation: Pair
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.places, ctx.biased = (stride, padding, dilation), bias is not None
        return functional.conv2d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight) = gradients, ctx.saved_tensors
        two = (*ctx.places, False, [0, 0], 1)
        sizes = [weight.shape[0]] if ctx.biased else None
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = torch.ops.aten.convolution_backward(gradient, x, weight, sizes, *two, [True, False, False])[0]
        if ctx.needs_input_grad[1]:
            planes = (part.contiguous(memory_format=torch.contiguous_format) for part in (gradient, x, weight))
            asked = [False, True, ctx.biased]
            of_weight, of_bias = torch.ops.aten.convolution_backward(*planes, sizes, *two, asked)[1:]
        return of_x, of_weight, of_bias, None, None, None


class SameMaxPool2d(nn.MaxPool2d):
    """Max pooling with Keras' "same" padding; padded positions never win."""

    kernel_size: int
    stride: int

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, channels, rows, columns)``."""
        x, padding = _pad_same(x, self.kernel_size, self.stride, -math.inf)
        return functional.max_pool2d(x, self.kernel_size, self.stride, padding)


def _last(value: int | tuple[int, ...] | str) -> int:
    """The value for columns of a layer's option, which may be one number for both axes, or a word."""
    if isinstance(value, str):
        return 0
    return value if isinstance(value, int) else value[-1]


def keras_initialise(network: nn.Module) -> None:
    """Keras' defaults: Glorot-uniform kernels, zero biases, batch norm at one and zero.

    Source: Glorot and Bengio, AISTATS 2010; Keras documentation, "Layer weight initializers".
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def feature_centres(network: DensityNetwork, size: int, cells: int | None = None) -> tuple[float, float]:
    """Where the cells of the feature map, or of an earlier layer's, lie on the network's input, along one axis.

    Cell ``i`` looks at positions centred on ``offset + step * i``. Stretching a coarse map over the whole input
    instead, as is common, misplaces it by up to half a cell.

    Parameters
    ----------
    size : int
        The input's size along the axis.
    cells : int, optional
        The size of an earlier layer's map along the axis. Where no strided layer of the network's makes a map of that
        size, its cells are taken to cover the input evenly.

    Returns
    -------
    offset, step : float
        In input pixels; pixel centres are at whole numbers.

    References
    ----------
    Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill 2019, eq. 3.
    """
    offset, step, made = 0.0, 1.0, size
    for kernel, stride, before in network.strides(size):
        if made == cells:
            break
        offset += step * ((kernel - 1) / 2 - before)
        step *= stride
        made = math.ceil(made / stride)
    if cells is not None and cells != made:
        step = size / cells
        offset = (step - 1) / 2
    return offset, step


def as_channels_last(network: DensityNetwork) -> DensityNetwork:
    """Lay the weights out as modern CPUs and GPUs read them fastest; the same network."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
