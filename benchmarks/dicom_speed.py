"""From the DICOM files of an exam at full size to its structured report: seconds and memory.

    python benchmarks/dicom_speed.py OUT [--size 4096x3328]

Makes a phantom exam of four images of 12 bits, compresses them as lossless JPEG, as most units send them, and runs
``densight assess --dicom`` on them as a process of its own, three times.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from densight.phantom.exams import write_exams
from densight.phantom.settings import Settings


def compress(path: Path) -> None:
    """Replace an uncompressed file by the same in lossless JPEG."""
    dataset = dcmread(path)
    pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    frame = imagecodecs.jpeg_encode(pixels, lossless=True, predictor=1, bitspersample=dataset.BitsStored)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.save_as(path)


def main() -> None:
    """Make the exam if it is not there, and time what is done with it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("output", type=Path)
    options.add_argument("--size", default="4096x3328")
    asked = options.parse_args()
    rows, columns = map(int, asked.size.split("x"))
    exams = asked.output / f"exams-{asked.size}"
    if not exams.is_dir():
        write_exams(1, 1, exams, Settings(shape=(rows, columns)), suffix=".dcm")
        for path in exams.rglob("*.dcm"):
            compress(path)
    seconds = []
    for _ in range(3):
        run = asked.output / "run"
        shutil.rmtree(run, ignore_errors=True)
        start = time.perf_counter()
        command = [sys.executable, "-m", "densight", "assess", str(exams / "P000001"), "--dicom", "-o", str(run)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
        print(f"{seconds[-1]:.1f} s", flush=True)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"median {statistics.median(seconds):.1f} s, at most {memory:.2f} GiB")


if __name__ == "__main__":
    main()
