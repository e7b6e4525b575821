"""The record of a run, ``run.json``: what was assessed, by which models, how and when.

Only this file reads and writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from densight.assessment.calibration import Fusion
from densight.assessment.models import Models
from densight.storage import read_json, write_json
from densight.validation import validate
from densight.vocabulary import PROJECTIONS

__all__ = ["RUN", "ModelRecord", "RunRecord", "Sources", "describe_models", "has_record", "read_fusion", "read_record"]

RUN = "run.json"
"""The file's name in a run folder."""


class _Stored(BaseModel):
    """Further fields, of other versions of densight, are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class ModelRecord(_Stored):
    """A model bundle of a run.

    Parameters
    ----------
    name : str
        Its folder's name.
    sha256 : str
        The checksum of its weights.
    network, preparation : str
        Its architecture and its preset with the shape of the network's frame.
    projections : list of str
        Those that it has learnt.
    licence : str
    training : dict
        Its training record.
    calibration : dict or None
        The calibration that was used.
    """

    name: str = ""
    sha256: str | None = None
    network: str = ""
    preparation: str = ""
    projections: list[str] = Field(default_factory=lambda: [p.value for p in PROJECTIONS])
    licence: str | None = None
    training: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None


class Sources(_Stored):
    """Where the input and the models lie, from the run folder; models that come with densight by their names."""

    input: str = ""
    models: list[str] = []


class RunRecord(_Stored):
    """A run.

    Parameters
    ----------
    densight : str
        The version.
    command : {"assess", "explain"}
    input : str
        The input's name without its folders.
    methods : list of str
        The methods of explanation.
    sources : Sources or None
        For the commands that continue with the run.
    split, layer : str or None
    device, engine, precision : str
    dicom : str
        How DICOM objects were written; empty where none was.
    outputs : list of str
        The options of the command line that requested outputs.
    classes : list of str
    models : list of ModelRecord
    fusion : Fusion or None
    calibration : list of str
        What the models' calibration does, in words.
    started, finished : str
        ISO 8601; ``finished`` is empty until the run is done.
    computed : list of str
        What ran the networks.
    """

    densight: str = ""
    command: str = ""
    input: str = ""
    methods: list[str] = []
    sources: Sources | None = None
    split: str | None = None
    device: str = ""
    layer: str | None = None
    dicom: str = ""
    outputs: list[str] = []
    engine: str = ""
    precision: str = ""
    classes: list[str] = []
    models: list[ModelRecord] = []
    fusion: Fusion | None = None
    calibration: list[str] = []
    started: str = ""
    computed: list[str] = []
    finished: str = ""

    def is_of(self, models: Models) -> bool:
        """Whether the run was made with just these models and calibrations, in whatever order they were given."""
        return _identities(self.models) == _identities(describe_models(models))

    def write(self, folder: Path) -> None:
        """Write ``run.json``.

        Raises
        ------
        DensightError
            If it cannot be written.
        """
        content = self.model_dump(mode="json")
        if not self.finished:
            del content["finished"]
        write_json(folder / RUN, content)


def describe_models(models: Models) -> list[ModelRecord]:
    """The models of a run as its record holds them."""
    return [
        ModelRecord(
            name=bundle.folder.resolve().name,
            sha256=bundle.checksum,
            network=bundle.facts.architecture.name,
            preparation=f"{bundle.facts.preparation.preset}, {'×'.join(map(str, bundle.facts.preparation.shape))}",
            projections=list(bundle.facts.projections),
            licence=bundle.facts.licence,
            training=bundle.facts.training,
            calibration=bundle.facts.calibration if models.calibrated else None,
        )
        for bundle in models.bundles
    ]


def has_record(run: str | Path) -> bool:
    """Whether a folder holds the record of a run."""
    return (Path(run) / RUN).is_file()


def read_record(run: str | Path) -> RunRecord:
    """Read ``run.json``, of older versions too.

    Raises
    ------
    DensightError
        If it is missing or damaged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     RunRecord(command="assess", input="exams").write(Path(folder))
    ...     read_record(folder).command
    'assess'
    """
    path = Path(run) / RUN
    content = read_json(path)
    if isinstance(content, Mapping):  # an older version wrote null where it knew nothing
        content = {name: value for name, value in content.items() if value is not None}
    return validate(RunRecord, content, path, "assess again, into another folder")


def read_fusion(run: str | Path) -> Fusion:
    """How a run fused its images; the mean where nothing is known of it.

    Raises
    ------
    DensightError
        If ``run.json`` is damaged.
    """
    return (read_record(run).fusion if has_record(run) else None) or Fusion()


def _identities(models: list[ModelRecord]) -> set[str]:
    return {json.dumps([model.sha256, model.calibration], sort_keys=True) for model in models}
