"""What every command can do besides its work: answer machines, be silent, tell what it reads and writes."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import platform
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Any, get_type_hints

import typer

from densight.vocabulary import DensightError

__all__ = [
    "FAULT",
    "HABITS",
    "JsonOption",
    "OutputMode",
    "QuietOption",
    "VerboseOption",
    "is_silent",
    "reply",
    "set_global",
    "with_habits",
]

FAULT = 2
"""The exit status of a command that could not do its work; 1 is that of one that could but for some images."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but faults.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell each file that is read and written, and where a fault arose.")
]
HABITS: dict[str, Any] = {"as_json": JsonOption, "quiet": QuietOption, "verbose": VerboseOption}
"""The options that every command has, by the names of its parameters."""


@dataclass(frozen=True)
class OutputMode:
    """How a command speaks, and what it has to say to a machine.

    Parameters
    ----------
    as_json, quiet, verbose : bool
    answers : dict
        What the command has found so far.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    answers: dict[str, Any] = field(default_factory=dict)


_WISHED: ContextVar[OutputMode] = ContextVar("wished", default=OutputMode())  # noqa: B039 - never changed, only replaced
_SPOKEN: ContextVar[OutputMode | None] = ContextVar("spoken", default=None)


def set_global(speech: OutputMode) -> None:
    """Take note of what was asked for before the command's name."""
    _WISHED.set(speech)


def is_silent() -> bool:
    """Whether nothing but an answer to a machine, or nothing at all, is to be printed."""
    speech = _SPOKEN.get()
    return speech is not None and (speech.as_json or speech.quiet)


def reply(**facts: Any) -> None:
    """Add to what ``--json`` prints; paths become text, tables of dataclasses dictionaries, NaN null."""
    speech = _SPOKEN.get()
    if speech is not None:
        speech.answers.update(facts)


def with_habits(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with the options `HABITS` added to its own."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)

    @functools.wraps(command)
    def spoken(*, as_json: bool, quiet: bool, verbose: bool, **given: Any) -> None:
        with _speaking(command.__name__, OutputMode(as_json, quiet, verbose)):
            command(**given)

    parameters = [one.replace(annotation=hints[name]) for name, one in signature.parameters.items()]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option)
        for name, option in HABITS.items()
    ]
    spoken.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    spoken.__annotations__ = {one.name: one.annotation for one in parameters}
    return spoken


@contextmanager
def _speaking(command: str, asked: OutputMode) -> Iterator[None]:
    """Speak as asked while a command works; a command within another, as demo's are, as that one does."""
    outer, wished = _SPOKEN.get(), _WISHED.get()
    if outer is not None:
        asked = wished = outer
    speech = OutputMode(asked.as_json or wished.as_json, asked.quiet or wished.quiet, asked.verbose or wished.verbose)
    token = _SPOKEN.set(speech)
    status = 0
    try:
        with _telling(on=speech.verbose and outer is None):
            yield
    except typer.Exit as stop:
        status = stop.exit_code
        raise
    except DensightError as error:
        status = FAULT
        reply(error={"fault": error.fault, "path": error.path, "remedy": error.remedy})
        if speech.verbose:
            traceback.print_exc()
        raise
    finally:
        _SPOKEN.reset(token)
        if speech.as_json and outer is None:
            _print_json({"command": command, "status": status, **speech.answers})


@contextmanager
def _telling(*, on: bool) -> Iterator[None]:
    """Log what the package does to the standard error output."""
    if not on:
        yield
        return
    logger = logging.getLogger("densight")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        logger.info("Python %s on %s", platform.python_version(), platform.platform())
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _print_json(answers: dict[str, Any]) -> None:
    from densight.storage import plain

    print(json.dumps(plain(answers), indent=2, ensure_ascii=False, default=str))  # noqa: T201
