"""Keras files that the tests take apart: the fixtures that Keras wrote, and changes to them."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"

Layers = dict[str, dict[str, Any]]


def unpack(name: str, folder: Path) -> Path:
    path = folder / f"{name}.h5"
    path.write_bytes(lzma.decompress((FIXTURES / f"{name}.h5.xz").read_bytes()))
    return path


def edit_graph(path: Path, change: Callable[[Layers], None]) -> None:
    with h5py.File(path, "r+") as file:
        content = json.loads(file.attrs["model_config"])
        change({layer["name"]: layer for layer in content["config"]["layers"]})
        file.attrs["model_config"] = json.dumps(content)


def without_graph(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]


def as_weights_only(source: Path, target: Path, rename: Callable[[str], str] = str) -> Path:
    """What save_weights writes: the groups of the layers at the root, here with other names for them."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        layers = old["model_weights"]
        names = [str(name) for name in layers.attrs["layer_names"]]
        new.attrs["layer_names"] = np.array([rename(name).encode() for name in names])
        new.attrs["keras_version"], new.attrs["backend"] = b"2.2.4", b"tensorflow"
        for name in names:
            group = new.create_group(rename(name))
            weights = [str(weight) for weight in layers[name].attrs["weight_names"]]
            group.attrs["weight_names"] = [weight.replace(name, rename(name), 1).encode() for weight in weights]
            for weight in weights:
                group[weight.replace(name, rename(name), 1)] = layers[name][weight][()]
    return target


def as_container(source: Path, target: Path, root: str = "layers") -> Path:
    """What save_weights writes to .weights.h5: layers numbered by kind in the model's order, whatever their names."""
    counts: dict[str, int] = {}
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        layers = old["model_weights"]
        for name in layers.attrs["layer_names"]:
            kind = "_".join(part for part in str(name).split("_") if not part.isdigit())
            number = counts[kind] = counts.get(kind, -1) + 1
            group = new.create_group(f"{root}/{kind}{f'_{number}' if number else ''}/vars")
            for i, weight in enumerate(layers[name].attrs["weight_names"]):
                group[str(i)] = layers[name][weight][()]
    return target


def numbered_on(name: str, by: int) -> str:
    """A layer's name after ``by`` further layers of its kind in the session; by one, as Keras 2.2 counts."""
    *kind, last = name.split("_")
    if last.isdigit() and kind:
        return "_".join([*kind, str(int(last) + by)])
    return f"{name}_{by}"


def spoil(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def replace(file: h5py.File, layer: str, array: str, values: np.ndarray) -> None:
    group = file["model_weights"][layer][layer]
    del group[f"{array}:0"]
    group[f"{array}:0"] = values
