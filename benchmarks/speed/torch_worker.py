"""PyTorch as it comes, and the class activation maps of three packages for it, of the tutorial's network.

    python benchmarks/speed/torch_worker.py FOLDER

The network is densight's, which reads ``model.h5``, but nothing of it is made faster; images are read and prepared by
Pillow and NumPy alone, as a user of these packages would.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from worker import serve

from cam_speed import stand_in
from densight.network.keras import read_keras_bundle
from densight.vocabulary import PROJECTIONS

CLASSES, SIZE = 4, 650


def read(path: Path) -> Tensor:
    """An image as the tutorial's script gives it to its network, a batch of one."""
    resized = Image.open(path).resize((SIZE, SIZE), Image.Resampling.NEAREST)
    x = np.asarray(resized, np.float32) * np.float32(1 / 255)
    return torch.from_numpy(np.broadcast_to(x - x.mean(), (1, 3, SIZE, SIZE)).copy())


def enlarged(cells: Tensor) -> Tensor:
    """Maps ``(k, rows, columns)`` in the input's size."""
    return torch.nn.functional.interpolate(cells[None], (SIZE, SIZE), mode="bilinear")[0]


def main() -> None:
    """Serve the tasks."""
    folder = Path(sys.argv[1])
    paths = sorted((folder / "images").rglob("*.png"))
    network: Any = read_keras_bundle(folder / "model.h5", projections=PROJECTIONS).network.eval()
    stand_in("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.models")
    from captum.attr import LayerGradCam
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam.methods import GradCAM as TorchCam

    layer = network.blocks[-1]

    def predict() -> list[float]:
        with torch.no_grad():
            return [float(p) for path in paths for p in network(read(path)).softmax(dim=1)[0]]

    def by_pytorch_grad_cam(x: Tensor) -> None:
        # As its documentation has it: an object of which images and classes are asked, and which is closed.
        with GradCAM(network, [layer]) as cam:
            for label in range(CLASSES):
                cam(input_tensor=x, targets=[ClassifierOutputTarget(label)])

    def by_captum(x: Tensor) -> None:
        cam = LayerGradCam(network, layer)
        enlarged(torch.cat([cam.attribute(x, target=label)[0].detach() for label in range(CLASSES)]))

    def by_torch_cam(x: Tensor) -> None:
        with TorchCam(network, layer) as cam:
            scores = network(x)
            cells = [cam(label, scores, retain_graph=label < CLASSES - 1)[0] for label in range(CLASSES)]
            enlarged(torch.cat(cells))

    def explaining(way: Callable[[Tensor], None], *, assess: bool) -> Callable[[], None]:
        def task() -> None:
            for path in paths:
                x = read(path)
                if assess:
                    with torch.no_grad():
                        network(x).softmax(dim=1)
                way(x)

        return task

    serve(
        [f"{name} {version(name)}" for name in ("torch", "grad-cam", "captum", "torchcam")],
        {
            "pytorch predict": predict,
            "pytorch-grad-cam": explaining(by_pytorch_grad_cam, assess=True),
            "captum": explaining(by_captum, assess=True),
            # Its maps are made from the scores of its own pass.
            "torch-cam": explaining(by_torch_cam, assess=False),
        },
    )


if __name__ == "__main__":
    main()
