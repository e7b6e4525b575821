"""What densight reads from one file, step by step, with a picture per step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.anatomy.pictures import draw_anatomy
from densight.anatomy.projection import NOTE, projection_from_picture
from densight.anatomy.reading import read
from densight.assessment.assess import PreparedImage, assess_image
from densight.assessment.models import Models
from densight.intake.dicom.header import integer, number, text
from densight.intake.dicom.identity import identifying, shown_name
from densight.intake.dicom.kinds import is_for_processing, kind_name, why_not_assessed
from densight.intake.dicom.read import DicomImage, read_dicom
from densight.intake.files import is_dicom
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.preparation.prepare import prepare
from densight.report.embed import embed_picture
from densight.storage import replacing, write_text
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

__all__ = ["PAGE", "Step", "look_into", "write_page"]

PAGE = "doctor.html"
"""The page's file name."""

HEIGHT = 900
"""Greatest number of rows of a picture."""

BUDGET = 120_000
"""Greatest size of a picture within the page, in bytes."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Step:
    """One step from the file to the model's result.

    Parameters
    ----------
    title : str
    facts : tuple of (str, str)
        Names and values.
    picture : ndarray of uint8, shape (rows, columns) or (rows, columns, 3), or None
    fault : str
        Why the steps end here; empty otherwise.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    picture: Picture | None = field(default=None, repr=False)
    fault: str = ""


def look_into(path: Path, models: Models, projection: Projection | None = None) -> Iterator[Step]:
    """Yield the steps, up to the first that fails.

    Parameters
    ----------
    path : Path
        A DICOM file or an image.
    models : Models
        The models whose preparation and result are shown.
    projection : Projection, optional
        The image's projection, where the file does not name it.
    """
    try:
        if is_dicom(path):
            image = read_dicom(path, projection)
            yield from _of_dicom(image)
            shown = path.with_name(shown_name(path))
            mammogram = Mammogram(image.pixels, image.projection, shown, spacing=image.spacing, assumed=image.notes)
        else:
            mammogram = read_mammogram(path, projection)
            yield Step("The image", _image_facts(mammogram), _small(mammogram.pixels))
        yield from _of_mammogram(mammogram, models)
    except DensightError as error:
        remedy = f" Fix: {error.remedy}." if error.remedy else ""
        yield Step("Stopped", fault=f"{error.fault}.{remedy}")


