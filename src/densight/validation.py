"""Values from JSON and YAML files, checked by pydantic; its errors become densight's one error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from densight.vocabulary import DensightError

__all__ = ["validate"]

T = TypeVar("T")

MOST = 3
"""How many problems of one file a message lists."""

LONGEST = 80
"""How many characters of a wrong value a message shows."""

_FIELDS_ALIKE = {
    "missing": ("is missing", "are missing"),
    "extra_forbidden": ("is not a known field", "are not known fields"),
}
_TABLES = {"dataclass_type", "dict_type", "mapping_type", "model_attributes_type", "model_type"}
"""pydantic's error types where a table was expected; its messages name Python classes there."""


def validate(
    schema: TypeAdapter[T] | type[T],
    content: object,
    path: str | Path | None,
    remedy: str | Callable[[ErrorDetails], str],
    *,
    prefix: str = "",
) -> T:
    """Check the content of a file against a type and build the value of that type.

    Parameters
    ----------
    schema : TypeAdapter or class
        A pydantic model, a dataclass, or an adapter of any other type.
    content : object
        What ``json.loads`` or ``yaml.safe_load`` returned.
    path : path-like or None
        The file, for the message.
    remedy : str or callable
        How to fix the file. A callable gets pydantic's details of the first problem and returns what to write instead;
        the message then describes that problem alone, without what was expected.
    prefix : str
        Text before the problems, for instance ``"model.json is damaged: "``.

    Returns
    -------
    object
        A value of the type ``schema``.

    Raises
    ------
    DensightError
        If the content does not fit. It names the file, the field, the value and what was expected. Where a
        `DensightError` was raised inside, for instance by ``__post_init__``, its fault is kept; its remedy is kept
        where ``remedy`` is a callable.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Frame:
    ...     rows: int
    >>> validate(Frame, {"rows": 650}, "frame.json", "write the file again")
    Frame(rows=650)
    >>> validate(Frame, {"rows": "many"}, "frame.json", "write the file again")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    densight.vocabulary.DensightError: frame.json: rows is 'many' but should be a valid integer, ...
    """
    adapter: TypeAdapter[T] = schema if isinstance(schema, TypeAdapter) else TypeAdapter(schema)
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        # Fields that are missing or unknown come first: they explain the others.
        details = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] not in _FIELDS_ALIKE)
    first = details[0]
    inner = _inner(first)
    if isinstance(remedy, str):
        fix: str | None = remedy
    else:
        fix = remedy(first) if inner is None else inner.remedy
        # One remedy fits the first problem only; all fields that are missing, or unknown, are one problem.
        details = [problem for problem in details if problem["type"] == first["type"] in _FIELDS_ALIKE] or [first]
    problems = _describe_all(details, expectations=isinstance(remedy, str))
    if len(problems) > MOST:
        problems[MOST:] = [f"{len(problems) - MOST} more"]
    raise DensightError(prefix + "; ".join(problems), path, fix)


def _inner(problem: ErrorDetails) -> DensightError | None:
    """The error that densight's own code raised during validation, if one did."""
    error = problem.get("ctx", {}).get("error")
    return error if isinstance(error, DensightError) else None


def _describe_all(details: list[ErrorDetails], *, expectations: bool) -> list[str]:
    """One text per problem; one for all missing fields and one for all unknown fields."""
    texts = []
    for kind, (singular, plural) in _FIELDS_ALIKE.items():
        names = [_field(problem["loc"]) for problem in details if problem["type"] == kind]
        if names:
            texts.append(f"{', '.join(names)} {singular if len(names) == 1 else plural}")
    others = (problem for problem in details if problem["type"] not in _FIELDS_ALIKE)
    return texts + [_describe(problem, expectation=expectations) for problem in others]


def _describe(problem: ErrorDetails, *, expectation: bool) -> str:
    inner = _inner(problem)
    if inner is not None:
        return inner.fault
    value = repr(problem["input"])
    if len(value) > LONGEST:
        value = value[: LONGEST - 1] + "…"
    return f"{_field(problem['loc'])} is {value}" + (_expectation(problem) if expectation else "")


def _expectation(problem: ErrorDetails) -> str:
    if problem["type"] in _TABLES:
        return " but should be a table of keys and values"
    message = problem["msg"].removeprefix("Value error, ")
    return f" but {message.removeprefix('Input ')}" if message.startswith("Input should") else f" ({message})"


def _field(place: tuple[Any, ...]) -> str:
    """Where a value stands in its file: ``preparation.shape[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "the content"
