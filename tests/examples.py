"""Exams and models that the tests make for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from densight.intake.mammogram import Mammogram
from densight.network.architecture import Architecture, build_network
from densight.network.blocks import DensityNetwork
from densight.network.bundle import write_bundle
from densight.network.facts import BundleFacts
from densight.preparation.prepare import Preparation, prepare
from densight.vocabulary import BIRADS, PROJECTIONS, Projection


def draw_breast(seed: int, dense: float, *, right: bool = False, shape: tuple[int, int] = (160, 120)) -> np.ndarray:
    """A half disc with bright blobs, 8-bit grey: enough of a breast for the code to work on, drawn in no time."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = ((rows - shape[0] / 2) / (0.45 * shape[0])) ** 2 + (columns / (0.8 * shape[1])) ** 2 < 1
    image = np.where(inside, 70.0, 4.0) + rng.normal(0, 2, shape)
    for _ in range(round(25 * dense)):
        row, column = rng.uniform(0.3, 0.7) * shape[0], rng.uniform(0.1, 0.5) * shape[1]
        blob = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 7.0**2))
        image += np.where(inside, 40 * blob, 0)
    image = np.clip(image, 0, 255).astype(np.uint8)
    return image[:, ::-1] if right else image


def write_exam(folder: Path, seed: int, dense: float, projections: tuple[str, ...] = tuple(PROJECTIONS)) -> Path:
    """One PNG a projection, named by it, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, projection in enumerate(projections):
        image = draw_breast(10 * seed + i, dense, right=projection.endswith("R"))
        Image.fromarray(image).save(folder / f"{projection}.png")
    return folder


def write_model(
    folder: Path,
    projections: tuple[str, ...] = tuple(PROJECTIONS),
    classes: tuple[str, ...] = BIRADS,
    seed: int = 0,
    preset: str = "default",
) -> Path:
    """A bundle with random weights, scaled so that it says something else of each image."""
    torch.manual_seed(seed)
    preparation = Preparation(preset, (96, 64))
    name = "tutorial-resnet" if preset == "tutorial" else "mobilenetv2-035"
    architecture = Architecture(name, len(classes), preparation.channels)
    network = build_network(architecture)
    drawn = [prepare(Mammogram(draw_breast(i, i / 5)), preparation).tensor for i in range(6)]
    images = torch.from_numpy(np.stack(drawn))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
        logits = network.eval()(images)
        spread = 1.5 / logits.std(dim=0)
        network.classifier.weight *= spread[:, None]
        network.classifier.bias.copy_(-(logits - network.classifier.bias).mean(dim=0) * spread)
    facts = BundleFacts(architecture, preparation, classes, tuple(map(Projection, projections)))
    write_bundle(folder, network.state_dict(), facts)
    return folder


class TwoChannels(DensityNetwork):
    """The features are the input; leaky ReLU, mean, two classes: maps worked out with a pencil."""

    feature_layer = "features"

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(2, 2)
        self.classifier.weight.data = torch.tensor([[1.0, -2.0], [0.5, 4.0]])
        self.classifier.bias.data = torch.tensor([0.0, 0.0])

    def forward_features(self, x: Tensor) -> Tensor:
        return x

    def activate(self, features: Tensor) -> Tensor:
        return functional.leaky_relu(features, 0.5)

    def forward_head(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.activate(features).mean(dim=(2, 3)))
        return logits

    def activation_slope(self, features: Tensor) -> Tensor:
        return torch.where(features > 0, 1.0, 0.5)

    def strides(self, size: int) -> list[tuple[int, int, int]]:
        return []
