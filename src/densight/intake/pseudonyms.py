"""Pseudonyms: what stands for names, ids and dates, the same for the same, and meaningless without the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

from densight.vocabulary import DensightError

__all__ = ["KEY_VARIABLE", "key_file", "pseudonym"]

KEY_VARIABLE = "DENSIGHT_KEY_FILE"
"""The environment variable that names the file of the key."""

LENGTH = 10
"""Letters of a pseudonym: 50 bits, so that among a million patients two share one with a chance of 1 in 2000."""

_KEY_BYTES = 32


def pseudonym(kind: str, value: str) -> str:
    """Ten letters and digits that stand for a value.

    They are the beginning of HMAC-SHA-256 (RFC 2104) under a key that is drawn when it is first needed and lies in the
    user's own settings (see `key_file`), in Base32 (RFC 4648). Whoever has the key can find out whether a pseudonym is
    that of a patient he names; nobody else can, and nobody can compute the value from it.

    Parameters
    ----------
    kind : str
        What is named, ``patient`` for instance: values of different kinds have different pseudonyms.
    value : str

    Raises
    ------
    DensightError
        If the key cannot be read or made.

    Examples
    --------
    >>> pseudonym("patient", "4711") == pseudonym("patient", "4711") != pseudonym("exam", "4711")
    True
    """
    digest = hmac.new(_key(key_file()), f"{kind}\0{value}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode()[:LENGTH]


def key_file() -> Path:
    """The file of the key: what ``DENSIGHT_KEY_FILE`` names, else ``pseudonym.key`` in the user's settings."""
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return Path(named)
    import typer

    return Path(typer.get_app_dir("densight")) / "pseudonym.key"


@cache
def _key(path: Path) -> bytes:
    try:
        if not path.is_file():
            _make_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        fault = f"the key of pseudonyms cannot be read or made ({error.strerror})"
        raise DensightError(fault, path, f"name a file that can be written in {KEY_VARIABLE}") from error
    except ValueError:
        key = b""
    if len(key) < _KEY_BYTES // 2:
        raise DensightError("this is no key of pseudonyms", path, f"restore it, or name another file in {KEY_VARIABLE}")
    return key


def _make_key(path: Path) -> None:
    """Write a key that only its owner can read; where another process has just done so, that one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        half.touch(0o600, exist_ok=False)
        half.write_text(secrets.token_hex(_KEY_BYTES) + "\n", encoding="ascii")
        try:
            os.link(half, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            half.replace(path)
    finally:
        half.unlink(missing_ok=True)
