"""UIDs that are the same for the same words, so that an object that is written again replaces the earlier one."""

from __future__ import annotations

import uuid

__all__ = ["stable_uid"]

_NAMESPACE = uuid.UUID("6f1a0c1e-0f2b-5d7e-9b7b-2d1f64c3a5d8")


def stable_uid(*words: object) -> str:
    """A UID of the root 2.25 that some words decide.

    Source: DICOM PS3.5, annex B.2 (UUID-derived UIDs); RFC 9562, section 5.5 (UUIDs of names).

    Examples
    --------
    >>> stable_uid("study", 7) == stable_uid("study", 7) != stable_uid("study", 8)
    True
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, repr(tuple(map(str, words)))).int}"
