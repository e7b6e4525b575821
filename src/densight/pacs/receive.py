"""Take images in: a C-STORE provider, and where what it or a poll brings is kept."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from densight.intake.dicom.header import text
from densight.intake.dicom.identity import read_identity
from densight.intake.dicom.views import what_is_shown
from densight.intake.pseudonyms import pseudonym
from densight.pacs.address import Security
from densight.pacs.dimse import serve
from densight.pacs.queue import Queue
from densight.pacs.syntaxes import IMAGES, SYNTAXES, file_of
from densight.storage import write_bytes
from densight.vocabulary import DensightError

__all__ = ["DamagedError", "Inbox", "listen"]

OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000
"""Statuses of C-STORE: DICOM PS3.4, section B.2.3."""


class DamagedError(DensightError):
    """What arrived cannot be used, however often it is sent."""


@dataclass(frozen=True, eq=False)
class Inbox:
    """Where images wait: one folder per exam, both under pseudonyms, and the queue that knows them.

    Parameters
    ----------
    folder : Path
    queue : Queue
    """

    folder: Path
    queue: Queue

    def take(self, sop: str, content: bytes) -> None:
        """Keep an image: first the file, then the note of it, so that what is noted is there.

        Raises
        ------
        DamagedError
            If what arrived cannot be kept because of itself.
        DensightError
            If it cannot be written.
        """
        try:
            header = dcmread(io.BytesIO(content), stop_before_pixels=True)
            study = text(header, "StudyInstanceUID")
            shown = what_is_shown(header)
            known = shown.laterality and shown.view and not shown.excluded
        except Exception as error:  # a parser may raise anything on damaged bytes
            raise DamagedError(f"what arrived is damaged ({error})", remedy="send it again") from error
        if not (study and sop):
            raise DamagedError("what arrived names no study", remedy="send it from the archive again")
        exam = read_identity(header, Path(study)).exam_id
        # What lies here bears patients' names.
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes(self.folder_of(exam) / f"{pseudonym('image', sop)}.dcm", content)
        projection = f"{shown.view}_{shown.laterality}" if known else ""
        self.queue.add(sop, study, exam, projection, now=time.time())

    def folder_of(self, exam: str) -> Path:
        """Where the images of an exam lie."""
        return self.folder / exam


def listen(
    inbox: Inbox, *, title: str, port: int, bind: str, callers: Sequence[str], security: Security
) -> ThreadedAssociationServer:
    """Start a C-STORE and C-ECHO provider in the background; ``shutdown()`` ends it.

    Parameters
    ----------
    inbox : Inbox
        An image counts as received when it is kept there; only then is the sender told so.
    title : str
        densight's application entity title; calls to another are rejected.
    port : int
        0 for any that is free.
    bind : str
        The address of the network interface.
    callers : sequence of str
        Titles that may call; all if empty.
    security : Security

    Raises
    ------
    DensightError
        If the port cannot be had.
    """

    def store(event: evt.Event) -> int:
        try:
            inbox.take(*file_of(event))
        except DamagedError:
            return CANNOT_UNDERSTAND
        except DensightError:
            return OUT_OF_RESOURCES
        return 0x0000

    entity = AE(title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    entity.maximum_pdu_size = 0
    for kind in IMAGES:
        entity.add_supported_context(kind, SYNTAXES)
    entity.add_supported_context(Verification)
    return serve(entity, bind, port, [(evt.EVT_C_STORE, store)], security)
