"""``densight index``: make a catalogue of a folder of mammograms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json
from densight.cli.options import complete_datasets, read_classes
from densight.cli.terminal import TABLE, count, keep_left_out, open_bar, open_console, print_failures, print_line
from densight.vocabulary import SPLITS, DensightError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from densight.intake.catalogue import Catalogue
    from densight.intake.failures import Failure

__all__ = ["index"]


def index(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="The data set: a folder, or a zip archive, of images.", show_default=False
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_datasets,
            help="Its layout, detected where not given: tutorial, catalogue, loose, or a public data set: mini-mias, "
            "vindr-mammo, inbreast, cbis-ddsm, rsna-breast-cancer, embed, csaw-cc, cmmd.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The catalogue to write, .csv or .parquet.")
    ] = Path("catalogue.csv"),
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="The class labels from the least to the most dense, such as F,G,D. By default the data set's own.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="Per cent of the patients for training, validation and test, where none is given."
        ),
    ] = "60,15,25",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The seed of the split.")] = 0,
    uids: Annotated[
        bool, typer.Option("--uids", help="Add the UIDs of DICOM files, which lead to the patients in the archive.")
    ] = False,
) -> None:
    """Make a catalogue of a folder of mammograms.

    Reads every image once, finds its projection, class, exam and patient,
    and splits the patients into training, validation and test unless the
    folder does. Images that cannot be used are listed in failures.csv
    beside the catalogue, and the exit status is then 1; DICOM files that
    show other views, in not_assessed.csv.
    """
    from densight.intake.catalogue import catalogue_suffix, write_catalogue
    from densight.intake.failures import FAILURES, write_failures
    from densight.intake.layouts import detect, with_uids
    from densight.intake.layouts import index as index_folder

    catalogue_suffix(output)
    layout = dataset or detect(folder)
    labels = read_classes(classes)
    fractions = _read_fractions(split)
    console = open_console()
    with open_bar(console) as bar:
        task = bar.add_task("Reading the images", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        catalogue, failures, left_out = index_folder(
            folder, layout, classes=labels, fractions=fractions, seed=seed, progress=show
        )
    listed = output.parent / FAILURES
    if len(catalogue):
        catalogue = with_uids(catalogue) if uids else catalogue
        write_catalogue(catalogue, output)
        console.print(_count_table(catalogue, f"{folder.resolve().name}, layout {layout}"))
        print_line(console, f"Catalogue of {count(len(catalogue), 'image')}: {output}")
        if layout == "catalogue":
            _note_unlisted(console, folder, catalogue, failures)
    else:
        print_line(console, "No catalogue was written: no image can be used.")
    write_failures(listed, failures)
    keep_left_out(console, left_out, output.parent)
    add_to_json(
        catalogue=output if len(catalogue) else None,
        layout=layout,
        classes=catalogue.classes,
        images=len(catalogue),
        patients=catalogue.table["patient_id"].nunique(),
        failures=failures,
    )
    if failures:
        print_failures(console, failures, listed)
        raise typer.Exit(1)


def _read_fractions(text: str) -> list[float]:
    """The parts of the data set that ``--split 60,15,25`` asks for."""
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise DensightError(f"--split {text!r} is not three numbers", remedy="write it as --split 60,15,25") from None


def _note_unlisted(console: Console, folder: Path, catalogue: Catalogue, failures: list[Failure]) -> None:
    """Say it where a folder's own catalogue does not list all of its images."""
    from densight.intake.naming import find_images

    listed = {path.resolve() for path in (*catalogue.paths, *(failure.path for failure in failures))}
    unlisted = sum(path.resolve() not in listed for path in find_images(folder))
    if unlisted:
        verbs = "is not in its catalogue and was" if unlisted == 1 else "are not in its catalogue and were"
        print_line(console, f"note: {count(unlisted, 'image')} in the folder {verbs} left out")


def _count_table(catalogue: Catalogue, title: str) -> Table:
    """Images per projection, split and class; patients per projection and split."""
    from rich.table import Table

    table = Table("projection", "split", title=title, **TABLE)
    unlabelled = [""] if (catalogue.table["density"] == "").any() else []
    labels = [*catalogue.classes, *unlabelled]
    for column in (*(label or "no label" for label in labels), "images", "patients"):
        table.add_column(column, justify="right")
    parts = {projection.value: catalogue.select(projection=projection).table for projection in catalogue.projections}
    for name, part in {**parts, "all": catalogue.table}.items():
        splits = [split for split in (*SPLITS, "") if (part["split"] == split).any()]
        rows = {split or "none": part[part["split"] == split] for split in splits}
        if name == "all" and len(splits) > 1:
            rows["all"] = part
        for split, images in rows.items():
            counts = [int((images["density"] == label).sum()) for label in labels]
            table.add_row(name, split, *map(str, (*counts, len(images), images["patient_id"].nunique())))
        table.add_section()
    return table
