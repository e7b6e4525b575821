"""Back-propagation under other rules than the derivative's: guided back-propagation and DeepLIFT.

Captum has both, but it recognises activations by their modules. For activations that a network calls as functions, and
for ReLU6, it returns the plain gradient without a warning. Here the functions themselves are replaced while a network
runs, so it does not matter how they are called, and no hook stays on a module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from densight.explanation.methods.method_input import Maps, MethodInput
from densight.explanation.methods.targets import mean_slopes, with_expected
from densight.vocabulary import DensightError

__all__ = ["make_deep_lift", "make_guided_backpropagation"]

Rule = Callable[..., Tensor]

ACTIVATIONS = frozenset(
    {
        functional.relu,
        functional.relu6,
        functional.leaky_relu,
        functional.hardtanh,
        functional.elu,
        functional.celu,
        functional.selu,
        functional.silu,
        functional.gelu,
        functional.mish,
        functional.softplus,
        functional.hardswish,
        functional.hardsigmoid,
        torch.relu,
        torch.sigmoid,
        torch.tanh,
        Tensor.relu,
        Tensor.sigmoid,
        Tensor.tanh,
    }
)
"""Functions that act on each value separately."""

_NEAR = 1e-6
_COMPLETE = 0.02
"""Part of a score's change that may be missing from the sum of DeepLIFT's attributions."""


class _Under(TorchFunctionMode):
    """While it is entered, activations and max pooling are differentiated by other rules."""

    def __init__(self, activation: Rule, pooling: Rule | None = None) -> None:
        super().__init__()
        self.activation, self.pooling = activation, pooling

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in ACTIVATIONS:
            return self.activation(lambda x: func(x, *args[1:], **kwargs), args[0])
        if func is functional.max_pool2d and self.pooling is not None:
            return self.pooling(lambda x, **more: func(x, *args[1:], **(kwargs | more)), args[0])
        return func(*args, **kwargs)


def make_guided_backpropagation(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """Guided back-propagation: at every activation, only positive gradients pass backwards.

    Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR Workshops 2015.
    """
    x = inputs.x.detach().clone().requires_grad_()
    with torch.enable_grad(), _Under(_Guided.apply):
        scores = with_expected(inputs.network(x))[0]
    cells = [torch.autograd.grad(scores[target], x, retain_graph=True)[0][0].sum(dim=0) for target in targets]
    return Maps(torch.stack(cells), "input", forward=1, backward=len(targets))


class _Guided(torch.autograd.Function):
    """An activation, and backwards its slope times the positive part of what comes."""

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Apply it."""
        value, slope = _value_and_slope(function, x)
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        """Differentiate it under the rule."""
        (slope,) = ctx.saved_tensors
        return None, (slope * gradients[0]).clamp(min=0)


def make_deep_lift(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """DeepLIFT by its rescale rule: the contribution of the difference from the baseline to that of the scores.

    Image and baseline go through the network together; at every activation the slope is that between the two. The
    expected class shares its change out among the logits by `densight.explanation.methods.targets.mean_slopes`.

    Raises
    ------
    DensightError
        If the contributions do not add up, because the network has layers that the rule does not cover.

    References
    ----------
    Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation differences", ICML
    2017, section 3.5.1; for max pooling its program, which shares out what each place adds to the maximum.
    """
    assert inputs.baseline is not None
    pair = torch.cat([inputs.x, inputs.baseline]).detach().requires_grad_()
    with torch.enable_grad(), _Under(_Rescaled.apply, _RescaledPool.apply):
        logits = inputs.network(pair)
    slopes = mean_slopes(logits[1].detach(), logits[0].detach())
    of_logits = torch.cat([torch.eye(inputs.n_classes, device=slopes.device), slopes[None]])
    difference = (pair[0] - pair[1]).detach()
    cells = []
    for target in targets:
        (multipliers,) = torch.autograd.grad(of_logits[target] @ logits[0], pair, retain_graph=True)
        cells.append((multipliers[0] * difference).sum(dim=0))
        change = float(of_logits[target] @ (logits[0] - logits[1]).detach())
        if abs(float(cells[-1].sum()) - change) > _COMPLETE * max(abs(change), 0.1):
            raise DensightError(
                "DeepLIFT's contributions do not add up to the score, because the network multiplies features",
                remedy="use another method, such as integrated-gradients",
            )
    return Maps(torch.stack(cells), "input", forward=2, backward=len(targets))


class _Rescaled(torch.autograd.Function):
    """An activation of a pair, and backwards the slope between the two."""

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Apply it."""
        value, slope = _value_and_slope(function, x)
        across, rise = x[:1] - x[1:], value[:1] - value[1:]
        near = across.abs() < _NEAR
        ctx.save_for_backward(torch.where(near, slope[:1], rise / torch.where(near, 1, across)))
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        """Differentiate it under the rule."""
        (slope,) = ctx.saved_tensors
        return None, slope * gradients[0]


class _RescaledPool(torch.autograd.Function):
    """Max pooling of a pair; backwards, what each place adds to the maximum is shared out over its difference."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
        """Apply it."""
        value, index = function(x, return_indices=True)
        ctx.save_for_backward(x, value, index)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        """Differentiate it under the rule."""
        x, value, index = ctx.saved_tensors
        highest = torch.maximum(value[0], value[1])
        shares = torch.stack([highest - value[1], value[0] - highest]) * gradients[0][:1]
        into = torch.zeros_like(x).flatten(2).scatter_add_(2, index.flatten(2), shares.flatten(2)).reshape(x.shape)
        across = x[:1] - x[1:]
        known = across.isfinite() & (across.abs() >= _NEAR)
        slope = torch.where(known, into.sum(dim=0, keepdim=True) / torch.where(known, across, 1), 0)
        return None, torch.cat([slope, torch.zeros_like(slope)])


def _value_and_slope(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        # A clone, because the function may work in place.
        value = function(leaf.clone())
        (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope
