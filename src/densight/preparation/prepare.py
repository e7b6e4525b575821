"""What the network sees: the presets ``tutorial``, ``default`` and ``breast``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from densight.anatomy.breast import UPRIGHT, Side, box_around, brighter_denser, locate
from densight.anatomy.reading import Anatomy, read
from densight.geometry import Geometry, set_upright
from densight.intake.mammogram import Mammogram
from densight.shapes import RANKS, enlarge, grey_levels
from densight.vocabulary import DensightError

__all__ = ["PRESETS", "Framed", "Preparation", "Prepared", "finish", "frame", "prepare"]

Image = npt.NDArray[np.float32]

PRESETS: dict[str, tuple[tuple[int, int], int]] = {
    "tutorial": ((650, 650), 3),
    "default": ((384, 256), 1),
    "breast": ((320, 208), 3),
}
"""Each preset's usual frame (rows, columns) and its number of channels."""

AIR_MARGIN = 0.02
"""Air kept around the breast but at the chest wall, as a part of the longer side of its box."""


_ORIENTATION_NOTES: dict[Side, str] = {
    "left": "not turned or mirrored, because the chest wall is at the left",
    "right": "mirrored left to right, because the chest wall was at the right",
    "top": "turned by 90° counterclockwise, because the chest wall was at the top",
    "bottom": "turned by 90° clockwise, because the chest wall was at the bottom",
}
"""In words what `densight.anatomy.breast.UPRIGHT` does."""

DARKEST = 0.05
"""The least value of tissue in the preset ``breast``: 0 is what is hidden from the network."""

DETECTOR_BITS = (8, 10, 12, 14, 16)
"""Bits a grey value that images come in."""


@dataclass(frozen=True)
class Preparation:
    """A preset and the frame's size: all that a bundle must store to prepare an image as in training.

    Parameters
    ----------
    preset : {"tutorial", "default", "breast"}
    shape : (int, int)
        Rows and columns of the frame.

    Examples
    --------
    >>> Preparation("tutorial", (650, 650)).channels
    3
    """

    preset: str
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise DensightError(f"unknown preparation {self.preset!r}", remedy=f"use one of {', '.join(PRESETS)}")
        if len(self.shape) != 2 or min(self.shape) < 32:
            raise DensightError(
                f"the frame {self.shape} is too small", remedy="give rows and columns of at least 32 pixels"
            )

    @classmethod
    def usual(cls, preset: str) -> Preparation:
        """The preset with its usual frame."""
        return cls(preset, PRESETS[preset][0] if preset in PRESETS else (0, 0))

    @property
    def channels(self) -> int:
        """Input channels of the network."""
        return PRESETS[self.preset][1]


