"""DIMSE: C-FIND, C-GET, C-STORE and storage commitment over associations (DICOM PS3.7, PS3.4)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)
from pynetdicom.transport import ThreadedAssociationServer

from densight.pacs.address import Address, Security
from densight.pacs.protocol import Deliver, Query, unreachable
from densight.pacs.syntaxes import IMAGES, SYNTAXES, file_of
from densight.vocabulary import DensightError

__all__ = ["SUCCESS", "TIMEOUT", "DimsePacs", "associate", "serve"]

SUCCESS = 0x0000
"""The status of what was done, PS3.7 annex C."""

PENDING = (0xFF00, 0xFF01)
TIMEOUT = 60
"""Seconds in which an answer is waited for."""


@dataclass(frozen=True, eq=False)
class DimsePacs:
    """A PACS that speaks DIMSE; see `densight.pacs.protocol.Pacs`."""

    address: Address
    security: Security
    own_title: str

    def find_studies(self, query: Query) -> list[str]:
        """The study instance UIDs that match."""
        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        asked.StudyDate, asked.ModalitiesInStudy = query.dates, query.modality
        asked.PatientID, asked.StudyInstanceUID = query.patient_id, query.study_uid
        return [str(study.StudyInstanceUID) for study in self._find(asked)]

    def fetch(self, study_uid: str, modality: str, known: Callable[[str], bool], deliver: Deliver) -> int:
        """Retrieve the images of a study by C-GET, which needs no port of its own that listens."""
        asked = Dataset()
        asked.QueryRetrieveLevel = "SERIES"
        asked.StudyInstanceUID, asked.SeriesInstanceUID, asked.Modality = study_uid, "", modality
        times = 0
        all_series = self._find(asked)
        for series in [s for s in all_series if not modality or s.get("Modality", modality) == modality]:
            listed = Dataset()
            listed.QueryRetrieveLevel = "IMAGE"
            listed.StudyInstanceUID, listed.SeriesInstanceUID = study_uid, series.SeriesInstanceUID
            listed.SOPInstanceUID = ""
            for uid in [str(image.SOPInstanceUID) for image in self._find(listed)]:
                if not known(uid):
                    listed.SOPInstanceUID = uid
                    self._get(listed, deliver)
                    times += 1
        return times

    def store(self, paths: Sequence[Path]) -> None:
        """Store DICOM files over one association."""
        datasets = [dcmread(path) for path in paths]
        contexts = {
            (dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.TransferSyntaxUID) for dataset in datasets
        }
        entity = AE(self.own_title)
        for kind, syntax in sorted(contexts):
            entity.add_requested_context(kind, [syntax])
        with self._association(entity) as association:
            for path, dataset in zip(paths, datasets, strict=True):
                try:
                    status = association.send_c_store(dataset)
                except (ValueError, RuntimeError, AttributeError) as error:
                    raise unreachable(self.address, f"{path.name}: {error}") from error
                if status.get("Status") != SUCCESS:
                    raise unreachable(self.address, f"it refused {path.name}, {_status(status)}")

    def holds(self, path: Path) -> bool:
        """Whether the PACS finds the instance that a file holds."""
        header = dcmread(path, stop_before_pixels=True)
        asked = Dataset()
        asked.QueryRetrieveLevel = "IMAGE"
        asked.StudyInstanceUID, asked.SeriesInstanceUID = header.StudyInstanceUID, header.SeriesInstanceUID
        asked.SOPInstanceUID = header.SOPInstanceUID
        return any(image.get("SOPInstanceUID") == header.SOPInstanceUID for image in self._find(asked))

    def _find(self, asked: Dataset) -> list[Dataset]:
        entity = AE(self.own_title)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        matches = []
        with self._association(entity) as association:
            for status, match in association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind):
                if status.get("Status") in PENDING and match is not None:
                    matches.append(match)
                elif status.get("Status") != SUCCESS:
                    raise unreachable(self.address, f"it does not search, {_status(status)}")
        return matches

    def _get(self, asked: Dataset, deliver: Deliver) -> None:
        faults: list[Exception] = []

        def take(event: evt.Event) -> int:
            try:
                deliver(*file_of(event))
            except Exception as error:
                faults.append(error)
                return 0xA700
            return SUCCESS

        entity = AE(self.own_title)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
        for kind in IMAGES:
            entity.add_requested_context(kind, SYNTAXES)
        roles = [build_role(kind, scp_role=True) for kind in IMAGES]
        with self._association(entity, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take)]) as association:
            for status, _ in association.send_c_get(asked, StudyRootQueryRetrieveInformationModelGet):
                if faults:
                    raise faults[0]
                if status.get("Status") not in (SUCCESS, *PENDING):
                    raise unreachable(self.address, f"it does not send, {_status(status)}")

    def _association(self, entity: AE, **more: Any) -> contextlib.AbstractContextManager[Association]:
        return associate(entity, self.address, self.security, **more)


@contextlib.contextmanager
def associate(entity: AE, address: Address, security: Security, **more: Any) -> Iterator[Association]:
    """An association that is released in the end.

    Parameters
    ----------
    entity : pynetdicom.AE
    address : Address
    security : Security
    more : object
        What ``AE.associate`` takes besides.

    Raises
    ------
    DensightError
        If there is none to be had.
    """
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT
    entity.connection_timeout = 10
    context = security.context()
    tls = (context, address.host) if context else None
    association = entity.associate(address.host, address.port, ae_title=address.title, tls_args=tls, **more)
    if not association.is_established:
        raise unreachable(address, "it rejected the association" if association.is_rejected else "no association")
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def serve(entity: AE, bind: str, port: int, handlers: list[Any], security: Security) -> ThreadedAssociationServer:
    """Listen in the background; ``shutdown()`` ends it.

    Raises
    ------
    DensightError
        If the port cannot be had.
    """
    context = security.context(serving=True)
    try:
        server = entity.start_server((bind, port), block=False, evt_handlers=handlers, ssl_context=context)
    except OSError as error:
        raise DensightError(
            f"port {port} of {bind} cannot be had ({error.strerror})", remedy="choose another with --listen"
        ) from error
    assert server is not None
    return server


def _status(status: Dataset) -> str:
    """A status in words for a message."""
    code = status.get("Status")
    comment = str(status.get("ErrorComment", ""))
    return "the connection was lost" if code is None else f"status 0x{code:04X} {comment}".strip()
