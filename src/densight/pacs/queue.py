"""The queue of exams on disk: what has arrived, what is assessed, what is answered; whatever is killed meanwhile."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from densight.vocabulary import DensightError

__all__ = ["ANSWERED", "ASSESSED", "FAILED", "NOTHING", "WAITING", "Queue", "QueuedExam"]

WAITING, ASSESSED, ANSWERED, NOTHING, FAILED = "waiting", "assessed", "answered", "nothing to assess", "failed"
"""States of an exam. One that is answered, failed, or had nothing to assess waits again when more images of it come."""

_SETTINGS = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS exams (
    study TEXT PRIMARY KEY, exam TEXT NOT NULL, state TEXT NOT NULL, changed REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS images (
    sop TEXT PRIMARY KEY, study TEXT NOT NULL REFERENCES exams (study), projection TEXT NOT NULL);
"""

_DUE = """
SELECT study, exam, state, changed FROM exams
WHERE due <= :now AND (state = :assessed OR state = :waiting AND changed + :settle * CASE WHEN (
    SELECT COUNT(DISTINCT projection) FROM images WHERE images.study = exams.study AND projection != ''
) >= 4 THEN 1 ELSE 3 END <= :now)
ORDER BY changed LIMIT 1
"""

LONGEST_WAIT = 300.0
"""The longest wait in seconds before an exam is repeated."""


@dataclass(frozen=True)
class QueuedExam:
    """An exam in the queue.

    Parameters
    ----------
    study : str
        Its study instance UID.
    name : str
        Its pseudonym, under which its files lie.
    state : str
    changed : float
        When the last image of it came, in seconds since the epoch.
    """

    study: str
    name: str
    state: str
    changed: float


class Queue:
    """What is known of every exam that has arrived; one process at a time has it.

    Parameters
    ----------
    path : Path
        The SQLite file; made where it is not there.

    Raises
    ------
    DensightError
        If another process has it, or it is damaged.

    Examples
    --------
    >>> with Queue(Path("build/queue.sqlite")) as queue:
    ...     queue.add("1.2.3.4", "1.2.3", "E7", "CC_R", now=10.0)
    ...     queue.due(now=12.0, settle=5.0), queue.due(now=99.0, settle=5.0)
    (None, QueuedExam(study='1.2.3', name='E7', state='waiting', changed=10.0))
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(path, timeout=1, check_same_thread=False, isolation_level=None)
            self._connection.executescript(_SETTINGS)
            self._connection.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
        except sqlite3.OperationalError as error:
            fault = f"the queue cannot be opened ({error})"
            raise DensightError(fault, path, "stop the other densight pacs watch, or choose another folder") from error
        except sqlite3.DatabaseError as error:
            fault = f"the queue is damaged ({error})"
            raise DensightError(fault, path, "move it away; what it knew is lost") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def knows(self, sop: str) -> bool:
        """Whether an image has arrived before."""
        with self._lock:
            return self._connection.execute("SELECT 1 FROM images WHERE sop = ?", (sop,)).fetchone() is not None

    def add(self, sop: str, study: str, exam: str, projection: str, *, now: float) -> None:
        """Note an image that is safely on disk; its exam waits from now on. One that is known changes nothing."""
        with self._changing() as connection:
            if connection.execute("SELECT 1 FROM images WHERE sop = ?", (sop,)).fetchone():
                return
            connection.execute(
                "INSERT INTO exams (study, exam, state, changed) VALUES (?, ?, ?, ?) ON CONFLICT (study) DO UPDATE "
                "SET state = excluded.state, changed = excluded.changed, tries = 0, due = 0, said = ''",
                (study, exam, WAITING, now),
            )
            connection.execute("INSERT INTO images VALUES (?, ?, ?)", (sop, study, projection))

    def ignore(self, sop: str) -> None:
        """Note an image that cannot be used, so that it is not asked for again."""
        with self._changing() as connection:
            connection.execute("INSERT OR IGNORE INTO images VALUES (?, '', '')", (sop,))

    def due(self, *, now: float, settle: float) -> QueuedExam | None:
        """The exam that is to be worked on: one that is assessed and not answered, or has waited long enough.

        An exam waits until nothing of it has come for ``settle`` seconds; one that lacks some of the four projections,
        for three times as long, because they may still come.
        """
        with self._lock:
            row = self._connection.execute(
                _DUE, {"assessed": ASSESSED, "waiting": WAITING, "now": now, "settle": settle}
            ).fetchone()
        return None if row is None else QueuedExam(*row)

    def mark(self, exam: QueuedExam, state: str, note: str = "") -> bool:
        """Note how far an exam has come, unless more of it has arrived meanwhile; return whether it was noted."""
        with self._changing() as connection:
            changed = connection.execute(
                "UPDATE exams SET state = ?, said = ?, tries = 0, due = 0 "
                "WHERE study = ? AND state = ? AND changed = ?",
                (state, note, exam.study, exam.state, exam.changed),
            )
            return changed.rowcount == 1

    def postpone(self, exam: QueuedExam, note: str, *, now: float) -> float:
        """Repeat an exam later: after one second, then after twice as long each time, at most five minutes.

        Returns
        -------
        float
            The seconds.
        """
        with self._changing() as connection:
            row = connection.execute("SELECT tries FROM exams WHERE study = ?", (exam.study,)).fetchone()
            wait = min(LONGEST_WAIT, float(2 ** min(row[0], 20)))
            connection.execute(
                "UPDATE exams SET tries = tries + 1, due = ?, said = ? WHERE study = ?", (now + wait, note, exam.study)
            )
            return wait

    def answered(self, *, before: float) -> list[str]:
        """The names of exams that are done with, of which nothing has come since a time."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT exam FROM exams WHERE state NOT IN (?, ?) AND changed < ?", (WAITING, ASSESSED, before)
            )
            return [name for (name,) in rows.fetchall()]

    def states(self) -> dict[str, int]:
        """How many exams are in each state."""
        with self._lock:
            rows = self._connection.execute("SELECT state, COUNT(*) FROM exams GROUP BY state ORDER BY state")
            return dict(rows.fetchall())

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One change, whole or not at all."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise DensightError(
                    f"the queue cannot be written ({error})", self.path, "free some space; then start again"
                ) from error
