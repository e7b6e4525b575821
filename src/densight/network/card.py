"""The model card of a bundle, in the form of Mitchell et al., "Model cards for model reporting", FAT* 2019."""

from __future__ import annotations

from typing import Any

from densight.network.facts import BundleFacts

__all__ = ["model_card"]


def model_card(facts: BundleFacts, weights_sha256: str) -> str:
    """The model card of a bundle as Markdown, from the facts in its ``model.json``."""
    training = facts.training
    lines = [
        "# Model card",
        "",
        "Research software. Not a medical device; not for clinical decisions.",
        "",
        "## Model",
        "",
        f"- Network: {facts.architecture.name}, {facts.architecture.channels} input channel(s)",
        f"- Preparation: preset `{facts.preparation.preset}`, "
        f"{facts.preparation.shape[0]}×{facts.preparation.shape[1]} pixels",
        f"- Classes, ascending in density: {', '.join(facts.classes)}",
        f"- Projections: {', '.join(facts.projections)}",
        f"- Weights: SHA-256 `{weights_sha256}`",
        f"- Licence of the weights: {facts.licence}",
        f"- Calibration: {'below' if facts.calibration else 'none; probabilities are the softmax'}",
        "",
        "## Intended use",
        "",
        "Research and teaching on breast density and on explanations of networks that assess it. Validate it on "
        "your own images before you rely on its results.",
        "",
        "## Training",
        "",
    ]
    lines += _describe(training) if training else ["There is no training record."]
    if facts.calibration:
        lines += ["", "## Calibration", "", *_describe(facts.calibration)]
    lines += [
        "",
        "## Evaluation",
        "",
        "`densight assess` and `densight figures` compute figures of merit on held-out patients; none are stored here.",
        "",
    ]
    return "\n".join(lines)


def _describe(values: dict[str, Any], depth: int = 0) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        label = f"{'  ' * depth}- {key.replace('_', ' ')}"
        if isinstance(value, dict):
            lines += [f"{label}:", *_describe(value, depth + 1)]
        else:
            lines.append(f"{label}: {value}")
    return lines
