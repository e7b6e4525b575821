"""Decode the pixels of a DICOM file, refusing beforehand what would fill the memory or is no grey image."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.intake.dicom.header import integer, text
from densight.intake.grey import MAX_PIXELS, grey_of_channels, too_large
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

__all__ = ["TRANSFER_SYNTAXES", "Stored", "decode"]

Stored = npt.NDArray[np.uint16] | npt.NDArray[np.int16]
"""Values as the file has them, before any display, shape (rows, columns)."""

_EXPORT_AGAIN = "export it from the PACS again"
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
_RLE = "1.2.840.10008.1.2.5"
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_LS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (80, 81))
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93))
_HTJ2K = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203))

TRANSFER_SYNTAXES = (*_NATIVE, _RLE, *_JPEG, *_JPEG_LS, *_JPEG_2000, *_HTJ2K)
"""Encodings that are read: DICOM PS3.5, annex A."""

_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_START_OF_FRAME = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}
_ALONE = {0x01, *range(0xD0, 0xD9)}


def decode(dataset: FileDataset, path: Path) -> tuple[Stored, tuple[str, ...]]:
    """The stored values of a grey image of one frame.

    Parameters
    ----------
    dataset : pydicom.FileDataset
    path : Path
        For messages.

    Returns
    -------
    stored : ndarray of uint16 or int16, shape (rows, columns)
        The values between the lowest bit and the high bit, with their sign (DICOM PS3.5, section 8.1.1).
    assumed : tuple of str

    Raises
    ------
    DensightError
        If there are no pixels, they are in colour, of more than 16 bits, more than 150 million, or fewer than the
        header says; if they are damaged, or what decodes them is not installed.
    """
    rows, columns = _check_header(dataset, path)
    frame = _frame(dataset, path)
    _check_size(dataset, frame, rows, columns, path)
    colour = text(dataset, "PhotometricInterpretation") in _COLOUR
    values = _decoded(dataset, frame, path, raw=not colour)
    if colour:
        grey, assumed = grey_of_channels(values, path)
        return grey.astype(np.uint16), assumed
    if values.shape != (rows, columns):
        shape = "×".join(map(str, values.shape))
        raise DensightError(f"the pixels are {shape}, the header says {rows}×{columns}", path, _EXPORT_AGAIN)
    return _between_bits(values, dataset), ()


def _check_header(dataset: FileDataset, path: Path) -> tuple[int, int]:
    """Rows and columns, of an image that can be decoded."""
    rows, columns = integer(dataset, "Rows") or 0, integer(dataset, "Columns") or 0
    if "PixelData" not in dataset or rows < 1 or columns < 1:
        raise DensightError("the DICOM file has no image", path, _EXPORT_AGAIN)
    if rows * columns > MAX_PIXELS:
        raise too_large(path)
    allocated, stored = integer(dataset, "BitsAllocated") or 0, integer(dataset, "BitsStored") or 0
    high = integer(dataset, "HighBit")
    if allocated not in (8, 16) or not 2 <= stored <= allocated or not stored - 1 <= (high or stored - 1) < allocated:
        fault = f"the pixels have {stored} of {allocated} bits, the highest being {high}"
        raise DensightError(fault, path, "give an image of 8 or 16 bits a pixel")
    photometric, samples = text(dataset, "PhotometricInterpretation"), integer(dataset, "SamplesPerPixel") or 1
    if (photometric in ("MONOCHROME1", "MONOCHROME2") and samples == 1) or (photometric in _COLOUR and samples == 3):
        return rows, columns
    fault = f"the pixels are {photometric or 'of no stated kind'}, {samples} values each"
    raise DensightError(fault, path, "give a grey image, MONOCHROME1 or MONOCHROME2")


def _check_size(dataset: FileDataset, frame: bytes | None, rows: int, columns: int, path: Path) -> None:
    """Refuse pixels that are cut off, and a compressed image that is larger than the header says."""
    if frame is None:
        samples, size = integer(dataset, "SamplesPerPixel") or 1, (integer(dataset, "BitsAllocated") or 8) // 8
        expected = rows * columns * size * samples
        if text(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
            expected = expected * 2 // 3
        if len(dataset.PixelData) < expected:
            fault = f"the pixels are cut off: {len(dataset.PixelData)} of {expected} bytes are there"
            raise DensightError(fault, path, _EXPORT_AGAIN)
        return
    encoded = _size_in_codestream(frame)
    if encoded is not None and encoded != (rows, columns):
        fault = f"the compressed pixels are {encoded[0]}×{encoded[1]}, the header says {rows}×{columns}"
        raise DensightError(fault, path, _EXPORT_AGAIN)


def _frame(dataset: FileDataset, path: Path) -> bytes | None:
    """The first frame of a compressed image; None of an uncompressed one."""
    from pydicom.encaps import get_frame

    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if syntax not in TRANSFER_SYNTAXES:
        known = "not a known one" if not syntax else f"{syntax[:64]}, which is not read"
        raise DensightError(f"the encoding of the pixels is {known}", path, "export it uncompressed")
    if syntax in _NATIVE:
        return None
    try:
        return get_frame(dataset.PixelData, 0, number_of_frames=1)
    except Exception as error:  # damaged fragments raise anything
        raise DensightError(f"the compressed pixels are damaged ({error})", path, _EXPORT_AGAIN) from error


def _decoded(dataset: FileDataset, frame: bytes | None, path: Path, *, raw: bool) -> npt.NDArray[Any]:
    from pydicom.pixels.utils import pixel_array

    try:
        return (
            pixel_array(dataset, index=0, raw=raw, correct_unused_bits=False)
            if frame is None
            else _decompressed(frame, dataset)
        )
    except MemoryError:
        raise too_large(path) from None
    except ImportError:
        fault = "the pixels are compressed, and what decodes them is not installed"
        raise DensightError(fault, path, "pip install 'densight[dicom]'") from None
    except DensightError:
        raise
    except Exception as error:  # decoders raise anything on damaged bytes
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise DensightError(f"the pixels are damaged ({cause})", path, _EXPORT_AGAIN) from error


def _decompressed(frame: bytes, dataset: FileDataset) -> npt.NDArray[Any]:
    """The pixels of a compressed frame: rows, columns, and channels where there are several."""
    import imagecodecs

    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax == _RLE:
        rows, columns, samples = dataset.Rows, dataset.Columns, integer(dataset, "SamplesPerPixel") or 1
        dtype = "<u2" if integer(dataset, "BitsAllocated") == 16 else "u1"
        values = np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype), dtype)
        # Each channel is a plane of its own: DICOM PS3.5, annex G.2.
        return np.moveaxis(values.reshape(samples, rows, columns), 0, -1).squeeze()
    decode_as = {_JPEG: imagecodecs.jpeg_decode, _JPEG_LS: imagecodecs.jpegls_decode, _HTJ2K: imagecodecs.htj2k_decode}
    decoder = next((decoder for known, decoder in decode_as.items() if syntax in known), imagecodecs.jpeg2k_decode)
    return np.asarray(decoder(frame))


def _between_bits(values: npt.NDArray[Any], dataset: FileDataset) -> Stored:
    """What lies between the lowest and the high bit of each pixel; overlays may lie in the others."""
    stored = integer(dataset, "BitsStored") or 8
    high = integer(dataset, "HighBit")
    signed = integer(dataset, "PixelRepresentation") == 1
    above = 0 if high is None else max(0, high - stored + 1)
    bits = values.astype(np.uint16, copy=False)
    if signed:
        # To the upper end, and with their sign down again.
        return (bits << (16 - stored - above)).view(np.int16) >> (16 - stored)
    return (bits >> above if above else bits) & np.uint16((1 << stored) - 1)


def _size_in_codestream(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns as a compressed image itself says; None where it does not.

    Sources: ITU-T T.81 (JPEG), annex B; ITU-T T.87 (JPEG-LS), annex C; ITU-T T.800 (JPEG 2000), annex A.5.1.
    """
    try:
        if frame.startswith(b"\xff\x4f\xff\x51"):
            across, down, left, top = struct.unpack(">IIII", frame[8:24])
            return down - top, across - left
        at = 2 if frame.startswith(b"\xff\xd8") else len(frame)
        while at + 9 <= len(frame):
            if frame[at] != 0xFF:
                return None
            marker = frame[at + 1]
            if marker in _START_OF_FRAME:
                rows, columns = struct.unpack(">HH", frame[at + 5 : at + 9])
                return rows, columns
            at += 1 if marker == 0xFF else 2 if marker in _ALONE else 2 + int.from_bytes(frame[at + 2 : at + 4])
    except struct.error:
        return None
    return None
