from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import densight
from densight.assessment.models import load_models
from densight.folding import fold_batch_norm
from densight.network import engine as engines
from densight.network.architecture import ARCHITECTURES
from densight.network.engine import Computing, build_engine
from densight.vocabulary import DensightError
from tests.examples import write_exam, write_model
from tests.indexing import densight as command
from tests.unit.network.test_network import CHANNELS, built

SHAPE = (96, 70)


def image(name: str, seed: int = 0) -> torch.Tensor:
    return torch.randn((1, CHANNELS[name], *SHAPE), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_folded_network_computes_the_same_and_has_no_batch_norm_left(name: str) -> None:
    network = built(name)
    folded = fold_batch_norm(network, CHANNELS[name])
    with torch.inference_mode():
        expected, computed = network.forward_features(image(name)), folded.forward_features(image(name))
    torch.testing.assert_close(computed, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert {name for name, _ in folded.named_modules()} == {name for name, _ in network.named_modules()}


def test_what_is_normalised_after_something_else_than_a_convolution_is_left_alone() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)).eval()
    nn.init.normal_(network[2].running_mean)
    folded = fold_batch_norm(network, 1)
    assert isinstance(folded[2], nn.BatchNorm2d)
    x = torch.randn(1, 1, 20, 20)
    torch.testing.assert_close(folded(x), network(x))


@pytest.mark.parametrize("name", ["tutorial-resnet", "mobilenetv2-035", "breastnet"])
@pytest.mark.parametrize("engine", engines.ENGINES)
def test_every_engine_gives_the_networks_features_whatever_came_before(name: str, engine: str) -> None:
    network = built(name)
    ready = build_engine(network, CHANNELS[name], SHAPE, Computing(engine))
    with torch.inference_mode():
        first = ready.features(image(name))
        kept = first.clone()
        for seed in range(3):
            x = image(name, seed)
            expected = network.forward_features(x)
            torch.testing.assert_close(ready.features(x), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert torch.equal(first, kept)
    assert ready.description.startswith(f"{engine} ")
    assert ready.description.endswith(", fp32")


def test_bf16_is_checked_against_fp32_and_its_change_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CHECKED", 2)
    network = built("mobilenetv2-035")
    half = build_engine(network, 1, SHAPE, Computing(precision="bf16"))
    with torch.inference_mode():
        for seed in range(engines.CHECKED + 2):
            x = image("mobilenetv2-035", seed)
            features = half.features(x)
            assert features.dtype == torch.float32
    assert 0 < half.change <= engines.BOUND
    assert half.description.endswith(f"bf16, probabilities within {half.change:.4f} of fp32")


def test_bf16_that_changes_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BOUND", 1e-9)
    half = build_engine(built("mobilenetv2-035"), 1, SHAPE, Computing(precision="bf16"))
    with torch.inference_mode(), pytest.raises(DensightError, match="bf16 changes a probability by") as caught:
        half.features(image("mobilenetv2-035"))
    assert caught.value.remedy == "use --precision fp32"


@pytest.mark.parametrize(("able", "precision"), [({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")])
def test_auto_takes_bf16_where_the_processor_has_it(
    able: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert build_engine(built("mobilenetv2-035"), 1, SHAPE, Computing(precision="auto")).precision == precision


def test_unknown_engines_and_precisions_are_refused() -> None:
    with pytest.raises(DensightError, match="unknown engine 'tpu'"):
        Computing("tpu")
    with pytest.raises(DensightError, match="unknown precision 'int4'"):
        Computing(precision="int4")


def test_without_openvino_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    models = load_models([write_model(tmp_path / "all")], computing=Computing("openvino"))
    with pytest.raises(DensightError, match="OpenVINO cannot be used") as caught:
        _ = models.engines
    assert caught.value.remedy == "pip install 'densight[openvino]'"


LISTENING = """
import socket, sys
import torch
from densight.network.architecture import Architecture, build_network
from densight.network.engine import Computing, build_engine

def refuse(*given, **named):
    open(sys.argv[1], "a").write(repr(given))
    raise OSError("no network")

socket.getaddrinfo = socket.socket.connect = refuse
network = build_network(Architecture("mobilenetv2-035", 4, 1)).eval()
build_engine(network, 1, (96, 64), Computing("openvino")).features(torch.zeros(1, 1, 96, 64))
"""


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LISTENING, str(tmp_path / "asked")], check=True)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_a_run_says_what_computed_and_another_engine_says_the_same(engine: str, tmp_path: Path) -> None:
    write_exam(tmp_path / "E1", 1, 0.4)
    model = write_model(tmp_path / "all")
    plain = densight.load_model(model).assess(densight.read_exam(tmp_path / "E1"))
    given = ["assess", str(tmp_path / "E1"), "-m", str(model), "-o", str(tmp_path / "run"), "--engine", engine]
    assert command(*given).status == 0
    exams = (tmp_path / "run" / "exams.csv").read_text().splitlines()
    values = [
        float(value) for name, value in zip(*(line.split(",") for line in exams), strict=True) if name[:2] == "p_"
    ]
    np.testing.assert_allclose(probabilities, plain.probabilities, atol=1e-5)
    (description,) = json.loads((tmp_path / "run" / "run.json").read_text())["computed"]
    assert description.startswith(engine)
    assert command(*given).status == 0  # nothing is left to do, and what computed is still said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["computed"] == [description]
    report = (tmp_path / "run" / "report.html").read_text()
    assert f"<dd>{description}</dd>" in report
    assert ("--engine openvino" in report) == (engine == "openvino")
