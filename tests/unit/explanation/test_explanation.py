from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import densight
from densight.assessment.assess import prepare_image, run_network
from densight.assessment.models import load_models
from densight.explanation.explain import explain
from densight.explanation.explanation import Explanation
from densight.explanation.methods.gradcam import grad_cam, grad_cam_by_differentiation
from densight.geometry import Geometry
from densight.intake.mammogram import Mammogram
from densight.network.architecture import Architecture, build_network
from densight.vocabulary import DensightError, Projection
from tests.examples import TwoChannels, draw_breast, write_model


def test_a_map_worked_out_by_hand() -> None:
    features = torch.tensor([[[[2.0, -4.0]], [[-1.0, -3.0]]]])
    # Mean slopes: (1 + .5) / 2 = .75 and (.5 + .5) / 2 = .5; two positions.
    # Class 0: weights 1 × .75 / 2 = .375 and -2 × .5 / 2 = -.5; map .375 × (2, -4) - .5 × (-1, -3) = (1.25, 0).
    # Class 1: weights .5 × .75 / 2 = .1875 and 4 × .5 / 2 = 1; map (.375 - 1, -.75 - 3) = (-.625, -3.75).
    expected = torch.tensor([[[[1.25, 0.0]], [[-0.625, -3.75]]]])

    torch.testing.assert_close(grad_cam(TwoChannels(), features), expected)
    torch.testing.assert_close(grad_cam_by_differentiation(TwoChannels(), features), expected)


@pytest.mark.parametrize(("name", "channels"), [("tutorial-resnet", 3), ("mobilenetv2-035", 1)])
def test_the_closed_form_is_what_differentiating_the_whole_network_gives(name: str, channels: int) -> None:
    torch.manual_seed(3)
    network = build_network(Architecture(name, 4, channels)).eval()
    x = torch.rand(2, channels, 70, 64)
    features = network.forward_features(x)
    features.retain_grad()
    closed = grad_cam(network, features).detach()

    for label in range(4):
        features.grad = None
        network.forward_head(features)[:, label].sum().backward(retain_graph=True)
        assert features.grad is not None
        weights = features.grad.mean(dim=(2, 3), keepdim=True)
        reference = (weights * features.detach()).sum(dim=1)
        assert (closed[:, label] - reference).abs().max() <= 1e-6 * max(1.0, reference.abs().max().item())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    size=st.integers(1, 4),
    place=st.integers(0, 3),
    way=st.sampled_from([grad_cam, grad_cam_by_differentiation]),
)
def test_an_image_has_the_same_map_wherever_it_stands_in_a_batch(seed: int, size: int, place: int, way: object) -> None:
    generator = torch.Generator().manual_seed(seed)
    network = TwoChannels()
    batch = torch.randn(size, 2, 3, 4, generator=generator)
    place %= size

    together = way(network, batch)[place]  # type: ignore[operator]
    alone = way(network, batch[place : place + 1])[0]  # type: ignore[operator]

    torch.testing.assert_close(together, alone)


def make(cells: np.ndarray, geometry: Geometry | None = None) -> Explanation:
    geometry = geometry or Geometry.stretched((40, 60), (20, 30))
    step = (geometry.frame_shape[0] / cells.shape[1], geometry.frame_shape[1] / cells.shape[2])
    classes = tuple("ABCD"[: len(cells)])
    probabilities = np.full(len(cells), 1 / len(cells), np.float32)
    origin = ((step[0] - 1) / 2, (step[1] - 1) / 2)
    return Explanation(cells.astype(np.float32), classes, probabilities, "grad-cam", "add_12", geometry, origin, step)


def test_a_map_lies_in_the_image_where_its_cell_does() -> None:
    cells = np.zeros((2, 4, 6))
    cells[0, 1, 4] = 3.0

    image = make(cells).map("A")

    assert image.shape == (40, 60)
    row, column = np.unravel_index(image.argmax(), image.shape)
    # Cell (1, 4) of 4 × 6 covers rows 10 to 20 and columns 40 to 50 of the image.
    assert (10 <= row < 20, 40 <= column < 50) == (True, True)
    assert image.max() == pytest.approx(3.0, rel=0.15)


def test_the_raw_map_keeps_its_sign_and_scale_and_the_evidence_is_its_positive_part() -> None:
    cells = np.stack([np.linspace(-6, 2, 24).reshape(4, 6), np.linspace(-3, -1, 24).reshape(4, 6)])
    maps = make(cells)

    assert maps.map("A").min() == pytest.approx(-6)
    assert maps.strength("A") == 2.0
    assert (maps.evidence("A").min(), maps.evidence("A").max()) == (0.0, pytest.approx(1.0))
    # Nothing speaks for B: an honest nothing, neither NaN nor stretched noise.
    assert maps.strength("B") == 0.0
    assert not maps.evidence("B").any()
    assert maps.map("B").max() == pytest.approx(-1)


def test_what_is_no_explanation_is_refused() -> None:
    with pytest.raises(DensightError, match="an explanation has a map and a probability for each of 2 classes"):
        Explanation(
            np.zeros((3, 2, 2), np.float32),
            ("A", "B"),
            np.zeros(2, np.float32),
            "grad-cam",
            "add_12",
            Geometry.stretched((4, 4), (2, 2)),
            (0, 0),
            (1, 1),
        )
    with pytest.raises(DensightError, match="the grad-cam map at add_12 is not finite"):
        make(np.full((2, 2, 2), np.nan))
    with pytest.raises(DensightError, match=r"there is no class 'E'.*use one of A, B"):
        make(np.zeros((2, 2, 2))).map("E")


def test_an_unknown_method_is_refused_before_anything_is_read(model_folder: Path) -> None:
    model = densight.load_model(model_folder)
    with pytest.raises(DensightError, match=r"unknown method 'crystal-ball'.*use one of grad-cam"):
        model.explain(Mammogram(draw_breast(1, 0.5), Projection.CC_R), method="crystal-ball")


@pytest.mark.parametrize("preset", ["default", "tutorial"])
def test_the_mirrored_image_has_the_mirrored_map(preset: str, tmp_path: Path) -> None:
    models = load_models([write_model(tmp_path / "all", preset=preset)])
    left = draw_breast(5, 0.7)
    maps = []
    for pixels, projection in ((left, Projection.MLO_L), (left[:, ::-1].copy(), Projection.MLO_R)):
        bundle = models.of(projection)
        examined = run_network(bundle, prepare_image(bundle, Mammogram(pixels, projection)))
        maps.append(explain(examined).map("D"))

    same = np.allclose(maps[0], maps[1][:, ::-1], atol=1e-4 * np.abs(maps[0]).max())
    # The preset default brings both to one orientation; the tutorial's network sees two different images.
    assert same == (preset == "default")
