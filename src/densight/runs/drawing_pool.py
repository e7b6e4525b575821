"""Drawing by other processes beside the one that assesses.

Drawing an image takes several times as long as assessing it, and Python's threads cannot share that.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from densight.process import is_own_process
from densight.vocabulary import DensightError

__all__ = ["DrawingPool", "Task", "draw_in_turn", "drawing_pool"]

FEW = 8
"""Up to this many images no process is started, because that takes as long as drawing one of them."""

MOST = 5
"""The most processes at a time: one for each of an exam's four images, and one for the exam."""

Task = tuple[Callable[..., None], tuple[Any, ...]]
"""A function of a module, and its arguments."""

DrawingPool = Callable[[Sequence[Task]], None]
"""Runs tasks, and returns when all are done."""


def draw_in_turn(tasks: Sequence[Task]) -> None:
    """Run tasks one after the other, in this process."""
    for function, arguments in tasks:
        function(*arguments)


@contextmanager
def drawing_pool(images: int) -> Iterator[DrawingPool]:
    """A pool that draws this many images: other processes if they are many, else this process.

    A program that uses densight as a library draws in its own process unless it calls
    `densight.process.own_process`: a script whose top level calls densight would run again in each new process.

    Raises
    ------
    DensightError
        While tasks run: as they raise it, and if a process was ended from outside.
    """
    import torch

    count = min(torch.get_num_threads(), MOST)
    if images <= FEW or count < 2 or not is_own_process():
        yield draw_in_turn
        return
    # Not by fork: PyTorch's threads do not survive it.
    executor = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin)

    def draw_together(tasks: Sequence[Task]) -> None:
        try:
            for future in [executor.submit(function, *arguments) for function, arguments in tasks]:
                future.result()
        except BrokenProcessPool as error:
            raise DensightError(
                "a process that draws was ended", remedy="free some memory, then run the same command again to continue"
            ) from error

    try:
        yield draw_together
    finally:
        executor.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that assesses, and end when it ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
