"""Framed images in memory, augmented anew at every epoch, the same for the same seed whatever the order of reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from densight.intake.catalogue import Catalogue, Failure
from densight.intake.image import read_mammogram
from densight.preparation.prepare import finish, frame
from densight.training.augmentation import augment
from densight.training.recipe import Recipe
from densight.vocabulary import DensightError

__all__ = ["EpochSampler", "FramedImages", "load_images"]


@dataclass(frozen=True, eq=False)
class FramedImages(Dataset[tuple[Tensor, int]]):
    """Images of one part of a data set, framed and held in memory (about .4 MB each).

    Parameters
    ----------
    images : list of ndarray, shape (rows, columns)
        uint8 for the preset ``tutorial``, float32 for ``default``.
    labels : ndarray of int64, shape (n,)
        Class indices.
    recipe : Recipe
    seed : int or None
        None: not augmented.
    """

    images: list[npt.NDArray[np.float32] | npt.NDArray[np.uint8]]
    labels: npt.NDArray[np.int64]
    recipe: Recipe
    seed: int | None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, index = key
        image = self.images[index].astype(np.float32)
        if self.seed is not None:
            image = augment(image, self.recipe, np.random.default_rng([self.seed, epoch, index]))
        return torch.from_numpy(finish(image, self.recipe.prepared())), int(self.labels[index])


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index), shuffled by the seed and the epoch alone, so that any epoch can be made again."""

    def __init__(self, size: int, seed: int | None) -> None:
        self.size, self.seed, self.epoch = size, seed, 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.size)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        return iter([(self.epoch, int(index)) for index in order])


def load_images(
    catalogue: Catalogue, rows: pd.DataFrame, recipe: Recipe, seed: int | None, advance: Callable[[], None]
) -> tuple[FramedImages, list[Failure]]:
    """Read and frame the images of some of a catalogue's rows; those that cannot be read are told, not hidden.

    Parameters
    ----------
    catalogue : Catalogue
    rows : DataFrame
        Rows of ``catalogue.table``.
    recipe : Recipe
    seed : int or None
        Seed of the augmentation; None for none.
    advance : callable
        Called after each image, for a progress bar.
    """
    preparation = recipe.prepared()

    def load(path: str) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8] | Failure:
        file = catalogue.root / path
        try:
            image = frame(read_mammogram(file), preparation).image
        except DensightError as error:
            return Failure(file, error.fault, error.remedy or "")
        finally:
            advance()
        return image.astype(np.uint8) if recipe.preparation == "tutorial" else image

    with ThreadPoolExecutor() as pool:
        loaded = list(pool.map(load, rows["path"]))
    images = [item for item in loaded if not isinstance(item, Failure)]
    labels = [
        catalogue.classes.index(label)
        for label, item in zip(rows["density"], loaded, strict=True)
        if not isinstance(item, Failure)
    ]
    failures = [item for item in loaded if isinstance(item, Failure)]
    return FramedImages(images, np.array(labels, np.int64), recipe, seed), failures
