"""The files that a DICOMDIR lists.

Source: DICOM PS3.3, annex F (Basic Directory), and PS3.10, section 8 (files' ids).
"""

from __future__ import annotations

from pathlib import Path

from densight.intake.dicom.header import read_header, sequence, text, words
from densight.vocabulary import DensightError

__all__ = ["list_directory"]


def list_directory(path: Path) -> list[Path]:
    """The image files that a DICOMDIR lists, in its order, whether they are there or not.

    Raises
    ------
    DensightError
        If it is no DICOMDIR, is damaged, or lists no image.
    """
    dataset = read_header(path)
    if "DirectoryRecordSequence" not in dataset:
        raise DensightError("this is no DICOMDIR", path, "give the folder of the disc")
    listed = []
    for record in sequence(dataset, "DirectoryRecordSequence"):
        parts = words(record, "ReferencedFileID")
        if text(record, "DirectoryRecordType").upper() == "IMAGE" and parts and ".." not in parts:
            listed.append(_as_spelled(path.parent, parts))
    if not listed:
        raise DensightError("the DICOMDIR lists no image", path, "give the folder of the disc")
    return listed


def _as_spelled(folder: Path, parts: tuple[str, ...]) -> Path:
    """Discs spell names in capitals; copies of them often in small letters."""
    listed = folder.joinpath(*parts)
    small = folder.joinpath(*(part.lower() for part in parts))
    return small if small.is_file() and not listed.is_file() else listed
