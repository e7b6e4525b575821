"""The card of a model that comes with densight, from the template ``card.md``.

Its sections are those of Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from densight.network.bundle import Bundle
from starter.sets import TEST, UNSEEN

__all__ = ["make_card"]


def make_card(bundle: Bundle, name: str, found: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Parameters
    ----------
    bundle : Bundle
    name : str
    found : mapping
        What ``starter_figures.py`` measured, ``trials`` of its maps, and ``failures``.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["with"] = _with
    return environment.get_template("card.md").render(
        name=name,
        bundle=bundle,
        parameters=f"{sum(value.numel() for value in bundle.network.parameters()):,}".replace(",", " "),
        found=found,
        worst=max(found.get("robustness", []), key=lambda one: one["class changes"], default=None),
        farthest=max(found.get("robustness", []), key=lambda one: one["median"], default=None),
        seen=[one.name for one in TEST],
        unseen=UNSEEN.name,
    )


def _with(three: Sequence[float]) -> str:
    value, low, high = (f"{number:.2f}".replace("0.", ".").replace("1.00", "1.0") for number in three)
    return f"{value} [{low}, {high}]"
