"""A model as an ONNX file, for use without Python: probabilities, and the maps of every class."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from densight.network.facts import ModelFile
from densight.storage import replacing
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.network.blocks import DensityNetwork
    from densight.network.bundle import Bundle

__all__ = ["write_onnx"]

METADATA = {"classes", "projections", "preparation", "architecture", "licence", "weights_sha256"}
"""What the file keeps of ``model.json``."""

MapsOf = Callable[["DensityNetwork", Tensor], Tensor]


def write_onnx(bundle: Bundle, path: str | Path, maps_of: MapsOf | None = None) -> None:
    """Write a model as ONNX.

    The input ``image`` is what the preparation makes, float32 ``(batch, channels, rows, columns)``; the output
    ``probabilities`` is ``(batch, n_classes)``. What a program needs beside the graph is in the file's metadata, as
    JSON: ``classes``, ``projections``, ``preparation``, ``architecture``, ``weights_sha256``, ``licence`` and ``use``.

    Parameters
    ----------
    bundle : Bundle
    path : path-like
        The file to write.
    maps_of : callable, optional
        Computes the maps of every class from a network and its feature map, for instance
        :func:`~densight.explanation.methods.gradcam.grad_cam` of a network with a linear head. They are then the
        second output ``maps``, ``(batch, n_classes, map rows, map columns)``, raw and signed.

    Raises
    ------
    DensightError
        If the extra is not installed, PyTorch cannot export the network, or the file cannot be written.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise DensightError(
            f"ONNX cannot be written because {error.name} is not installed", path, "pip install 'densight[onnx]'"
        ) from error
    facts = bundle.facts
    # The exporter would treat a batch of one as a constant.
    images = torch.zeros(2, facts.architecture.channels, *facts.preparation.shape)
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                _Exported(bundle.network, maps_of).eval(),
                (images,),
                dynamo=True,
                input_names=["image"],
                output_names=["probabilities"] if maps_of is None else ["probabilities", "maps"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise DensightError(f"PyTorch cannot export {facts.architecture.name} ({error})", bundle.folder) from error
        assert program is not None
        metadata = ModelFile.of(facts, bundle.checksum).model_dump(include=METADATA)
        metadata |= {"use": "Research software. Not a medical device."}
        program.model.metadata_props.update({name: json.dumps(value) for name, value in metadata.items()})
        with replacing(path) as temporary:
            program.save(temporary, external_data=False)


class _Exported(nn.Module):
    """From prepared images to the outputs of the file."""

    def __init__(self, network: DensityNetwork, maps_of: MapsOf | None) -> None:
        super().__init__()
        self.network, self.maps_of = network, maps_of

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.network.forward_features(images)
        probabilities = torch.softmax(self.network.forward_head(features), dim=1)
        return (probabilities,) if self.maps_of is None else (probabilities, self.maps_of(self.network, features))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about missing packages and future changes."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
