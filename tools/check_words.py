"""Refuse private words: in identifiers (``identifiers``) and in what users read (``text``). The list is ``words.toml``.

Each hit is one line, ``file:line: phrase -> replacement``; the exit status is 1 if there is any.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = ("src", "tests", "benchmarks", "docs", "tools", "conftest.py")
PAGES = ("README.md", "CONTRIBUTING.md", "docs", "src")
GENERATED = ("docs/reference",)
FIELDS = ("id", "attr", "arg", "name", "asname", "module", "rest")
"""The fields of the nodes of ``ast`` that hold one identifier."""


@dataclass(frozen=True)
class Words:
    """The words that are refused."""

    identifiers: dict[str, str]
    """Each name with its replacement."""
    parts: frozenset[str]
    """The names that are refused as a part of a longer name, too."""
    phrases: tuple[tuple[re.Pattern[str], str], ...]
    """Each pattern with its replacement."""


@dataclass(frozen=True, order=True)
class Hit:
    """One use of a refused word."""

    path: Path
    line: int
    phrase: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.phrase} -> {self.instead}"


def read_words(path: Path = ROOT / "tools" / "words.toml") -> Words:
    """The list of words from its file."""
    content = tomllib.loads(path.read_text("utf-8"))
    phrases = [(entry["pattern"], entry["instead"]) for entry in content["phrases"]]
    return Words(
        content["identifiers"],
        frozenset(content["parts"]["words"]),
        tuple(
            (re.compile(pattern.replace(" ", r"(?:[ \t]+|[ \t]*\n[ \t]*)"), re.IGNORECASE), instead)
            for pattern, instead in phrases
        ),
    )


def identifier_hits(source: str, path: Path, words: Words) -> list[Hit]:
    """The refused names in Python source.

    Examples
    --------
    >>> words = Words({"said": "y_prob"}, frozenset({"said"}), ())
    >>> for hit in identifier_hits("y_said = model.said(1)", Path("a.py"), words):
    ...     print(hit)
    a.py:1: said -> y_prob
    a.py:1: y_said -> y_prob
    """
    hits = set()
    for line, name in names(ast.parse(source)):
        if refused := refused_word(name, words):
            hits.add(Hit(path, line, name, words.identifiers[refused]))
    return sorted(hits)


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every identifier of a tree, with its line. The sentences that name tests are no identifiers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.startswith(("test_", "Test")):
            continue
        line = node.end_lineno if isinstance(node, ast.Attribute) else getattr(node, "lineno", None)
        if line is None:
            continue
        values = [getattr(node, field, None) for field in FIELDS]
        if isinstance(node, ast.Global | ast.Nonlocal):
            values += node.names
        for value in values:
            if isinstance(value, str):
                yield from ((line, name) for name in value.split("."))


def refused_word(name: str, words: Words) -> str | None:
    """The word for which a name is refused."""
    bare = name.strip("_")
    if bare in words.identifiers:
        return bare
    return next((part for part in bare.lower().split("_") if part in words.parts), None)


def text_hits(source: str, path: Path, words: Words) -> list[Hit]:
    r"""The refused phrases in a page, or in the strings, docstrings and markdown cells of Python source.

    Examples
    --------
    >>> words = Words({}, frozenset(), ((re.compile(r"to\s+mend"), "fix"),))
    >>> [str(hit) for hit in text_hits("How to\nmend it.", Path("page.md"), words)]
    ['page.md:1: to mend -> fix']
    """
    hits = set()
    for line, text in texts(source, path):
        for pattern, instead in words.phrases:
            for match in pattern.finditer(text):
                phrase = " ".join(match.group().split())
                hits.add(Hit(path, line + text.count("\n", 0, match.start()), phrase, instead))
    return sorted(hits)


def texts(source: str, path: Path) -> Iterator[tuple[int, str]]:
    """What is to be read of a file: each text with the line at which it begins."""
    if path.suffix != ".py":
        yield 1, re.sub(r"^```.*?^```", lambda code: "\n" * code.group().count("\n"), source, flags=re.DOTALL | re.M)
    elif "# %% [markdown]" in source:
        yield from markdown_cells(source)
    else:
        yield from strings(ast.parse(source))


def markdown_cells(source: str) -> Iterator[tuple[int, str]]:
    """The markdown cells of a notebook's source in jupytext's percent format."""
    begin, cell, markdown = 1, list[str](), False
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("# %%"):
            yield begin, "\n".join(cell)
            begin, cell, markdown = number + 1, [], "[markdown]" in line
        elif markdown:
            cell.append(line.removeprefix("#").removeprefix(" "))
    yield begin, "\n".join(cell)


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The string literals below a node, an f-string as one text with ``{}`` for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        yield node.lineno, "".join(map(str, parts))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def files(places: tuple[str, ...], suffixes: tuple[str, ...], root: Path = ROOT) -> Iterator[Path]:
    """The files of the given suffixes in these places, generated ones apart, relative to the root."""
    for place in places:
        top = root / place
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = path.relative_to(root)
            if path.suffix in suffixes and not relative.as_posix().startswith(GENERATED):
                yield relative


def check_identifiers(words: Words, root: Path = ROOT) -> list[Hit]:
    """The refused names in all code."""
    paths = files(CODE, (".py",), root)
    return [hit for path in paths for hit in identifier_hits((root / path).read_text("utf-8"), path, words)]


def check_text(words: Words, root: Path = ROOT) -> list[Hit]:
    """The refused phrases in all that users read."""
    pages = files(PAGES, (".md", ".html"), root)
    code = (path for path in files(("src", "docs/notebooks"), (".py",), root))
    paths = [*pages, *code]
    return [hit for path in paths for hit in text_hits((root / path).read_text("utf-8"), path, words)]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["identifiers", "text"])
    checks = {"identifiers": check_identifiers, "text": check_text}
    what = parser.parse_args().what
    hits = checks[what](read_words())
    for hit in hits:
        print(hit)
    if hits:
        print(f"{len(hits)} refused words in {len({hit.path for hit in hits})} files ({what}).")
    return bool(hits)


if __name__ == "__main__":
    sys.exit(main())
