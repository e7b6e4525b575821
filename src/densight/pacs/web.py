"""DICOMweb: search, retrieve and store over HTTP (DICOM PS3.18: QIDO-RS, WADO-RS, STOW-RS)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread

from densight.pacs.address import PASSWORD, TOKEN, Address, Security, secret
from densight.pacs.protocol import Deliver, Query, unreachable
from densight.vocabulary import DensightError

__all__ = ["WebPacs"]

Match = Mapping[str, Any]
"""A result of a search, in DICOM's JSON."""

_STUDY, _SERIES, _INSTANCE, _MODALITY = "0020000D", "0020000E", "00080018", "00080060"
PAGE = 200
"""Results that are asked for at once."""

TIMEOUT = (10, 120)
"""Seconds to connect, and between two pieces of an answer."""

_FAILED = "00081198"
"""FailedSOPSequence of an answer to a store: PS3.18, annex I.2."""


@dataclass(frozen=True, eq=False)
class WebPacs:
    """A PACS that speaks DICOMweb; see `densight.pacs.protocol.Pacs`."""

    address: Address
    client: DICOMwebClient

    @classmethod
    def of(cls, address: Address, security: Security) -> WebPacs:
        """Make a client that goes to this address and nowhere else: no proxy, no redirection, no stored password."""
        session = requests.Session()
        session.trust_env = False
        session.max_redirects = 0
        session.verify = str(security.authority) if security.authority else True
        if security.certificate:
            session.cert = (str(security.certificate), str(security.key or security.certificate))
        if security.user:
            session.auth = (security.user, secret(PASSWORD))
        elif secret(TOKEN):
            session.headers["Authorization"] = f"Bearer {secret(TOKEN)}"
        client = DICOMwebClient(address.url, session=session, timeout=TIMEOUT, permissive_uid=True)
        client.set_http_retry_params(retry=False)
        return cls(address, client)

    def find_studies(self, query: Query) -> list[str]:
        """The study instance UIDs that match."""
        filters = {
            "StudyDate": query.dates,
            "ModalitiesInStudy": query.modality,
            "PatientID": query.patient_id,
            "StudyInstanceUID": query.study_uid,
        }
        asked = {name: value for name, value in filters.items() if value}
        return list(self._pages(lambda page: self.client.search_for_studies(search_filters=asked, **page), _STUDY))

    def fetch(self, study_uid: str, modality: str, known: Callable[[str], bool], deliver: Deliver) -> int:
        """Retrieve the images of a study one by one, in the encoding in which the PACS keeps them."""
        asked = {"Modality": modality} if modality else {}
        instances = self._pages(
            lambda page: self.client.search_for_instances(study_uid, search_filters=asked, **page), _INSTANCE
        )
        times = 0
        for uid, instance in instances.items():
            if known(uid) or (modality and _value(instance, _MODALITY) not in (modality, "")):
                continue
            with self._answering():
                kept = (("application/dicom", "*"),)
                dataset = self.client.retrieve_instance(study_uid, _value(instance, _SERIES), uid, media_types=kept)
            content = io.BytesIO()
            dataset.save_as(content, enforce_file_format=True)
            deliver(uid, content.getvalue())
            times += 1
        return times

    def store(self, paths: Sequence[Path]) -> None:
        """Store DICOM files one by one."""
        for path in paths:
            with self._answering():
                answer = self.client.store_instances([dcmread(path)])
            failed = answer.get(_FAILED) if answer else None
            if failed:
                reason = failed.value[0].get("FailureReason", "unknown")
                raise unreachable(self.address, f"it refused {path.name}, reason {reason}")

    def holds(self, path: Path) -> bool:
        """Whether the PACS finds the instance that a file holds."""
        header = dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID", "SOPInstanceUID"])
        asked = {"SOPInstanceUID": str(header.SOPInstanceUID)}
        with self._answering():
            instances = self.client.search_for_instances(str(header.StudyInstanceUID), search_filters=asked)
        return any(_value(instance, _INSTANCE) == header.SOPInstanceUID for instance in instances)

    def _pages(self, search: Callable[[dict[str, Any]], Sequence[Match]], tag: str) -> dict[str, Match]:
        """All that a search finds, by UID, page by page; a server that knows no pages gives the same one again."""
        matches: dict[str, Match] = {}
        while True:
            with self._answering():
                page = search({"limit": PAGE, "offset": len(matches)})
            new = {_value(match, tag): match for match in page}
            if new.keys() <= matches.keys():
                return matches
            matches |= new

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """What the connection raises, as one error that says what to do."""
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "?"
            raise unreachable(self.address, f"HTTP status {status}") from error
        except requests.RequestException as error:
            raise unreachable(self.address, type(error).__name__) from error
        except DensightError:
            raise
        except Exception as error:  # an answer that is no DICOM makes the client raise anything
            raise unreachable(self.address, f"its answer cannot be read: {error}") from error


def _value(match: Match, tag: str) -> str:
    """An attribute's first value in DICOM's JSON; empty where there is none."""
    values = match.get(tag, {}).get("Value") or [""]
    return str(values[0])
