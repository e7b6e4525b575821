"""How long a phantom exam takes on one core, and how much memory.

python benchmarks/phantom_speed.py [--exams 8]

Each size in a process of its own with one thread: seconds an exam of four projections (median and range, after one
exam to warm up) and the peak of its resident memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time

SIZES = ((1024, 832), (512, 416), (256, 208))


def measure(shape: tuple[int, int], exams: int) -> tuple[list[float], float]:
    """Seconds of each exam, and the peak of resident memory in GiB."""
    import cv2
    import torch

    import densight

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    seconds = []
    for seed in range(exams + 1):
        start = time.perf_counter()
        densight.phantom.exam(seed=seed, shape=shape)
        seconds.append(time.perf_counter() - start)
    return seconds[1:], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exams", type=int, default=8)
    exams = parser.parse_args().exams
    os.environ["OMP_NUM_THREADS"] = "1"
    for shape in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, memory = pool.apply(measure, (shape, exams))
        print(
            f"{shape[0]} × {shape[1]}: {statistics.median(seconds):.2f} s an exam "
            f"({min(seconds):.2f} to {max(seconds):.2f}), {memory:.2f} GiB"
        )


if __name__ == "__main__":
    main()
