"""The record of a run, ``run.json``: models, input, versions."""

from __future__ import annotations

from pathlib import Path

from densight.assessment.calibration import Fusion
from densight.storage import read_json
from densight.vocabulary import DensightError

__all__ = ["RUN", "read_fusion"]

RUN = "run.json"
"""The file's name in a run folder."""


def read_fusion(run: str | Path) -> Fusion:
    """How a run fused its images; the mean where nothing is known of it.

    Raises
    ------
    DensightError
        If what ``run.json`` says of it is damaged.
    """
    path = Path(run) / RUN
    content = read_json(path).get("fusion") if path.is_file() else None
    if content is None:
        return Fusion()
    try:
        return Fusion.from_json(content)
    except (KeyError, TypeError, ValueError) as error:
        raise DensightError(f"what it says of the fusion is damaged ({error!r})", path, "assess again") from error
