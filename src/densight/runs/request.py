"""A request for a run: what to assess, by which model, how, and what to write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from densight.network.engine import Computing
from densight.network.shipped import DEFAULT
from densight.runs.outputs import OutputOption
from densight.vocabulary import SPLITS, DensightError

__all__ = ["RunRequest"]


@dataclass(frozen=True)
class RunRequest:
    """A request for a run.

    Parameters
    ----------
    source : Path
        An image, a folder or zip archive of exams, a DICOMDIR, a data set's folder, or a catalogue.
    output : Path
        The run folder.
    models : tuple of path-like
        As for `densight.load_model`.
    methods : tuple of str
        Methods of explanation; exams are not explained where there is none.
    layer : str or None
        The layer that is mapped; None for the last.
    split : {"train", "validation", "test"} or None
        Only the images of this split.
    device : {"cpu", "cuda", "mps"}
    computing : Computing
        The engine and precision of the networks.
    calibrated : bool
        Whether the models use the calibrations that they hold.
    outputs : tuple of OutputOption
        Outputs beyond the tables, the maps, the comparison with earlier exams and the report.

    Raises
    ------
    DensightError
        If there is no such split.
    """

    source: Path
    output: Path
    models: tuple[str | Path, ...] = (DEFAULT,)
    methods: tuple[str, ...] = ()
    layer: str | None = None
    split: str | None = None
    device: str = "cpu"
    computing: Computing = field(default_factory=Computing)
    calibrated: bool = True
    outputs: tuple[OutputOption, ...] = ()

    def __post_init__(self) -> None:
        if self.split not in (None, *SPLITS):
            raise DensightError(f"unknown split {self.split!r}", remedy=f"use one of {', '.join(SPLITS)}")
