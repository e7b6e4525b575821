"""Deletion and insertion: how fast the score falls when tissue becomes fat in the map's order, and rises back.

Blocks of the breast are removed, not single pixels. So the rest is still a picture of a breast, and ties, of which a
map has many, count no more than elsewhere. Removed tissue becomes fat, never black.

References
----------
Petsiuk, Das and Saenko, "RISE", BMVC 2018, section 4.3. For random order as the chance level and for what black
pixels do: Hooker et al., "A benchmark for interpretability methods in deep neural networks", NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from densight.trials.cause import region_masses

__all__ = ["STEPS", "block_means", "deletion_curve", "insertion_curve", "order_blocks"]

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Scores = Callable[[list[Image]], npt.NDArray[np.float64]]

STEPS = 10
"""Points of a curve beyond the first."""


def block_means(values: npt.NDArray[np.floating], blocks: Labels) -> npt.NDArray[np.float64]:
    """The mean of a map in each block 1, 2, …: shape (blocks,).

    Examples
    --------
    >>> block_means(np.array([[1.0, 3.0, 9.0, 7.0]]), np.array([[1, 1, 2, 0]]))
    array([2., 9.])
    """
    return np.asarray(region_masses(values, blocks) / np.bincount(blocks.ravel())[1:].clip(1), np.float64)


def order_blocks(means: npt.NDArray[np.float64], seed: int = 0) -> npt.NDArray[np.int64]:
    """The places of the blocks from the greatest mean to the least, ties in random order.

    Examples
    --------
    >>> order_blocks(np.array([1.0, 3.0, 2.0])).tolist()
    [1, 2, 0]
    """
    shuffled = np.random.default_rng(seed).permutation(len(means))
    return np.asarray(shuffled[np.argsort(-means[shuffled], kind="stable")], np.int64)


def deletion_curve(
    scores: Scores, image: Image, without: Image, blocks: Labels, order: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Scores while more and more blocks become fat, in an order: shape (STEPS + 1,), from the image to all fat.

    Parameters
    ----------
    scores : callable
        Framed images to their scores.
    image, without : ndarray of float32, shape (rows, columns)
        The framed image, and the same with fat in place of dense tissue.
    blocks : ndarray of int64, shape (rows, columns)
        Numbered from 1; 0 is never changed.
    order : ndarray of int64, shape (blocks,)
        Places of blocks, the first to be removed first.

    Examples
    --------
    >>> image, without = np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)
    >>> left = lambda images: np.array([float(image[0, 0]) for image in images])
    >>> deletion_curve(left, image, without, np.array([[1, 2]]), np.array([0, 1])).tolist()[1:4]
    [1.0, 1.0, 0.0]
    """
    return scores(_sequence(image, without, blocks, order))


def insertion_curve(
    scores: Scores, image: Image, without: Image, blocks: Labels, order: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Scores while more and more blocks of fat become tissue again: shape (STEPS + 1,). As `deletion_curve`."""
    start = np.where(blocks > 0, without, image)
    return scores(_sequence(start, image, blocks, order))


def _sequence(image: Image, other: Image, blocks: Labels, order: npt.NDArray[np.int64]) -> list[Image]:
    """The image with more and more blocks of the other."""
    rank = np.full(len(order) + 1, len(order), np.int64)
    rank[order + 1] = np.arange(len(order))
    turn = np.where(blocks > 0, rank[blocks], len(order))
    counts = [round(len(order) * step / STEPS) for step in range(STEPS + 1)]
    return [np.where(turn < count, other, image).astype(np.float32) for count in counts]
