"""Every method of explanation: by hand, against Captum, and what none of them may do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import densight
from densight.assessment.assess import prepare_image, run_network
from densight.assessment.models import load_models
from densight.explanation.baseline import TissueMasks, smooth_fat_image, textured_fat_image, tissue_regions
from densight.explanation.explain import explain
from densight.explanation.explanation import EXPECTED_CLASS
from densight.explanation.methods import masks
from densight.explanation.methods.method_input import MethodInput
from densight.explanation.methods.methods import METHODS, choose_methods
from densight.explanation.methods.targets import expected_class, with_expected
from densight.intake.mammogram import Mammogram
from densight.network.blocks import DensityNetwork
from densight.vocabulary import DensightError, Projection
from tests.examples import TwoChannels, draw_breast, write_model


class Small(DensityNetwork):
    """Convolution, max pooling, a leaky activation as a function or a module, convolution: a network of every piece."""

    feature_layer = "last"

    def __init__(self, activation: Callable[[Tensor], Tensor] | nn.Module | None = None, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.activation = activation or (lambda x: functional.leaky_relu(x, 0.2))
        self.second = nn.Conv2d(4, 5, 3, padding=1)
        self.last_activation = nn.ReLU6()
        self.classifier = nn.Linear(5, classes)
        self.fails = False
        self.eval()

    def forward_features(self, x: Tensor) -> Tensor:
        x = self.second(self.activation(self.pool(self.first(x))))
        if self.fails:
            raise RuntimeError("out of memory")
        return x

    def activate(self, features: Tensor) -> Tensor:
        activated: Tensor = self.last_activation(features)
        return activated

    def activation_slope(self, features: Tensor) -> Tensor:
        return ((features > 0) & (features < 6)).to(features.dtype)

    def forward_head(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.activate(features).mean(dim=(2, 3)))
        return logits

    def strides(self, size: int) -> list[tuple[int, int, int]]:
        return [(2, 2, 0)]


def subject(network: DensityNetwork, seed: int = 1, size: int = 12) -> MethodInput:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 1, size, size, generator=generator)
    regions = torch.arange(size)[:, None] * 4 // size + torch.zeros(size, size, dtype=torch.int64) + 1
    return MethodInput(network, x, baseline=0.3 * torch.ones_like(x), regions=regions.long())


# Class 0 alone, two places: A = (2, -4) and (-1, -3), slopes (1, .5) and (.5, .5), weights 1 and -2, n = 2.
# g = W f' / n: channel 0 (.5, .25), channel 1 (-.5, -.5).
BY_HAND = {
    # Mean g .375 and -.5: .375 × 2 + .5, .375 × -4 + 1.5.
    "grad-cam": (1.25, 0.0),
    # g A summed: .5 × 2 + .5, .25 × -4 + 1.5.
    "hires-cam": (1.5, 0.5),
    # Positive g alone: .5 × 2, .25 × -4.
    "layer-cam": (1.0, -1.0),
    # ΣA = -2 of channel 0: g / (2 - 2 g): .5 / 1 and .25 / 1.5, together 2/3, times A; channel 1 has no positive g.
    "grad-cam++": (4 / 3, -8 / 3),
    # Without channel 0 the score loses 1 × (2 - 2) / 2 = 0, without channel 1 -2 × (-.5 - 1.5) / 2 = 2.
    "ablation-cam": (-2.0, -6.0),
    # W f(A) / n: (1 × 2 - 2 × -.5) / 2, (1 × -2 - 2 × -1.5) / 2.
    "expected-class": (1.5, 0.5),
}


@pytest.mark.parametrize("method", BY_HAND)
def test_class_maps_worked_out_by_hand(method: str) -> None:
    x = torch.tensor([[[[2.0, -4.0]], [[-1.0, -3.0]]]])
    maps = METHODS[method].make(MethodInput(TwoChannels(), x), [0])
    torch.testing.assert_close(maps.cells, torch.tensor([[BY_HAND[method]]]))
    assert (maps.layer, maps.forward, maps.backward) == ("features", 0, 0)


def test_eigen_cam_is_the_first_singular_vector_with_a_positive_sum() -> None:
    x = torch.tensor([[[[3.0, 0.0]], [[4.0, 0.0]]]])
    # One place alone is active, along (3, 4) / 5: its part there is 5.
    for sign in (1, -1):
        maps = METHODS["eigen-cam"].make(MethodInput(TwoChannels(), sign * x), [0, 2])
        torch.testing.assert_close(maps.cells, torch.tensor([[[5.0, 0.0]]] * 2))


def test_score_cam_weighs_channels_by_the_softmax_of_what_they_leave() -> None:
    x = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])
    # Channel 0 keeps the first place, channel 1 the second, of both channels; the rest becomes fat, which is 0.
    kept = [torch.tensor([[[[2.0, 0.0]], [[0.0, 0.0]]]]), torch.tensor([[[[0.0, 0.0]], [[0.0, 1.0]]]])]
    network = TwoChannels()
    scores = torch.stack([network(one)[0, 0] for one in kept]).detach()
    weights = scores.softmax(0)
    maps = METHODS["score-cam"].make(MethodInput(network, x, baseline=torch.zeros_like(x)), [0])
    torch.testing.assert_close(maps.cells, (weights[0] * x[:, 0] + weights[1] * x[:, 1]).detach())


def test_the_expected_class_map_adds_up_to_the_expected_class_beyond_the_bias() -> None:
    torch.manual_seed(0)
    network = Small(classes=4)
    maps = METHODS["expected-class"].make(subject(network))
    logits, bias = network(subject(network).x)[0].detach(), network.classifier.bias.detach()
    torch.testing.assert_close(maps.cells[:4].sum(dim=(1, 2)), logits - bias)
    torch.testing.assert_close(maps.cells[4].sum(), expected_class(logits) - expected_class(bias), atol=2e-4, rtol=0)

    class Curved(Small):
        linear_head = False

    curved = METHODS["expected-class"].make(subject(Curved(classes=4)))
    torch.testing.assert_close(curved.cells.sum(dim=(1, 2)), maps.cells.sum(dim=(1, 2)), atol=3e-3, rtol=0)


def test_grad_cam_at_an_inner_layer_is_what_differentiating_gives() -> None:
    network = Small()
    given = subject(network)
    maps = METHODS["grad-cam"].make(MethodInput(network, given.x, layer="first"))

    kept: list[Tensor] = []
    hook = network.first.register_forward_hook(lambda *args: kept.append(args[2]))
    scores = with_expected(network(given.x))[0]
    hook.remove()
    for target in range(4):
        (gradient,) = torch.autograd.grad(scores[target], kept[0], retain_graph=True)
        reference = (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1)[0]
        torch.testing.assert_close(maps.cells[target], reference.detach(), atol=1e-7, rtol=1e-5)
    assert (maps.layer, maps.origin, maps.step, maps.backward) == ("first", (0.0, 0.0), (1.0, 1.0), 4)


def test_captum_gives_the_same_where_it_knows_the_activation() -> None:
    from captum.attr import DeepLift, GuidedBackprop, LayerGradCam, Occlusion

    network = Small(nn.LeakyReLU(0.2))
    network.last_activation = nn.ReLU()
    given = subject(network)

    network.pool = nn.AvgPool2d(2)
    lifted = METHODS["deep-lift"].make(given, [1]).cells[0]
    reference = DeepLift(network).attribute(given.x, baselines=given.baseline, target=1)[0, 0]
    torch.testing.assert_close(lifted, reference.detach(), atol=1e-6, rtol=1e-5)
    # Where maxima are tied Captum's max pooling loses some: its sum is off, densight's is not.
    network.pool = nn.MaxPool2d(2)
    lifted = METHODS["deep-lift"].make(given, [1]).cells[0]
    reference = DeepLift(network).attribute(given.x, baselines=given.baseline, target=1)[0, 0]
    change = (network(given.x) - network(given.baseline))[0, 1]
    assert abs(lifted.sum() - change) < 1e-5 < abs(reference.sum() - change)
    network.pool = nn.AvgPool2d(2)

    rectified = Small(nn.ReLU())
    rectified.last_activation = nn.ReLU()
    guided = METHODS["guided-backpropagation"].make(subject(rectified), [1]).cells[0]
    reference = GuidedBackprop(rectified).attribute(given.x.clone().requires_grad_(), target=1)[0, 0]
    torch.testing.assert_close(guided, reference.detach(), atol=1e-6, rtol=1e-5)

    cam = METHODS["grad-cam"].make(MethodInput(network, given.x, layer="second"), [1]).cells[0]
    reference = LayerGradCam(network, network.second).attribute(given.x, target=1)[0, 0]
    torch.testing.assert_close(cam, reference.detach(), atol=1e-6, rtol=1e-5)

    over_zero = MethodInput(network, given.x, baseline=torch.zeros_like(given.x))
    occluded = METHODS["occlusion"].make(over_zero, [1]).cells[0]
    # Windows of 2, a step of 1: those wholly inside, where Captum's windows are too.
    reference = Occlusion(network).attribute(given.x, (1, 2, 2), strides=(1, 1, 1), target=1)[0, 0]
    torch.testing.assert_close(occluded[1:-1, 1:-1], reference.detach()[1:-1, 1:-1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["deep-lift", "guided-backpropagation"])
def test_the_rules_see_activations_that_are_functions(method: str) -> None:
    as_module, as_function = Small(nn.LeakyReLU(0.2)), Small()
    torch.testing.assert_close(
        METHODS[method].make(subject(as_module)).cells, METHODS[method].make(subject(as_function)).cells
    )
    plain = METHODS["gradient-x-input"].make(subject(as_function)).cells
    assert not torch.allclose(METHODS[method].make(subject(as_function)).cells, plain, atol=1e-3)


@pytest.mark.parametrize(
    ("method", "near"), [("integrated-gradients", 0.02), ("deep-lift", 1e-4), ("kernel-shap", 1e-4)]
)
def test_complete_methods_add_up_to_what_the_image_has_beyond_fat(method: str, near: float) -> None:
    given = subject(Small())
    assert given.baseline is not None
    change = (given.scores(given.x) - given.scores(given.baseline))[0]
    sums = METHODS[method].make(given).cells.sum(dim=(1, 2))
    torch.testing.assert_close(sums, change, atol=near * max(1.0, float(change.abs().max())), rtol=0)


def test_deep_lift_refuses_a_network_that_multiplies_features() -> None:
    class Gated(Small):
        def forward_features(self, x: Tensor) -> Tensor:
            features = super().forward_features(x)
            return features * torch.sigmoid(5 * features.mean(dim=(2, 3), keepdim=True)) * features

    with pytest.raises(DensightError, match=r"do not add up.*use another method, such as integrated-gradients"):
        METHODS["deep-lift"].make(subject(Gated()))


def test_kernel_shap_gives_the_exact_shapley_values_of_few_regions() -> None:
    given = subject(Small())
    assert given.baseline is not None
    assert given.regions is not None
    n, change = 4, given.x - given.baseline
    worth = {}
    for members in itertools.product((0, 1), repeat=n):
        keep = torch.tensor((0, *members))[given.regions].float()
        worth[members] = float(given.scores(given.baseline + keep * change)[0, 1])
    exact = np.zeros(n)
    for members, value in worth.items():
        for i in range(n):
            size = sum(members) - members[i]
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            exact[i] += weight * value * (1 if members[i] else -1)
    maps = METHODS["kernel-shap"].make(given, [1]).cells[0]
    found = [float(maps[given.regions == region].sum()) for region in range(1, n + 1)]
    np.testing.assert_allclose(found, exact, atol=0.03 * np.abs(exact).max())


def test_rise_and_occlusion_point_at_the_only_place_that_matters() -> None:
    class Corner(TwoChannels):
        def forward_features(self, x: Tensor) -> Tensor:
            return torch.cat([x[..., :8, :8], -x[..., :8, :8]], dim=1)

    x = torch.zeros(1, 1, 48, 32)
    x[..., :8, :8] = 3.0
    given = MethodInput(Corner(), x, baseline=torch.zeros_like(x))
    for method in ("rise", "occlusion"):
        values = METHODS[method].make(given, [0]).cells[0]
        assert float(values[:8, :8].mean()) > 5 * float(values[24:, 16:].abs().mean())
    assert METHODS["occlusion"].make(given, [0]).forward < 30  # of 426: windows that change nothing are not tried


@pytest.mark.parametrize("method", METHODS)
def test_a_map_depends_on_nothing_but_its_image(method: str) -> None:
    network = Small()
    first, second = subject(network, 1), subject(network, 2)
    alone = METHODS[method].make(first).cells
    state = torch.random.get_rng_state()
    METHODS[method].make(second)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(METHODS[method].make(first).cells, alone)
    # One target asked for alone is the same as among all.
    torch.testing.assert_close(METHODS[method].make(first, [1]).cells[0], alone[1], atol=1e-5, rtol=1e-4)
    assert alone.shape[0] == 4
    assert not any(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_no_hook_is_left_after_an_error(method: str) -> None:
    network = Small()
    network.fails = True
    layer = "first" if METHODS[method].at_layer else None
    given = subject(network)
    with pytest.raises(RuntimeError, match="out of memory"):
        METHODS[method].make(MethodInput(network, given.x, given.baseline, given.regions, layer))
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    network.fails = False
    x = given.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    (again,) = torch.autograd.grad(Small()(x).sum(), x)
    assert torch.equal(gradient, again)


def breast() -> Mammogram:
    return Mammogram(draw_breast(1, 0.5), Projection.CC_L)


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> object:
    model = load_models([write_model(tmp_path_factory.mktemp("m") / "all")])
    mammogram = breast()
    bundle = model.of(mammogram.projection)
    return run_network(bundle, prepare_image(bundle, mammogram))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_an_image_in_its_own_pixels(examined: object, method: str) -> None:
    explanation = explain(examined, method)  # type: ignore[arg-type]
    for label in ("A", "D", None, EXPECTED_CLASS):
        values = explanation.map(label)
        assert (values.shape, values.dtype) == ((160, 120), np.float32)
    assert explanation.method == method
    assert np.isfinite(explanation.cells).all()


def test_an_unknown_layer_is_refused_with_the_names_there_are(examined: object) -> None:
    with pytest.raises(DensightError, match=r"no layer 'add_99'.*use one of .*features\.0, .*or a part of one"):
        explain(examined, "grad-cam", "add_99")  # type: ignore[arg-type]
    with pytest.raises(DensightError, match=r"rise does not explain at a layer of choice.*or use grad-cam"):
        explain(examined, "rise", "features.2")  # type: ignore[arg-type]
    inner = explain(examined, "layer-cam", "features.2")  # type: ignore[arg-type]
    assert inner.layer == "features.2"
    assert inner.cells.shape[1] > explain(examined).cells.shape[1]  # type: ignore[arg-type]


def test_an_image_without_a_breast_is_refused_by_methods_that_compare_with_fat(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "all", preset="tutorial")
    model = densight.load_model(folder)
    nothing = Mammogram(np.full((160, 120), 7, np.uint8), Projection.CC_L)
    assert np.isfinite(model.explain(nothing, "grad-cam").map("A")).all()
    with pytest.raises(DensightError, match=r"no breast is found.*such as grad-cam"):
        model.explain(nothing, "integrated-gradients")


def test_a_class_that_is_not_there_is_refused(examined: object) -> None:
    with pytest.raises(DensightError, match=r"no class 'E'.*use one of A, B, C, D, 'expected class'"):
        explain(examined).map("E")  # type: ignore[arg-type]
    with pytest.raises(DensightError, match=r"no method is named"):
        choose_methods([])
    assert choose_methods(["all"]) == tuple(METHODS)


def test_a_model_without_gradients_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"anything")
    with pytest.raises(DensightError, match=r"model\.onnx: .*no gradients.*give the bundle that it was exported from"):
        densight.load_model(tmp_path / "model.onnx")


def test_fat_takes_the_level_of_the_fat_around_and_its_texture() -> None:
    rng = np.random.default_rng(0)
    shape = (96, 64)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = ((rows - 48) / 44) ** 2 + (columns / 56) ** 2 < 1
    dense = ((rows - 48) / 14) ** 2 + ((columns - 22) / 12) ** 2 < 1
    slope = 0.2 + 0.2 * rows / 96
    image = np.where(inside, slope + 0.01 * rng.standard_normal(shape) + 0.5 * dense, 0).astype(np.float32)
    tissue = TissueMasks(inside, np.zeros(shape, bool), dense)
    level, picture = smooth_fat_image(image, tissue), textured_fat_image(image, tissue, seed=1)
    assert np.abs(level - slope)[dense].max() < 0.04
    assert (level[~inside] == 0).all()
    assert 0.005 < (picture - level)[dense].std() < 0.02
    all_dense = TissueMasks(inside, np.zeros(shape, bool), inside)
    assert smooth_fat_image(image, all_dense)[inside].std() == 0


def test_regions_cover_the_breast_and_one_is_what_lies_beside_it() -> None:
    inside = np.zeros((60, 40), bool)
    inside[5:55, :30] = True
    image = np.where(inside, 0.4, 0).astype(np.float32)
    regions = tissue_regions(image, TissueMasks(inside, np.zeros_like(inside), np.zeros_like(inside)), n=12)
    assert sorted(np.unique(regions)) == list(range(1, regions.max() + 1))
    assert set(np.unique(regions[~inside])) == {regions.max()}
    assert 6 <= regions.max() <= 20
    assert 2 * regions.max() < masks.COALITIONS
