from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from densight.network.bundle import read_bundle
from densight.network.keras import read_keras_bundle, read_keras_weights
from densight.vocabulary import PROJECTIONS, DensightError, Projection
from tests.keras_files import replace, spoil, unpack
from tests.runner import invoke


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full model as Keras 2.15 wrote it."""
    return unpack("tutorial_keras_2.15", tmp_path_factory.mktemp("keras"))


@pytest.fixture
def copied(keras_file: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copy(keras_file, tmp_path / "model.h5")


def with_three_outputs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    kernel, bias = np.arange(768, dtype=np.float32).reshape(256, 3), np.array([7, 8, 9], np.float32)
    spoil(path, lambda file: (replace(file, "dense", "kernel", kernel), replace(file, "dense", "bias", bias)))
    return kernel, bias


def test_other_classes_are_brought_from_alphabetical_order_into_that_of_density(copied: Path) -> None:
    kernel, bias = with_three_outputs(copied)
    bundle = read_keras_bundle(copied, classes=("F", "G", "D"), projections=PROJECTIONS)
    assert bundle.facts.classes == ("F", "G", "D")
    # Keras read the folders as D, F, G.
    np.testing.assert_array_equal(bundle.network.classifier.bias.detach(), bias[[1, 2, 0]])
    np.testing.assert_array_equal(bundle.network.classifier.weight.detach(), kernel.T[[1, 2, 0]])


def test_classes_that_do_not_fit_the_outputs_are_refused(copied: Path) -> None:
    with pytest.raises(DensightError, match="4 outputs, and 3 classes are given"):
        read_keras_bundle(copied, classes=("F", "G", "D"), projections=PROJECTIONS)
    with_three_outputs(copied)
    with pytest.raises(DensightError, match=r"3 outputs and no classes are given.*--classes F,G,D"):
        read_keras_bundle(copied, projections=PROJECTIONS)


def convert(*arguments: str | Path) -> tuple[str, BaseException | None]:
    result = invoke("convert", *arguments)
    return result.output, result.exception


def test_the_command_writes_a_bundle_that_says_where_it_comes_from(copied: Path, tmp_path: Path) -> None:
    printed, error = convert(copied, "-o", tmp_path / "bundle", "--projection", "MLO_R")
    assert error is None
    assert "2,262,660 parameters (full model, Keras version 2.15.0)" in printed
    assert "Input: 650×650 pixels" in printed
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.facts.projections == (Projection.MLO_R,)
    assert bundle.facts.classes == ("A", "B", "C", "D")
    shown = bundle.facts.training["converted_from"]
    assert (shown["file"], shown["form"], shown["keras_version"]) == ("model.h5", "full model", "2.15.0")
    assert len(shown["sha256"]) == 64
    assert "keras version: 2.15.0" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert all(
        torch.equal(bundle.network.state_dict()[name], value)
        for name, value in read_keras_weights(copied).state.items()
    )


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("CC_L.h5", (), "CC_L"),
        ("weights-mlor.h5", (), "MLO_R"),
        ("CC_R_model/weights-improvement-46-0.80.h5", (), "CC_R"),
        ("CC_L.h5", ("--projection", "mlo-l"), "MLO_L"),
        ("model.h5", ("--projection", "all"), "CC_R, CC_L, MLO_R, MLO_L"),
    ],
)
def test_the_projection_comes_from_the_option_the_file_or_the_folder(
    keras_file: Path, tmp_path: Path, name: str, options: tuple[str, ...], expected: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(keras_file)
    printed, error = convert(path, "-o", tmp_path / "bundle", *options)
    assert error is None
    assert ", ".join(read_bundle(tmp_path / "bundle").facts.projections) == expected
    assert f"Projections: {expected} (" in printed


def test_the_command_refuses_what_it_cannot_do(keras_file: Path, model_folder: Path, tmp_path: Path) -> None:
    refusals = {
        (keras_file,): r"contains the projection.*--projection CC_R, CC_L, MLO_R, MLO_L or all",
        (keras_file, "--projection", "lateral"): "unknown projection 'lateral'",
        (keras_file, "--projection", "all", "--classes", "A,B"): "4 outputs, and 2 classes are given",
        (model_folder,): r"model bundle already.*-o FILE\.onnx",
    }
    for arguments, message in refusals.items():
        _, error = convert(*arguments, "-o", tmp_path / "bundle")
        assert isinstance(error, DensightError)
        with pytest.raises(DensightError, match=message):
            raise error
    _, error = convert(model_folder, "-o", tmp_path / "m.onnx", "--projection", "CC_R")
    assert "stores its projections and classes" in str(error)
    assert not (tmp_path / "bundle").exists()
