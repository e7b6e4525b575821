"""Threads that share the cores: each takes images from the file to the network, and none waits for another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from densight.process import keep_freed_memory

__all__ = ["Workers", "workers_for"]

MOST = 4
"""Workers at the same time, whatever the number of cores: each holds an image and a network's activations."""


AHEAD = 2
"""Images per worker that are begun before the one that is waited for: so many are in memory at most."""

Item = TypeVar("Item")
Made = TypeVar("Made")


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

    def in_order(self, make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
        """What is made of each item, in their order, while those that come next are at work."""
        coming: deque[Future[Made]] = deque()
        for item in items:
            coming.append(self.pool.submit(make, item))
            if len(coming) > AHEAD * self.count:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


@contextmanager
def workers_for(images: int) -> Iterator[Workers]:
    """Workers for a number of images, among whom the threads of PyTorch and OpenCV are shared while they work.

    A core that does an image of its own is used better than one that does its share of every layer, because it need not
    wait for the others at each. In the end the libraries' threads are as before. Memory that is freed may be kept, see
    `keep_freed_memory`. What is not begun when the block is left by an exception is not done.
    """
    import cv2
    import torch

    keep_freed_memory()
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
