"""The file names of pictures: readable, safe on every file system, and different for different images."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from densight.intake.mammogram import Entry

__all__ = ["EXAM_PICTURES", "MAPS", "exam_picture_name", "image_names"]

MAPS = "maps"
"""The folder of all pictures in a run folder. It has one folder per projection."""

EXAM_PICTURES = f"{MAPS}/exams"
"""The folder of the hung exams in a run folder."""


def exam_picture_name(patient_id: str, exam_id: str) -> str:
    """The file name of a hung exam in `EXAM_PICTURES`.

    If the ids cannot be read from the name, it ends with a part of their checksum.

    Examples
    --------
    >>> exam_picture_name("P7", "7_1"), exam_picture_name("P 7", "7/1")
    ('P7_7_1.png', 'P-7_7-1-b62bb397.png')
    """
    ids = f"{patient_id}_{exam_id}"
    plain = _safe(ids) == ids and "_" not in patient_id
    return f"{ids if plain else _with_checksum(_safe(ids), patient_id, exam_id)}.png"


def image_names(entries: Sequence[Entry], base: Path) -> dict[Path, str]:
    """The part of the pictures' names that identifies the image: its name, after those ids that it does not contain.

    If images of the same projection would share a name, each ends with a part of the checksum of its path.

    Parameters
    ----------
    entries : sequence of Entry
        All images of a run.
    base : Path
        The folder to which paths in the run's tables are relative.

    Examples
    --------
    >>> entries = [Entry(Path("in/1302_1_D_MLO_R.png"), None, "1302", "1302"),
    ...            Entry(Path("in/7/R.png"), None, "P1", "7"),
    ...            Entry(Path("in/8/R.png"), None, "P1", "8"), Entry(Path("in/8/R.tif"), None, "P1", "8")]
    >>> list(image_names(entries, Path("in")).values())
    ['1302_1_D_MLO_R', 'P1_7_R', 'P1_8_R-fca234c4', 'P1_8_R-8a7eed09']
    """
    names = {entry.path: (entry.projection, _image_name(entry)) for entry in entries}
    times = Counter(names.values())
    return {
        path: _with_checksum(place[1], Path(os.path.relpath(path, base)).as_posix()) if times[place] > 1 else place[1]
        for path, place in names.items()
    }


def _image_name(entry: Entry) -> str:
    stem = entry.path.stem
    ids = dict.fromkeys(filter(None, (entry.patient_id, entry.exam_id)))
    lacking = [name for name in ids if not re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", stem)]
    return _safe("_".join((*lacking, stem)))


def _safe(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", words)


def _with_checksum(name: str, *identity: str) -> str:
    return f"{name}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:8]}"
