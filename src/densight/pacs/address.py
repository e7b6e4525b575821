"""Where a PACS is, how it is spoken to, and with what credentials."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from densight.vocabulary import DensightError

__all__ = ["PASSWORD", "TOKEN", "Address", "Security", "check_title", "read_address"]

PASSWORD, TOKEN = "DENSIGHT_PACS_PASSWORD", "DENSIGHT_PACS_TOKEN"
"""Environment variables with secrets, which a command line would show to every user of the machine."""

_DIMSE = re.compile(r"(?P<title>[^@/:]+)@(?P<host>\[[^\]]+\]|[^@:/]+):(?P<port>\d+)")
_WANTED = "give https://host/dicom-web for DICOMweb, or AETITLE@host:port for DIMSE"


@dataclass(frozen=True)
class Security:
    """How a connection is secured.

    Parameters
    ----------
    tls : bool
        Whether DIMSE is spoken over TLS; DICOMweb is by its ``https``.
    authority : Path or None
        Certificates that are trusted, in PEM, instead of the system's.
    certificate, key : Path or None
        densight's own certificate and its key, in PEM.
    user : str
        The name for DICOMweb's basic authentication; the password is in `PASSWORD`.
    """

    tls: bool = False
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str = ""

    def __post_init__(self) -> None:
        for path in (self.authority, self.certificate, self.key):
            if path is not None and not path.is_file():
                raise DensightError("there is no such certificate or key", path, "give a PEM file")

    def context(self, *, serving: bool = False) -> ssl.SSLContext | None:
        """What Python's ``ssl`` needs for DIMSE over TLS; None without.

        Raises
        ------
        DensightError
            If a server has no certificate, or a file is no PEM.
        """
        if not self.tls:
            return None
        if serving and self.certificate is None:
            raise DensightError("a receiver over TLS needs a certificate", remedy="give --certificate and --key")
        try:
            purpose = ssl.Purpose.CLIENT_AUTH if serving else ssl.Purpose.SERVER_AUTH
            context = ssl.create_default_context(purpose, cafile=self.authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError) as error:
            raise DensightError(f"a certificate or key cannot be used ({error})", self.certificate) from error
        if serving and self.authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True)
class Address:
    """Where a PACS is.

    Parameters
    ----------
    url : str
        Of DICOMweb; empty where DIMSE is spoken.
    title : str
        The PACS' application entity title, for DIMSE.
    host : str
    port : int
    """

    url: str = ""
    title: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.url or f"{self.title}@{self.host}:{self.port}"


def read_address(text: str) -> Address:
    """Read the address of a PACS.

    Raises
    ------
    DensightError
        If it is neither a URL nor ``AETITLE@host:port``, or holds a password.

    Examples
    --------
    >>> str(read_address("http://127.0.0.1:8042/dicom-web/")), read_address("ORTHANC@pacs:4242").port
    ('http://127.0.0.1:8042/dicom-web', 4242)
    """
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        if parts.password or parts.username:
            raise DensightError(
                "the address holds a user's name or password", remedy=f"give --user, and the password in {PASSWORD}"
            )
        if not parts.hostname:
            raise DensightError(f"{text!r} is no address of a PACS", remedy=_WANTED)
        return Address(url=text.rstrip("/"), host=parts.hostname)
    match = _DIMSE.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise DensightError(f"{text!r} is no address of a PACS", remedy=_WANTED)
    return Address(title=check_title(match["title"]), host=match["host"].strip("[]"), port=int(match["port"]))


def check_title(title: str) -> str:
    r"""An application entity title, checked: one to sixteen characters of ASCII, none a backslash.

    Source: DICOM PS3.5, section 6.2 (AE).

    Raises
    ------
    DensightError
        If it is none.
    """
    title = title.strip()
    if not (0 < len(title) <= 16 and title.isascii() and title.isprintable() and "\\" not in title):
        raise DensightError(
            f"{title[:40]!r} is no application entity title", remedy="use 1 to 16 letters and digits, such as DENSIGHT"
        )
    return title


def secret(name: str) -> str:
    """A secret of the environment; empty where there is none."""
    return os.environ.get(name, "")
