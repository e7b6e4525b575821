"""Workers, and the memory that they keep."""

from __future__ import annotations

import platform
import subprocess
import sys
import threading

import pytest

from densight.workers import AHEAD, workers_for

FAULTS = """
import resource
import numpy as np
from densight.process import keep_freed_memory, own_process
{}
def fill():
    np.zeros(8_000_000, np.uint8)[::1024] = 1
    np.ones(40_000_000, np.uint8)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10): fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_is_made_comes_in_order_and_no_more_is_taken_up_than_said() -> None:
    taken: list[int] = []
    go_on = threading.Event()

    def make(item: int) -> int:
        if item == 0:
            go_on.wait(30)
        return item * item

    def items() -> list[int]:
        return list(range(30))

    def watched():  # type: ignore[no-untyped-def]
        for item in items():
            taken.append(item)
            yield item

    with workers_for(30) as workers:
        made = workers.in_order(make, watched())
        threading.Timer(0.2, go_on.set).start()
        assert next(made) == 0
        assert len(taken) == AHEAD * workers.count + 1
        assert list(made) == [item * item for item in items()][1:]


def test_an_error_in_one_ends_the_others() -> None:
    def make(item: int) -> int:
        if item == 3:
            raise ValueError("the third")
        return item

    with pytest.raises(ValueError, match="the third"), workers_for(8) as workers:
        list(workers.in_order(make, range(8)))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
def test_memory_is_kept_in_a_process_of_densights_own_and_in_no_other() -> None:
    def faults(first: str) -> int:
        ran = subprocess.run([sys.executable, "-c", FAULTS.format(first)], check=True, capture_output=True, text=True)
        return int(ran.stdout)

    unchanged = faults("")
    assert faults("own_process(); keep_freed_memory()") < unchanged / 10
    # The count of a run differs by some per cent from that of the next; what the switch saves is a factor of ten.
    assert faults("keep_freed_memory()") > unchanged / 2