@dataclass(frozen=True, eq=False)
class Framed:
    """A mammogram in the network's frame, before what augmentation must come before.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        ``tutorial``: grey values 0–255. ``default``: 0 for air, else 0–1 between robust limits inside the breast.
        ``breast``: 0 for air and the pectoral muscle, else from `DARKEST` to 1 between such limits.
    geometry : Geometry
        The way there and back.
    done : tuple of str
        What was done, in words for the run folder and the report.
    """

    image: Image
    geometry: Geometry
    done: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the network sees.

    Parameters
    ----------
    tensor : ndarray of float32, shape (channels, rows, columns)
    image : ndarray of float32, shape (rows, columns)
        The same before its last step, as in `Framed`: what a person can look at.
    geometry : Geometry
    done : tuple of str
        What reading and preparation did and assumed, in words.
    """

    tensor: Image
    image: Image
    geometry: Geometry
    done: tuple[str, ...]


def prepare(mammogram: Mammogram, preparation: Preparation, anatomy: Anatomy | None = None) -> Prepared:
    """Bring a mammogram into the form in which a network was trained.

    Parameters
    ----------
    mammogram : Mammogram
    preparation : Preparation
    anatomy : Anatomy, optional
        What `densight.anatomy.read` read in it, if that is done already; the preset ``breast`` needs it.

    Raises
    ------
    DensightError
        If the preset needs the breast and none stands out from the background.

    Examples
    --------
    >>> pixels = np.zeros((256, 256), np.uint8); pixels[50:200, :100] = 90; pixels[90:150, :60] = 180
    >>> prepare(Mammogram(pixels), Preparation.usual("default")).tensor.shape
    (1, 384, 256)
    """
    framed = frame(mammogram, preparation, anatomy=anatomy)
    return Prepared(
        finish(framed.image, preparation), framed.image, framed.geometry, (*mammogram.assumed, *framed.done)
    )


def frame(
    mammogram: Mammogram,
    preparation: Preparation,
    like: Mammogram | None = None,
    anatomy: Anatomy | None = None,
) -> Framed:
    """Bring a mammogram into the frame: orientation, crop, scale and grey values.

    Parameters
    ----------
    mammogram : Mammogram
    preparation : Preparation
    like : Mammogram, optional
        Another picture of the same breast, pixel by pixel: what preparation would measure on this one is measured on
        that one, so that the two can be compared in the frame.
    anatomy : Anatomy, optional
        What was read in ``like``, or in the mammogram, if that is done already.
    """
    like = like or mammogram
    if preparation.preset == "tutorial":
        return _frame_tutorial(mammogram, preparation.shape, like)
    if preparation.preset == "default":
        visible = _VisibleBreast.of(like, anatomy)
    else:
        visible = _VisibleBreast.without_muscle(like, anatomy or read(like))
    return _frame_upright(mammogram, preparation, like, visible)


def finish(image: Image, preparation: Preparation) -> Image:
    """The framed image ``(rows, columns)`` to the network's input ``(channels, rows, columns)``.

    ``tutorial``: what Keras' ``ImageDataGenerator(rescale=1/255, samplewise_center=True)`` makes of three equal
    channels, in its order and precision: times 1/255, then minus the image's own mean.
    """
    if preparation.preset == "tutorial":
        x = np.repeat((image * np.float32(1.0 / 255))[:, :, None], 3, axis=2)
        x -= np.mean(x, keepdims=True)
        # Left as it lies in memory, which is how PyTorch wants it channels-last.
        return x.transpose(2, 0, 1)
    if preparation.preset == "default":
        return ((image - 0.5) / 0.25).astype(np.float32)[None]
    breast = image > 0
    if not breast.any():
        return np.full((3, *image.shape), -0.5, np.float32)
    levels = grey_levels(image[breast])
    # Equal levels would make ranks depend on which of them is found first.
    ranks = np.interp(image, levels + 1e-6 * np.arange(levels.size), RANKS)
    return (np.stack([image, ranks * breast, breast]) - 0.5).astype(np.float32)


def _frame_tutorial(mammogram: Mammogram, shape: tuple[int, int], like: Mammogram) -> Framed:
    """Stretch over the frame by the nearest pixel, as ``flow_from_directory(target_size=…)`` does by default.

    Source: keras-preprocessing 1.1, ``ImageDataGenerator.flow_from_directory`` (``interpolation="nearest"``), which
    calls Pillow's ``Image.resize``. What Keras makes of 16-bit images is nonsense (all above 255 is white), so here
    their grey values are brought to 8 bits, from as many as detectors give.
    """
    from PIL import Image as PillowImage

    done = ["preset tutorial", f"stretched to {shape[0]}×{shape[1]}, nearest pixel"]
    whole = PillowImage.fromarray(mammogram.pixels)
    image = np.asarray(whole.resize((shape[1], shape[0]), PillowImage.Resampling.NEAREST))
    if image.dtype == np.uint16:
        greatest = mammogram.pixels.max()
        most = greatest if like is mammogram else max(greatest, like.pixels.max())
        bits = next(bits for bits in DETECTOR_BITS if most < 1 << bits)
        image = image >> (bits - 8)
        done.append(f"grey values up to {greatest} taken as of {bits} bits, divided by {1 << (bits - 8)}")
    return Framed(image.astype(np.float32), Geometry.stretched(mammogram.shape, shape), tuple(done))


def _brightness_notes(*, raw: bool, inverted: bool) -> tuple[str, ...]:
    if raw:
        return ("logarithm of grey values taken, because they are a detector's before processing",)
    return ("grey values inverted, because air was brighter than the breast",) if inverted else ()


@dataclass(frozen=True, eq=False)
class _VisibleBreast:
    """What of a mammogram is shown to the network: a mask in its pixels, and how it lies."""

    mask: npt.NDArray[np.bool_]
    side: Side
    inverted: bool
    raw: bool
    words: str

    @classmethod
    def of(cls, mammogram: Mammogram, anatomy: Anatomy | None) -> _VisibleBreast:
        located = (anatomy and anatomy.located) or locate(mammogram)
        breast = enlarge(located.breast, mammogram.shape)
        return cls(breast, located.side, located.inverted, located.raw, "the breast")

    @classmethod
    def without_muscle(cls, mammogram: Mammogram, anatomy: Anatomy) -> _VisibleBreast:
        tissue = anatomy.breast & ~anatomy.pectoral
        if not tissue.any():
            raise DensightError("no breast is found in it", mammogram.path, "check that it is a mammogram")
        words = "the breast without the pectoral muscle"
        return cls(tissue, anatomy.side, anatomy.inverted, anatomy.raw, words)


def _frame_upright(mammogram: Mammogram, preparation: Preparation, like: Mammogram, visible: _VisibleBreast) -> Framed:
    """Chest wall to the left, cropped to what is visible, aspect ratio kept, grey values between limits in it."""
    import cv2

    turns, mirrored = UPRIGHT[visible.side]
    mask = set_upright(visible.mask, turns, mirrored)
    box = box_around(mask, AIR_MARGIN)
    geometry = Geometry.fitted(mammogram.shape, preparation.shape, box, turns=turns, mirrored=mirrored)
    inside = (slice(box[0], box[0] + box[2]), slice(box[1], box[1] + box[3]))
    rows, columns = geometry.content_shape
    way = cv2.INTER_AREA if min(geometry.scale) < 1 else cv2.INTER_LINEAR

    def look(pixels: npt.NDArray[np.generic]) -> Image:
        grey = brighter_denser(set_upright(pixels, turns, mirrored)[inside], raw=visible.raw, inverted=visible.inverted)
        return np.asarray(cv2.resize(grey, (columns, rows), interpolation=way))

    grey = look(mammogram.pixels)
    tissue = cv2.resize(mask[inside].astype(np.float32), (columns, rows), interpolation=way) > 0.5
    measured = grey if like is mammogram else look(like.pixels)
    low, high = np.percentile(measured[tissue], (1, 99)) if tissue.any() else (0.0, 0.0)
    if high <= low:
        raise DensightError("the breast has one grey value only", mammogram.path, "check the export of the image")
    darkest = DARKEST if preparation.preset == "breast" else 0.0
    image = np.zeros(preparation.shape, np.float32)
    top, left = geometry.offset
    normalised = darkest + (1 - darkest) * np.clip((grey - low) / (high - low), 0, 1)
    image[top : top + rows, left : left + columns] = np.where(tissue, normalised, 0)
    done = (
        f"preset {preparation.preset}",
        _ORIENTATION_NOTES[visible.side],
        *_brightness_notes(raw=visible.raw, inverted=visible.inverted),
        f"cropped to {visible.words}, {box[2]} of {mask.shape[0]} rows and {box[3]} of {mask.shape[1]} columns",
        f"grey values {low:.0f} to {high:.0f} inside the breast taken as 0 to 1",
    )
    return Framed(image, geometry, done)
