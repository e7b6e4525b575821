"""The words that are refused in code and in what users read."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tools import check_words
from tools.check_words import Words, check_identifiers, check_text, identifier_hits, read_words, text_hits

PATH = Path("module.py")
WORDS = Words(
    {"said": "y_prob", "wish": "request"},
    frozenset({"said"}),
    ((re.compile(r"row\s+an\s+image", re.IGNORECASE), "per"),),
)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("said = 1", "said"),
        ("_said_ = 1", "_said_"),
        ("for said in []: pass", "said"),
        ("def said(): pass", "said"),
        ("async def said(): pass", "said"),
        ("class Wide:\n    wish: int", "wish"),
        ("def f(said): pass", "said"),
        ("def f(*, said=1): pass", "said"),
        ("def f(*said): pass", "said"),
        ("lambda said: 0", "said"),
        ("f(said=1)", "said"),
        ("a.said", "said"),
        ("a.said.b", "said"),
        ("import said", "said"),
        ("import a.said.b", "said"),
        ("from a import b as said", "said"),
        ("from said import b", "said"),
        ("try: pass\nexcept E as said: pass", "said"),
        ("def f():\n    global wish", "wish"),
        ("match a:\n    case [*said]: pass", "said"),
        ("match a:\n    case {**said}: pass", "said"),
        ("match a:\n    case 1 as said: pass", "said"),
        ("f'{said}'", "said"),
        ("y_said = 1", "y_said"),
        ("Said_of = 1", "Said_of"),
    ],
)
def test_a_refused_name_is_found_wherever_python_binds_or_uses_it(source: str, name: str) -> None:
    (hit,) = identifier_hits(source, PATH, WORDS)
    assert hit.phrase == name
    assert hit.instead == ("request" if name == "wish" else "y_prob")
    assert hit.line == source[: source.index(name)].count("\n") + 1


@pytest.mark.parametrize(
    "source",
    [
        "unsaid = saidst = 1",
        "wish_list = 1",  # of the whole word only
        "x = 'said'",
        "# said",
        '"""What is said."""',
        "def test_what_is_said_of_it(): pass",  # a sentence
    ],
)
def test_other_names_strings_comments_and_the_sentences_of_tests_are_left_alone(source: str) -> None:
    assert identifier_hits(source, PATH, WORDS) == []


def test_a_phrase_is_found_across_lines_and_cases_but_not_in_examples_of_code() -> None:
    page = "A\n\n```text\nrow an image\n```\nOne Row\nan image, and a row an image.\n"
    assert [(hit.line, hit.phrase) for hit in text_hits(page, Path("a.md"), WORDS)] == [
        (6, "Row an image"),
        (7, "row an image"),
    ]


def test_strings_and_docstrings_are_read_and_comments_are_not() -> None:
    source = '"""One.\n\nA row an image."""\n# row an image\nx = f"{y} row an {image}"\nz = f"{y} row an image"\n'
    assert [hit.line for hit in text_hits(source, PATH, WORDS)] == [3, 6]


def test_of_a_notebook_the_markdown_cells_are_read() -> None:
    source = "# %% [markdown]\n# One row\n# an image.\n\n# %%\nx = 'row an image'  # row an image\n"
    assert [hit.line for hit in text_hits(source, PATH, WORDS)] == [2]


def test_the_list_refuses_the_words_that_it_is_made_for() -> None:
    words = read_words()
    assert {"said", "told", "owners", "strangers"} == words.parts <= set(words.identifiers)
    for text in (
        "women who never were",
        "nothing but faults",
        "To mend it: give a number",
        "a row an image",
        "12 seconds an image",
        "a folder an exam",
        "one model a projection",
        "all done but for two images",
        "the reader is told",
        "exams, for they are few",
    ):
        assert len(text_hits(text, Path("a.md"), words)) == 1, text
    for text in (
        "one row per image",
        "Fix: give a number",
        "the model an operator chose",
        "for each image, for example",
        "a comment is of the amendment",
    ):
        assert text_hits(text, Path("a.md"), words) == [], text


def test_the_command_lists_each_hit_with_its_place_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\nsaid = 'A row an image.'\n")
    (tmp_path / "README.md").write_text("A row an image.\n")
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "docs" / "reference" / "made.md").write_text("A row an image.\n")
    for place in ("tests", "benchmarks", "tools", "docs/notebooks"):
        (tmp_path / place).mkdir()
    for name in ("conftest.py", "CONTRIBUTING.md"):
        (tmp_path / name).write_text("")

    assert list(map(str, check_identifiers(WORDS, tmp_path))) == ["src/a.py:2: said -> y_prob"]
    found = check_text(WORDS, tmp_path)
    assert list(map(str, found)) == ["README.md:1: row an image -> per", "src/a.py:2: row an image -> per"]

    monkeypatch.setattr(check_words, "read_words", lambda: WORDS)
    monkeypatch.setattr(check_words, "check_text", lambda _: found)
    monkeypatch.setattr(sys, "argv", ["check_words.py", "text"])
    assert check_words.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 refused words in 2 files (text)."
    monkeypatch.setattr(check_words, "check_text", lambda _: [])
    assert check_words.main() == 0
    assert capsys.readouterr().out == ""
