"""Grad-CAM of all four classes: how much it costs beside other programs, and whether they say the same.

    python benchmarks/cam_speed.py [--repeats 15] [--network default|tutorial]

Times, in one process and in turn, the plain assessment of an image, the same with densight's maps, and the maps of
pytorch-grad-cam, Captum's LayerGradCam and torch-cam for the same four classes of the same network; prints medians as
ratios of the plain assessment, and the greatest difference of each program's maps from densight's. Needs the packages
grad-cam, torchcam and captum. Both CAM packages import torchvision for their examples; where there is none, an empty
stand-in is put in its place.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from densight.explanation.methods.gradcam import grad_cam
from densight.network.architecture import Architecture, build_network

CLASSES = 4
NETWORKS = {
    "default": (Architecture("mobilenetv2-050", CLASSES, 1), (384, 256)),
    "tutorial": (Architecture("tutorial-resnet", CLASSES, 3), (650, 650)),
}


def stand_in(*names: str) -> None:
    """Empty modules for what cannot be imported and is not used."""
    for name in names:
        try:
            __import__(name)
        except Exception:  # a torchvision that does not fit PyTorch fails with a RuntimeError
            module: Any = types.ModuleType(name)
            module.__getattr__ = lambda _: object
            module.__path__ = []
            sys.modules[name] = module


def last_map(network: nn.Module) -> nn.Module:
    """The module whose output is the last feature map."""
    blocks: Any = getattr(network, "blocks", None)
    return blocks[-1] if blocks is not None else network.features  # type: ignore[return-value]


def programs(network: Any, x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Each program's raw maps ``(classes, rows, columns)`` of an image, ReLU left out where the program allows it."""
    stand_in(
        "torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.models", "ttach"
    )
    from captum.attr import LayerGradCam
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam.methods import GradCAM as TorchCam

    layer = last_map(network)

    def plain() -> Tensor:
        with torch.inference_mode():
            return network.forward_head(network.forward_features(x)).softmax(dim=1)

    def densight() -> Tensor:
        with torch.inference_mode():
            features = network.forward_features(x)
            network.forward_head(features).softmax(dim=1)
            return grad_cam(network, features)[0]

    class Raw(GradCAM):  # type: ignore[misc]
        """Without its ReLU, scaling and enlarging, which would hide what is compared."""

        def compute_cam_per_layer(self, *arguments: Any, **_: Any) -> Any:
            activations = self.activations_and_grads.activations[0].cpu().data.numpy()
            gradients = self.activations_and_grads.gradients[0].cpu().data.numpy()
            weights = self.get_cam_weights(None, None, None, activations, gradients)
            return [(weights[:, :, None, None] * activations).sum(axis=1)]

        def aggregate_multi_layers(self, maps: Any) -> Any:
            return maps[0]

    raw = Raw(network, [layer])
    with TorchCam(network, layer) as torch_cam:
        pass
    captum = LayerGradCam(network, layer)

    def by_pytorch_grad_cam() -> Tensor:
        maps = [raw(input_tensor=x, targets=[ClassifierOutputTarget(label)]) for label in range(CLASSES)]
        return torch.stack([torch.as_tensor(one)[0] for one in maps])

    def by_captum() -> Tensor:
        return torch.stack([captum.attribute(x, target=label)[0, 0].detach() for label in range(CLASSES)])

    def by_torch_cam() -> Tensor:
        maps = []
        with TorchCam(network, layer) as extractor:
            scores = network(x)
            for label in range(CLASSES):
                (one,) = extractor(label, scores, normalized=False, retain_graph=True)
                maps.append(one.squeeze().detach())
        return torch.stack(maps)

    del torch_cam
    return {
        "assessment alone": plain,
        "densight": densight,
        "pytorch-grad-cam": by_pytorch_grad_cam,
        "Captum LayerGradCam": by_captum,
        "torch-cam": by_torch_cam,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--network", choices=NETWORKS, default="default")
    options = parser.parse_args()
    torch.manual_seed(0)
    architecture, shape = NETWORKS[options.network]
    network: Any = build_network(architecture).eval().to(memory_format=torch.channels_last)
    with torch.no_grad():  # as fresh weights come the classes hardly differ
        network.classifier.weight.mul_(30)
    x = torch.rand(1, architecture.channels, *shape).to(memory_format=torch.channels_last)
    ways = programs(network, x)
    times: dict[str, list[float]] = {name: [] for name in ways}
    maps = {name: way() for name, way in ways.items()}
    for _ in range(options.repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    own, unit = maps["densight"], median(times["assessment alone"])
    print(f"{options.network}, {'×'.join(map(str, shape))}, all {CLASSES} classes, median of {options.repeats}")
    for name, taken in times.items():
        ratio = median(taken) / unit
        shown = (
            "" if name == "assessment alone" else f"  differs by at most {difference(own, maps[name]):.1e} of the peak"
        )
        print(
            f"{name:22s} {ratio:6.2f} × assessment, {median(taken) / median(times['densight']):5.2f} × densight{shown}"
        )


def difference(own: Tensor, other: Tensor) -> float:
    """The greatest difference as a part of the greatest value; where a program clips at zero, of the positive parts."""
    clipped = bool((other >= 0).all())
    reference = own.clamp(min=0) if clipped else own
    return float((reference - other).abs().max() / reference.abs().max())


if __name__ == "__main__":
    main()
