"""``densight phantom``: exams made by computation, of which everything is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.terminal import INTERRUPTED, TABLE, count, draws_bars, open_bar, open_console, print_line
from densight.vocabulary import SPLITS, DensightError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

__all__ = ["phantom"]

SHOWN_LINES = 10
"""How often the number of exams made is printed, where there is no terminal."""


def phantom(
    number: Annotated[int, typer.Option("--number", "-n", metavar="N", help="How many exams.")] = 20,
    seed: Annotated[int, typer.Option(metavar="N", help="The random seed.")] = 0,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Per cent of exams of the classes A, B, C and D. By default 10,40,40,10, as in screening.",
            show_default=False,
        ),
    ] = None,
    density: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The class of all exams, instead of a mix.", show_default=False),
    ] = None,
    thickness: Annotated[
        float | None,
        typer.Option(
            metavar="MM", help="Compressed thickness of all images in mm. Random by default.", show_default=False
        ),
    ] = None,
    vendor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The unit: hologic-like, ge-like or siemens-like. Random for each exam by default.",
            show_default=False,
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="display: as on a radiologist's screen. raw: as the detector gives it. film: as a scanned film.",
        ),
    ] = "display",
    photometric: Annotated[
        str, typer.Option(metavar="NAME", help="MONOCHROME2, or MONOCHROME1 for inverted grey values.")
    ] = "MONOCHROME2",
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Images mirrored against the viewing convention.")
    ] = False,
    size: Annotated[str, typer.Option(metavar="SIZE", help="Rows and columns of every image.")] = "1024x832",
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes that make exams. By default one per core.", show_default=False),
    ] = None,
    image_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="The format of the images: png or dicom.")
    ] = "png",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of the exams, new or empty.")
    ] = Path("exams"),
) -> None:
    """Make phantom exams whose truth is known.

    Each exam is the CC and MLO of both breasts of a patient drawn from the
    population. Writes the images, beside each its masks and its map of glandular
    thickness (.npz), the numbers of each exam (truth.json), and catalogue.csv
    with the classes, two simulated readers and a split.

    The same seed gives the same bytes. A command that was stopped, even killed,
    goes on when it is given again.

    densight phantom -n 200 --seed 1 -o exams/
    """
    from densight.phantom.exams import CATALOGUE, write_exams
    from densight.phantom.settings import SCREENING_MIX, Settings

    suffix = _suffix_of(image_format)
    settings = Settings(
        mix=SCREENING_MIX if mix is None else _read_mix(mix),
        density=density,
        thickness=thickness,
        vendor=vendor,
        style=style,
        photometric=photometric,
        mirrored=mirrored,
        shape=_read_size(size),
    )
    console = open_console()
    with _watching(console) as watcher:
        try:
            catalogue = write_exams(number, seed, output, settings, suffix=suffix, jobs=jobs, progress=watcher)
        except KeyboardInterrupt:
            print_line(console, "Stopped. The same command goes on with the exams that are left.")
            raise typer.Exit(INTERRUPTED) from None
    console.print(_table(catalogue.table, catalogue.classes))
    exams = catalogue.table.drop_duplicates("exam_id")
    print_line(console, _agreement(exams["reader_1"].tolist(), exams["reader_2"].tolist(), catalogue.classes))
    parts = ", ".join(f"{int((exams['split'] == split).sum())} {split}" for split in SPLITS)
    add_to_json(catalogue=output / CATALOGUE, images=len(catalogue), exams=exams["exam_id"].tolist())
    images = count(len(catalogue), "image")
    print_line(console, f"Catalogue of {images} of {count(len(exams), 'exam')} ({parts}): {output / CATALOGUE}")


def _suffix_of(name: str) -> str:
    """The suffix of the images that ``--format`` asks for."""
    suffixes = {"png": ".png", "dicom": ".dcm"}
    if name not in suffixes:
        raise DensightError(f"unknown format {name!r}", remedy=f"use one of {', '.join(suffixes)}")
    return suffixes[name]


def _read_mix(text: str) -> list[float]:
    """The parts of the classes that ``--mix 10,40,40,10`` asks for."""
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise DensightError(f"--mix {text!r} is not four numbers", remedy="write it as --mix 10,40,40,10") from None


def _read_size(text: str) -> tuple[int, int]:
    """The rows and columns that ``--size 1024x832`` asks for."""
    rows, _, columns = text.lower().replace("×", "x").partition("x")
    try:
        return int(rows), int(columns)
    except ValueError:
        raise DensightError(f"--size {text!r} is not two numbers", remedy="write it as --size 1024x832") from None


@contextmanager
def _watching(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, some lines elsewhere; on both, what an earlier run has made."""
    with open_bar(console) as bar:
        task = bar.add_task("Making exams", total=None)
        earlier: list[int] = []

        def show(done: int, total: int) -> None:
            if not earlier:
                earlier.append(done)
                # Begun anew, so that what an earlier run made does not count in the time that is left.
                bar.reset(task, total=total, completed=done)
                if done:
                    print_line(console, f"{count(done, 'exam')} had been made by an earlier run in this folder.")
            elif not draws_bars(console) and done * SHOWN_LINES // total > (done - 1) * SHOWN_LINES // total:
                print_line(console, f"{done} of {count(total, 'exam')}")
            bar.update(task, completed=done)

        yield show


def _table(images: pd.DataFrame, classes: tuple[str, ...]) -> Table:
    """Exams, what the readers say, and the least and greatest density, by class."""
    from rich.table import Table

    table = Table(title="Phantom exams", **TABLE)
    table.add_column("class")
    for heading in ("exams", "reader 1", "reader 2", "volumetric density", "percent density"):
        table.add_column(heading, justify="right")
    exams = images.drop_duplicates("exam_id")
    for label in classes:
        counts = [str((exams[column] == label).sum()) for column in ("density", "reader_1", "reader_2")]
        table.add_row(label, *counts, *_ranges(images[images["density"] == label]))
    table.add_row("all", *[str(len(exams))] * 3, *_ranges(images))
    return table


def _ranges(images: pd.DataFrame) -> list[str]:
    """The least and the greatest volumetric density of exams and percent density of images."""
    if images.empty:
        return ["–", "–"]
    columns = (images["volumetric_density"], images["percent_density"])
    return [f"{values.min():.1f}–{values.max():.1f} %" for values in columns]


def _agreement(first: list[str], second: list[str], classes: tuple[str, ...]) -> str:
    """How far the two readers agree, in words."""
    from sklearn.metrics import cohen_kappa_score

    same = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    if len({*first, *second}) == 1:
        kappa = "undefined, because they name one class"
    else:
        kappa = f"{cohen_kappa_score(first, second, labels=list(classes), weights='linear'):.3f}"
    return f"The readers agree on {100 * same:.0f} % of the exams; linear κ {kappa}"
