"""Framed images in memory, with a new augmentation per epoch that depends on the seed and not on the reading order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from densight.intake.catalogue import Catalogue
from densight.intake.failures import Failure
from densight.intake.image import read_mammogram
from densight.preparation.prepare import finish, frame
from densight.training.augmentation import augment
from densight.training.recipe import Recipe
from densight.vocabulary import DensightError

__all__ = ["EpochSampler", "FramedImages", "load_images"]

Frame = npt.NDArray[np.float32] | npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FramedImages(Dataset[tuple[Tensor, int]]):
    """Images of one part of a data set, framed and held in memory.

    An image takes .4 MB in either recipe that comes with densight, so that ten thousand need 4 GB.

    Parameters
    ----------
    images : list of ndarray, shape (rows, columns)
        uint8 for the preset ``tutorial``, whose grey values are whole numbers; float32 for ``default``.
    labels : ndarray of int64, shape (n,)
        Class indices.
    recipe : Recipe
    seed : int or None
        None: not augmented.

    Notes
    -----
    An item is asked for by (epoch, index): what augmentation makes of it depends on seed, epoch and index alone, not
    on what was read before or by which process.
    """

    images: list[Frame]
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
    """Yields (epoch, index), shuffled by the seed and the epoch alone, so that any epoch can be reproduced.

    Parameters
    ----------
    size : int
        Number of images.
    seed : int

    Examples
    --------
    >>> sampler = EpochSampler(3, seed=0)
    >>> sampler.epoch = 7
    >>> sorted(sampler)
    [(7, 0), (7, 1), (7, 2)]
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed, self.epoch = size, seed, 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        return iter([(self.epoch, int(index)) for index in order])


def load_images(
    catalogue: Catalogue, rows: pd.DataFrame, recipe: Recipe, seed: int | None, advance: Callable[[], None]
) -> tuple[FramedImages, list[Failure]]:
    """Read and frame the images of some of a catalogue's rows; those that cannot be read are returned as failures.

    Parameters
    ----------
    catalogue : Catalogue
    rows : DataFrame
        Labelled rows of ``catalogue.table``.
    recipe : Recipe
    seed : int or None
        Seed of the augmentation; None for none.
    advance : callable
        Called after each image, for a progress bar.

    Returns
    -------
    images : FramedImages
        Those that could be read, in the order of the rows.
    failures : list of Failure
        The others.
    """
    images: list[Frame] = []
    labels: list[int] = []
    failures: list[Failure] = []
    pool = ThreadPoolExecutor()
    try:
        files = [catalogue.root / path for path in rows["path"]]
        for label, loaded in zip(rows["density"], pool.map(partial(_load, recipe=recipe), files), strict=True):
            if isinstance(loaded, Failure):
                failures.append(loaded)
            else:
                images.append(loaded)
                labels.append(catalogue.classes.index(label))
            advance()
    finally:
        pool.shutdown(cancel_futures=True)
    return FramedImages(images, np.array(labels, np.int64), recipe, seed), failures


def _load(file: Path, recipe: Recipe) -> Frame | Failure:
    try:
        image = frame(read_mammogram(file), recipe.prepared()).image
    except DensightError as error:
        return Failure.of(error, file)
    return image.astype(np.uint8) if recipe.preparation == "tutorial" else image
