"""Run ``densight`` as the command line does, on folders made for the purpose."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from densight.cli.main import run


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    said: str
    fault: str


def index(*arguments: object) -> Done:
    """``densight index`` with these arguments."""
    return densight("index", *arguments)


def densight(*arguments: object) -> Done:
    """``densight`` with these arguments, at 80 columns, in this process."""
    said, fault, status = io.StringIO(), io.StringIO(), None
    argv = ["densight", *map(str, arguments)]
    with (
        patch.object(sys, "argv", argv),
        patch.dict(os.environ, COLUMNS="80"),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(fault),
    ):
        try:
            run()
        except SystemExit as stop:
            status = stop.code
    return Done(int(status or 0), said.getvalue(), fault.getvalue())


def refused(done: Done, fault: str, remedy: str) -> None:
    """Check that the command did nothing but say one fault and its remedy."""
    assert done.status == 2, done.said
    assert done.fault.startswith("densight: ")
    assert fault in done.fault
    assert f"Fix: {remedy}" in done.fault
    assert "Traceback" not in done.fault


def failures(folder: Path) -> dict[str, tuple[str, str]]:
    """The fault and remedy of each file in ``failures.csv``, by the file's name."""
    with (folder / "failures.csv").open(newline="") as file:
        return {Path(row["path"]).name: (row["fault"], row["remedy"]) for row in csv.DictReader(file)}


seeds = itertools.count()


def write_image(path: Path) -> Path:
    """A small image of its own, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(seeds)).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_tutorial(root: Path) -> Path:
    """Ten exams of CC_R and CC_L in the tutorial's layout without splits, two or three a class."""
    for exam, density in enumerate("AABBBCCCDD"):
        for projection in ("CC_R", "CC_L"):
            write_image(root / projection / density / f"{exam}_1_{density}_{projection}.png")
    return root