def write_page(folder: Path, name: str, steps: Sequence[Step]) -> Path:
    """Write the steps' pictures, ``1.png`` and so on, and a page with all steps; return the page's path.

    Parameters
    ----------
    folder : Path
    name : str
        The file's name on the page.
    steps : sequence of Step
    """
    from jinja2 import Environment, StrictUndefined
    from PIL import Image

    shown = []
    for i, step in enumerate(steps, start=1):
        picture = None
        if step.picture is not None:
            path = folder / f"{i}.png"
            with replacing(path) as temporary:
                Image.fromarray(step.picture).save(temporary)
            picture = embed_picture(path, step.title, BUDGET)
        shown.append({"title": step.title, "facts": step.facts, "fault": step.fault, "picture": picture})
    parts = resources.files("densight.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(parts.joinpath("doctor.html").read_text(encoding="utf-8"))
    style = parts.joinpath("report.css").read_text(encoding="utf-8")
    write_text(folder / PAGE, page.render(name=name, steps=shown, style=style))
    return folder / PAGE


def _of_dicom(image: DicomImage) -> Iterator[Step]:
    dataset = image.dataset
    yield Step("The file", _file_facts(dataset))
    excluded = why_not_assessed(dataset) or image.what.excluded
    shown = str(image.projection) if image.projection else "not known from the file"
    facts = (("projection", shown), *(("source", source) for source in image.what.notes))
    yield Step("What it shows", (*facts, ("assessed", f"no: {excluded}" if excluded else "yes")))
    yield Step("Stored values, from the smallest to the greatest", _stored_facts(image), _spread(image.stored))
    processing = is_for_processing(dataset)
    title = "Processed for display by densight" if processing else "As displayed"
    yield Step(title, tuple(("done", step) for step in image.display_notes), _small(image.shown))
    orientation = image.orientation.note or "already in hanging orientation"
    spacing = f"{image.spacing[0]:.4g} × {image.spacing[1]:.4g} mm" if image.spacing else "not known"
    facts = (("orientation", orientation), ("pixel spacing in the breast", spacing), ("source", image.pitch_note))
    yield Step("In hanging orientation", facts, _small(image.pixels))
    if excluded:
        raise DensightError(f"this is not assessed: {excluded}", remedy="give a CC or MLO view of the whole breast")


def _of_mammogram(mammogram: Mammogram, models: Models) -> Iterator[Step]:
    anatomy = read(mammogram)
    if mammogram.projection is None:
        mammogram = replace(mammogram, projection=projection_from_picture(anatomy))
        projection = str(mammogram.projection)
        yield Step("The projection, found in the image", (("projection", projection), ("source", NOTE)))
    density = f"{anatomy.measured_density:.1f} %"
    facts = (("percent density", density), ("verdict", str(anatomy.verdict) or "good"), ("weights", anatomy.weights))
    yield Step("Breast, pectoral muscle and dense tissue", facts, draw_anatomy(mammogram, anatomy))
    bundle = models.of(mammogram.projection, mammogram.path)
    prepared = prepare(mammogram, bundle.facts.preparation, anatomy)
    done = prepared.done[len(mammogram.assumed) :]
    yield Step(f"What {bundle.label} sees", tuple(("done", step) for step in done), _spread(prepared.image))
    result = assess_image(models, PreparedImage(mammogram, prepared, anatomy)).assessment
    y_prob = tuple((label, f"{value:.3f}") for label, value in zip(result.classes, result.probabilities, strict=True))
    yield Step("The result", (("density of this image", result.density), *y_prob))


def _file_facts(dataset: FileDataset) -> tuple[tuple[str, str], ...]:
    syntax = dataset.file_meta.TransferSyntaxUID
    facts = {
        "kind": kind_name(text(dataset, "SOPClassUID")),
        "encoding": syntax.name,
        "unit": " ".join(filter(None, (text(dataset, "Manufacturer"), text(dataset, "ManufacturerModelName")))),
        "image type": "\\".join(dataset.get("ImageType") or ()),
        "presentation intent": text(dataset, "PresentationIntentType"),
        "identity": f"{len(set(identifying(dataset)))} names, ids and dates, not shown here",
        "burnt-in annotation": text(dataset, "BurnedInAnnotation") or "not stated",
        "compressed thickness": _measure(number(dataset, "BodyPartThickness"), "mm"),
        "exposure": " ".join(
            filter(
                None,
                (
                    text(dataset, "AnodeTargetMaterial"),
                    text(dataset, "FilterMaterial"),
                    _measure(number(dataset, "KVP"), "kV"),
                ),
            )
        ),
    }
    return tuple((name, value) for name, value in facts.items() if value)


def _measure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:g} {unit}"


def _stored_facts(image: DicomImage) -> tuple[tuple[str, str], ...]:
    dataset, stored = image.dataset, image.stored
    sign = "signed" if integer(dataset, "PixelRepresentation") == 1 else "unsigned"
    return (
        ("size", f"{stored.shape[0]} rows, {stored.shape[1]} columns"),
        ("bits", f"{dataset.BitsStored} of {dataset.BitsAllocated}, {sign}"),
        ("values", f"{stored.min()} to {stored.max()}"),
        ("photometric interpretation", text(dataset, "PhotometricInterpretation")),
    )


def _image_facts(mammogram: Mammogram) -> tuple[tuple[str, str], ...]:
    pixels = mammogram.pixels
    shown = str(mammogram.projection) if mammogram.projection else "not known"
    size = f"{pixels.shape[0]} rows, {pixels.shape[1]} columns"
    return (
        ("projection", shown),
        ("size", size),
        ("values", f"{pixels.min()} to {pixels.max()}, {pixels.dtype}"),
        *(("assumed", assumption) for assumption in mammogram.assumed),
    )


def _spread(values: npt.NDArray[Any]) -> Picture:
    """An image with the smallest value black and the greatest white."""
    low, high = float(values.min()), float(values.max())
    return _small(((values - low) * (255 / (high - low or 1))).astype(np.uint8))


def _small(pixels: npt.NDArray[Any]) -> Picture:
    """An image of 8 bits with at most `HEIGHT` rows."""
    import cv2

    eight = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels.astype(np.uint8)
    if pixels.dtype == np.uint16 and pixels.max() < 1 << 12:
        eight = (pixels >> 4).astype(np.uint8)
    rows, columns = eight.shape
    if rows <= HEIGHT:
        return eight
    size = (max(1, round(columns * HEIGHT / rows)), HEIGHT)
    return np.asarray(cv2.resize(eight, size, interpolation=cv2.INTER_AREA), np.uint8)
