"""What is known of a model beside its weights, and how ``model.json`` stores it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from densight.network.architecture import Architecture
from densight.preparation.prepare import Preparation
from densight.vocabulary import Projection, check_classes

__all__ = ["FORMAT", "BundleFacts", "ModelFile", "StoredArchitecture"]

FORMAT = 1
"""The version of ``model.json``; a reader refuses a later one."""


@dataclass(frozen=True)
class BundleFacts:
    """All that is known of a model beside its weights; ``model.json`` stores it.

    Parameters
    ----------
    architecture : Architecture
    preparation : Preparation
    classes : tuple of str
        Ascending in density.
    projections : tuple of Projection
        Those that the model was trained for.
    training : dict
        The whole record: recipe, seed, images, versions, kept epoch.
    calibration : dict or None
        As `densight.assessment.calibration.Calibration` has it. None: probabilities are the softmax as it comes.
    licence : str
        Terms of the weights.
    """

    architecture: Architecture
    preparation: Preparation
    classes: tuple[str, ...]
    projections: tuple[Projection, ...]
    training: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] | None = None
    licence: str = "not stated"


class StoredArchitecture(BaseModel):
    """The part of an `Architecture` that ``model.json`` stores; the number of classes is that of ``classes``."""

    name: str
    channels: Annotated[int, Field(strict=True)]


class ModelFile(BaseModel):
    """The content of ``model.json``, in the order of its keys.

    Parameters
    ----------
    format : int
        The version of the file's form, `FORMAT`.
    architecture : StoredArchitecture
    preparation, classes, projections, training, calibration, licence
        As in `BundleFacts`.
    weights_sha256 : str
        Checksum of ``weights.safetensors``.
    scope_sha256 : str or None
        Checksum of ``scope.json``; absent from the file where the bundle has no scope.
    """

    format: Annotated[int, Field(strict=True)]
    architecture: StoredArchitecture
    preparation: Preparation
    classes: Annotated[tuple[str, ...], AfterValidator(check_classes)]
    projections: tuple[Projection, ...]
    training: dict[str, Any]
    calibration: dict[str, Any] | None
    licence: str
    weights_sha256: str
    scope_sha256: str | None = None

    @classmethod
    def of(cls, facts: BundleFacts, weights_sha256: str, scope_sha256: str | None = None) -> ModelFile:
        """The file of a bundle."""
        return cls(
            format=FORMAT,
            architecture=StoredArchitecture(name=facts.architecture.name, channels=facts.architecture.channels),
            weights_sha256=weights_sha256,
            scope_sha256=scope_sha256,
            **{name: getattr(facts, name) for name in _SHARED},
        )

    @property
    def facts(self) -> BundleFacts:
        """What the file holds but for checksums."""
        architecture = Architecture(self.architecture.name, len(self.classes), self.architecture.channels)
        return BundleFacts(architecture, **{name: getattr(self, name) for name in _SHARED})

    def content(self) -> dict[str, Any]:
        """Values for JSON, in the file's order."""
        return self.model_dump(exclude={"scope_sha256"} if self.scope_sha256 is None else None)


_SHARED = tuple(field.name for field in fields(BundleFacts) if field.name != "architecture")
