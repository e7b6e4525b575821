"""Watch: what arrives is assessed, and the answer is stored in the PACS, each exam once, whatever is killed."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from densight.assessment.models import Models
from densight.pacs.protocol import Pacs, Query, check_held
from densight.pacs.queue import ANSWERED, ASSESSED, FAILED, NOTHING, WAITING, Queue, QueuedExam
from densight.pacs.receive import DamagedError, Inbox
from densight.runs.output_table import choose_outputs
from densight.runs.request import RunRequest
from densight.runs.run import run
from densight.vocabulary import DensightError

__all__ = ["INCOMING", "QUEUE", "RUNS", "Watch"]

QUEUE, INCOMING, RUNS = "queue.sqlite", "incoming", "exams"
"""In the folder of a watch: the queue, images that wait, and one run folder per exam."""

KEPT = 24 * 3600.0
"""Seconds for which images are kept after an exam is done with, because more of it may come."""

UNREACHED = 5.0
"""Seconds after which a PACS that did not answer is asked again."""

IDLE = 0.2
"""Seconds between two looks at the queue."""


@dataclass(frozen=True, eq=False)
class Watch:
    """Assess what arrives and answer it.

    Parameters
    ----------
    folder : Path
    queue : Queue
    models : Models
    method : str
        Of explanations; empty for none.
    answers : Pacs or None
        Where the results are stored; None leaves them in the folder.
    polled : Pacs or None
        What is asked for new exams; None where they are sent.
    modality : str
        What is asked for.
    days : int
        How many days back exams are asked for.
    every : float
        Seconds between two questions.
    settle : float
        Seconds in which nothing more of an exam must have come.
    say : callable
        Takes a line for whoever watches.
    """

    folder: Path
    queue: Queue
    models: Models
    method: str
    answers: Pacs | None
    polled: Pacs | None
    modality: str
    days: int
    every: float
    settle: float
    say: Callable[[str], None]

    @property
    def inbox(self) -> Inbox:
        """Where images wait."""
        return Inbox(self.folder / INCOMING, self.queue)

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Work until ``stop`` is set, or, if ``once``, until nothing is left to do."""
        asked = forgot = 0.0
        while not stop.is_set():
            if time.time() >= forgot + KEPT / 24:
                self._forget()
                forgot = time.time()
            if self.polled is not None and time.time() >= asked + self.every:
                if not self._poll(self.polled):
                    # What has come of an exam may be half of it, which must not be taken for all there is.
                    stop.wait(min(self.every, UNREACHED))
                    continue
                asked = time.time()
            exam = self.queue.due(now=time.time(), settle=self.settle)
            if exam is not None:
                self._work_on(exam)
            elif once and not {WAITING, ASSESSED} & set(self.queue.states()):
                return
            else:
                stop.wait(IDLE)

    def _forget(self) -> None:
        """Delete the images of exams that are done with: copies with patients' names are kept no longer than needed."""
        for name in self.queue.answered(before=time.time() - KEPT):
            shutil.rmtree(self.inbox.folder_of(name), ignore_errors=True)

    def _poll(self, pacs: Pacs) -> bool:
        """Retrieve what is new; return whether all of it came."""
        first = datetime.now(UTC).date() - timedelta(days=self.days)
        dates = f"{first:%Y%m%d}-" if self.days >= 0 else ""
        try:
            for study in pacs.find_studies(Query(dates, self.modality)):
                pacs.fetch(study, self.modality, self.queue.knows, self._take)
        except DensightError as error:
            self.say(f"not asked: {error}")
            return False
        return True

    def _take(self, sop: str, content: bytes) -> None:
        """Keep an image; one that cannot be used is reported and not asked for again."""
        try:
            self.inbox.take(sop, content)
        except DamagedError as error:
            self.queue.ignore(sop)
            self.say(f"an image left out: {error}")

    def _work_on(self, exam: QueuedExam) -> None:
        """Bring an exam a step further; what may pass is repeated, a fault of the exam is noted."""
        if exam.state == WAITING:
            self._assess(exam)
        elif exam.state == ASSESSED:
            self._answer(exam)

    def _assess(self, exam: QueuedExam) -> None:
        try:
            result = run(self._request(exam), models=self.models)
        except DensightError as error:
            # What is wrong with an image is in the result; this is the disk, or the model.
            wait = self.queue.postpone(exam, error.fault, now=time.time())
            self.say(f"{exam.name}: not assessed yet, repeated in {wait:g} s: {error}")
            return
        if result.exams is None:
            state = FAILED if result.failures else NOTHING
            reason = "; ".join(failure.fault for failure in result.failures) or "no view that is assessed"
            if self.queue.mark(exam, state, reason):
                self.say(f"{exam.name}: {state}: {reason}")
        else:
            density = str(result.exams["predicted"].iloc[0])
            self.queue.mark(exam, ASSESSED if self.answers else ANSWERED, density)
            self.say(f"{exam.name}: {density}")

    def _request(self, exam: QueuedExam) -> RunRequest:
        """The run of an exam: the one that the command line makes of the same folder."""
        return RunRequest(
            self.inbox.folder_of(exam.name),
            self._results(exam),
            self.models.sources,
            methods=(self.method,) if self.method else (),
            outputs=choose_outputs(dicom=True, identified=True),
        )

    def _answer(self, exam: QueuedExam) -> None:
        assert self.answers is not None
        files = sorted((self._results(exam) / "dicom").rglob("*.dcm"))
        try:
            self.answers.store(files)
            check_held(self.answers, files)
        except DensightError as error:
            wait = self.queue.postpone(exam, error.fault, now=time.time())
            self.say(f"{exam.name}: not answered yet, repeated in {wait:g} s: {error}")
            return
        if self.queue.mark(exam, ANSWERED):
            self.say(f"{exam.name}: answered")

    def _results(self, exam: QueuedExam) -> Path:
        return self.folder / RUNS / exam.name
