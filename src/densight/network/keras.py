"""Weights of the tutorial's network in the HDF5 files that Keras 2.2 to 2.15 write, read with h5py alone.

There are three forms. A *full model* (``model.save("m.h5")``) keeps its graph in the attribute ``model_config`` and
its weights below ``model_weights``; the graph identifies each layer, and is compared with the tutorial's network.
*Weights only* (``model.save_weights("m.h5")``) keeps the groups of ``layer_names`` at the root. A *weights container*
(``model.save_weights("m.weights.h5")``, Keras 2.12 on) names its groups by kind and place, whatever the layers' names.

The last two have no graph. Both list the layers by their distance from the output; layers at the same distance are in
the order of the addition's arguments. This identifies every layer except which comes first, a block's last convolution
or its shortcut. Their shapes differ in the third and fourth stage, which settles the order for all.

Source: Keras 2.2.4 ``engine/saving.py``; Keras 2.15 ``saving/legacy/hdf5_format.py``, ``saving/saving_lib.py`` and
``engine/functional.py`` (``_map_graph_network``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from densight.intake.naming import projection_of
from densight.network.architecture import Architecture
from densight.network.bundle import Bundle
from densight.network.facts import BundleFacts
from densight.network.keras_graph import BLOCKS, another_network, read_graph
from densight.network.resnet import TutorialResNet
from densight.preparation.prepare import Preparation
from densight.storage import checksum
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Projection, check_classes

if TYPE_CHECKING:
    import h5py

__all__ = ["KerasWeights", "read_keras_bundle", "read_keras_weights"]

Layer = dict[str, npt.NDArray[np.float32]]
"""A layer's arrays by Keras' names for them, without the layer's own name."""

CONVOLUTION, NORM = ("kernel", "bias"), ("gamma", "beta", "moving_mean", "moving_variance")
PARAMETERS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""PyTorch's name for each of Keras' arrays."""

CONTAINER_KINDS = {"conv2d": CONVOLUTION, "batch_normalization": NORM, "dense": CONVOLUTION}
"""What the numbered arrays of a weights container are, by the layer's class in snake case."""

TUTORIAL_SHAPE = (650, 650)
_SAVE_AGAIN = "copy it again, or save it again with model.save('model.h5')"


@dataclass(frozen=True, eq=False)
class KerasWeights:
    """What a Keras file holds, in densight's form.

    Parameters
    ----------
    state : dict of str to Tensor
        The ``state_dict`` of a :class:`~densight.network.resnet.TutorialResNet`; kernels ``(out, in, rows, columns)``.
    n_classes : int
        Number of outputs.
    shape : (int, int)
        Rows and columns of the input.
    shape_known : bool
        Whether the file stores the shape; otherwise it is the tutorial's.
    form : str
        ``full model``, ``weights only`` or ``weights container``.
    version : str
        Keras' version, or ``not stated``.
    """

    state: dict[str, Tensor]
    n_classes: int
    shape: tuple[int, int]
    shape_known: bool
    form: str
    version: str


