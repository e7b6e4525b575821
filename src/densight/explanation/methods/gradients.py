"""Attributions to the network's input by differentiation, from Captum.

References
----------
Kokhlikyan et al., "Captum: a unified and generic model interpretability library for PyTorch", arXiv:2009.07896.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from densight.explanation.methods.method_input import Maps, MethodInput, chunks
from densight.explanation.methods.targets import Scores

__all__ = ["make_gradient_times_input", "make_integrated_gradients", "make_smooth_grad"]

PATH = 32
"""Points on the line from the baseline to the image."""

NOISY = 16
"""Noisy images per mean."""

NOISE = 0.15
"""Standard deviation of the noise, as a part of the range of the input's values."""


def make_gradient_times_input(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """The derivative times the input, whose zero is the middle of the grey scale.

    Source: Shrikumar et al., "Not just a black box", arXiv:1605.01713.
    """
    from captum.attr import InputXGradient

    method = InputXGradient(Scores(inputs.network))
    cells = [method.attribute(_leaf(inputs.x), target=target) for target in targets]
    return _maps(cells, len(targets))


def make_integrated_gradients(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """The mean derivative along the straight line from the baseline to the image, times their difference.

    Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017.
    """
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(Scores(inputs.network))
    at_once = len(next(chunks(inputs.x.expand(PATH, *inputs.x.shape[1:]))))
    cells = [
        method.attribute(
            _leaf(inputs.x), baselines=inputs.baseline, target=target, n_steps=PATH, internal_batch_size=at_once
        )
        for target in targets
    ]
    return _maps(cells, PATH * len(targets))


def make_smooth_grad(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """The mean derivative of noisy copies of the image.

    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", arXiv:1706.03825.
    """
    from captum.attr import NoiseTunnel, Saliency

    method = NoiseTunnel(Saliency(Scores(inputs.network)))
    at_once = len(next(chunks(inputs.x.expand(NOISY, *inputs.x.shape[1:]))))
    deviation = NOISE * float(inputs.x.max() - inputs.x.min())
    cells = []
    for target in targets:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(inputs.seed)
            cells.append(
                method.attribute(
                    _leaf(inputs.x),
                    nt_samples=NOISY,
                    nt_samples_batch_size=at_once,
                    stdevs=deviation,
                    target=target,
                    abs=False,
                )
            )
    return _maps(cells, NOISY * len(targets))


def _leaf(x: Tensor) -> Tensor:
    return x.detach().clone().requires_grad_()


def _maps(cells: Sequence[Tensor], passes: int) -> Maps:
    """Maps at the input, summed over its channels."""
    return Maps(
        torch.stack([channels.detach()[0].sum(dim=0) for channels in cells]).float(),
        "input",
        forward=passes,
        backward=passes,
    )
