"""Pictures inside the page: data URIs small enough that a hundred exams make a page of less than 30 MB."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Picture", "embed_picture", "embed_plot"]

_STEPS = ((1.0, 85), (1.0, 75), (0.8, 80), (0.65, 78), (0.5, 75))
"""Scale and JPEG quality, tried in turn until a picture fits; the last is taken as it comes."""


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
        What it shows, in words.
    """

    source: str
    width: int
    height: int
    alt: str


def embed_picture(path: Path, alt: str, budget: int) -> Picture:
    """A drawing as JPEG of at most ``budget`` bytes where that can be had at half its size."""
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    content = b""
    for scale, quality in _STEPS:
        content = _as_jpeg(image, scale, quality)
        if len(content) <= budget:
            break
    return Picture(_data_uri("image/jpeg", content), image.width, image.height, alt)


def embed_plot(path: Path, alt: str) -> Picture:
    """A plot of matplotlib's as the SVG that it is, in its own size."""
    content = path.read_bytes()
    width, height = (round(float(size) * 4 / 3) for size in re.findall(rb'(?:width|height)="([\d.]+)pt"', content)[:2])
    return Picture(_data_uri("image/svg+xml", content), width, height, alt)


def _as_jpeg(image: Image.Image, scale: float, quality: int) -> bytes:
    from PIL import Image as PillowImage

    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, PillowImage.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
    return file.getvalue()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
