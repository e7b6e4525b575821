"""The verdict card: the trials of a method on a model, worded for a paper's methods section."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densight.assessment.record import read_record
from densight.explanation.methods.methods import method_name
from densight.storage import read_json
from densight.trials.measure import MEASURES, Summary

__all__ = ["JUDGED", "PICTURES", "TRIALS", "Card", "Line", "describe", "make_card", "number", "read_trials"]

TRIALS = "trials.json"
"""The file's name in a run folder: verdicts, summaries, and the images and models of the trials."""

PICTURES = "trials"
"""The folder of the trials' pictures in a run folder."""

JUDGED = {
    "tissue": ("tissue.auc", "tissue.inside"),
    "deletion": ("deletion",),
    "insertion": ("insertion",),
    "sanity": ("sanity.cascade", "sanity.labels"),
    "repeatability": ("repeatability.shift", "repeatability.noise", "repeatability.seed"),
    "infidelity": ("infidelity",),
    "sensitivity": ("sensitivity",),
    "cause": ("cause.rank", "cause.effect", "cause.beside"),
}
"""The measures that decide each trial. The others are reported."""

_QUESTIONS = {
    "tissue": "Is the evidence in dense tissue?",
    "deletion": "Does the score fall when tissue becomes fat in the map's order?",
    "insertion": "Does the score rise when fat becomes tissue in the map's order?",
    "sanity": "Does the map change when the network forgets what it has learnt?",
    "repeatability": "Is the map the same when nothing relevant changes?",
    "infidelity": "Does the map predict how changes of tissue change the score?",
    "sensitivity": "Is the map stable under weak noise?",
    "cause": "Is the map's weight where tissue affects the score?",
}


@dataclass(frozen=True)
class Line:
    """A trial's verdict.

    Parameters
    ----------
    trial, question : str
    verdict : {"passes", "at chance", "fails", "told", "nothing"}
        ``passes`` only if every deciding measure passes; else the worst of their verdicts.
    words : str
        The figures, for a paper.
    """

    trial: str
    question: str
    verdict: str
    words: str


@dataclass(frozen=True)
class Card:
    """The verdicts of the trials of a method.

    Parameters
    ----------
    method : str
    lines : tuple of Line
        One per trial that was made. There is no total.
    """

    method: str
    lines: tuple[Line, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The trials that the map did not pass, without those that could not be judged."""
        return tuple(line.trial for line in self.lines if line.verdict in ("fails", "at chance"))

    @property
    def warning(self) -> str:
        """The warning for the method's maps; empty if they passed every trial that was judged."""
        if not self.failed:
            return ""
        failed = ", ".join(self.failed)
        return f"{method_name(self.method)} did not pass: {failed}. See the trials before you trust this map."


def make_card(method: str, summaries: Mapping[str, Summary]) -> Card:
    """Judge a method by its trials.

    Parameters
    ----------
    method : str
    summaries : mapping of str to Summary
        By the name of the measure.
    """
    lines = []
    for trial, names in JUDGED.items():
        there = [name for name in names if name in summaries]
        if not there:
            continue
        verdicts = [summaries[name].verdict for name in there]
        worst = next(word for word in ("fails", "at chance", "nothing", "told", "passes") if word in verdicts)
        words = "; ".join(describe(name, summaries[name]) for name in there)
        lines.append(Line(trial, _QUESTIONS[trial], worst, words))
    return Card(method, tuple(lines))


def read_trials(run: Path) -> dict[str, Any] | None:
    """The content of a run folder's ``trials.json``; None if there were no trials, or they were of other models.

    Raises
    ------
    DensightError
        If a file is damaged.
    """
    if not (run / TRIALS).is_file():
        return None
    content = read_json(run / TRIALS)
    known = {model.sha256 for model in read_record(run).models}
    return content if set(content.get("tried", {}).get("models", [])) == known else None


def describe(name: str, summary: Summary) -> str:
    """A measure and its values, in words.

    Examples
    --------
    >>> describe("tissue.auc", Summary(0.62, (0.55, 0.7), 0.5, (0.05, 0.2), 20, 40, 0, "passes"))
    'area under the ROC curve for dense tissue in the breast .62 [.55, .70], chance .50 (20 patients, 40 images)'
    """
    measure = MEASURES[name]
    if summary.verdict == "nothing":
        return f"{measure.words}: nothing to measure in {_count(summary.nothing, 'image')}"
    low, high = (number(value) for value in summary.interval)
    values = f"{measure.words} {number(summary.value)} [{low}, {high}], chance {number(summary.chance)}"
    counts = [_count(summary.patients, "patient"), _count(summary.images, "image")]
    if summary.nothing:
        counts.append(f"{summary.nothing} without a value")
    return f"{values} ({', '.join(counts)})"


def number(value: float) -> str:
    """A number as papers print it.

    Examples
    --------
    >>> number(0.617), number(-0.2), number(-0.001), number(1.5), number(float("nan"))
    ('.62', '−.20', '.00', '1.50', '–')
    """
    if math.isnan(value):
        return "–"
    text = f"{round(value, 2) + 0.0:.2f}"
    return text.replace("-", "−").replace("−0.", "−.").removeprefix("0")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
