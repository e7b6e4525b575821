from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from densight.explanation.methods.gradcam import grad_cam
from densight.network.bundle import Bundle, read_bundle
from densight.network.keras import read_keras_bundle
from densight.network.onnx import write_onnx
from densight.network.shipped import model_folder as shipped_folder
from densight.network.shipped import shipped_models
from densight.preparation.prepare import finish
from densight.vocabulary import PROJECTIONS, DensightError
from tests.examples import draw_breast
from tests.keras_files import edit_graph, unpack
from tests.unit.network.test_network import built

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra densight[onnx] is not installed")


def expected(bundle: Bundle, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        features = bundle.network.forward_features(images)
        probabilities = torch.softmax(bundle.network.forward_head(features), dim=1)
        return probabilities.numpy(), grad_cam(bundle.network, features).numpy()


def compare(session: object, bundle: Bundle, batch: int) -> None:
    torch.manual_seed(batch)
    images = torch.randn(batch, bundle.facts.architecture.channels, *bundle.facts.preparation.shape)
    outputs = session.run(["probabilities", "maps"], {"image": images.numpy()})
    for output, reference in zip(outputs, expected(bundle, images), strict=True):
        assert output.shape == reference.shape
        np.testing.assert_allclose(output, reference, atol=1e-5)
        assert np.ptp(output) > 1e-3


def test_onnx_gives_the_probabilities_and_maps_of_pytorch(model_folder: Path, tmp_path: Path) -> None:
    bundle = replace(read_bundle(model_folder), network=built("mobilenetv2-035"))
    write_onnx(bundle, tmp_path / "model.onnx", grad_cam)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for batch in (1, 3):
        compare(session, bundle, batch)
    metadata = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert metadata["classes"] == ["A", "B", "C", "D"]
    assert metadata["projections"] == list(PROJECTIONS)
    assert metadata["preparation"] == {"preset": "default", "shape": [96, 64]}
    assert metadata["weights_sha256"] == bundle.checksum
    assert metadata["use"] == "Research software. Not a medical device."


@pytest.mark.parametrize("name", shipped_models())
def test_models_in_the_box_are_equal_in_onnx(name: str, tmp_path: Path) -> None:
    bundle = read_bundle(shipped_folder(name))
    write_onnx(bundle, tmp_path / "model.onnx", grad_cam)
    preparation = bundle.facts.preparation
    breasts = [draw_breast(seed, seed / 3, shape=preparation.shape) for seed in range(4)]
    frames = [np.where(breast > 40, breast, 0).astype(np.float32) / 255 for breast in breasts]
    images = torch.from_numpy(np.stack([finish(frame, preparation) for frame in frames]))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    probabilities, maps = session.run(["probabilities", "maps"], {"image": images.numpy()})
    known, known_maps = expected(bundle, images)
    np.testing.assert_allclose(probabilities, known, atol=1e-5)
    np.testing.assert_allclose(maps, known_maps, atol=1e-5 * np.abs(known_maps).max())
    assert np.ptp(known[:, 0]) > 0.01


def test_keras_weights_go_to_onnx_in_one_quiet_command(tmp_path: Path) -> None:
    """From Keras' file to ONNX Runtime, with the fixture's small image size."""
    path = unpack("tutorial_keras_2.15", tmp_path)
    edit_graph(path, lambda layers: layers["input_1"]["config"].update(batch_input_shape=[None, 130, 101, 3]))
    command = [sys.executable, "-m", "densight", "convert", path, "--projection", "CC_R", "-o", tmp_path / "cc_r.onnx"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4
    assert done.stdout.endswith(f"ONNX: {tmp_path / 'cc_r.onnx'}\n")
    session = onnxruntime.InferenceSession(tmp_path / "cc_r.onnx")
    assert [output.shape[1:] for output in session.get_outputs()] == [[4], [4, 5, 4]]
    compare(session, read_keras_bundle(path, projections=PROJECTIONS), 2)


def test_without_the_extra_the_message_says_what_to_install(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(DensightError, match=r"onnxscript is not installed.*pip install 'densight\[onnx\]'"):
        write_onnx(read_bundle(model_folder), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
