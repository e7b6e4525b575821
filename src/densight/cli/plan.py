"""``densight plan``: the number of exams that the test of a model needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.terminal import open_console, print_line
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["plan"]


def plan(
    width: Annotated[float, typer.Option(metavar="W", help="The wanted width of the 95 % interval of κ, such as 0.1.")],
    kappa: Annotated[
        float | None, typer.Option(metavar="K", help="The expected κ, such as 0.8.", show_default=False)
    ] = None,
    mix: Annotated[
        str, typer.Option(metavar="LIST", help="The mix of classes, from the least to the most dense.")
    ] = "10,40,40,10",
    pilot: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run, or a table of exams, whose confusion matrix gives κ and mix instead.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[str, typer.Option(metavar="NAME", help="κ's weights: none, linear or quadratic.")] = "quadratic",
) -> None:
    """Compute how many exams an interval of κ needs.

    From an expected κ and mix of classes, or from a pilot run. The number
    assumes one exam per patient; if patients have several, count patients.

    densight plan --width 0.1 --kappa 0.8 --mix 10,40,40,10
    """
    from densight.figures.agreement import cohen_kappa
    from densight.figures.planning import exams_for_width

    if (kappa is None) == (pilot is None):
        raise DensightError("either --kappa or --pilot is needed", remedy="give one of the two")
    table = _of_pilot(pilot) if pilot is not None else _expected(mix, kappa or 0.0, weights)
    exams = exams_for_width(table, width, weights)
    value = float(cohen_kappa(table, weights))
    result = f"κ ({weights} weights) of {value:.3f} with a 95 % interval of width {width:g}: {exams} exams"
    add_to_json(exams=exams, kappa=value, weights=weights, width=width)
    print_line(open_console(), result)


def _of_pilot(pilot: Path) -> npt.NDArray[np.float64]:
    import numpy as np

    from densight.figures.evaluate import figures_of_run

    levels = figures_of_run(pilot).levels
    if "exam" not in levels:
        raise DensightError("no exam has a reference density", pilot, "give a run whose exams are labelled")
    return np.asarray(levels["exam"].confusion, dtype=np.float64)


def _expected(mix: str, kappa: float, weights: str) -> npt.NDArray[np.float64]:
    from densight.figures.planning import expected_table

    try:
        shares = [float(share) for share in mix.replace(",", " ").split()]
    except ValueError as error:
        raise DensightError(
            f"the mix {mix!r} is not a list of numbers", remedy="give one such as 10,40,40,10"
        ) from error
    return expected_table(shares, kappa, weights)
