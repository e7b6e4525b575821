from __future__ import annotations

import math
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from densight.explanation.methods.gradcam import grad_cam, grad_cam_by_differentiation
from densight.network import blocks
from densight.network.architecture import ARCHITECTURES, Architecture, build_network
from densight.network.blocks import DensityNetwork, SameConv2d, SameMaxPool2d, feature_centres, same_padding
from densight.network.resnet import TutorialResNet
from densight.vocabulary import DensightError

CHANNELS = {name: 1 if name.startswith("mobilenet") else 3 for name in ARCHITECTURES}
ACTIVATIONS = {"tutorial-resnet": nn.LeakyReLU(0.3), "breastnet": nn.ReLU()}


@cache
def built(name: str) -> DensityNetwork:
    """A network in evaluation mode whose batch norms and head are not as they were born."""
    torch.manual_seed(0)
    network = build_network(Architecture(name, 4, CHANNELS[name]))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        network.classifier.weight.normal_(0, 0.3)
        network.classifier.bias.normal_(0, 0.3)
    return network.eval()


def test_the_tutorials_network_has_the_tutorials_layers_and_parameters() -> None:
    network = TutorialResNet(4)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(convolutions) == len(norms) == 41
    assert all(module.bias is not None for module in convolutions)
    assert {(module.eps, module.momentum) for module in norms} == {(1e-3, 0.01)}
    statistics = [value.numel() for name, value in network.state_dict().items() if "running" in name]
    assert sum(statistics) == 12_672
    assert sum(value.numel() for value in network.parameters()) + sum(statistics) == 2_262_660
    assert network.dropout.p == 0.2


def test_the_tutorials_network_makes_21_by_21_cells_of_650_pixels() -> None:
    with torch.inference_mode():
        assert TutorialResNet(4).eval().forward_features(torch.zeros(1, 3, 650, 650)).shape == (1, 256, 21, 21)


def tensorflow_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The two cases in which TensorFlow's documentation writes "same" padding."""
    total = max(kernel - stride if size % stride == 0 else kernel - size % stride, 0)
    return total // 2, total - total // 2


@given(st.integers(1, 300), st.integers(1, 7), st.integers(1, 5))
def test_same_padding_is_tensorflows_and_the_least_that_is_enough(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert (before, after) == tensorflow_padding(size, kernel, stride)
    cells = math.ceil(size / stride)
    ends_at = (cells - 1) * stride + kernel
    assert before + after == max(ends_at - size, 0)


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (7, 7), (6, 10)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (3, 1), (1, 2)])
def test_convolution_and_pooling_look_where_kerass_do(size: tuple[int, int], kernel: int, stride: int) -> None:
    """By hand, window by window: outside the image there is zero for one and nothing for the other."""
    rng = np.random.default_rng(1)
    image = rng.normal(size=size).astype(np.float32) - 5
    convolution, pool = SameConv2d(1, 1, kernel, stride), SameMaxPool2d(kernel, stride)
    weight, bias = convolution.weight.detach().numpy()[0, 0], 0.7
    nn.init.constant_(convolution.bias, bias)
    (top, _), (left, _) = (tensorflow_padding(n, kernel, stride) for n in size)
    expected = np.empty((2, *(math.ceil(n / stride) for n in size)), np.float32)
    for i, j in np.ndindex(*expected.shape[1:]):
        seen = {}
        for a, b in np.ndindex(kernel, kernel):
            row, column = i * stride - top + a, j * stride - left + b
            if 0 <= row < size[0] and 0 <= column < size[1]:
                seen[a, b] = image[row, column]
        expected[:, i, j] = sum(weight[at] * value for at, value in seen.items()) + bias, max(seen.values())
    with torch.no_grad():
        computed = [layer(torch.from_numpy(image)[None, None])[0, 0].numpy() for layer in (convolution, pool)]
    np.testing.assert_allclose(computed, expected, atol=1e-5)


def test_weights_begin_as_kerass_do() -> None:
    network = TutorialResNet(4)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            outgoing, incoming, *kernel = module.weight.shape
            limit = math.sqrt(6 / (math.prod(kernel) * (incoming + outgoing)))
            weight = module.weight.detach()
            assert 0.97 * limit < float(weight.abs().max()) <= limit
            assert abs(float(weight.std()) - limit / math.sqrt(3)) < 0.05 * limit
            assert not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()


