"""Pictures inside the page: data URIs small enough that a page of a hundred exams is below 30 MB."""

from __future__ import annotations

import base64
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Picture", "embed_picture", "embed_plot"]

_QUALITY = 82
_BYTES_PER_PIXEL = 0.045
"""What pictures of exams take as WebP of that quality, so that most are compressed only once."""
_SMALLEST = 0.35
"""The smallest scale; a picture is then accepted at any file size."""


@dataclass(frozen=True)
class Picture:
    """A picture in the page.

    Parameters
    ----------
    source : str
        A data URI.
    width, height : int
        CSS pixels.
    alt : str
        Description of the content.
    """

    source: str
    width: int
    height: int
    alt: str


def embed_picture(path: Path, alt: str, budget: int) -> Picture:
    """A picture as WebP of at most ``budget`` bytes, made smaller where it must be.

    Raises
    ------
    DensightError
        If the file is no whole picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as opened:
            image = opened.convert("L" if opened.mode == "L" else "RGB")
            small = opened.format == "WEBP" and path.stat().st_size <= budget
    except OSError as error:
        raise DensightError("the picture is truncated or damaged", path, "delete it and explain again") from error
    if small:
        return Picture(_data_uri("image/webp", path.read_bytes()), image.width, image.height, alt)
    scale = min(1.0, math.sqrt(budget / (_BYTES_PER_PIXEL * image.width * image.height)))
    content = _as_webp(image, scale)
    while len(content) > budget and scale > _SMALLEST:
        scale *= 0.8
        content = _as_webp(image, scale)
    return Picture(_data_uri("image/webp", content), image.width, image.height, alt)


def embed_plot(path: Path, alt: str) -> Picture:
    """A plot of matplotlib as SVG, in its original size."""
    content = path.read_bytes()
    width, height = (round(float(size) * 4 / 3) for size in re.findall(rb'(?:width|height)="([\d.]+)pt"', content)[:2])
    return Picture(_data_uri("image/svg+xml", content), width, height, alt)


def _as_webp(image: Image.Image, scale: float) -> bytes:
    from PIL import Image as PillowImage

    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, PillowImage.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_QUALITY, method=2)
    return file.getvalue()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
