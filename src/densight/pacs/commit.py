"""Storage commitment: a PACS' promise that it keeps what it has taken.

Source: DICOM PS3.4, annex J (Storage Commitment Push Model).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from densight.pacs.address import Address, Security
from densight.pacs.dimse import SUCCESS, TIMEOUT, associate, serve
from densight.pacs.protocol import unreachable

__all__ = ["request_commitment"]

_REQUEST = 1


def request_commitment(
    address: Address, security: Security, own_title: str, paths: Sequence[Path], *, bind: str, port: int
) -> None:
    """Ask a PACS to commit itself to what was stored, and wait for its answer.

    Parameters
    ----------
    address : Address
        Of DIMSE. The PACS must know where densight's title listens, because it calls back.
    security : Security
    own_title : str
    paths : sequence of Path
        What was stored.
    bind, port : str, int
        Where the PACS' call is waited for.

    Raises
    ------
    DensightError
        If the PACS does not answer in time, or commits itself to less than all.
    """
    answers: list[Dataset] = []
    answered = threading.Event()
    transaction = generate_uid()

    def take(event: evt.Event) -> tuple[int, None]:
        information = event.event_information
        if information.get("TransactionUID") == transaction:
            answers.append(information)
            answered.set()
        return SUCCESS, None

    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, take)]
    entity = AE(own_title)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = serve(entity, bind, port, handlers, security)
    try:
        asking = AE(own_title)
        asking.add_requested_context(StorageCommitmentPushModel)
        with associate(asking, address, security, evt_handlers=handlers) as association:
            status, _ = association.send_n_action(
                _asked(transaction, paths), _REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            if status.get("Status") != SUCCESS:
                raise unreachable(address, "it does not commit itself to storage")
            answered.wait(1)
        if not answered.wait(TIMEOUT):
            raise unreachable(address, f"no commitment to storage within {TIMEOUT} s")
    finally:
        server.shutdown()
    failed = answers[0].get("FailedSOPSequence") or []
    if failed:
        raise unreachable(address, f"it does not commit itself to {len(failed)} of {len(paths)} objects")


def _asked(transaction: str, paths: Sequence[Path]) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    for path in paths:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
        asked.ReferencedSOPSequence.append(item)
    return asked
