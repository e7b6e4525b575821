"""The phantoms of the starter models: what they learn from, are calibrated on and judged on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CALIBRATION", "TEST", "TRAINING", "UNSEEN", "PhantomSet", "make"]

SIZE = "512x416"


@dataclass(frozen=True)
class PhantomSet:
    """A set of ``densight phantom``."""

    name: str
    exams: int
    seed: int
    options: tuple[str, ...]


_EVEN = ("--mix", "25,25,25,25")
_GE, _HOLOGIC, _SIEMENS = (("--vendor", f"{maker}-like") for maker in ("ge", "hologic", "siemens"))
_FILM = ("--style", "film")

TRAINING = (
    PhantomSet("film1", 120, 801, (*_EVEN, *_FILM)),
    PhantomSet("film2", 120, 804, (*_EVEN, *_FILM)),
    PhantomSet("ge1", 120, 802, (*_EVEN, *_GE)),
    PhantomSet("hologic1", 120, 803, (*_EVEN, *_HOLOGIC)),
    PhantomSet("raw1", 80, 805, (*_EVEN, *_HOLOGIC, "--style", "raw")),
)
"""As many women of each class; no display of the third maker's."""

CALIBRATION = (
    PhantomSet("cal_film", 50, 822, _FILM),
    PhantomSet("cal_ge", 50, 823, _GE),
    PhantomSet("cal_hologic", 50, 824, _HOLOGIC),
)
"""Other women, of the mix of screening."""

TEST = (
    PhantomSet("test_ge", 80, 821, _GE),
    PhantomSet("test_hologic", 80, 821, _HOLOGIC),
    PhantomSet("test_film", 80, 821, _FILM),
)
"""The same 80 women in each, whom no fitting has seen."""

UNSEEN = PhantomSet("test_siemens", 80, 821, _SIEMENS)
"""They once more, shown in the style of a maker that no fitting has seen."""


def make(one: PhantomSet, home: Path) -> Path:
    """Make a set, or what is left of it to make; its folder."""
    folder = home / one.name
    command = [sys.executable, "-m", "densight", "phantom", "-n", str(one.exams), "--seed", str(one.seed)]
    subprocess.run([*command, "--size", SIZE, *one.options, "-o", str(folder)], check=True)
    return folder
