"""Model bundles: a folder with ``model.json``, ``weights.safetensors`` and ``MODEL_CARD.md``. Never a pickle.

Where a bundle has a `densight.network.scope.Scope`, it is in ``scope.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.network.architecture import Architecture, build_network
from densight.network.card import model_card
from densight.network.scope import Scope
from densight.preparation.prepare import Preparation
from densight.storage import checksum, read_json, write_bytes, write_json, write_text
from densight.vocabulary import DensightError, Projection, check_classes

if TYPE_CHECKING:
    from torch import Tensor

    from densight.network.blocks import DensityNetwork

__all__ = ["CARD", "Bundle", "BundleFacts", "read_bundle", "write_bundle", "write_calibration"]

CARD, SCOPE = "MODEL_CARD.md", "scope.json"
"""File names beside ``model.json``."""

FORMAT = 1
"""The version of ``model.json``; a reader refuses a later one."""


@dataclass(frozen=True)
class BundleFacts:
    """All that ``model.json`` holds.

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

    def to_json(self) -> dict[str, Any]:
        """Plain values in a fixed order."""
        return {
            "format": FORMAT,
            "architecture": {"name": self.architecture.name, "channels": self.architecture.channels},
            "preparation": {"preset": self.preparation.preset, "shape": list(self.preparation.shape)},
            "classes": list(self.classes),
            "projections": [projection.value for projection in self.projections],
            "training": self.training,
            "calibration": self.calibration,
            "licence": self.licence,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> BundleFacts:
        """The inverse of :meth:`to_json`."""
        classes = check_classes(content["classes"])
        return cls(
            Architecture(content["architecture"]["name"], len(classes), content["architecture"]["channels"]),
            Preparation(content["preparation"]["preset"], tuple(content["preparation"]["shape"])),
            classes,
            tuple(Projection(name) for name in content["projections"]),
            content["training"],
            content["calibration"],
            content["licence"],
        )


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to assess: the network in evaluation mode and the facts beside it.

    One with a scope answers only where it can be trusted: see `densight.assessment.refusal`.
    """

    facts: BundleFacts
    network: DensityNetwork
    checksum: str
    folder: Path
    scope: Scope | None = None

    @property
    def label(self) -> str:
        """Its folder's name and the first digits of its weights' checksum: ``CC_R@1f3a9c02``."""
        return f"{self.folder.resolve().name}@{self.checksum[:8]}"


def write_bundle(
    folder: str | Path, weights: dict[str, Tensor], facts: BundleFacts, scope: Scope | None = None
) -> None:
    """Write a bundle; ``model.json`` comes last, so that a folder with it is whole.

    Parameters
    ----------
    folder : path-like
    weights : dict of str to Tensor
        The network's ``state_dict``.
    facts : BundleFacts
    scope : Scope, optional
    """
    from safetensors.torch import save

    folder = Path(folder)
    # Not save_file: it does not report a full disk as the OSError that it is.
    content = save({name: value.detach().cpu().contiguous() for name, value in weights.items()})
    write_bytes(folder / "weights.safetensors", content)
    digest = checksum(folder / "weights.safetensors")
    write_text(folder / CARD, model_card(facts.to_json(), digest))
    if scope is not None:
        write_json(folder / SCOPE, scope.to_json())
    write_json(folder / "model.json", facts.to_json() | {"weights_sha256": digest, **_scope_digest(folder, scope)})


def write_calibration(bundle: Bundle, calibration: dict[str, Any]) -> Bundle:
    """Write a bundle's calibration into its folder and give the bundle with it; the weights stay as they are.

    Parameters
    ----------
    bundle : Bundle
        One that was read from a folder.
    calibration : dict
        As ``facts.calibration``.
    """
    facts = replace(bundle.facts, calibration=calibration)
    content = facts.to_json()
    write_text(bundle.folder / CARD, model_card(content, bundle.checksum))
    scope = _scope_digest(bundle.folder, bundle.scope)
    write_json(bundle.folder / "model.json", content | {"weights_sha256": bundle.checksum, **scope})
    return replace(bundle, facts=facts)


def read_bundle(folder: str | Path) -> Bundle:
    """Read a bundle and build its network, in evaluation mode on the CPU.

    Raises
    ------
    DensightError
        If a file is missing, damaged, or of a later version of densight.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    facts, digest, scope_digest = _read_facts(folder)
    weights = folder / "weights.safetensors"
    if not weights.is_file():
        raise DensightError("the bundle has no weights.safetensors", folder, "copy the whole bundle again")
    if checksum(weights) != digest:
        raise DensightError("the weights are not those that model.json names", weights, "copy the whole bundle again")
    network = build_network(facts.architecture)
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise DensightError(
            f"the weights do not fit the network {facts.architecture.name}", weights, "copy the whole bundle again"
        ) from error
    network.eval()
    scope = None if scope_digest is None else _read_scope(folder / SCOPE, scope_digest)
    return Bundle(facts, network, digest, folder, scope)


def _scope_digest(folder: Path, scope: Scope | None) -> dict[str, str]:
    return {} if scope is None else {"scope_sha256": checksum(folder / SCOPE)}


def _read_scope(path: Path, digest: str) -> Scope:
    remedy = "copy the whole bundle again"
    if not path.is_file() or checksum(path) != digest:
        raise DensightError("the bundle's scope is not the one that model.json names", path, remedy)
    try:
        return Scope.from_json(read_json(path))
    except (KeyError, TypeError, ValueError) as error:
        raise DensightError(f"the bundle's scope is damaged ({error!r})", path, remedy) from error


def _read_facts(folder: Path) -> tuple[BundleFacts, str, str | None]:
    path = folder / "model.json"
    if not path.is_file():
        raise DensightError(
            "there is no model bundle (no model.json)",
            folder,
            "give the folder that densight train or convert wrote, or a name that densight models lists",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        later = content["format"] > FORMAT
        facts = (
            None
            if later
            else (BundleFacts.from_json(content), str(content["weights_sha256"]), content.get("scope_sha256"))
        )
    except (UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DensightError(f"model.json is damaged ({error!r})", path, "copy the whole bundle again") from error
    if facts is None:
        raise DensightError("the bundle was written by a later densight", path, "upgrade densight")
    return facts
