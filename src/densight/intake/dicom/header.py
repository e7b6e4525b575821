"""Open a DICOM file, whatever is wrong with it, and read its attributes."""

from __future__ import annotations

import io
import math
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from densight.intake.files import DICOM_MARK, DICOM_MARK_AT, MAX_BYTES, open_binary, read_bytes
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

__all__ = [
    "integer",
    "number",
    "numbers",
    "read_dataset",
    "read_header",
    "sequence",
    "text",
    "words",
]

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_HEAD = 4096
"""Bytes within which a file says how the rest of it is encoded."""

_EXPORT_AGAIN = "export it from the PACS again"
_MACROS = (
    ("FrameAnatomySequence", ("FrameLaterality",)),
    ("PixelMeasuresSequence", ("PixelSpacing",)),
    ("FrameVOILUTSequence", ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction")),
    ("PixelValueTransformationSequence", ("RescaleIntercept", "RescaleSlope", "RescaleType")),
)
"""Functional group macros (DICOM PS3.3, section C.7.6.16.2) and what of them is read."""


def read_header(path: Path) -> FileDataset:
    """All that a file says but for its pixels.

    Raises
    ------
    DensightError
        If pydicom is not installed, or it is no DICOM file, is truncated within its header or damaged.
    """
    with open_binary(path) as (file, _):
        head = file.read(_HEAD)
        if _DEFLATED in head:
            return _parse(io.BytesIO(_without_bomb(head + file.read(MAX_BYTES), path)), path, pixels=False)
        file.seek(0)
        return _parse(file, path, pixels=False)


def read_dataset(path: Path) -> FileDataset:
    """All that a file says; errors as of `read_header`, and if it is larger than half a GiB."""
    return _parse(io.BytesIO(_without_bomb(read_bytes(path), path)), path, pixels=True)


def _parse(file: IO[bytes], path: Path, *, pixels: bool) -> FileDataset:
    try:
        from pydicom import dcmread
        from pydicom.errors import InvalidDicomError
    except ImportError:
        raise DensightError(
            "this is a DICOM file, and what reads them is not installed", path, "pip install 'densight[dicom]'"
        ) from None

    try:
        dataset = dcmread(file, stop_before_pixels=not pixels)
        with_frame = _flattened(dataset)
    except InvalidDicomError:
        raise DensightError("this is not a DICOM file", path, _EXPORT_AGAIN) from None
    except DensightError:
        raise
    except RecursionError:
        raise DensightError("the DICOM file nests sequences without end", path, _EXPORT_AGAIN) from None
    except Exception as error:  # a parser may raise anything on damaged bytes
        raise DensightError(f"the DICOM file is truncated or damaged ({error})", path, _EXPORT_AGAIN) from error
    stated, kept = text(with_frame, "SOPClassUID"), str(with_frame.file_meta.get("MediaStorageSOPClassUID", ""))
    if stated and stated != kept and kept.startswith(stated):
        raise DensightError("the DICOM file is truncated within its header", path, _EXPORT_AGAIN)
    return with_frame


def _without_bomb(content: bytes, path: Path) -> bytes:
    """The content, refused where it is a deflated file that would fill the memory."""
    if _DEFLATED not in content[:_HEAD]:
        return content
    try:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        inflate.decompress(content[_end_of_meta(content) :], MAX_BYTES)
    except Exception as error:  # a parser may raise anything on damaged bytes
        raise DensightError(f"the DICOM file is truncated or damaged ({error})", path, _EXPORT_AGAIN) from error
    if inflate.unconsumed_tail:
        raise DensightError("the deflated DICOM file is too large", path, "give a file of one image")
    return content


def _end_of_meta(content: bytes) -> int:
    """Where the file meta information ends, which is never deflated: all elements of the group 0002."""
    from pydicom.filereader import read_dataset as read_elements

    stream = io.BytesIO(content)
    stream.seek(DICOM_MARK_AT + len(DICOM_MARK))
    read_elements(stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: tag >> 16 != 2)
    return stream.tell()


def _flattened(dataset: FileDataset) -> FileDataset:
    """What the functional groups of a multi-frame image say of its first frame, brought to the top."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in list(dataset.get(groups) or [])[:1]:
            for macro, keywords in _MACROS:
                for item in list(group.get(macro) or [])[:1]:
                    for keyword in keywords:
                        if keyword in item and keyword not in dataset:
                            setattr(dataset, keyword, item.get(keyword))
    return dataset


def text(dataset: Dataset, keyword: str) -> str:
    """A value as text without blanks around it, the first of several; empty where there is none."""
    return next(iter(words(dataset, keyword)), "")


def words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """All values of an attribute as text; none where there is none."""
    return tuple(str(value).strip() for value in _values(dataset, keyword))


def integer(dataset: Dataset, keyword: str) -> int | None:
    """A whole number; None where there is none.

    Raises
    ------
    DensightError
        If the value is no whole number, for the file is damaged then.
    """
    value = number(dataset, keyword)
    if value is not None and value != int(value):
        raise _damaged(keyword, f"{value:g} is no whole number")
    return None if value is None else int(value)


def number(dataset: Dataset, keyword: str) -> float | None:
    """A finite number, the first of several; None where there is none. Errors as of `integer`."""
    return next(iter(numbers(dataset, keyword)), None)


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values of an attribute as finite numbers; none where there is none. Errors as of `integer`."""
    found = []
    for value in _values(dataset, keyword):
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            raise _damaged(keyword, f"{str(value)[:20]!r} is no number") from None
        if not math.isfinite(found[-1]):
            raise _damaged(keyword, f"{value} is no finite number")
    return tuple(found)


def sequence(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where there is none. Errors as of `integer`."""
    from pydicom.dataset import Dataset

    items = _values(dataset, keyword)
    if not all(isinstance(item, Dataset) for item in items):
        raise _damaged(keyword, "it is no sequence")
    return items


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    """The values of an attribute, as far as there are any."""
    from pydicom.multival import MultiValue
    from pydicom.sequence import Sequence

    try:
        value = dataset.get(keyword)
        values = list(value) if isinstance(value, MultiValue | Sequence | list) else [value]
        return [one for one in values if one is not None and one != ""]
    except Exception as error:  # pydicom decodes a value when it is first asked for, and may raise anything then
        raise _damaged(keyword, str(error)) from error


def _damaged(keyword: str, why: str) -> DensightError:
    return DensightError(f"the DICOM attribute {keyword} is damaged ({why})", remedy=_EXPORT_AGAIN)
