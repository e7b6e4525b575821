"""``densight models`` and ``densight card``: which models come with densight, and what is known of them."""

from __future__ import annotations

from typing import Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.terminal import TABLE, open_console, print_line

__all__ = ["card", "models"]


def models() -> None:
    """List the models that come with densight.

    Give a name as --model, or to densight.load_model. densight card NAME shows
    what a model has learnt from, its terms, and how well it does on what.

    densight models
    """
    from rich.table import Table

    from densight.network.bundle import read_bundle
    from densight.network.shipped import DEFAULT, model_folder, shipped_models

    table = Table(title="Models that come with densight", **TABLE)
    for heading in ("name", "classes", "projections", "terms"):
        table.add_column(heading, overflow="fold")
    found = {name: read_bundle(model_folder(name)).facts for name in shipped_models()}
    for name, facts in found.items():
        table.add_row(name, " ".join(facts.classes), " ".join(facts.projections), facts.licence)
    add_to_json(
        default=DEFAULT,
        models=[
            {"name": name, "classes": facts.classes, "projections": facts.projections, "terms": facts.licence}
            for name, facts in found.items()
        ],
    )
    console = open_console()
    console.print(table)
    print_line(console, f"{DEFAULT} is used where no model is named. densight card NAME tells more.")


def card(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A model that comes with densight, or the folder of one.")
    ] = "starter",
) -> None:
    """Show a model's card: data, terms, figures, failures.

    densight card starter
    """
    from densight.network.shipped import read_card

    text = read_card(name).rstrip()
    add_to_json(name=name, card=text)
    print_line(open_console(), text)
