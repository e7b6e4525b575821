"""Where bytes come from: files, members of zip archives, and files whose names are kept back.

A path may lead into a zip archive as into a folder: ``exams.zip/P1/IM1``. A part of it may be a stand-in for a name
that must not be written anywhere; see `conceal`.
"""

from __future__ import annotations

import logging
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from densight.intake.pseudonyms import LENGTH, pseudonym
from densight.vocabulary import DensightError

__all__ = [
    "conceal",
    "is_dicom",
    "is_there",
    "is_zip",
    "list_zip",
    "modified",
    "open_binary",
    "read_bytes",
    "real_path",
    "stamp",
]

_LOG = logging.getLogger(__name__)

MAX_BYTES = 2**29
"""More than any mammogram takes, with all that may be around its pixels."""

DICOM_MARK_AT, DICOM_MARK = 128, b"DICM"
"""Every DICOM file has this mark after a preamble of 128 bytes: DICOM PS3.10, section 7.1."""

_KEPT_SUFFIXES = frozenset({".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".pgm", ".zip"})
_STAND_IN = re.compile(rf"~[A-Z2-7]{{{LENGTH}}}(\.[a-z]+)?")
_EXPORT_AGAIN = "copy or export it again"
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What a zip archive's reading raises where it is damaged, encrypted or compressed in an unknown way."""


def read_bytes(path: str | Path) -> bytes:
    """Read a file or a member of a zip archive.

    Raises
    ------
    DensightError
        If it is missing, a folder, empty, larger than half a GiB, or cannot be read.
    """
    path = Path(path)
    with open_binary(path) as (file, size):
        if size > MAX_BYTES:
            raise DensightError(f"the file is too large ({size / 2**30:.1f} GiB)", path, "give a file of one image")
        content = file.read()
    _LOG.info("read %s", path)
    if not content:
        raise DensightError("the file is empty (0 bytes)", path, _EXPORT_AGAIN)
    return content


@contextmanager
def open_binary(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file or a member of a zip archive for reading; give it and its size in bytes.

    Raises
    ------
    DensightError
        As `read_bytes`, while the block reads, too.
    """
    real = real_path(path)
    archive = _archive_of(real)
    if archive is None and real.is_dir():
        raise DensightError("this is a folder, not an image", path, "give a file in it")
    try:
        if archive is None:
            with real.open("rb") as file:
                yield file, real.stat().st_size
        else:
            with zipfile.ZipFile(archive) as members, members.open(_member(members, archive, real)) as file:
                yield file, members.getinfo(file.name).file_size
    except (FileNotFoundError, KeyError):
        raise DensightError("there is no such file", path, "check the path; names are case-sensitive") from None
    except OSError as error:
        fault = f"the file cannot be read ({error.strerror or error})"
        raise DensightError(fault, path, "check its permissions and the disk") from error
    except _DAMAGE as error:
        if archive is None:
            raise
        raise DensightError(f"the zip archive cannot be read ({error})", path, "unpack it yourself") from error


def is_dicom(path: Path) -> bool:
    """Whether a file bears the mark of DICOM; False where it cannot be read."""
    try:
        with open_binary(path) as (file, _):
            return file.read(DICOM_MARK_AT + len(DICOM_MARK))[DICOM_MARK_AT:] == DICOM_MARK
    except DensightError:
        return False


def is_zip(path: Path) -> bool:
    """Whether a path is that of a zip archive on disk."""
    return _is_plain_zip(real_path(path))


def list_zip(path: Path) -> list[Path]:
    """The members of a zip archive that are files and not hidden, in order, as paths that lead into it.

    Raises
    ------
    DensightError
        If it is damaged.
    """
    try:
        with zipfile.ZipFile(real_path(path)) as archive:
            names = [PurePosixPath(member.filename) for member in archive.infolist() if not member.is_dir()]
    except (OSError, *_DAMAGE) as error:
        raise DensightError(f"the zip archive cannot be read ({error})", path, _EXPORT_AGAIN) from error
    shown = (name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.parts))
    return sorted(path.joinpath(*name.parts) for name in shown)


def is_there(path: Path) -> bool:
    """Whether there is such a file or member of a zip archive."""
    return bool(stamp(path))


def stamp(path: Path) -> list[int]:
    """What tells that a file has changed: its size in bytes and its time in ns, or its checksum in a zip archive."""
    try:
        real = real_path(path)
        archive = _archive_of(real)
        if archive is None:
            stat = real.stat()
            return [stat.st_size, stat.st_mtime_ns]
        with zipfile.ZipFile(archive) as members:
            member = members.getinfo(_member(members, archive, real))
            return [member.file_size, member.CRC]
    except (OSError, KeyError, *_DAMAGE):
        return []


def modified(path: Path) -> int:
    """When a file, or the zip archive that it lies in, was last changed, in ns.

    Raises
    ------
    OSError
        If it is not there.
    """
    real = real_path(path)
    return (_archive_of(real) or real).stat().st_mtime_ns


def conceal(name: str) -> str:
    """What stands for the name of a file or folder that would tell who a patient is; `real_path` finds it again.

    Examples
    --------
    >>> from densight.storage import write_text
    >>> write_text("build/kept/DOE^JANE.dcm", "")
    >>> hidden = conceal("DOE^JANE.dcm")
    >>> len(hidden), hidden[0], hidden[-4:]
    (15, '~', '.dcm')
    >>> real_path(Path("build/kept") / hidden).name
    'DOE^JANE.dcm'
    """
    suffix = Path(name).suffix.lower()
    return f"~{pseudonym('name', name)}{suffix if suffix in _KEPT_SUFFIXES else ''}"


def real_path(path: Path) -> Path:
    """The path with the names in place of what `conceal` has put for them.

    Whatever stands for no name that is there stays as it is.
    """
    if "~" not in str(path):
        return path
    real = Path(path.anchor)
    for part in path.parts[len(real.parts) :]:
        name = _names_in(real).get(part) if _STAND_IN.fullmatch(part) else None
        real /= name or part
    return real


def _names_in(folder: Path) -> dict[str, str]:
    """The names in a folder or zip archive by what stands for them."""
    archive = folder if _is_plain_zip(folder) else _archive_of(folder)
    try:
        when = (archive or folder).stat().st_mtime_ns
        return _concealed(folder, archive, when)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _concealed(folder: Path, archive: Path | None, when: int) -> dict[str, str]:
    """``when`` is the folder's time, so that a folder that has changed is listed anew."""
    names: Iterable[str]
    if archive is None:
        names = (child.name for child in folder.iterdir())
    else:
        inside = folder.relative_to(archive).parts
        members = (member.relative_to(archive).parts for member in list_zip(archive))
        names = {parts[len(inside)] for parts in members if parts[: len(inside)] == inside}
    return {conceal(name): name for name in names}


def _is_plain_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def _archive_of(path: Path) -> Path | None:
    """The zip archive that a path leads into."""
    return next((parent for parent in path.parents if _is_plain_zip(parent)), None)


def _member(members: zipfile.ZipFile, archive: Path, path: Path) -> str:
    """A member's name as the archive spells it."""
    wanted = PurePosixPath(path.relative_to(archive).as_posix())
    return next((name for name in members.namelist() if PurePosixPath(name) == wanted), wanted.as_posix())
