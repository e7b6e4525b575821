"""The options that every command has: ``--json``, ``--quiet`` and ``--verbose``."""

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
    "COMMON_OPTIONS",
    "FAULT",
    "JsonOption",
    "OutputMode",
    "QuietOption",
    "VerboseOption",
    "add_to_json",
    "is_quiet",
    "set_global",
    "with_common_options",
]

FAULT = 2
"""The exit status of a command that could not do its work; 1 means that it could, except for some images."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show each file that is read or written, and where an error occurred.")
]
COMMON_OPTIONS: dict[str, Any] = {"as_json": JsonOption, "quiet": QuietOption, "verbose": VerboseOption}
"""The options by the names of the commands' parameters."""


@dataclass(frozen=True)
class OutputMode:
    """What a command prints, and the content of its JSON object.

    Parameters
    ----------
    as_json, quiet, verbose : bool
        The options of the same names.
    facts : dict
        What the JSON object will hold, as collected so far.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


_GLOBAL_MODE: ContextVar[OutputMode] = ContextVar("global_mode", default=OutputMode())  # noqa: B039 - replaced, never changed
_CURRENT_MODE: ContextVar[OutputMode | None] = ContextVar("current_mode", default=None)


def set_global(mode: OutputMode) -> None:
    """Store the options that stand before the command's name."""
    _GLOBAL_MODE.set(mode)


def is_quiet() -> bool:
    """Whether nothing is printed for people: with ``--quiet``, and with ``--json``."""
    mode = _CURRENT_MODE.get()
    return mode is not None and (mode.as_json or mode.quiet)


def add_to_json(**facts: Any) -> None:
    """Add to the JSON object of ``--json``; paths become text, dataclasses become dictionaries, NaN becomes null."""
    mode = _CURRENT_MODE.get()
    if mode is not None:
        mode.facts.update(facts)


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `COMMON_OPTIONS` to the options of a command."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)

    @functools.wraps(command)
    def wrapped(*, as_json: bool, quiet: bool, verbose: bool, **arguments: Any) -> None:
        with _output_mode(command.__name__, OutputMode(as_json, quiet, verbose)):
            command(**arguments)

    parameters = [parameter.replace(annotation=hints[name]) for name, parameter in signature.parameters.items()]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option)
        for name, option in COMMON_OPTIONS.items()
    ]
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


@contextmanager
def _output_mode(command: str, options: OutputMode) -> Iterator[None]:
    """Set the output mode while a command runs; a command within another, as in demo, has the mode of the outer one."""
    outer, before = _CURRENT_MODE.get(), _GLOBAL_MODE.get()
    if outer is not None:
        options = before = outer
    mode = OutputMode(
        options.as_json or before.as_json, options.quiet or before.quiet, options.verbose or before.verbose
    )
    token = _CURRENT_MODE.set(mode)
    status = 0
    try:
        with _log_to_stderr(on=mode.verbose and outer is None):
            yield
    except typer.Exit as stop:
        status = stop.exit_code
        raise
    except DensightError as error:
        status = FAULT
        add_to_json(error={"fault": error.fault, "path": error.path, "remedy": error.remedy})
        if mode.verbose:
            traceback.print_exc()
        raise
    finally:
        _CURRENT_MODE.reset(token)
        if mode.as_json and outer is None:
            _print_json({"command": command, "status": status, **mode.facts})


@contextmanager
def _log_to_stderr(*, on: bool) -> Iterator[None]:
    """Write the package's log to the standard error output."""
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


def _print_json(facts: dict[str, Any]) -> None:
    from densight.storage import plain

    print(json.dumps(plain(facts), indent=2, ensure_ascii=False, default=str))  # noqa: T201
