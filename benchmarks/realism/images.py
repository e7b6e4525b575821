"""The images that are compared, upright and at a common scale, and the part of the breast that is compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from densight.anatomy.breast import breast_mask, chest_wall
from densight.intake.image import read_pixels
from densight.intake.mammogram import Mammogram
from densight.phantom.settings import FIELD_HEIGHT
from densight.storage import read_json

Grey = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

INFN_PITCH = 0.1
"""Not stated with the images, so assumed, in mm.

None has more than 2293 rows, and the five whose breast fills the frame have exactly these: a detector of 2294 rows by
1914 columns, as GE's Senographe DS has, whose pixels are of 0.1 mm. The breasts are then 180 to 229 mm high and 90 to
143 mm deep, as women's are.
"""

MIAS_PITCH = 0.2
"""Mini-MIAS was reduced to 200 µm; Suckling et al., 1994."""

MSYNTH_PITCH = 0.085
"""The detector of VICTRE has pixels of 85 µm; Badano et al., JAMA Network Open 1:e185474, 2018.

The JPEGs are cut, not scaled: their noise is the same along rows and columns, and a fatty breast measures 145 mm in
them where VICTRE's phantom has 138 mm before it is magnified.
"""

RIM = 12.0
"""Depth below the skin, in mm, of what is left out of the interior: skin, roll-off and subcutaneous fat."""

WALL = 4.0
"""The same at the chest wall and where the frame cuts the breast."""

MUSCLE = (0.62, 0.55)
"""Of every MLO, what is left out at the upper end of the chest wall, muscle or not; see `Image.muscle`.

So nothing tells a painted muscle from one that is seen.
"""

T = TypeVar("T")

SETS = ("phantom", "infn", "mias", "msynth")


@dataclass(frozen=True, eq=False)
class Listed:
    """An image of one of the sets, not yet read.

    Parameters
    ----------
    source : str
        One of `SETS`.
    path : Path
    patient : str
    density : str
        A to D; F, G or D of mini-MIAS; M-SYNTH's four in the letters that they stand for.
    view : str
        CC or MLO.
    pitch : float or None
        Pixel pitch in mm; None for a phantom, of which the rows span a known height.
    facts : dict
        The row of its catalogue.
    """

    source: str
    path: Path
    patient: str
    density: str
    view: str
    pitch: float | None
    facts: dict[str, object]


@dataclass(frozen=True, eq=False)
class Image:
    """An image with the chest wall at the left and the upper or lateral side on top.

    Parameters
    ----------
    listed : Listed
    grey : ndarray of float32, shape (rows, columns)
        Grey values as stored.
    breast : ndarray of bool, shape (rows, columns)
    pitch : float
        In mm.
    """

    listed: Listed
    grey: Grey
    breast: Mask
    pitch: float

    @property
    def air(self) -> float:
        """Median grey value beside the breast; the least of the image where nothing is beside it."""
        outside = self.grey[~ndimage.binary_dilation(self.breast, iterations=round(3 / self.pitch))]
        return float(np.median(outside)) if outside.size else float(self.grey.min())

    def at(self, pitch: float, blur: float = 0.0) -> Image:
        """The image at another pitch, blurred as a pixel and a Gaussian of ``blur`` mm of standard deviation would."""
        sigma = np.sqrt(max(blur**2 - self.pitch**2 / 12, 0.0)) / self.pitch
        grey = cv2.GaussianBlur(self.grey, (0, 0), sigma) if sigma > 0.1 else self.grey
        columns, rows = (round(length * self.pitch / pitch) for length in self.grey.shape[::-1])
        way = cv2.INTER_AREA if pitch > self.pitch else cv2.INTER_LINEAR
        breast = cv2.resize(self.breast.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST)
        return replace(
            self, grey=cv2.resize(grey, (columns, rows), interpolation=way), breast=breast.astype(bool), pitch=pitch
        )

    def depth(self) -> Grey:
        """Distance from the skin in mm, inside the breast; the frame is no skin."""
        return np.asarray(distance_inside(self.breast) * self.pitch, np.float32)

    def interior(self) -> Mask:
        """The breast without its rim, painted areas and, in an MLO, the upper corner at the chest wall."""
        framed = np.zeros(np.add(self.breast.shape, 2), bool)
        framed[1:-1, 1:-1] = self.breast & ~coloured(self.grey)
        inside = ndimage.distance_transform_edt(framed)[1:-1, 1:-1] * self.pitch > WALL
        inside &= self.depth() > RIM
        if self.listed.view == "MLO":
            inside &= ~self.muscle(MUSCLE)
        labels, _ = ndimage.label(inside)
        return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]) if labels.any() else inside, bool)

    def muscle(self, parts: tuple[float, float]) -> Mask:
        """The triangle at the upper end of the chest wall that has these parts of the breast's height and depth."""
        rows, columns = (np.flatnonzero(self.breast.any(axis=axis)) for axis in (1, 0))
        down = (np.arange(self.breast.shape[0]) - rows[0]) / (parts[0] * (np.ptp(rows) + 1))
        across = (np.arange(self.breast.shape[1]) - columns[0]) / (parts[1] * (np.ptp(columns) + 1))
        return np.asarray(down[:, None] + across[None, :] < 1, bool)


