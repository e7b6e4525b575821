"""What every command can do besides its work: answer machines, be silent, tell what it does, complete in the shell."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from densight.cli.tutorial import STEPS
from tests.indexing import Done, densight, write_image
from tests.references import every_command

LEAVES = [name for name, command in every_command() if not getattr(command, "commands", None)]


def answered(done: Done) -> dict[str, object]:
    """The one JSON object that a command has printed."""
    found: dict[str, object] = json.loads(done.said)
    return found


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_the_habits(name: str) -> None:
    help_text = densight(*name.split()[1:], "--help").said
    for option in ("--json", "-q, --quiet", "-v, --verbose"):
        assert option in help_text


@pytest.mark.parametrize("words", [("--json", "plan"), ("plan", "--json")], ids=["before", "after"])
def test_json_may_stand_before_or_after_the_verb(words: tuple[str, ...]) -> None:
    done = densight(*words, "--width", 0.1, "--kappa", 0.8)
    said = answered(done)
    assert said["command"] == "plan"
    assert said["status"] == 0
    assert f"{said['exams']} exams" in densight("plan", "--width", 0.1, "--kappa", 0.8).said


def test_a_wish_of_one_call_is_not_one_of_the_next() -> None:
    assert densight("--quiet", "plan", "--width", 0.1, "--kappa", 0.8).said == ""
    assert "exams" in densight("plan", "--width", 0.1, "--kappa", 0.8).said


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two exams that can be used and an image that cannot."""
    folder = tmp_path / "images"
    for exam in (1, 2):
        write_image(folder / "CC_R" / "A" / f"{exam}_1_A_CC_R.png")
    (folder / "CC_R" / "A" / "3_1_A_CC_R.png").write_bytes(b"no image")
    return folder


def test_index_answers_what_its_tables_hold(images: Path, tmp_path: Path) -> None:
    done = densight("index", images, "-o", tmp_path / "c.csv", "--json")
    said = answered(done)
    assert (done.status, said["status"]) == (1, 1)
    assert (said["images"], said["patients"], said["catalogue"]) == (2, 2, str(tmp_path / "c.csv"))
    (failure,) = said["failures"]  # type: ignore[misc]
    assert failure["path"].endswith("3_1_A_CC_R.png")
    assert failure["fault"]
    assert failure["remedy"]


def test_a_run_answers_with_its_exams(tmp_path: Path) -> None:
    assert densight("phantom", "-n", 1, "--seed", 3, "--size", "384x312", "-o", tmp_path / "e", "-q").said == ""
    done = densight("assess", tmp_path / "e", "-o", tmp_path / "run", "--json")
    said = answered(done)
    assert done.status == 0
    (exam,) = said["exams"]  # type: ignore[misc]
    assert exam["predicted"] in "ABCD"
    assert 0.99 < sum(exam[f"p_{label}"] for label in "ABCD") < 1.01
    assert Path(said["report"]).is_file()  # type: ignore[arg-type]
    assert said["failures"] == []


def test_a_fault_is_answered_and_told(tmp_path: Path) -> None:
    done = densight("index", tmp_path / "nowhere", "--json")
    said = answered(done)
    assert done.status == said["status"] == 2
    assert said["error"]["path"] == str(tmp_path / "nowhere")  # type: ignore[index]
    assert said["error"]["remedy"]  # type: ignore[index]
    assert done.fault.startswith("densight: ")


def test_quiet_says_nothing_but_a_fault(images: Path, tmp_path: Path) -> None:
    done = densight("index", images, "-o", tmp_path / "c.csv", "--quiet")
    assert (done.status, done.said, done.fault) == (1, "", "")
    assert (tmp_path / "c.csv").is_file()
    assert densight("index", tmp_path / "nowhere", "-q").fault.startswith("densight: ")


def test_verbose_tells_what_is_read_and_written_and_where_a_fault_arose(images: Path, tmp_path: Path) -> None:
    done = densight("index", images, "-o", tmp_path / "c.csv", "-v")
    assert f"wrote {tmp_path / 'c.csv'}" in done.fault
    assert "1_1_A_CC_R.png" in done.fault
    assert "Catalogue of 2 images" in done.said
    assert "Traceback" in densight("-v", "index", tmp_path / "nowhere").fault
    assert "wrote" not in densight("index", images, "-o", tmp_path / "d.csv").fault


@pytest.mark.parametrize("wanted", [True, False])
def test_colours_respect_no_color(images: Path, tmp_path: Path, wanted: bool) -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    if not wanted:
        environment["NO_COLOR"] = "1"
    shown, terminal = pty.openpty()
    command = [sys.executable, "-m", "densight", "index", images, "-o", tmp_path / "c.csv"]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment) as process:
        os.close(terminal)
        said = b""
        try:
            while chunk := os.read(shown, 65536):
                said += chunk
        except OSError:
            pass  # the terminal's other end has closed
        process.wait()
    os.close(shown)
    assert b"Catalogue of 2 images" in said
    # Foreground colours, from 30 on; bold and italics are none.
    assert bool(re.search(rb"\x1b\[[\d;]*3[0-8][\d;]*m", said)) is wanted


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("densight ass", "assess"),
        ("densight index --dataset vin", "vindr-mammo"),
        ("densight train --recipe tu", "tutorial"),
        ("densight explain --method deep", "deep-lift"),
        ("densight assess --model sta", "starter"),
        ("densight pacs pu", "pull"),
    ],
)
def test_the_shell_completes_commands_and_what_options_take(line: str, expected: str) -> None:
    words = line.split()
    environment = {
        **os.environ,
        "_DENSIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    command = Path(sys.executable).parent / "densight"
    done = subprocess.run([command], env=environment, capture_output=True, text=True, check=False)
    assert expected in done.stdout.split()


def test_the_exit_statuses_are_told() -> None:
    help_text = " ".join(densight("--help").said.split())
    for words in ("0 done", "1 done, except for some images", "2 not done", "130 stopped"):
        assert words in help_text


def test_the_way_from_the_tutorial_names_commands_that_are_there() -> None:
    said = densight("tutorial").said
    known = dict(every_command())
    for step in STEPS:
        assert step.file in said
        words = shlex.split(step.command)
        options = {option for parameter in known[" ".join(words[:2])].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options
        assert f"$ {step.command}" in said
    assert len(answered(densight("tutorial", "--json"))["steps"]) == len(STEPS)  # type: ignore[arg-type]
