"""What every command prints on the terminal: lines, tables, bars, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD

from densight.cli.common_options import add_to_json, is_quiet

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from densight.intake.failures import Failure, LeftOut

__all__ = [
    "INTERRUPTED",
    "TABLE",
    "count",
    "draws_bars",
    "keep_left_out",
    "open_bar",
    "open_console",
    "print_failures",
    "print_left_out",
    "print_line",
]

TABLE: dict[str, Any] = {"title_justify": "left", "caption_justify": "left", "box": SIMPLE_HEAD, "pad_edge": False}
"""The look of every table."""

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C stopped: 128 and the signal's number."""

SHOWN_FAILURES = 10


def open_console() -> Console:
    """A console that shows text unchanged: in ids and paths, ``[b]`` is not markup and ``:x:`` is not an emoji."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, quiet=is_quiet())


def open_bar(console: Console) -> Progress:
    """A progress bar with counts and the time left; it shows nothing where the output is not a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not draws_bars(console))


def draws_bars(console: Console) -> bool:
    """Whether lines can be overwritten: in a real terminal, but not in a notebook's cell, which claims to be one."""
    return console.is_terminal and console.file.isatty() and not console.quiet


def print_line(console: Console, text: str) -> None:
    """Print a line without breaking it, because it may hold a path."""
    console.print(text, soft_wrap=True)


def print_failures(console: Console, failures: Sequence[Failure], listed: Path) -> None:
    """Print the images that cannot be used, why, what to do, and where all of them are listed.

    Of images with the same fault only the first is named.
    """
    print_line(console, f"{count(len(failures), 'image')} cannot be used:")
    alike: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        alike.setdefault((failure.fault, failure.remedy), []).append(failure)
    for (fault, remedy), same in list(alike.items())[:SHOWN_FAILURES]:
        others = f" and {count(len(same) - 1, 'other')}" if len(same) > 1 else ""
        then = f" Fix: {remedy}." if remedy else ""
        print_line(console, f"  {same[0].path}{others}: {fault}.{then}")
    if len(alike) > SHOWN_FAILURES:
        print_line(console, f"  … and {len(alike) - SHOWN_FAILURES} more faults")
    print_line(console, f"All of them, with what to do: {listed}")


def keep_left_out(console: Console, left_out: Sequence[LeftOut], folder: Path) -> None:
    """List in a folder what was left out, and print how much of it for which reason."""
    from densight.intake.failures import NOT_ASSESSED, write_left_out

    listed = folder / NOT_ASSESSED
    write_left_out(listed, left_out)
    add_to_json(not_assessed=left_out)
    print_left_out(console, left_out, listed)


def print_left_out(console: Console, left_out: Sequence[LeftOut], listed: Path) -> None:
    """How many files were not assessed, by reason, and where they are listed."""
    if not left_out:
        return
    print_line(console, f"{count(len(left_out), 'file')} not assessed:")
    reasons = Counter(file.reason for file in left_out).most_common()
    for reason, times in reasons[:SHOWN_FAILURES]:
        print_line(console, f"  {times}: {reason}")
    if len(reasons) > SHOWN_FAILURES:
        print_line(console, f"  … and {len(reasons) - SHOWN_FAILURES} more reasons")
    print_line(console, f"All of them: {listed}")


def count(number: int, noun: str) -> str:
    """A number and its noun.

    Examples
    --------
    >>> count(1, "image"), count(2, "image")
    ('1 image', '2 images')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
