"""Writing to disk so that a stopped run never leaves half a file: temporary file, then rename."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from densight.vocabulary import DensightError

_LOG = logging.getLogger(__name__)

__all__ = [
    "append_csv",
    "cannot_append",
    "checksum",
    "clear_leftovers",
    "delete",
    "plain",
    "read_json",
    "replacing",
    "write_bytes",
    "write_csv",
    "write_json",
    "write_list",
    "write_text",
]


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends well.

    The temporary file keeps the suffix, for writers that choose a format by it.

    Raises
    ------
    DensightError
        If the folder cannot be written to or is a file, or the disk is full. Nothing half-written is left.

    Examples
    --------
    >>> with replacing("build/example.txt") as temporary:
    ...     _ = temporary.write_text("whole or not at all")
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
        # Gets the permissions that every new file gets, unlike those of the module tempfile.
        temporary.touch(exist_ok=False)
        yield temporary
        temporary.replace(path)
        _LOG.info("wrote %s", path)
    except (FileExistsError, NotADirectoryError):
        raise _no_folder(path) from None
    except OSError as error:
        raise DensightError(
            f"cannot be written ({error.strerror or error})", path, "free some space or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def clear_leftovers(folder: str | Path) -> None:
    """Delete the temporary files of writes that were killed; a folder that is not there has none.

    Examples
    --------
    >>> write_text("build/.curves-0a1b2c3d.csv", "half of a table")
    >>> clear_leftovers("build")
    >>> Path("build/.curves-0a1b2c3d.csv").exists()
    False
    """
    for path in Path(folder).glob(f".*-{'?' * 8}.*"):
        delete(path)


def delete(path: str | Path) -> None:
    """Delete a file, if it is there.

    Raises
    ------
    DensightError
        If it cannot be deleted.

    Examples
    --------
    >>> write_text("build/failures.csv", "path,fault,remedy")
    >>> delete("build/failures.csv")
    >>> delete("build/failures.csv")
    """
    path = Path(path)
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        raise _no_folder(path) from None
    except OSError as error:
        raise DensightError(
            f"cannot be deleted ({error.strerror or error})", path, "check its permissions or choose another folder"
        ) from error


def _no_folder(path: Path) -> DensightError:
    fault = "cannot be written, because a file stands where a folder is needed"
    return DensightError(fault, path, "choose another folder")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, content.encode())


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON atomically, keys in the order given; NaN is refused, because it is not JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    DensightError
        If the file cannot be read or holds no JSON object.

    Examples
    --------
    >>> write_json("build/example.json", {"seed": 1})
    >>> read_json("build/example.json")
    {'seed': 1}
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DensightError(f"cannot be read ({error.strerror})", path, "check the path and its permissions") from error
    except ValueError as error:
        raise DensightError(f"the file is damaged, it is no JSON ({error})", path, "copy or make it again") from error
    if not isinstance(content, dict):
        raise DensightError("the file is damaged, it holds no JSON object", path, "copy or make it again")
    return content


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table atomically; a row without some column leaves it empty."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def append_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Add rows to a table that `write_csv` wrote.

    Raises
    ------
    DensightError
        If the disk is full or the file cannot be written.
    """
    path = Path(path)
    try:
        with path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, fieldnames=list(columns), restval="", lineterminator="\n").writerows(rows)
    except OSError as error:
        raise cannot_append(path, error) from error


def cannot_append(path: Path, error: OSError) -> DensightError:
    """The error where a line cannot be added to what a run has done."""
    why = f"cannot be written ({error.strerror})"
    return DensightError(why, path, "free some space; the same command then goes on")


def write_list(path: str | Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Write a table as `write_csv` does; where it has no row, no table stays, an earlier one neither."""
    if rows:
        write_csv(path, columns, rows)
    else:
        delete(path)


def checksum(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as dictionaries and lists, all the way down.

    Examples
    --------
    >>> plain({"kappa": float("nan"), "interval": (0.25, 0.75)})
    {'kappa': None, 'interval': [0.25, 0.75]}
    """
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    return value
