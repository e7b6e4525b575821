"""Grad-CAM for every class from one forward pass, in closed form.

densight's networks end in ``logits = W mean(f(A)) + b`` with ``A`` the last feature map and ``f`` its activation. The
derivative of logit ``c`` with respect to ``A`` at channel ``k`` and position ``p`` is then ``W[c, k] f'(A[k, p]) / n``,
with ``n`` the number of positions, and Grad-CAM's channel weight, its mean over positions, is ``W[c, k]`` times the
mean slope, over ``n``. No backward pass is needed, and all classes cost as much as one.

References
----------
Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017, eq. 1
and 2, and appendix A for the relation to CAM.
"""

from __future__ import annotations

import torch
from torch import Tensor

from densight.network.blocks import DensityNetwork

__all__ = ["grad_cam"]


def grad_cam(network: DensityNetwork, features: Tensor) -> Tensor:
    """The raw, signed Grad-CAM maps of every class, for scores before the softmax.

    Parameters
    ----------
    network : DensityNetwork
    features : Tensor, shape (B, channels, rows, columns)
        What ``network.forward_features`` gave.

    Returns
    -------
    Tensor, shape (B, classes, rows, columns)
        Positive where the features speak for the class. Grad-CAM's ReLU is left to the drawing.

    Examples
    --------
    >>> from densight.network.mobilenet import MobileNetV2
    >>> network = MobileNetV2(4, width=0.35).eval()
    >>> grad_cam(network, network.forward_features(torch.zeros(2, 1, 64, 64))).shape
    torch.Size([2, 4, 4, 4])
    """
    positions = features.shape[2] * features.shape[3]
    mean_slope = network.activation_slope(features).mean(dim=(2, 3))
    weights = network.classifier.weight[None] * mean_slope[:, None] / positions
    return torch.einsum("bck,bkij->bcij", weights, features)
