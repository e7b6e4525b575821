"""Small trainings through the command line, for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from typer.testing import Result

from densight.storage import checksum
from densight.training.train import BatchTrained, EpochTrained, ImageRead, train
from densight.vocabulary import DensightError
from tests.examples import draw_breast
from tests.runner import invoke

SMALL = "base: default\nnetwork: mobilenetv2-035\nshape: [64, 48]\nepochs: 3\nbatch_size: 8\nwarmup_epochs: 1\n"
TUTORIAL = "base: tutorial\nshape: [64, 64]\nepochs: 2\nbatch_size: 8\nplateau_patience: 1\n"
HEADER = ("path", "patient_id", "exam_id", "laterality", "view", "density", "split", "classes")
DENSE = {"F": 0.0, "G": 0.4, "D": 1.0}


def make_catalogue(
    folder: Path,
    *,
    labels: str = "FGD",
    training: int = 8,
    validation: int = 3,
    projections: tuple[str, ...] = ("CC_R",),
) -> Path:
    """Drawn breasts, so many a class, split and projection."""
    folder.mkdir()
    rows = []
    for projection in projections:
        view, side = projection.split("_")
        for label in labels:
            for i in range(training + validation):
                seed = len(rows)
                image = draw_breast(seed, DENSE[label], right=side == "R", shape=(96, 72))
                Image.fromarray(image).save(folder / f"{seed}.png")
                split = "train" if i < training else "validation"
                rows.append((f"{seed}.png", f"P{seed}", f"E{seed}", side, view, label, split, " ".join(labels)))
    pd.DataFrame(rows, columns=HEADER).to_csv(folder / "catalogue.csv", index=False)
    return folder / "catalogue.csv"


def edit(catalogue: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_csv(catalogue, dtype=str)).to_csv(catalogue, index=False)


def recipe_file(folder: Path, text: str = SMALL) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def arguments(catalogue: Path, recipe: str | Path, output: Path, *further: str) -> list[str]:
    return ["train", str(catalogue), "--recipe", str(recipe), "-o", str(output), "--projection", "all", *further]


def run(*given: str | Path, **environment: str) -> Result:
    return invoke(*given, columns=120, **environment)


def refused(*given: str | Path) -> DensightError:
    result = run(*given)
    assert isinstance(result.exception, DensightError), result.output
    return result.exception


def left_in(folder: Path) -> dict[str, str]:
    """The checksum of every file that must not depend on how often the training was stopped."""
    files = (path for path in folder.rglob("*") if path.is_file() and "tensorboard" not in path.parts)
    return {path.relative_to(folder).as_posix(): checksum(path) for path in files}


def read_record(bundle: Path) -> dict[str, Any]:
    return json.loads((bundle / "model.json").read_text())["training"]


class Stopped(Exception):
    """What `StopAt` raises."""


class StopAt:
    """Stops the training in an epoch, as its progress is reported."""

    def __init__(self, epoch: int) -> None:
        self.stop = epoch

    def __call__(self, event: ImageRead | BatchTrained | EpochTrained) -> None:
        match event:
            case ImageRead(done, total):
                assert done <= total
            case BatchTrained(epoch):
                if epoch == self.stop:
                    raise Stopped
            case EpochTrained(measured):
                assert measured.epoch


def begin(catalogue: Path, recipe: Path, output: Path) -> Path:
    """Train one epoch of the network of all projections, as the command would; the state that is left."""
    with pytest.raises(Stopped):
        train(catalogue, output / "all", recipe=recipe, progress=StopAt(2))
    return output / "all" / "training" / "state.safetensors"
