"""The images that a network is trained and validated on, and those that were left out."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from densight.intake.catalogue import Catalogue
from densight.intake.failures import FAILURES, Failure, write_failures
from densight.training.data import FramedImages, load_images
from densight.training.recipe import Recipe
from densight.vocabulary import DensightError

__all__ = ["TrainingData", "keep_left_out", "read_left_out", "read_training_data"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The images of a training.

    Parameters
    ----------
    train, validation : FramedImages
    patients : dict of str to int
        How many there are, by split.
    failures : list of Failure
        Images that could not be read.
    """

    train: FramedImages
    validation: FramedImages
    patients: dict[str, int]
    failures: list[Failure]

    def record(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """How many images and patients there are; no path and no id, because bundles are passed on."""
        counts = {
            split: {label: int((part.labels == index).sum()) for index, label in enumerate(classes)}
            for split, part in (("train", self.train), ("validation", self.validation))
        }
        return {"images": counts, "patients": self.patients, "left_out": len(self.failures)}


def read_training_data(
    catalogue: Catalogue,
    rows: Mapping[str, pd.DataFrame],
    recipe: Recipe,
    seed: int,
    advance: Callable[[int, int], None],
) -> TrainingData:
    """Read the images of the splits ``train`` and ``validation``.

    Parameters
    ----------
    catalogue : Catalogue
    rows : mapping of str to DataFrame
        The labelled rows of each split.
    recipe : Recipe
    seed : int
        Of the augmentation.
    advance : callable
        Called after each image with how many are done and how many there are.

    Raises
    ------
    DensightError
        If no training image of some class, or no validation image, can be read.
    """
    total, done = sum(map(len, rows.values())), 0

    def count_image() -> None:
        nonlocal done
        done += 1
        advance(done, total)

    train, failures = load_images(catalogue, rows["train"], recipe, seed, count_image)
    validation, others = load_images(catalogue, rows["validation"], recipe, None, count_image)
    failures += others
    absent = [label for index, label in enumerate(catalogue.classes) if index not in train.labels]
    if absent or not len(validation):
        what = f"training image of class {', '.join(absent)}" if absent else "validation image"
        raise DensightError(f"no {what} can be read; here {failures[0].fault}", failures[0].path, failures[0].remedy)
    unread = {failure.path for failure in failures}
    patients = {
        split: len({row.patient_id for row in table.itertuples() if catalogue.root / str(row.path) not in unread})
        for split, table in rows.items()
    }
    return TrainingData(train, validation, patients, failures)


def read_left_out(catalogue: Catalogue, folder: Path) -> list[Failure]:
    """The images that the training in this folder has left out."""
    path = folder / FAILURES
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Failure(catalogue.root / row["path"], row["fault"], row["remedy"]) for row in csv.DictReader(file)]


def keep_left_out(catalogue: Catalogue, folder: Path, failures: list[Failure], *, begun: bool) -> None:
    """Write the list of images that are left out, with their paths as in the catalogue.

    Raises
    ------
    DensightError
        If the training was begun with others, because it would continue with different images.
    """
    changed = {failure.path for failure in failures} ^ {failure.path for failure in read_left_out(catalogue, folder)}
    if begun and changed:
        raise DensightError(
            "whether it can be read has changed since the training was begun",
            min(changed),
            f"delete {folder} to begin anew",
        )
    root = catalogue.root
    relative = [
        replace(failure, path=failure.path.relative_to(root)) if failure.path.is_relative_to(root) else failure
        for failure in failures
    ]
    write_failures(folder / FAILURES, relative)
