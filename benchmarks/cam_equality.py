"""Class activation maps beside those of pytorch-grad-cam and torch-cam: the greatest difference, as a part of the peak.

    python benchmarks/cam_equality.py

Of the default network with weights that tell classes apart, for every class. Needs the packages grad-cam and torchcam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cam_speed import CLASSES, NETWORKS, last_map, stand_in
from densight.explanation.methods.method_input import MethodInput
from densight.explanation.methods.methods import METHODS
from densight.network.architecture import build_network


def by_pytorch_grad_cam(method: Any, network: Any, x: Tensor, label: int) -> Tensor:
    """Its map before clipping, scaling and enlarging."""
    layer = last_map(network)
    with method(network, [layer]) as cam:
        scores = cam.activations_and_grads(x)
        network.zero_grad()
        scores[0, label].backward()
        activations, gradients = (
            one[0].cpu().data.numpy()
            for one in (cam.activations_and_grads.activations, cam.activations_and_grads.gradients)
        )
        target = [lambda scores: scores[label]]
        return torch.as_tensor(np.asarray(cam.get_cam_image(x, layer, target, activations, gradients, False)))[0]


def by_torch_cam(method: Any, network: Any, x: Tensor, label: int) -> Tensor:
    """Its map before scaling; it clips at zero where its paper does."""
    with method(network, last_map(network)) as extractor:
        (one,) = extractor(label, network(x), normalized=False)
        squeezed: Tensor = one.squeeze().detach()
        return squeezed


def main() -> None:
    """The command line."""
    stand_in(
        "torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.models", "ttach"
    )
    import pytorch_grad_cam as pgc
    import torchcam.methods as tcm

    torch.manual_seed(0)
    architecture, shape = NETWORKS["default"]
    network: Any = build_network(architecture).eval()
    with torch.no_grad():
        network.classifier.weight.mul_(30)
    x = torch.rand(1, architecture.channels, *shape)
    others: list[tuple[str, str, Callable[..., Tensor], Any]] = [
        ("grad-cam", "pytorch-grad-cam", by_pytorch_grad_cam, pgc.GradCAM),
        ("grad-cam", "torch-cam", by_torch_cam, tcm.GradCAM),
        ("hires-cam", "pytorch-grad-cam", by_pytorch_grad_cam, pgc.HiResCAM),
        ("layer-cam", "pytorch-grad-cam", by_pytorch_grad_cam, pgc.LayerCAM),
        ("layer-cam", "torch-cam", by_torch_cam, tcm.LayerCAM),
        ("grad-cam++", "pytorch-grad-cam", by_pytorch_grad_cam, pgc.GradCAMPlusPlus),
        ("grad-cam++", "torch-cam", by_torch_cam, tcm.GradCAMpp),
        ("eigen-cam", "pytorch-grad-cam", by_pytorch_grad_cam, pgc.EigenCAM),
        ("ablation-cam", "pytorch-grad-cam", by_pytorch_grad_cam, pgc.AblationCAM),
    ]
    for name, program, way, method in others:
        own = METHODS[name].make(MethodInput(network, x)).cells
        shown = []
        for label in range(CLASSES):
            try:
                other = way(method, network, x, label).float()
            except Exception as error:  # what another program cannot do is a result too
                shown.append(type(error).__name__)
                continue
            reference = own[label].clamp(min=0) if bool((other >= 0).all()) else own[label]
            scaled = [one / one.abs().max().clamp(min=1e-12) for one in (reference, other)]
            rank = np.corrcoef(scaled[0].flatten(), scaled[1].flatten())[0, 1]
            shown.append(f"{float((scaled[0] - scaled[1]).abs().max()):.0e} (r {rank:.3f})")
        print(f"{name:14s} {program:18s} {'  '.join(shown)}")


if __name__ == "__main__":
    main()
