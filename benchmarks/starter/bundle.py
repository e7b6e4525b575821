"""From what was fitted to a model bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from densight.network.architecture import Architecture
from densight.network.breastnet import BreastNet
from densight.network.bundle import write_bundle
from densight.network.facts import BundleFacts
from densight.network.scope import Scope
from densight.vocabulary import BIRADS, PROJECTIONS
from starter.fit import Learner
from starter.head import pooled
from starter.material import PREPARATION, Framed

__all__ = ["LICENCES", "write_starter"]

LICENCES = {
    "starter": "Apache-2.0, as densight",
    "starter-research": "research only, as the films of mini-MIAS and DDSM that it has learnt from",
}

MARGIN = 1.5
"""How many times as far as the farthest image of the fit an image may be."""


def write_starter(learner: Learner, name: str, learnt: Sequence[Framed], folder: Path) -> None:
    """Write a bundle without calibration."""
    weights = {name: value.half() for name, value in learner.network.state_dict().items()}
    weights |= {f"classifier.{part}": value.half() for part, value in _classifier(learner).items()}
    network = BreastNet(len(BIRADS))
    network.load_state_dict(weights)
    facts = BundleFacts(
        Architecture("breastnet", len(BIRADS), PREPARATION.channels),
        PREPARATION,
        BIRADS,
        tuple(PROJECTIONS),
        training=_record(learnt),
        licence=LICENCES[name],
    )
    write_bundle(folder, weights, facts, _scope(network.eval(), learnt))


def _classifier(learner: Learner) -> dict[str, Tensor]:
    """The four classes' logits on the phantoms' scale, linear in the pooled features; their mean is 0."""
    places = torch.arange(len(BIRADS)) - (len(BIRADS) - 1) / 2
    cuts = functional.pad(learner.cuts["phantom"].cumsum(0), (1, 0))
    return {"weight": places[:, None] * learner.slope("phantom") * learner.score.weight, "bias": cuts.mean() - cuts}


def _scope(network: BreastNet, learnt: Sequence[Framed]) -> Scope:
    """The cloud of the images of the fit, and as its limit `MARGIN` times their greatest distance."""
    features = pooled(network, learnt)
    scope = Scope.of(features)
    farthest = max(scope.distance(one) for one in features)
    return replace(scope, limit=MARGIN * farthest, false_alarms="not measured yet")


def _record(learnt: Sequence[Framed]) -> dict[str, Any]:
    kinds = Counter(_kind(one) for one in learnt)
    return {
        "made_by": "benchmarks/starter_fit.py",
        "densight": version("densight"),
        "torch": str(torch.__version__),
        "images": {"train": dict(kinds)},
        "patients": {"train": len({one.row["patient_id"] for one in learnt})},
    }


def _kind(one: Framed) -> str:
    if one.glandular is not None:
        return "phantoms"
    return "films of DDSM" if one.dense is not None else "films of mini-MIAS"
