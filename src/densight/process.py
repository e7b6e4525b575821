"""What densight changes in the process that it runs in: nothing, unless the process is its own."""

from __future__ import annotations

import platform

__all__ = ["is_own_process", "keep_freed_memory", "own_process"]

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""Parameters of glibc's ``mallopt``."""

_PROCESS = {"own": False}


def own_process() -> None:
    """Let densight change settings of this process and start others, for speed, as the command line does at its start.

    Without this call densight leaves a program that uses it as it is, and is slower on many images.

    Examples
    --------
    >>> own_process()  # doctest: +SKIP
    """
    _PROCESS["own"] = True


def is_own_process() -> bool:
    """Whether densight may change this process and start others beside it; see `own_process`."""
    return _PROCESS["own"]


def keep_freed_memory() -> None:
    """Make this process keep large blocks of memory that it frees, and use them again, where glibc allows.

    By itself glibc returns the memory of every image and of every activation of a network to the system and asks for
    it again, page by page, which takes as long as much of the work that is done in them. The process stays as large as
    it was at most. All threads share one pool, so that none keeps what another needs. Does nothing in a process that
    is not densight's own: see `own_process`.

    References
    ----------
    mallopt(3): ``M_TRIM_THRESHOLD``, ``M_MMAP_MAX``, ``M_ARENA_MAX``.

    Examples
    --------
    >>> keep_freed_memory()
    """
    if not is_own_process():
        return
    import ctypes

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_ARENA_MAX, 1)
