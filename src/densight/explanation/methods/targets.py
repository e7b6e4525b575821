"""What is explained: the score of each class before the softmax, and last the expected class.

The *expected class* is ``E[k] = Σ k p_k``, the mean place of the class, 0 for the least dense. It is one number that
rises with density, so its map separates denser from fattier evidence in one signed picture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Scores", "expected_class", "expected_slopes", "mean_slopes", "with_expected"]

STEPS = 32
"""Points of the integral along the straight line between two sets of logits."""


def expected_class(logits: Tensor) -> Tensor:
    """``E[k]`` of logits ``(..., k)``: ``(...)``, from 0 to k - 1.

    Examples
    --------
    >>> expected_class(torch.zeros(1, 4))
    tensor([1.5000])
    """
    return logits.softmax(dim=-1) @ torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)


def with_expected(logits: Tensor) -> Tensor:
    """Logits ``(..., k)`` with their expected class after them, ``(..., k + 1)``."""
    return torch.cat([logits, expected_class(logits)[..., None]], dim=-1)


def expected_slopes(logits: Tensor) -> Tensor:
    """The derivative of ``E[k]`` with respect to each logit, in the shape of ``logits``: ``p_c (c - E)``.

    Examples
    --------
    >>> expected_slopes(torch.zeros(2))
    tensor([-0.2500,  0.2500])
    """
    places = torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    return logits.softmax(dim=-1) * (places - expected_class(logits)[..., None])


def mean_slopes(start: Tensor, end: Tensor) -> Tensor:
    """The mean of `expected_slopes` along the straight line between two sets of logits, in their shape.

    Multiplied by the difference of the logits they add up to the difference of ``E[k]``, up to the error of the
    midpoint rule. They distribute the change of the expected class among the logits, as integrated gradients do.

    References
    ----------
    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017, eq. 1.

    Examples
    --------
    >>> start, end = torch.tensor([0.0, 0.0]), torch.tensor([-1.0, 3.0])
    >>> change = (mean_slopes(start, end) * (end - start)).sum()
    >>> abs(float(change - (expected_class(end) - expected_class(start)))) < 1e-3
    True
    """
    along = (torch.arange(STEPS, dtype=start.dtype, device=start.device) + 0.5) / STEPS
    along = along.reshape(-1, *[1] * start.ndim)
    return expected_slopes(start + along * (end - start)).mean(dim=0)


class Scores(nn.Module):
    """A network whose outputs are all targets that can be explained.

    Parameters
    ----------
    network : torch.nn.Module
        Gives logits ``(B, k)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """``(B, k + 1)``: the logits and the expected class."""
        return with_expected(self.network(x))
