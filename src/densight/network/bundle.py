"""Model bundles: a folder with ``model.json``, ``weights.safetensors`` and ``MODEL_CARD.md``. Never a pickle.

Where a bundle has a `densight.network.scope.Scope`, it is in ``scope.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.network.architecture import build_network
from densight.network.card import model_card
from densight.network.facts import FORMAT, BundleFacts, ModelFile
from densight.network.scope import SCOPE_CONTENT, Scope
from densight.storage import checksum, read_json, write_bytes, write_json, write_text
from densight.validation import validate
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from torch import Tensor

    from densight.network.blocks import DensityNetwork

__all__ = ["CARD", "Bundle", "read_bundle", "write_bundle", "write_calibration"]

CARD, SCOPE = "MODEL_CARD.md", "scope.json"
"""File names beside ``model.json``."""

COPY_AGAIN = "copy the whole bundle again"
"""How to fix a damaged bundle."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model ready to assess: the network in evaluation mode and the facts beside it.

    A bundle with a scope refuses images that are too far from its training images: see
    `densight.assessment.refusal`.
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
    write_text(folder / CARD, model_card(facts, digest))
    if scope is not None:
        write_json(folder / SCOPE, SCOPE_CONTENT.dump_python(scope))
    write_json(folder / "model.json", ModelFile.of(facts, digest, _scope_digest(folder, scope)).content())


def write_calibration(bundle: Bundle, calibration: dict[str, Any]) -> Bundle:
    """Write a calibration into a bundle's folder and return the bundle with it; the weights do not change.

    Parameters
    ----------
    bundle : Bundle
        One that was read from a folder.
    calibration : dict
        As ``facts.calibration``.
    """
    facts = replace(bundle.facts, calibration=calibration)
    write_text(bundle.folder / CARD, model_card(facts, bundle.checksum))
    file = ModelFile.of(facts, bundle.checksum, _scope_digest(bundle.folder, bundle.scope))
    write_json(bundle.folder / "model.json", file.content())
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
    file = _read_file(folder)
    facts, digest = file.facts, file.weights_sha256
    weights = folder / "weights.safetensors"
    if not weights.is_file():
        raise DensightError("the bundle has no weights.safetensors", folder, COPY_AGAIN)
    if checksum(weights) != digest:
        raise DensightError("the weights are not those that model.json names", weights, COPY_AGAIN)
    network = build_network(facts.architecture)
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise DensightError(
            f"the weights do not fit the network {facts.architecture.name}", weights, COPY_AGAIN
        ) from error
    network.eval()
    scope = None if file.scope_sha256 is None else _read_scope(folder / SCOPE, file.scope_sha256)
    return Bundle(facts, network, digest, folder, scope)


def _scope_digest(folder: Path, scope: Scope | None) -> str | None:
    return None if scope is None else checksum(folder / SCOPE)


def _read_scope(path: Path, digest: str) -> Scope:
    if not path.is_file() or checksum(path) != digest:
        raise DensightError("the bundle's scope is not the one that model.json names", path, COPY_AGAIN)
    return validate(SCOPE_CONTENT, read_json(path), path, COPY_AGAIN, prefix="the bundle's scope is damaged: ")


def _read_file(folder: Path) -> ModelFile:
    path = folder / "model.json"
    if not path.is_file():
        raise DensightError(
            "there is no model bundle (no model.json)",
            folder,
            "give the folder that densight train or convert wrote, or a name that densight models lists",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DensightError(f"model.json is damaged: it is not JSON ({error})", path, COPY_AGAIN) from error
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise DensightError("the bundle was written by a later densight", path, "upgrade densight")
    return validate(ModelFile, content, path, COPY_AGAIN, prefix="model.json is damaged: ")