def read_keras_weights(path: str | Path) -> KerasWeights:
    """Read the weights of the tutorial's network from a Keras file.

    Parameters
    ----------
    path : path-like
        An ``.h5`` file that Keras 2.2 to 2.15 wrote with the TensorFlow backend.

    Returns
    -------
    KerasWeights

    Raises
    ------
    DensightError
        If the file is missing, empty, truncated or not HDF5; holds no weights; or holds those of a network that is
        not the tutorial's in every layer, shape, slope and constant that the file stores.

    Examples
    --------
    >>> from densight.storage import write_bytes
    >>> write_bytes("build/empty.h5", b"")
    >>> read_keras_weights("build/empty.h5")
    Traceback (most recent call last):
        ...
    densight.vocabulary.DensightError: build/empty.h5: the file is empty (0 bytes). Fix: copy it again, ...
    """
    import h5py

    path = Path(path)
    _check_bytes(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except (OSError, KeyError, RuntimeError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DensightError):
            raise
        raise DensightError(f"the HDF5 file is truncated or damaged ({error})", path, _SAVE_AGAIN) from error


def read_keras_bundle(
    path: str | Path, *, classes: Sequence[str] | None = None, projections: Sequence[Projection] = ()
) -> Bundle:
    """Read a Keras file as a model bundle, ready to assess or to be written.

    Parameters
    ----------
    path : path-like
        See `read_keras_weights`.
    classes : sequence of str, optional
        The labels from the least to the most dense; A B C D where there are four outputs and none are given. The
        outputs are taken to be in alphabetical order of them, as Keras' ``flow_from_directory`` makes it of the
        folders' names, and are brought into the order of density.
    projections : sequence of Projection, optional
        What the network was trained for. Where none is given, it is read from the file's name (``CC_R.h5``) or from the
        nearest folder that names one (``CC_R_model/weights-improvement-46-0.80.h5``).

    Returns
    -------
    Bundle
        Its network in evaluation mode, its checksum and ``folder`` those of the Keras file.

    Raises
    ------
    DensightError
        As `read_keras_weights`, and where classes or projection are neither given nor in the file's name, or do not
        fit.
    """
    path = Path(path)
    weights = read_keras_weights(path)
    labels = _labels(classes, weights.n_classes, path)
    projections, source = (tuple(projections), "as given") if projections else _named_projection(path)
    network = TutorialResNet(weights.n_classes)
    network.load_state_dict(weights.state)
    rows = [sorted(labels).index(label) for label in labels]
    with torch.no_grad():
        for parameter in network.classifier.parameters():
            parameter.copy_(parameter[rows].clone())
    digest = checksum(path)
    facts = BundleFacts(
        Architecture("tutorial-resnet", weights.n_classes, 3),
        Preparation("tutorial", weights.shape),
        labels,
        projections,
        {
            "converted_from": {
                "file": path.name,
                "sha256": digest,
                "form": weights.form,
                "keras_version": weights.version,
            },
            "input_shape": "told by the file" if weights.shape_known else "the tutorial's; the file does not tell it",
            "outputs": f"in the file's order {', '.join(sorted(labels))} (alphabetical, as Keras reads folders)",
            "projections": source,
        },
    )
    return Bundle(facts, network.eval(), digest, path)


def _named_projection(path: Path) -> tuple[tuple[Projection, ...], str]:
    projection, assumed = projection_of(path)
    if projection is None:
        raise DensightError(
            "neither the file's name nor its folder's name contains the projection",
            path,
            f"name the folder MLO_R for instance, or use densight convert --projection {', '.join(PROJECTIONS)} or all",
        )
    return (projection,), " ".join(assumed) or "told by the file's name"


def _labels(classes: Sequence[str] | None, outputs: int, path: Path) -> tuple[str, ...]:
    if classes is None and outputs != len(BIRADS):
        raise DensightError(
            f"the network has {outputs} outputs and no classes are given", path, "name them, such as --classes F,G,D"
        )
    labels = check_classes(BIRADS if classes is None else classes)
    if len(labels) != outputs:
        raise DensightError(
            f"the network has {outputs} outputs, and {len(labels)} classes are given ({', '.join(labels)})",
            path,
            f"name {outputs} classes",
        )
    return labels


def _check_bytes(path: Path) -> None:
    """Refuse a path that cannot be an HDF5 file, with what it is instead."""
    import h5py

    if path.is_dir():
        raise DensightError("this is a folder, not a Keras .h5 file", path, "save with model.save('model.h5')")
    if not path.is_file():
        raise DensightError("there is no such file", path, "check the path; names are case-sensitive")
    if path.stat().st_size == 0:
        raise DensightError("the file is empty (0 bytes)", path, _SAVE_AGAIN)
    if not h5py.is_hdf5(path):
        raise DensightError(
            "this is not an HDF5 file", path, "save with model.save('model.h5'); .keras and .ckpt are not read"
        )


def _read(file: h5py.File, path: Path) -> KerasWeights:
    if _text(file.attrs.get("backend", "tensorflow")) != "tensorflow":
        raise DensightError(
            f"the weights are of Keras' {_text(file.attrs['backend'])} backend, which turns kernels round",
            path,
            "load and save the model with the TensorFlow backend",
        )
    graph = None
    if "model_weights" in file:
        form, layers = "full model", _named_layers(file["model_weights"])
        if "model_config" in file.attrs:
            graph = read_graph(_text(file.attrs["model_config"]), path)
    elif "layer_names" in file.attrs:
        form, layers = "weights only", _named_layers(file)
    elif container := next((name for name in ("layers", "_layer_checkpoint_dependencies") if name in file), None):
        form, layers = "weights container", _numbered_layers(file[container])
    else:
        raise DensightError(
            f"no layer's weights are in it (it holds {', '.join(file) or 'nothing'})",
            path,
            "save the whole model with model.save('model.h5')",
        )
    convolutions, norms, dense = _sort(layers, path)
    n_classes = next(iter(dense.values()))["kernel"].shape[1]
    state = _empty_state(n_classes)
    assigned = graph.layers if graph else _by_order(convolutions, norms, dense, state)
    _fill(state, assigned, layers, path)
    shape = graph.shape if graph else None
    version = _text(file.attrs.get("keras_version", "not stated"))
    return KerasWeights(state, n_classes, shape or TUTORIAL_SHAPE, shape is not None, form, version)


def _text(value: Any) -> str:
    """An attribute as text; h5py gives bytes for those of old files."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _named_layers(group: h5py.Group) -> dict[str, Layer]:
    """Layers with weights in the order of ``layer_names``; arrays are named such as ``conv2d_1/kernel:0``."""
    layers = {}
    for name in map(_text, group.attrs["layer_names"]):
        weights = [_text(weight) for weight in group[name].attrs["weight_names"]]
        if weights:
            layers[name] = {w.split("/")[-1].split(":")[0]: _array(group[name][w]) for w in weights}
    return layers


def _numbered_layers(group: h5py.Group) -> dict[str, Layer]:
    """Layers with weights of a container, in the order of the numbers in their names."""
    layers = {}
    for name in sorted(group, key=lambda name: (len(name), name)):
        values = group[name].get("vars", {})
        if len(values):
            kind = CONTAINER_KINDS.get(re.sub(r"_\d+$", "", name), ())
            layers[name] = {kind[int(i)] if int(i) < len(kind) else i: _array(values[i]) for i in values}
    return layers


def _array(dataset: h5py.Dataset) -> npt.NDArray[np.float32]:
    return np.asarray(dataset[()], dtype=np.float32)


def _sort(layers: dict[str, Layer], path: Path) -> tuple[dict[str, Layer], dict[str, Layer], dict[str, Layer]]:
    """Convolutions, batch norms and the dense layer, each in the file's order; as many as the tutorial's has."""
    kinds: dict[str, dict[str, Layer]] = {"convolutions": {}, "batch norms": {}, "dense layers": {}}
    for name, layer in layers.items():
        dimensions = layer["kernel"].ndim if "kernel" in layer else 0
        kind = {4: "convolutions", 2: "dense layers"}.get(dimensions, "batch norms" if set(layer) <= set(NORM) else "")
        if not kind:
            raise another_network(f"the layer {name} holds {', '.join(layer)}", path)
        kinds[kind][name] = layer
    convolutions = 1 + sum(4 if project else 3 for _, project in BLOCKS)
    for (kind, layers_of_kind), expected in zip(kinds.items(), (convolutions, convolutions, 1), strict=True):
        if len(layers_of_kind) != expected:
            raise another_network(f"it has {len(layers_of_kind)} {kind}, where the tutorial's has {expected}", path)
    return kinds["convolutions"], kinds["batch norms"], kinds["dense layers"]


def _empty_state(n_classes: int) -> dict[str, Tensor]:
    """The names and shapes of the network's ``state_dict``."""
    with torch.device("meta"):
        network = TutorialResNet(n_classes)
    return {name: torch.zeros_like(value, device="cpu") for name, value in network.state_dict().items()}


def _keras_shape(value: Tensor) -> tuple[int, ...]:
    """The shape that Keras gives an array: kernels are (rows, columns, in, out), dense ones (in, out)."""
    return (*value.shape[2:], *reversed(value.shape[:2]))


def _by_order(
    convolutions: dict[str, Layer], norms: dict[str, Layer], dense: dict[str, Layer], state: dict[str, Tensor]
) -> dict[str, str]:
    """Keras' layer for each of densight's modules, by the order in which the file lists the layers."""
    roles: list[str] = []
    for last in (("shortcut", "expand"), ("expand", "shortcut")):
        roles = ["stem"]
        for i, (_, project) in enumerate(BLOCKS):
            roles += [f"blocks.{i}.{name}" for name in ("reduce", "conv", *(last if project else ("expand",)))]
        shapes = [_keras_shape(state[f"{role}.weight"]) for role in roles]
        if shapes == [layer["kernel"].shape for layer in convolutions.values()]:
            break
    norm_roles = (f"{role}_norm" for role in roles)
    return {
        **dict(zip(roles, convolutions, strict=True)),
        **dict(zip(norm_roles, norms, strict=True)),
        "classifier": next(iter(dense)),
    }


def _fill(state: dict[str, Tensor], assigned: dict[str, str], layers: dict[str, Layer], path: Path) -> None:
    """Put every array into its place; refuse one that is missing, of another shape or not finite."""
    for role, name in assigned.items():
        layer = layers.get(name, {})
        for array in NORM if role.endswith("_norm") else CONVOLUTION:
            key = f"{role}.{PARAMETERS[array]}"
            if array not in layer:
                raise another_network(f"the layer {name} has no {array}", path)
            values, shape = layer[array], _keras_shape(state[key])
            if values.shape != shape:
                raise another_network(
                    f"the {array} of the layer {name} is of the shape {values.shape}, where the tutorial's is {shape}",
                    path,
                )
            if not np.isfinite(values).all():
                raise DensightError(
                    f"the {array} of the layer {name} holds values that are not finite",
                    path,
                    "take the weights of an earlier epoch",
                )
            axes = (*range(values.ndim)[::-1][:2], *range(values.ndim - 2))
            state[key] = torch.from_numpy(np.ascontiguousarray(values.transpose(axes)))
