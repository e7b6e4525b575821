"""Memory that is freed is kept for what comes next."""

from __future__ import annotations

import platform

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""Parameters of glibc's ``mallopt``."""


def keep_freed_memory() -> None:
    """From now on this process keeps large blocks of memory that it frees, and takes them again, where glibc allows.

    By itself glibc gives the memory of every image and of every activation of a network back to the system and asks for
    it anew, page by page, which takes as long as much of what is done in them. The process stays as large as it was at
    most. All threads share one pool, lest each keeps what another needs.

    References
    ----------
    mallopt(3): ``M_TRIM_THRESHOLD``, ``M_MMAP_MAX``, ``M_ARENA_MAX``.

    Examples
    --------
    >>> keep_freed_memory()
    """
    import ctypes

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_ARENA_MAX, 1)
