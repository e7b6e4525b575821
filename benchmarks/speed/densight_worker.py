"""densight: assess, explain and fit, from files and without; and what the processor can do at best.

    python benchmarks/speed/densight_worker.py FOLDER

FOLDER holds ``images/*.png``, ``dicom/*.dcm``, ``train/<CLASS>/*.png`` and ``model.h5``.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peak import peak_tasks
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from worker import serve

from densight.assessment.models import Models
from densight.explanation.methods.gradcam import grad_cam
from densight.intake.exam import find_inputs, read_entry
from densight.intake.failures import Failure
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Entry
from densight.network.architecture import Architecture, build_network
from densight.network.bundle import Bundle
from densight.network.engine import Computing
from densight.network.keras import read_keras_bundle
from densight.network.onnx import write_onnx
from densight.preparation.prepare import frame, prepare
from densight.runs.drawing_pool import draw_in_turn
from densight.runs.outputs import AssessedExam, RunContext
from densight.runs.result import RunResult
from densight.runs.run import assess_entries
from densight.training.data import FramedImages
from densight.training.fit import fit, open_device
from densight.training.recipe import read_recipe
from densight.vocabulary import BIRADS, PROJECTIONS
from densight.workers import workers_for


def prepared(models: Models, entries: Sequence[Entry]) -> list[Tensor]:
    """What the network sees of images."""
    preparation = models.bundles[0].facts.preparation
    return [torch.from_numpy(prepare(read_entry(entry), preparation).tensor)[None] for entry in entries]


class FramedMaps:
    """An output that makes the maps of every class and writes nothing."""

    key = "framed maps"

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        """Make the maps of all classes in the network's frame."""
        for image in exam.images:
            for label in BIRADS:
                image.explanations[0].framed(label)
        return []

    def finish(self, result: RunResult) -> None:
        """Nothing is left to do."""


def assessing(models: Models, entries: list[Entry], run: Path, *, maps: bool = False) -> Callable[[], list[float]]:
    """A task that assesses images from their files into a run folder, and makes the maps of every class of each."""
    context = RunContext(run, run.parent, models, tuple(entries), ("grad-cam",) if maps else (), None, draw_in_turn)

    def task() -> list[float]:
        shutil.rmtree(run, ignore_errors=True)
        found = assess_entries(context, [FramedMaps()] if maps else [])
        assert found.images is not None
        assert len(found.images) == len(entries)
        return [float(p) for p in found.images[[f"p_{label}" for label in BIRADS]].to_numpy().ravel()]

    return task


def passing(models: Models, inputs: Sequence[Tensor]) -> Callable[[], None]:
    """A task that runs the network alone over prepared images, shared among the workers of a run."""
    bundle = models.bundles[0]
    engine = models.engines[bundle]

    def one(x: Tensor) -> None:
        with torch.inference_mode():
            x = x.to(memory_format=torch.channels_last)
            bundle.network.forward_head(engine.features(x)).softmax(dim=1)

    def task() -> None:
        with workers_for(len(inputs)) as workers:
            list(workers.pool.map(one, inputs))

    return task


def by_onnxruntime(bundle: Bundle, inputs: Sequence[Tensor], file: Path) -> Callable[[], None]:
    """A task that runs what `densight convert` exports, probabilities and maps, by ONNX Runtime, shared likewise."""
    import onnxruntime

    write_onnx(bundle, file, grad_cam)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def task() -> None:
        with workers_for(len(inputs)) as workers:
            list(workers.pool.map(lambda x: session.run(None, {"image": x.numpy()}), inputs))

    return task


def bare(models: Models, entries: Sequence[Entry]) -> Callable[[], None]:
    """A task that does from each file just what the other programs do: no anatomy, no run folder."""
    bundle = models.bundles[0]
    engine, preparation = models.engines[bundle], bundle.facts.preparation

    def one(entry: Entry) -> None:
        with torch.inference_mode():
            x = torch.from_numpy(prepare(read_entry(entry), preparation).tensor)[None]
            features = engine.features(x.to(memory_format=torch.channels_last))
            bundle.network.forward_head(features).softmax(dim=1)
            torch.nn.functional.interpolate(grad_cam(bundle.network, features), preparation.shape, mode="bilinear")

    def task() -> None:
        with workers_for(len(entries)) as workers:
            list(workers.pool.map(one, entries))

    return task


def fitting(folder: Path, run: Path) -> Callable[[], None]:
    """A task that learns from every image once, as the recipe ``tutorial`` has it."""
    recipe = replace(read_recipe("tutorial"), epochs=1)
    paths = sorted((folder / "train").glob("*/*.png"))
    images: list[Any] = [frame(read_mammogram(path), recipe.prepared()).image.astype(np.uint8) for path in paths]
    labels = np.array([BIRADS.index(path.parent.name) for path in paths], np.int64)

    def task() -> None:
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        torch.manual_seed(1)
        network = build_network(Architecture(recipe.network, len(BIRADS), 3))
        fit(
            network,
            FramedImages(images, labels, recipe, 1),
            FramedImages(images[:1], labels[:1], recipe, None),
            recipe,
            fabric=open_device("cpu", recipe.precision),
            seed=1,
            fingerprint="",
            state_path=run / "state.safetensors",
            on_batch=lambda *_: None,
            on_epoch=lambda _: None,
        )

    return task


def main() -> None:
    """Serve the tasks."""
    folder, run = Path(sys.argv[1]), Path(sys.argv[1]) / "run"
    images, dicom = (list(find_inputs(folder / name).entries) for name in ("images", "dicom"))
    bundle = read_keras_bundle(folder / "model.h5", projections=PROJECTIONS)
    tasks: dict[str, Callable[[], object]] = dict(peak_tasks())
    for engine in ("torch", "openvino"):
        models = Models((bundle,), computing=Computing(engine))
        inputs = prepared(models, images)
        tasks |= {
            f"{engine}: network": passing(models, inputs),
            f"{engine}: assess": assessing(models, images, run),
            f"{engine}: assess and maps": assessing(models, images, run, maps=True),
            f"{engine}: no more than the others": bare(models, images),
            f"{engine}: assess from DICOM": assessing(models, dicom, run),
        }
    tasks["onnxruntime: network"] = by_onnxruntime(bundle, inputs, folder / "model.onnx")
    tasks["densight fit"] = fitting(folder, run)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        bundle.network(inputs[0])
    versions = [f"{name} {version(name)}" for name in ("densight", "torch", "openvino", "onnxruntime")]
    serve([*versions, f"gflop {counter.get_total_flops() / 1e9:.2f}"], tasks)


if __name__ == "__main__":
    main()
