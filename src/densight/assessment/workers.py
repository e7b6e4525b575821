"""Threads that share the cores: each takes images from the file to the network, and none waits for another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Workers", "workers_for"]

MOST = 4
"""Workers at the same time, whatever the number of cores: each holds an image and a network's activations."""


@dataclass(frozen=True, eq=False)
class Workers:
    """A pool of threads.

    Parameters
    ----------
    pool : ThreadPoolExecutor
    count : int
        Its threads.
    """

    pool: ThreadPoolExecutor
    count: int


@contextmanager
def workers_for(images: int) -> Iterator[Workers]:
    """Workers for a number of images, among whom PyTorch's threads are shared while they are at work.

    A core that does an image of its own is used better than one that does its share of every layer, for it need not
    wait for the others at each. What is not begun when the block is left by an exception is not done.
    """
    import cv2
    import torch

    cores, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    count = max(1, min(cores, images, MOST))
    share = max(1, cores // count)
    cv2.setNumThreads(share)
    pool = ThreadPoolExecutor(count, "image", initializer=lambda: torch.set_num_threads(share))
    try:
        yield Workers(pool, count)
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(cv_threads)
        torch.set_num_threads(cores)
