"""The graph in a full Keras model file, compared with the tutorial's network layer by layer.

Weights alone do not determine strides, padding, slopes or the order of layers. Where the file stores them, it is
accepted only if all of them are the tutorial's.

Source: Keras 2.2.4 ``engine/network.py`` and Keras 2.15 ``engine/functional.py``, ``get_config``.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densight.network.resnet import BLOCKS_PER_STAGE, SLOPE, STAGES
from densight.vocabulary import DensightError

__all__ = ["BLOCKS", "Graph", "another_network", "read_graph"]

BLOCKS = tuple((stride if i == 0 else 1, i == 0) for *_, stride in STAGES for i in range(BLOCKS_PER_STAGE))
"""(stride, whether there is a projection shortcut) of each bottleneck block."""

EXPECTED: dict[str, dict[str, Any]] = {
    "Conv2D": {
        "padding": "same",
        "activation": "linear",
        "use_bias": True,
        "dilation_rate": [1, 1],
        "groups": 1,
        "data_format": "channels_last",
    },
    "BatchNormalization": {"epsilon": 1e-3, "center": True, "scale": True},
    "LeakyReLU": {"alpha": SLOPE},
    "MaxPooling2D": {"pool_size": [3, 3], "strides": [2, 2], "padding": "same", "data_format": "channels_last"},
    "Add": {},
    "Dropout": {},
    "GlobalAveragePooling2D": {"keepdims": False, "data_format": "channels_last"},
    "Dense": {"activation": "softmax", "use_bias": True},
}
"""The required options of each kind of layer. Options that older Keras did not write (``groups``) may be absent."""


@dataclass(frozen=True)
class Graph:
    """What a model's graph adds to its weights.

    Parameters
    ----------
    shape : (int, int) or None
        Rows and columns of the input; None where they were left open.
    layers : dict of str to str
        Keras' layer for every module of densight's network that has weights, such as ``blocks.0.reduce``.
    """

    shape: tuple[int, int] | None
    layers: dict[str, str]


def another_network(what: str, path: Path) -> DensightError:
    """The error for a file that holds some other network."""
    return DensightError(
        f"this is not the tutorial's network: {what}",
        path,
        "only the tutorial's ResNet can be converted; train any other with densight train",
    )


def read_graph(model_config: str, path: Path) -> Graph:
    """Follow a model's graph from the input to the output, and compare it with the tutorial's network.

    Parameters
    ----------
    model_config : str
        The JSON that Keras keeps in the attribute of that name.
    path : Path
        The file, for errors.

    Raises
    ------
    DensightError
        If the JSON is damaged, or any layer or connection is not the tutorial's.
    """
    try:
        return _Walk(json.loads(model_config), path).to_the_end()
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DensightError):
            raise
        raise DensightError(
            f"its model_config is not one that Keras 2 writes ({error!r})", path, "save the model again with Keras 2"
        ) from error


class _Walk:
    """One pass over a graph, remembering where it is and which layers it has passed."""

    def __init__(self, content: dict[str, Any], path: Path) -> None:
        self.path = path
        if content["class_name"] not in ("Model", "Functional"):
            raise another_network(f"it is a {content['class_name']} model", path)
        config = content["config"]
        self.kinds: dict[str, str] = {layer["name"]: layer["class_name"] for layer in config["layers"]}
        self.configs: dict[str, dict[str, Any]] = {layer["name"]: layer["config"] for layer in config["layers"]}
        self.followers: dict[str, list[str]] = defaultdict(list)
        for layer in config["layers"]:
            for node in layer["inbound_nodes"]:
                for source, *_ in node:
                    self.followers[source].append(layer["name"])
        (self.start,) = (source for source, *_ in config["input_layers"])
        self.outputs = [source for source, *_ in config["output_layers"]]
        self.passed = {self.start}
        self.layers: dict[str, str] = {}

    def to_the_end(self) -> Graph:
        """Follow the network's layers; every layer of the graph must have been passed at the end."""
        at = self.convolve(self.start, "stem", 2)
        at = self.follow(self.follow(at, "LeakyReLU"), "MaxPooling2D")
        for i, (stride, project) in enumerate(BLOCKS):
            at = self.follow(self.block(at, f"blocks.{i}", stride, project), "LeakyReLU")
        at = self.follow(self.follow(at, "Dropout"), "GlobalAveragePooling2D")
        self.layers["classifier"] = at = self.follow(at, "Dense")
        others = [name for name in self.kinds if name not in self.passed]
        if others or self.outputs != [at]:
            raise another_network(f"it has the further layers {', '.join(others) or self.outputs}", self.path)
        return Graph(self.input_shape(), self.layers)

    def input_shape(self) -> tuple[int, int] | None:
        _, rows, columns, channels = self.configs[self.start]["batch_input_shape"]
        if channels != 3:
            raise another_network(f"its input has {channels} channels, where the tutorial's has 3", self.path)
        return None if rows is None or columns is None else (int(rows), int(columns))

    def block(self, at: str, role: str, stride: int, project: bool) -> str:
        """Pass a bottleneck block; its addition."""
        shortcut = at
        branches = self.followers[at]
        # The projection shortcut and the main path both begin with a 1×1 convolution and its batch norm; the
        # shortcut's goes straight into the addition.
        ends = [name for name in branches if self.kinds[name] == "Add" or self.ends_in_addition(name)]
        mains = [name for name in branches if name not in ends]
        if len(ends) != 1 or len(mains) != 1 or (self.kinds[ends[0]] == "Add") == project:
            wanted = "a projection shortcut" if project else "an identity shortcut"
            raise another_network(f"after the layer {at} there is not one main path and {wanted}", self.path)
        if project:
            shortcut = self.convolve(at, f"{role}.shortcut", stride, ends[0])
        main = self.follow(self.convolve(at, f"{role}.reduce", 1, mains[0]), "LeakyReLU")
        main = self.follow(self.convolve(main, f"{role}.conv", stride), "LeakyReLU")
        addition = self.follow(self.convolve(main, f"{role}.expand", 1), "Add")
        if addition not in self.followers[shortcut]:
            raise another_network(f"the layer {addition} does not add the shortcut {shortcut}", self.path)
        return addition

    def ends_in_addition(self, name: str) -> bool:
        """Whether a convolution goes through its batch norm alone into an addition."""
        norms = self.followers[name]
        return len(norms) == 1 and [self.kinds[after] for after in self.followers[norms[0]]] == ["Add"]

    def convolve(self, at: str, role: str, stride: int, name: str | None = None) -> str:
        """Pass a convolution with its batch norm, and note whose weights they are; the batch norm."""
        self.layers[role] = self.follow(at, "Conv2D", name)
        self.expect(self.layers[role], "strides", [stride, stride])
        self.layers[f"{role}_norm"] = self.follow(self.layers[role], "BatchNormalization")
        return self.layers[f"{role}_norm"]

    def follow(self, at: str, kind: str, name: str | None = None) -> str:
        """Go on to the layer after ``at``, which must be of a kind and have the expected options."""
        name = name or self.after(at)
        if self.kinds[name] != kind:
            raise another_network(
                f"after the layer {at} comes {name} ({self.kinds[name]}), where the tutorial's has a {kind}", self.path
            )
        for key, value in EXPECTED[kind].items():
            self.expect(name, key, value)
        self.passed.add(name)
        return name

    def after(self, at: str) -> str:
        """The one layer after another."""
        followers = self.followers[at]
        if len(followers) != 1:
            raise another_network(
                f"{len(followers)} layers follow the layer {at}, where the tutorial's has one", self.path
            )
        return followers[0]

    def expect(self, name: str, key: str, value: Any) -> None:
        actual = self.configs[name].get(key, value)
        same = math.isclose(actual, value, rel_tol=1e-6) if isinstance(value, float) else actual == value
        if not same:
            raise another_network(f"the layer {name} has {key} {actual}, where the tutorial's has {value}", self.path)
