from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from densight.explanation.methods.gradcam import grad_cam
from densight.network.keras import read_keras_weights
from densight.network.resnet import TutorialResNet
from densight.vocabulary import DensightError
from tests.keras_files import (
    FIXTURES,
    Layers,
    as_container,
    as_weights_only,
    edit_graph,
    numbered_on,
    replace,
    spoil,
    unpack,
    without_graph,
)


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full model as Keras 2.15 wrote it."""
    return unpack("tutorial_keras_2.15", tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="module")
def state(keras_file: Path) -> dict[str, torch.Tensor]:
    return read_keras_weights(keras_file).state


@pytest.fixture
def copied(keras_file: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copy(keras_file, tmp_path / "model.h5")


def fixture_image() -> torch.Tensor:
    """The image of benchmarks/keras_reference.py, (1, 3, rows, columns)."""
    row, column = np.mgrid[:130, :101]
    channels = [np.sin(row / 7) * np.cos(column / 5), np.cos(row * column / 900), np.sin((row + 2 * column) / 11)]
    return torch.from_numpy(np.stack(channels).astype(np.float32))[None]


def assess(state: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, means of the first eight channels and maps for the fixture's image."""
    network = TutorialResNet(4)
    network.load_state_dict(state)
    with torch.inference_mode():
        features = network.eval().forward_features(fixture_image())
        probabilities = torch.softmax(network.forward_head(features), dim=1)[0]
        maps = grad_cam(network, features)[0]
    return probabilities.numpy(), features.mean(dim=(2, 3))[0, :8].numpy(), maps.numpy()


def test_the_fixture_of_keras_gives_what_keras_gave(state: dict[str, torch.Tensor]) -> None:
    expected = json.loads((FIXTURES / "tutorial_keras_2.15.json").read_text())
    probabilities, means, maps = assess(state)
    np.testing.assert_allclose(probabilities, expected["probabilities"], atol=1e-5)
    np.testing.assert_allclose(means, expected["feature_means"], atol=1e-4)
    np.testing.assert_allclose(maps, expected["maps"], atol=1e-4)


@pytest.mark.parametrize("stage", range(4))
def test_the_fixture_tells_a_shortcut_from_the_main_path(state: dict[str, torch.Tensor], stage: int) -> None:
    spoiled = dict(state)
    for array in ("weight", "bias", "running_mean", "running_var"):
        pair = [f"blocks.{3 * stage}.{name}_norm.{array}" for name in ("expand", "shortcut")]
        spoiled[pair[0]], spoiled[pair[1]] = state[pair[1]], state[pair[0]]
    assert np.abs(assess(spoiled)[0] - assess(state)[0]).max() > 1e-3


