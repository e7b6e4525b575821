"""``densight models`` and ``densight card``: the models that come with densight, and their cards."""

from __future__ import annotations

from typing import Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.terminal import TABLE, open_console, print_line

__all__ = ["card", "models"]


def models() -> None:
    """List the models that come with densight.

    Give a name as --model, or to densight.load_model. densight card NAME shows
    a model's training data, terms and figures of merit.

    densight models
    """
    from rich.table import Table

    from densight.network.bundle import read_bundle
    from densight.network.shipped import DEFAULT, model_folder, shipped_models

    table = Table(title="Models that come with densight", **TABLE)
    for heading in ("name", "classes", "projections", "terms"):
        table.add_column(heading, overflow="fold")
    facts_of = {name: read_bundle(model_folder(name)).facts for name in shipped_models()}
    for name, facts in facts_of.items():
        table.add_row(name, " ".join(facts.classes), " ".join(facts.projections), facts.licence)
    add_to_json(
        default=DEFAULT,
        models=[
            {"name": name, "classes": facts.classes, "projections": facts.projections, "terms": facts.licence}
            for name, facts in facts_of.items()
        ],
    )
    console = open_console()
    console.print(table)
    print_line(console, f"{DEFAULT} is used where no model is given. densight card NAME shows details.")


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
