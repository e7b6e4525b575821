"""A network's convolutional part by Intel's OpenVINO, which keeps activations in the layout that its kernels like."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.network.blocks import DensityNetwork

__all__ = ["compile_features"]


def compile_features(
    network: DensityNetwork, channels: int, shape: tuple[int, int], precision: str
) -> Callable[[Tensor], Tensor]:
    """Translate ``forward_features`` and compile it for this processor.

    Parameters
    ----------
    network : DensityNetwork
        On the CPU, batch normalisation folded.
    channels : int
    shape : (int, int)
    precision : {"fp32", "bf16"}

    Returns
    -------
    callable
        ``(1, channels, rows, columns)`` to the feature map, float32. Several threads may call it at once.

    Raises
    ------
    DensightError
        If the extra is not installed.
    """
    # OpenVINO reports its use to a server, unless the package by which it does so cannot be imported.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino as ov
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    except ImportError as error:
        raise DensightError(
            f"OpenVINO cannot be used because {error.name} is not installed", remedy="pip install 'densight[openvino]'"
        ) from error
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns that shapes are constants, which is intended
        decoder = TorchScriptPythonDecoder(_Features(network), example_input=(torch.zeros(1, channels, *shape),))
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
    model.reshape([1, channels, *shape])
    threads = torch.get_num_threads()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
    }
    compiled = ov.Core().compile_model(model, "CPU", settings)
    thread = threading.local()

    def compute(x: Tensor) -> Tensor:
        request: Any = getattr(thread, "request", None)
        if request is None:
            request = thread.request = compiled.create_infer_request()
        # Copied because the next image overwrites it.
        return torch.from_numpy(request.infer({0: x.contiguous().numpy()})[0].copy())

    return compute


class _Features(nn.Module):
    def __init__(self, network: DensityNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.forward_features(x)
