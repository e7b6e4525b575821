"""Read one mammogram from DICOM, PNG, JPEG, TIFF or PGM, and refuse what is not a whole grey image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.intake.dicom.read import read_dicom
from densight.intake.files import is_dicom, read_bytes
from densight.intake.grey import EXPORT_GREY, MAX_PIXELS, Pixels, check_grey, grey_of_channels, too_large
from densight.intake.mammogram import Mammogram
from densight.intake.naming import projection_of
from densight.vocabulary import PROJECTIONS, DensightError, Projection, find_projection

if TYPE_CHECKING:
    from PIL import Image, ImageFile

__all__ = ["read_mammogram", "read_pixels"]

_KINDS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"P2": "PGM",
    b"P3": "PGM",
    b"P5": "PGM",
    b"P6": "PGM",
}
"""What the first bytes identify; the suffix is not trusted."""

_PLUGINS = ("PNG", "JPEG", "TIFF", "PPM")
_ORIENTATION, _PHOTOMETRIC, _WHITE_IS_ZERO = 0x0112, 262, 0
_EXPORT_AGAIN = "copy or export it again"


def read_pixels(path: str | Path) -> tuple[Pixels, tuple[str, ...]]:
    r"""Read the grey values of one image, all of them.

    The content decides what the file is, whatever its suffix says. Grey values are as stored: 16-bit ones stay
    16-bit, and a PGM of 12 bits stays at 0 to 4095. An image is turned as its orientation tag says.

    Parameters
    ----------
    path : path-like
        A PNG, JPEG, TIFF or PGM file of one grey channel of 8 or 16 bits, or of equal colour channels of 8 bits; or a
        DICOM file, see `densight.intake.dicom.read.read_dicom`. It may lie in a zip archive: ``exams.zip/P1/IM1``.

    Returns
    -------
    pixels : ndarray of uint8 or uint16, shape (rows, columns)
        Grey values.
    assumed : tuple of str
        What was assumed, in words: equal colour channels taken as grey, transparency ignored, and the like.

    Raises
    ------
    DensightError
        If the file is missing, a folder, empty, not an image, truncated, in colour, constant, of one bit, of floats,
        of several pages, smaller than 64 pixels a side or larger than 150 million pixels.

    Examples
    --------
    >>> from densight.storage import write_bytes
    >>> write_bytes("build/ramp.pgm", b"P5 64 64 255\n" + bytes(range(64)) * 64)
    >>> pixels, assumed = read_pixels("build/ramp.pgm")
    >>> pixels.shape, pixels.dtype, assumed
    ((64, 64), dtype('uint8'), ())
    """
    path = Path(path)
    if is_dicom(path):
        image = read_dicom(path)
        return image.pixels, image.notes
    return _read_picture(path)


def read_mammogram(
    path: str | Path,
    projection: Projection | str | None = None,
    *,
    patient_id: str = "",
    exam_id: str = "",
    density: str | None = None,
) -> Mammogram:
    r"""Read one image file as a mammogram.

    Parameters
    ----------
    path : path-like
        See `read_pixels`.
    projection : Projection or str, optional
        The projection in any usual spelling. Otherwise the file's name states it, else the nearest folder that names
        one, else it stays unknown.
    patient_id, exam_id : str
        Ids to carry along.
    density : str, optional
        The reference label.

    Returns
    -------
    Mammogram
        Pixels of shape (rows, columns), what is known of them and what was assumed.

    Raises
    ------
    DensightError
        As `read_pixels`, and if ``projection`` is not one of the four.

    Examples
    --------
    >>> from densight.storage import write_bytes
    >>> write_bytes("build/P1_LCC.pgm", b"P5 64 64 255\n" + bytes(range(64)) * 64)
    >>> read_mammogram("build/P1_LCC.pgm").projection
    <Projection.CC_L: 'CC_L'>
    """
    path = Path(path)
    known, guessed = (_named(projection, path), ()) if projection is not None else projection_of(path)
    if is_dicom(path):
        image = read_dicom(path, known if projection is not None else None)
        known, guessed = (image.projection, ()) if image.projection else (known, guessed)
        return Mammogram(
            image.pixels, known, path, patient_id, exam_id, density, image.spacing, assumed=(*image.notes, *guessed)
        )
    pixels, assumed = _read_picture(path)
    return Mammogram(pixels, known, path, patient_id, exam_id, density, assumed=(*assumed, *guessed))


def _read_picture(path: Path) -> tuple[Pixels, tuple[str, ...]]:
    """As `read_pixels`, of a file that is not DICOM."""
    content = read_bytes(path)
    pixels, assumed = _decode(content, _kind(content, path), path)
    check_grey(pixels, path)
    return pixels, assumed


def _named(projection: str, path: Path) -> Projection:
    named = find_projection(projection)
    if named is None:
        known = ", ".join(PROJECTIONS)
        raise DensightError(f"unknown projection {str(projection)!r}", path, f"use one of {known}")
    return named


def _kind(content: bytes, path: Path) -> str:
    for mark, kind in _KINDS.items():
        if content.startswith(mark):
            return kind
    raise DensightError("this is not a DICOM, PNG, JPEG, TIFF or PGM image", path, EXPORT_GREY)


def _decode(content: bytes, kind: str, path: Path) -> tuple[Pixels, tuple[str, ...]]:
    from PIL import Image, UnidentifiedImageError

    # Pillow shows the pixels of a PNG or JPEG whose last bytes are gone; the closing mark shows that they are.
    whole = {"PNG": b"IEND" in content, "JPEG": content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda")}
    if not whole.get(kind, True):
        raise _damaged(kind, path, "its end is missing")
    try:
        with Image.open(io.BytesIO(content), formats=_PLUGINS) as image:
            _check_header(image, path)
            return _grey(image, content, path)
    except DensightError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large(path) from None
    except UnidentifiedImageError:
        raise _damaged(kind, path, "its header cannot be read") from None
    except Exception as error:  # a decoder may raise anything on damaged bytes
        raise _damaged(kind, path, str(error)) from error


def _damaged(kind: str, path: Path, why: str) -> DensightError:
    return DensightError(f"the {kind} image is truncated or damaged ({why})", path, _EXPORT_AGAIN)


def _check_header(image: ImageFile.ImageFile, path: Path) -> None:
    """Refuse, before any pixel is decoded, what cannot be one grey image."""
    if image.width * image.height > MAX_PIXELS:
        raise too_large(path)
    pages = getattr(image, "n_frames", 1)
    if pages > 1:
        raise DensightError(f"the file holds {pages} pages", path, "save each page as a file of its own")
    if image.mode == "F":
        raise DensightError("the pixels are floating-point numbers", path, EXPORT_GREY)
    if image.mode == "1" or _raw_mode(image) == "P;1":
        raise DensightError("the image has one bit a pixel, no grey values", path, EXPORT_GREY)
    if image.mode in ("RGB", "RGBA", "LA") and ";16" in _raw_mode(image):
        raise DensightError("the image has several channels of 16 bits", path, EXPORT_GREY)


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """How the pixels lie in the file, for instance ``RGB;16B`` where Pillow would give 8-bit RGB."""
    arguments = image.tile[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _grey(image: ImageFile.ImageFile, content: bytes, path: Path) -> tuple[Pixels, tuple[str, ...]]:
    from PIL import ImageOps

    if image.format == "PPM" and image.mode in ("L", "I"):
        return _pgm(image, content), ()
    turned = image.getexif().get(_ORIENTATION, 1) != 1
    inverted = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    image.load()
    upright = ImageOps.exif_transpose(image) if turned else image
    assumed = ["turned as its orientation tag says"] if turned else []
    if upright.mode == "L" or upright.mode.startswith("I"):
        pixels = _integers(np.asarray(upright), path)
        # Pillow inverts 8-bit grey values itself.
        if inverted and pixels.dtype == np.uint16:
            pixels = np.iinfo(np.uint16).max - pixels
    else:
        pixels, notes = _from_colour(upright, path)
        assumed += notes
    if inverted:
        assumed.append("grey values inverted, because the TIFF says that white is zero")
    return pixels, tuple(assumed)


def _pgm(image: ImageFile.ImageFile, content: bytes) -> Pixels:
    """The grey values of a PGM as stored, where Pillow stretches them to 8 or 16 bits, pixel by pixel."""
    decoder, _, start, arguments = image.tile[0]
    # Pillow names the largest value where it is not that of the type.
    maximum = arguments[1] if isinstance(arguments, tuple) else (255 if image.mode == "L" else 65535)
    shape = (image.height, image.width)
    if decoder == "ppm_plain":
        image.load()
        values = np.rint(np.asarray(image, dtype=np.float64) * maximum / (255 if maximum < 256 else 65535))
    else:
        values = np.frombuffer(content, "u1" if maximum < 256 else ">u2", shape[0] * shape[1], start).reshape(shape)
    return values.astype(np.uint8) if maximum < 256 else values.astype(np.uint16)


def _integers(values: npt.NDArray[Any], path: Path) -> Pixels:
    if values.dtype == np.uint8:
        return np.array(values, dtype=np.uint8)
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise DensightError("the grey values do not fit 16 bits without sign", path, EXPORT_GREY)
    return np.array(values, dtype=np.uint16)


def _from_colour(image: Image.Image, path: Path) -> tuple[Pixels, list[str]]:
    """The grey values of an image with channels, if the channels are equal."""
    if image.mode not in ("RGB", "RGBA", "LA", "P", "PA"):
        raise DensightError(f"the image is in colour ({image.mode})", path, EXPORT_GREY)
    channels = np.asarray(image.convert("RGBA"))
    grey, notes = grey_of_channels(np.ascontiguousarray(channels[..., :3]), path)
    assumed = [] if image.mode == "LA" else list(notes)
    if channels[..., 3].min() < 255:
        assumed.append("transparency ignored")
    return grey, assumed
