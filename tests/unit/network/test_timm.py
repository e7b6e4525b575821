"""timm through a stand-in with its interface, for timm needs a torchvision that fits PyTorch; and timm itself."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import densight
from densight.explanation.methods.gradcam import grad_cam
from densight.network.architecture import Architecture, build_network
from densight.network.blocks import feature_centres
from densight.network.bundle import read_bundle, write_bundle
from densight.network.facts import BundleFacts
from densight.preparation.prepare import Preparation
from densight.vocabulary import PROJECTIONS, DensightError
from tests.examples import write_exam


class Convolutions(nn.Module):
    """Two strided layers beside a shortcut, then timm's usual head."""

    num_features = 12

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 7, 2, 3)
        self.norm = nn.BatchNorm2d(8)
        self.conv = nn.Conv2d(8, 12, 3, 2, 1)
        self.shortcut = nn.Conv2d(8, 12, 1, 2)
        self.fc = nn.Linear(12, classes)

    def forward_features(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        return torch.relu(self.shortcut(x) + self.conv(x))

    def forward_head(self, x: Tensor) -> Tensor:
        return self.fc(x.mean(dim=(2, 3)))

    def get_classifier(self) -> nn.Module:
        return self.fc


class Patches(Convolutions):
    """Patches of 4×4 and 2×2 without padding, as ConvNeXt begins."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(classes, channels)
        self.stem, self.conv = nn.Conv2d(channels, 8, 4, 4), nn.Conv2d(8, 12, 2, 2)
        self.shortcut = nn.Conv2d(8, 12, 1, 2)


class SamePadded(Convolutions):
    """Padding outside the layers, as timm's networks from TensorFlow have it."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(classes, channels)
        self.stem, self.conv = _Same(channels, 8, 3, 2), _Same(8, 12, 3, 2)


class _Same(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(nn.functional.pad(x, (0, 1, 0, 1)), self.weight, self.bias, self.stride)


class Tokens(Convolutions):
    """A sequence of tokens, as a vision transformer has it."""

    def forward_features(self, x: Tensor) -> Tensor:
        return super().forward_features(x).flatten(2).transpose(1, 2)


class ChannelsLast(Convolutions):
    """Channels at the end, as Swin has them."""

    def forward_features(self, x: Tensor) -> Tensor:
        return super().forward_features(x).permute(0, 2, 3, 1)


class TwoLayers(Convolutions):
    def get_classifier(self) -> nn.Module:
        return nn.Sequential(self.fc)


class OneSize(Convolutions):
    def forward_features(self, x: Tensor) -> Tensor:
        assert x.shape[2:] == (224, 224), "Input height doesn't match model"
        return super().forward_features(x)


MODELS = {
    model.__name__.lower(): model
    for model in (Convolutions, Patches, SamePadded, Tokens, ChannelsLast, OneSize, TwoLayers)
}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("timm")
    module.is_model = MODELS.__contains__
    module.create_model = lambda name, *, num_classes, in_chans: MODELS[name](num_classes, in_chans)
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build_network(Architecture(f"timm:{name}", 4, 1)).eval()


@pytest.mark.usefixtures("stand_in")
def test_a_timm_network_has_two_halves_and_grad_cam_by_differentiation() -> None:
    network = build("convolutions")
    images = torch.randn(3, 1, 96, 64)
    with torch.inference_mode():
        features = network.forward_features(images)
        assert features.shape == (3, 12, 24, 16)
        assert torch.equal(network.forward_head(features), network(images))
        torch.testing.assert_close(network(images[1:2]), network(images)[1:2])
        maps = grad_cam(network, features)
    # This head is linear after the mean, so the map is known in closed form.
    expected = torch.einsum("ck,bkij->bcij", network.model.fc.weight, features) / (24 * 16)
    torch.testing.assert_close(maps, expected.detach())


@pytest.mark.usefixtures("stand_in")
def test_looking_at_a_network_changes_neither_its_mode_nor_its_statistics() -> None:
    network = build("convolutions").train()
    before = network.model.norm.running_mean.clone()
    feature_centres(network, 64)
    assert network.training
    assert network.model.norm.training
    assert torch.equal(network.model.norm.running_mean, before)
    assert not network.model.stem._forward_hooks


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("name", "strides", "centres"),
    [
        ("convolutions", [(7, 2, 3), (3, 2, 1)], (0.0, 4.0)),
        ("patches", [(4, 4, 0), (2, 2, 0)], (3.5, 8.0)),
        ("samepadded", [(3, 2, 0), (3, 2, 0)], (3.0, 4.0)),
    ],
)
def test_the_cells_lie_where_the_strided_layers_put_them(
    name: str, strides: list[tuple[int, int, int]], centres: tuple[float, float]
) -> None:
    network = build(name)
    assert network.strides(64) == strides
    assert feature_centres(network, 64) == centres


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("name", ["tokens", "channelslast", "onesize", "twolayers"])
def test_networks_without_a_feature_map_of_any_size_or_a_linear_layer_are_refused(name: str) -> None:
    with pytest.raises(DensightError, match=rf"'{name}' does not make a feature map.*convolutional network"):
        build(name)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("name", ["resnet99", "hf-hub:timm/resnet18"])
def test_names_that_timm_does_not_bring_are_refused_and_never_fetched(name: str) -> None:
    with pytest.raises(DensightError, match=r"timm has no network .*timm\.list_models"):
        build(name)


def test_without_timm_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(DensightError, match=r"timm cannot be imported.*pip install 'densight\[timm\]'"):
        build("resnet18")


def test_a_timm_that_fails_on_import_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A torchvision that does not fit fails with a RuntimeError, not an ImportError."""
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(DensightError, match=r"torchvision::nms does not exist.*a torchvision that fits"):
        build("resnet18")


@pytest.mark.usefixtures("stand_in")
def test_a_bundle_holds_a_timm_network_that_assesses_and_explains(tmp_path: Path) -> None:
    network = build("convolutions")
    architecture = Architecture("timm:convolutions", 4, 1)
    facts = BundleFacts(architecture, Preparation("default", (96, 64)), ("A", "B", "C", "D"), PROJECTIONS)
    write_bundle(tmp_path / "bundle", network.state_dict(), facts)
    images = torch.randn(1, 1, 96, 64)
    with torch.inference_mode():
        assert torch.equal(read_bundle(tmp_path / "bundle").network(images), network(images))
    image = densight.read_mammogram(write_exam(tmp_path / "exam", 1, 0.5, ("CC_R",)) / "CC_R.png")
    model = densight.load_model(tmp_path / "bundle")
    assert model.assess(image).probabilities.sum() == pytest.approx(1)
    assert model.explain(image).map("B").shape == image.shape
    assert network.classifier.out_features == 4


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])
def test_timm_itself_where_it_imports(name: str) -> None:
    try:
        import timm  # noqa: F401
    except Exception as error:
        pytest.skip(f"timm cannot be imported ({error})")
    network = build(name)
    with torch.inference_mode():
        features = network.forward_features(torch.randn(2, 1, 128, 96))
        assert grad_cam(network, features).shape == (2, 4, 4, 3)
    assert feature_centres(network, 128)[1] == 32