def test_keras_2_2_wrote_the_same_network(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """A file of Keras 2.2.4 itself: layers counted from one, attributes as bytes."""
    path = unpack("tutorial_keras_2.2", tmp_path)
    with h5py.File(path) as file:
        assert "conv2d_41" in file["model_weights"]
    weights = read_keras_weights(path)
    assert (weights.form, weights.version, weights.shape, weights.n_classes) == ("full model", "2.2.4", (650, 650), 4)
    assert all(torch.equal(weights.state[name], value) for name, value in state.items())


@pytest.mark.parametrize("by", [1, 41, 97])
def test_weights_only_files_tell_the_same_whatever_the_session_counted(
    keras_file: Path, state: dict[str, torch.Tensor], tmp_path: Path, by: int
) -> None:
    path = as_weights_only(keras_file, tmp_path / "weights.h5", lambda name: numbered_on(name, by))
    weights = read_keras_weights(path)
    assert (weights.form, weights.shape, weights.shape_known) == ("weights only", (650, 650), False)
    assert all(torch.equal(weights.state[name], value) for name, value in state.items())


@pytest.mark.parametrize("root", ["layers", "_layer_checkpoint_dependencies"])
def test_weights_containers_tell_the_same(
    keras_file: Path, state: dict[str, torch.Tensor], tmp_path: Path, root: str
) -> None:
    weights = read_keras_weights(as_container(keras_file, tmp_path / "model.weights.h5", root))
    assert (weights.form, weights.version) == ("weights container", "not stated")
    assert all(torch.equal(weights.state[name], value) for name, value in state.items())


def test_an_addition_with_the_main_path_first_turns_the_order_round(
    copied: Path, state: dict[str, torch.Tensor]
) -> None:
    """Where the script adds [y, shortcut], Keras lists the main path's last convolution before the shortcut's."""
    without_graph(copied)
    with h5py.File(copied, "r+") as file:
        names = [str(name) for name in file["model_weights"].attrs["layer_names"]]
        for number in (3, 13, 23, 33):
            for kind in ("conv2d", "batch_normalization"):
                i, j = names.index(f"{kind}_{number + 1}"), names.index(f"{kind}_{number}")
                assert i < j
                names[i], names[j] = names[j], names[i]
        file["model_weights"].attrs["layer_names"] = names
    again = read_keras_weights(copied).state
    assert all(torch.equal(again[name], value) for name, value in state.items())


def test_a_graph_may_leave_the_size_open_or_tell_another(copied: Path) -> None:
    def open_size(layers: Layers) -> None:
        layers["input_1"]["config"]["batch_input_shape"] = [None, None, None, 3]

    def other_size(layers: Layers) -> None:
        layers["input_1"]["config"]["batch_input_shape"] = [None, 800, 640, 3]

    edit_graph(copied, open_size)
    assert read_keras_weights(copied).shape == (650, 650)
    assert not read_keras_weights(copied).shape_known
    edit_graph(copied, other_size)
    assert read_keras_weights(copied).shape == (800, 640)


def config(name: str, key: str, value: object) -> Callable[[Layers], None]:
    def change(layers: Layers) -> None:
        layers[name]["config"][key] = value

    return change


def connect(name: str, *sources: str) -> Callable[[Layers], None]:
    def change(layers: Layers) -> None:
        layers[name]["inbound_nodes"] = [[[source, 0, 0, {}] for source in sources]]

    return change


def kind(name: str, class_name: str) -> Callable[[Layers], None]:
    def change(layers: Layers) -> None:
        layers[name]["class_name"] = class_name

    return change


GRAPHS = [
    (config("leaky_re_lu_5", "alpha", 0.1), "leaky_re_lu_5 has alpha 0.1, where the tutorial's has 0.3"),
    (config("batch_normalization_40", "epsilon", 1e-5), "batch_normalization_40 has epsilon 1e-05"),
    (config("batch_normalization_2", "scale", False), "batch_normalization_2 has scale False"),
    (config("conv2d_2", "padding", "valid"), "conv2d_2 has padding valid, where the tutorial's has same"),
    (config("conv2d_4", "strides", [2, 2]), r"conv2d_4 has strides \[2, 2\], where the tutorial's has \[1, 1\]"),
    (config("conv2d_12", "strides", [1, 1]), r"conv2d_12 has strides \[1, 1\], where the tutorial's has \[2, 2\]"),
    (config("conv2d_7", "activation", "relu"), "conv2d_7 has activation relu"),
    (config("conv2d_7", "dilation_rate", [2, 2]), "conv2d_7 has dilation_rate"),
    (config("conv2d", "data_format", "channels_first"), "conv2d has data_format channels_first"),
    (config("max_pooling2d", "pool_size", [2, 2]), "max_pooling2d has pool_size"),
    (config("dense", "activation", "sigmoid"), "dense has activation sigmoid"),
    (config("input_1", "batch_input_shape", [None, 650, 650, 1]), "1 channels, where the tutorial's has 3"),
    (kind("leaky_re_lu", "ReLU"), r"comes leaky_re_lu \(ReLU\), where the tutorial's has a LeakyReLU"),
    (kind("add_1", "Concatenate"), "after the layer leaky_re_lu_3 there is not one main path"),
    (kind("global_average_pooling2d", "GlobalMaxPooling2D"), "where the tutorial's has a GlobalAveragePooling2D"),
    (connect("add_2", "leaky_re_lu_3", "batch_normalization_10"), "leaky_re_lu_3 there is not one main path"),
    (connect("conv2d_8", "leaky_re_lu_3"), "leaky_re_lu_3 there is not one main path"),
    (connect("dropout", "leaky_re_lu_35"), "2 layers follow the layer leaky_re_lu_35, where"),
]


@pytest.mark.parametrize(("change", "message"), GRAPHS, ids=range(len(GRAPHS)))
def test_a_graph_that_is_not_the_tutorials_is_refused(
    copied: Path, change: Callable[[Layers], None], message: str
) -> None:
    edit_graph(copied, change)
    with pytest.raises(DensightError, match=message) as refused:
        read_keras_weights(copied)
    assert refused.value.path == copied
    assert "only the tutorial's ResNet can be converted" in str(refused.value)


def test_a_layer_aside_of_the_path_is_refused(copied: Path) -> None:
    with h5py.File(copied, "r+") as file:
        content = json.loads(file.attrs["model_config"])
        aside = {"class_name": "Flatten", "name": "aside", "config": {"name": "aside"}, "inbound_nodes": []}
        content["config"]["layers"].append(aside)
        file.attrs["model_config"] = json.dumps(content)
    with pytest.raises(DensightError, match="further layers aside"):
        read_keras_weights(copied)


def drop_bias(file: h5py.File) -> None:
    file["model_weights"]["conv2d_9"].attrs["weight_names"] = ["conv2d_9/kernel:0"]


def drop_layer(file: h5py.File) -> None:
    layers = file["model_weights"]
    layers.attrs["layer_names"] = [name for name in layers.attrs["layer_names"] if name != "conv2d_17"]


def other_layer(file: h5py.File) -> None:
    group = file["model_weights"]["dropout"]
    group["dropout/alpha:0"] = np.ones((2, 2))
    group.attrs["weight_names"] = ["dropout/alpha:0"]


def keep_optimizer_only(file: h5py.File) -> None:
    del file["model_weights"]
    file.require_group("optimizer_weights")


def say_theano(file: h5py.File) -> None:
    file.attrs["backend"] = "theano"


def unreadable_graph(file: h5py.File) -> None:
    file.attrs["model_config"] = '{"class_name": "Functional"'


def sequential(file: h5py.File) -> None:
    file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": []}}'


def lose_an_array(file: h5py.File) -> None:
    del file["model_weights"]["conv2d_3"]["conv2d_3"]["kernel:0"]


def narrow(file: h5py.File) -> None:
    replace(file, "conv2d_2", "kernel", np.zeros((3, 3, 64, 32), np.float32))


def not_a_number(file: h5py.File) -> None:
    replace(file, "batch_normalization_6", "moving_variance", np.full(64, np.nan, np.float32))


CONTENTS = [
    (drop_bias, "the layer conv2d_9 has no bias"),
    (drop_layer, "it has 40 convolutions, where the tutorial's has 41"),
    (other_layer, "the layer dropout holds alpha"),
    (keep_optimizer_only, r"no layer's weights are in it \(it holds optimizer_weights\)"),
    (say_theano, "theano backend"),
    (unreadable_graph, "its model_config is not one that Keras 2 writes"),
    (sequential, "it is a Sequential model"),
    (lose_an_array, "truncated or damaged"),
    (
        narrow,
        r"the kernel of the layer conv2d_2 is of the shape \(3, 3, 64, 32\), where the tutorial's is \(3, 3, 64, 64\)",
    ),
    (not_a_number, "the moving_variance of the layer batch_normalization_6 holds values that are not finite"),
]


@pytest.mark.parametrize(("change", "message"), CONTENTS, ids=[change.__name__ for change, _ in CONTENTS])
def test_files_with_other_contents_are_refused(copied: Path, change: Callable[[h5py.File], None], message: str) -> None:
    spoil(copied, change)
    with pytest.raises(DensightError, match=message) as refused:
        read_keras_weights(copied)
    assert refused.value.path == copied
    assert refused.value.remedy


@pytest.mark.parametrize("change", [drop_bias, drop_layer, narrow], ids=lambda change: change.__name__)
def test_without_a_graph_the_same_faults_are_found(copied: Path, change: Callable[[h5py.File], None]) -> None:
    without_graph(copied)
    spoil(copied, change)
    with pytest.raises(DensightError, match="this is not the tutorial's network"):
        read_keras_weights(copied)


def test_files_that_are_no_hdf5_are_refused(keras_file: Path, tmp_path: Path) -> None:
    whole = keras_file.read_bytes()
    files = {
        "empty.h5": (b"", "empty"),
        "text.h5": (b"epoch,loss\n1,0.5\n", "not an HDF5 file"),
        "archive.keras": (b"PK\x03\x04" + bytes(100), "not an HDF5 file"),
        "half.h5": (whole[: len(whole) // 2], "truncated or damaged"),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DensightError, match=message):
            read_keras_weights(tmp_path / name)
    with pytest.raises(DensightError, match="there is no such file"):
        read_keras_weights(tmp_path / "nowhere.h5")
    with pytest.raises(DensightError, match="a folder"):
        read_keras_weights(tmp_path)


def test_another_programs_hdf5_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["layers"] = np.arange(3)
    with pytest.raises(DensightError, match=r"other\.h5: the HDF5 file is truncated or damaged"):
        read_keras_weights(tmp_path / "other.h5")
