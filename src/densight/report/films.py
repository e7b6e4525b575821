"""The films of the page: mammograms in reduced size, with their maps as grids that the page draws over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densight.explanation.page_layers import FILM
from densight.explanation.picture_names import MAPS
from densight.report.contents import ImageRow
from densight.report.embed import Picture, embed_picture
from densight.storage import read_json
from densight.vocabulary import DensightError, format_probability

__all__ = ["Film", "Films", "read_films"]

_PICTURES_BUDGET, _MAPS_BUDGET = 12_000_000, 9_000_000
"""Bytes of all films, and of all their maps, before base64 adds a third."""
_FILM_LIMITS = (3_000, 40_000)


@dataclass(frozen=True)
class Film:
    """A mammogram on the page.

    Parameters
    ----------
    picture : Picture
    rows, columns : float
        Size of the part shown, in the image's pixels: films side by side have the same magnification.
    outline : str
        The breast's outline as corners of a CSS polygon; empty where no breast was found.
    moved : str
        How the film was turned for hanging, as text.
    maps : str
        Its maps as JSON: ``labels`` and ``methods``.
    """

    picture: Picture
    rows: float
    columns: float
    outline: str
    moved: str
    maps: str


@dataclass(frozen=True)
class Films:
    """The films by the prefix of their file names.

    Parameters
    ----------
    films : mapping of str to Film
    labels, methods : tuple of str
        Labels and methods of the maps.
    left_out : int
        Number of methods whose maps would make the page too large.
    """

    films: Mapping[str, Film]
    labels: tuple[str, ...]
    methods: tuple[str, ...]
    left_out: int

    @property
    def size(self) -> int:
        """Number of characters on the page."""
        return sum(len(film.picture.source) + len(film.maps) for film in self.films.values())


def read_films(run: Path, images: Sequence[ImageRow], classes: Sequence[str]) -> Films:
    """Read the films of a run's images, where they exist.

    Parameters
    ----------
    run : Path
    images : sequence of ImageRow
    classes : sequence of str

    Raises
    ------
    DensightError
        If a film is damaged.
    """
    paths = {
        image.maps: (image, path)
        for image in images
        if image.maps.startswith(f"{MAPS}/") and (path := run / f"{image.maps}{FILM}").is_file()
    }
    contents = {maps: _checked(read_json(path), path) for maps, (_, path) in paths.items()}
    methods = tuple(dict.fromkeys(method for content in contents.values() for method in content["methods"]))
    labels = tuple(next(iter(contents.values()))["labels"]) if contents else ()
    shown = methods if _size(contents.values()) <= _MAPS_BUDGET else methods[:1]
    budget = int(min(max(_PICTURES_BUDGET / max(len(paths), 1), _FILM_LIMITS[0]), _FILM_LIMITS[1]))
    with ThreadPoolExecutor() as pool:
        pictures = {
            maps: pool.submit(
                embed_picture, path.with_name(contents[maps]["picture"]), _describe(image, classes), budget
            )
            for maps, (image, path) in paths.items()
        }
    films = {maps: _film(content, pictures[maps].result(), shown) for maps, content in contents.items()}
    return Films(films, labels, shown, len(methods) - len(shown))


def _checked(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    needed = ("picture", "rows", "columns", "moved", "outline", "labels", "methods")
    if lacking := [name for name in needed if name not in content]:
        raise DensightError(f"the film's description lacks {', '.join(lacking)}", path, "explain the image again")
    return content


def _size(contents: Any) -> int:
    return sum(len(maps["cells"]) for content in contents for maps in content["methods"].values())


def _film(content: Mapping[str, Any], picture: Picture, methods: Sequence[str]) -> Film:
    kept = {name: content["methods"][name] for name in methods if name in content["methods"]}
    outline = ", ".join(f"{100 * x:.2f}% {100 * y:.2f}%" for x, y in content["outline"])
    maps = json.dumps({"methods": kept}, separators=(",", ":"))
    return Film(picture, content["rows"], content["columns"], outline, content["moved"], maps)


def _describe(image: ImageRow, classes: Sequence[str]) -> str:
    pairs = zip(classes, image.probabilities, strict=True)
    values = ", ".join(f"{label} {format_probability(value)}" for label, value in pairs)
    return f"Mammogram {image.projection}, {image.file}; probabilities {values}"
