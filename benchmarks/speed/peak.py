"""The fastest large convolutions and matrix products of the libraries at hand, in single precision on all cores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import openvino as ov
import torch
from onnx import TensorProto, helper, numpy_helper
from openvino import opset8

__all__ = ["CONVOLUTIONS", "MATRIX", "gflop", "peak_tasks"]

CONVOLUTIONS = ((128, 163), (256, 82), (256, 163))
"""Channels in and out, and side, of 3×3 convolutions: of the tutorial's network, and a larger one."""

MATRIX = 3072
"""Rows and columns."""

REPEATS = 3


def gflop(name: str) -> float:
    """Of a task of `peak_tasks`; a multiplication and an addition are two."""
    what, _, size = name.partition(" ")[2].partition(" ")
    if what == "matrix":
        return REPEATS * 2 * MATRIX**3 / 1e9
    channels, side = map(int, size.split("@"))
    return REPEATS * 2 * 9 * channels**2 * side**2 / 1e9


def peak_tasks() -> dict[str, Callable[[], object]]:
    """Tasks that do one thing `REPEATS` times, by the library's name, ``matrix`` or ``convolution``, and size."""
    rng = np.random.default_rng(0)
    square = rng.random((MATRIX, MATRIX), np.float32)
    tensor = torch.from_numpy(square)
    tasks: dict[str, Callable[[], object]] = {
        f"numpy matrix {MATRIX}": lambda: [square @ square for _ in range(REPEATS)] and None,
        f"torch matrix {MATRIX}": lambda: [tensor @ tensor for _ in range(REPEATS)] and None,
    }
    for channels, side in CONVOLUTIONS:
        x = rng.random((1, channels, side, side), np.float32)
        weights = rng.random((channels, channels, 3, 3), np.float32)
        size = f"convolution {channels}@{side}"
        tasks |= {
            f"torch {size}": _by_torch(x, weights),
            f"openvino {size}": _by_openvino(x, weights),
            f"onnxruntime {size}": _by_onnxruntime(x, weights),
        }
    return tasks


Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def _by_torch(x: Array, weights: Array) -> Callable[[], object]:
    image = torch.from_numpy(x).to(memory_format=torch.channels_last)
    kernel = torch.from_numpy(weights).to(memory_format=torch.channels_last)

    def task() -> None:
        with torch.inference_mode():
            for _ in range(REPEATS):
                torch.conv2d(image, kernel, padding=1)

    return task


def _by_openvino(x: Array, weights: Array) -> Callable[[], object]:
    image = opset8.parameter(list(x.shape), np.float32)
    out = opset8.convolution(image, opset8.constant(weights), [1, 1], [1, 1], [1, 1], [1, 1])
    request = ov.Core().compile_model(ov.Model([out], [image]), "CPU").create_infer_request()

    def task() -> None:
        for _ in range(REPEATS):
            request.infer({0: x})

    return task


def _by_onnxruntime(x: Array, weights: Array) -> Callable[[], object]:
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def task() -> None:
        for _ in range(REPEATS):
            session.run(None, {"x": x})

    return task
