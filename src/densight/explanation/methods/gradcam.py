"""Grad-CAM for every class from one forward pass, in closed form.

densight's networks end in ``logits = W mean(f(A)) + b`` with ``A`` the last feature map and ``f`` its activation. The
derivative of logit ``c`` with respect to ``A`` at channel ``k`` and position ``p`` is then ``W[c, k] f'(A[k, p]) / n``,
with ``n`` the number of positions, and Grad-CAM's channel weight, its mean over positions, is ``W[c, k]`` times the
mean slope, over ``n``. No backward pass is needed, and all classes cost as much as one. A network whose head has
another form (``linear_head`` is false) is differentiated automatically, through the head alone.

References
----------
Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017, eq. 1
and 2, and appendix A for the relation to CAM.
"""

from __future__ import annotations

import torch
from torch import Tensor

from densight.network.blocks import DensityNetwork

__all__ = ["grad_cam", "grad_cam_by_differentiation"]


def grad_cam(network: DensityNetwork, features: Tensor) -> Tensor:
    """The raw, signed Grad-CAM maps of every class, for scores before the softmax.

    Parameters
    ----------
    network : DensityNetwork
        In evaluation mode.
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
    if not network.linear_head:
        return grad_cam_by_differentiation(network, features)
    positions = features.shape[2] * features.shape[3]
    mean_slope = network.activation_slope(features).mean(dim=(2, 3))
    weights = network.classifier.weight[None] * mean_slope[:, None] / positions
    return torch.einsum("bck,bkij->bcij", weights, features)


def grad_cam_by_differentiation(network: DensityNetwork, features: Tensor) -> Tensor:
    """The same by automatic differentiation of the head, a backward pass a class; for heads of any form.

    Examples
    --------
    >>> from densight.network.mobilenet import MobileNetV2
    >>> network = MobileNetV2(4, width=0.35).eval()
    >>> features = network.forward_features(torch.rand(1, 1, 64, 64)).detach()
    >>> torch.allclose(grad_cam(network, features), grad_cam_by_differentiation(network, features), atol=1e-6)
    True
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = features.clone().requires_grad_()
        logits = network.forward_head(leaf)
        maps = []
        for label in range(logits.shape[1]):
            # Images of a batch do not meet in the head, so the gradient of the sum is each image's own.
            (gradient,) = torch.autograd.grad(logits[:, label].sum(), leaf, retain_graph=True)
            maps.append((gradient.mean(dim=(2, 3), keepdim=True) * leaf.detach()).sum(dim=1))
    return torch.stack(maps, dim=1)