def test_batch_norm_remembers_99_parts_of_100() -> None:
    norm = TutorialResNet(4).train().stem_norm
    norm(torch.full((2, 64, 4, 4), 3.0))
    torch.testing.assert_close(norm.running_mean, torch.full((64,), 0.03))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_head_of_the_features_is_the_whole(name: str) -> None:
    network = built(name)
    images = torch.randn(2, CHANNELS[name], 97, 64)
    with torch.inference_mode():
        features = network.forward_features(images)
        logits = network(images)
        assert torch.equal(network.forward_head(features), logits)
    assert logits.shape == (2, 4)
    assert torch.isfinite(logits).all()
    # The form that the closed form of Grad-CAM rests on.
    activation = ACTIVATIONS.get(name, nn.ReLU6())
    pooled = activation(features).mean(dim=(2, 3))
    torch.testing.assert_close(pooled @ network.classifier.weight.T + network.classifier.bias, logits)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_image_counts_the_same_alone_first_or_last(name: str) -> None:
    network = built(name)
    images = torch.randn(4, CHANNELS[name], 64, 80)
    with torch.inference_mode():
        single = network(images[:1])[0]
        first = network(images)[0]
        last = network(images.flip(0))[-1]
    torch.testing.assert_close(first, single, atol=1e-5, rtol=0)
    torch.testing.assert_close(last, single, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_slope_of_the_activation_is_what_autograd_says(name: str) -> None:
    """At the kinks too: the score's derivative at a position is weight times slope over the number of positions."""
    network = built(name)
    features = 4 * torch.randn(2, network.classifier.in_features, 3, 5)
    features[0, :, 0, 0], features[0, :, 1, 1] = 0.0, 6.0
    features.requires_grad_()
    slope = network.activation_slope(features.detach())
    assert 0.2 < float(slope.mean()) < 0.9
    for label, score in enumerate(network.forward_head(features).sum(dim=0)):
        (gradient,) = torch.autograd.grad(score, features, retain_graph=True)
        expected = network.classifier.weight[label].detach()[None, :, None, None] * slope / 15
        torch.testing.assert_close(gradient, expected, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("name", ["tutorial-resnet", "breastnet", "mobilenetv2-035"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 7), columns=st.integers(1, 7), batch=st.integers(1, 3))
def test_grad_cam_in_closed_form_is_grad_cam_by_differentiation(
    name: str, seed: int, rows: int, columns: int, batch: int
) -> None:
    network = built(name)
    generator = torch.Generator().manual_seed(seed)
    features = 2 * torch.randn(batch, network.classifier.in_features, rows, columns, generator=generator)
    with torch.no_grad():
        closed = grad_cam(network, features)
    differentiated = grad_cam_by_differentiation(network, features)
    assert closed.shape == (batch, 4, rows, columns)
    scale = max(1.0, float(differentiated.abs().max()))
    torch.testing.assert_close(closed, differentiated, atol=1e-6 * scale, rtol=0)


@pytest.mark.parametrize("name", ["tutorial-resnet", "mobilenetv2-035"])
@pytest.mark.parametrize("size", [650, 641])
def test_a_cell_of_the_feature_map_looks_around_its_centre(name: str, size: int) -> None:
    """By brute force: the pixels that a middle cell depends on lie evenly around what is said to be its centre."""
    network = deepcopy(built(name)).double()
    image = torch.randn(1, CHANNELS[name], 33, size, dtype=torch.float64, requires_grad=True)
    features = network.forward_features(image)
    offset, step = feature_centres(network, size)
    for cell in (features.shape[3] // 2, features.shape[3] // 2 + 1):
        (gradient,) = torch.autograd.grad(features[..., cell].square().sum(), image, retain_graph=True)
        seen = gradient.abs().sum(dim=(0, 1, 2)).nonzero()
        first, last = int(seen.min()), int(seen.max())
        assert 0 < first < last < size - 1
        assert (first + last) / 2 == offset + step * cell


def strides_by_hand(name: str, size: int) -> list[tuple[int, int, int]]:
    """What the tables of the networks say of their strided layers."""
    if name == "breastnet":
        return [(5, 2, 2), (2, 2, 0)]
    if name.startswith("mobilenet"):
        return [(3, 2, 1)] * 4
    layers = []
    for _ in range(5):
        layers.append((3, 2, same_padding(size, 3, 2)[0]))
        size = math.ceil(size / 2)
    return layers


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("size", [64, 97, 208, 256, 320, 325, 384, 641, 650])
def test_the_probe_finds_the_strides_that_the_tables_have(name: str, size: int) -> None:
    network = built(name)
    assert network.strides(size) == strides_by_hand(name, size)
    assert not any(module._forward_hooks for module in network.modules())


def test_an_unknown_network_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(DensightError, match=r"unknown network 'resnet99'.*tutorial-resnet, mobilenetv2-100"):
        build_network(Architecture("resnet99", 4, 1))


def test_what_breastnet_says_is_of_the_breast_alone() -> None:
    """Its features are zero beside the breast, and their mean over the frame is that over the breast."""
    network = built("breastnet")
    image = torch.rand(1, 3, 96, 64) - 0.5
    image[:, 2] = -0.5
    image[:, 2, 32:64, :32] = 0.5
    with torch.inference_mode():
        features = network.forward_features(image)
        nothing = network.forward_features(torch.full((1, 3, 96, 64), -0.5))
    inside = torch.zeros(24, 16, dtype=torch.bool)
    inside[8:16, :8] = True
    assert features[..., ~inside].abs().max() == 0
    assert features[..., inside].abs().min() > 0
    assert torch.equal(nothing, torch.zeros_like(nothing))
    # A sixth of the frame is breast, so there the features are six times what the last layers made of it.
    mixed = []
    handle = network.mix_norm.register_forward_hook(lambda module, given, made: mixed.append(made))
    with torch.inference_mode():
        network.forward_features(image)
    handle.remove()
    torch.testing.assert_close(features[..., inside], 6 * mixed[0][..., inside])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.tuples(st.integers(5, 20), st.integers(5, 20)),
    st.sampled_from([(3, 1), (3, 2), (1, 1)]),
    st.integers(0, 1000),
)
def test_gradients_by_planes_are_those_of_pytorch(
    batch: int, size: tuple[int, int], kernel_and_stride: tuple[int, int], seed: int
) -> None:
    torch.manual_seed(seed)
    kernel, stride = kernel_and_stride
    convolution = SameConv2d(3, 4, kernel, stride).to(memory_format=torch.channels_last).train()
    gradients = []
    for by_planes in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "_learns_by_planes", lambda _, asked=by_planes: asked)
            torch.manual_seed(seed + 1)
            x = torch.randn(batch, 3, *size).to(memory_format=torch.channels_last).requires_grad_()
            convolution.zero_grad()
            y = convolution(x)
            (y * torch.cos(y)).sum().backward()
            gradients.append([y.detach(), x.grad, convolution.weight.grad, convolution.bias.grad])
    for plain, by_planes_too in zip(*gradients, strict=True):
        torch.testing.assert_close(by_planes_too, plain, rtol=1e-4, atol=1e-4)