def distance_inside(mask: Mask) -> npt.NDArray[np.float64]:
    """How far, in pixels, each pixel of a mask is from what is not in it; the frame is no edge."""
    return np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1])


def coloured(grey: Grey) -> Mask:
    """Areas of one grey value that are no anatomy: a muscle painted over."""
    window = 15
    flat = ndimage.maximum_filter(grey, window) == ndimage.minimum_filter(grey, window)
    flat &= grey > grey.min()
    return np.asarray(ndimage.binary_dilation(flat, iterations=window), bool)


def read(listed: Listed) -> Image:
    """Read an image and set it upright."""
    pixels, _ = read_pixels(listed.path)
    if listed.facts.get("photometric") == "MONOCHROME1":
        pixels = np.iinfo(pixels.dtype).max - pixels
    breast = breast_mask(Mammogram(pixels, path=listed.path))
    side = chest_wall(breast)
    turns = {"left": 0, "right": 0, "top": 1, "bottom": 3}[side]
    grey, breast = (np.rot90(array, turns) for array in (pixels, breast))
    if side == "right":
        grey, breast = grey[:, ::-1], breast[:, ::-1]
    pitch = listed.pitch or FIELD_HEIGHT / pixels.shape[0]
    return Image(listed, np.ascontiguousarray(grey, np.float32), np.ascontiguousarray(breast), pitch)


def find_sets(phantoms: Path | None, data: Path) -> dict[str, list[Listed]]:
    """The images of each set, those of mini-MIAS and M-SYNTH as their tables have them."""
    sets = {"infn": list(_infn(data / "infn" / "TestSet"))}
    sets["mias"] = [
        Listed("mias", data / "mias" / row["path"], row["patient_id"], row["tissue"], row["view"], MIAS_PITCH, row)
        for row in _rows(data / "mias" / "manifest.csv")
    ]
    sets["msynth"] = list_msynth(data / "msynth")
    if phantoms is not None:
        sets["phantom"] = list_phantoms(phantoms)
    return {name: sets[name] for name in SETS if name in sets}


def list_phantoms(folder: Path) -> list[Listed]:
    """The images that a catalogue of phantom exams names."""
    how = {"photometric": read_json(folder / "phantom.json")["photometric"]}
    return [
        Listed("phantom", folder / row["path"], row["patient_id"], row["density"], row["view"], None, row | how)
        for row in _rows(folder / "catalogue.csv")
    ]


def list_msynth(folder: Path) -> list[Listed]:
    """The images of M-SYNTH; its words for the four classes in letters."""
    letters = {"fatty": "A", "scattered": "B", "hetero": "C", "dense": "D"}
    return [
        Listed(
            "msynth",
            folder / "images" / row["filename"],
            row["patient_id"],
            letters[row["breast_density"]],
            "CC",
            MSYNTH_PITCH,
            row,
        )
        for row in _rows(folder / "manifest.csv")
    ]


def _infn(folder: Path) -> Iterator[Listed]:
    for path in sorted(folder.rglob("*.png")):
        exam, _, density, view, _ = re.split("_", path.stem)
        yield Listed("infn", path, exam, density, view, INFN_PITCH, {})


def _rows(table: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = pd.read_csv(table, dtype=str, keep_default_na=False).to_dict("records")
    return rows


def choose(listed: Sequence[Listed], number: int, seed: int = 0) -> list[Listed]:
    """About ``number`` images, as many of each class as can be, no second one of a patient while others have none."""
    generator = np.random.default_rng(seed)
    classes = sorted({one.density for one in listed})
    chosen: list[Listed] = []
    for label in classes:
        own = [one for one in listed if one.density == label]
        taken: Counter[str] = Counter()
        turns = []
        for one in (own[place] for place in generator.permutation(len(own))):
            turns.append((taken[one.patient], one))
            taken[one.patient] += 1
        turns.sort(key=lambda turn: turn[0])
        chosen += [one for _, one in turns[: -(-number // len(classes))]]
    return chosen


def on_all_cores(work: Callable[[Listed], T], listed: Sequence[Listed]) -> list[T]:
    """What ``work`` makes of each image, one process a core."""
    with ProcessPoolExecutor(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        return list(pool.map(work, listed, chunksize=4))
