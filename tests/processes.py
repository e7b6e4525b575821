"""Processes that tests start."""

from __future__ import annotations

import signal


def listen_to_interrupts() -> None:
    """Make Ctrl-C end the child as in a terminal: tests started in the background inherit an ignored SIGINT.

    For ``preexec_fn``: it sets the disposition in the child alone, between fork and exec.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
