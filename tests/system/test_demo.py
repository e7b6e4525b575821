from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from densight.cli.demo import run_demo


def tiny(folder: Path) -> None:
    run_demo(folder, exams=8, size="128x104", epochs=1)


def test_the_demo_ends_in_a_report_and_an_agreement_and_given_again_makes_nothing_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my demo"

    tiny(folder)
    first = capsys.readouterr().out
    weights = next((folder / "models" / "all").glob("*.safetensors")).read_bytes()
    tiny(folder)
    again = capsys.readouterr().out

    commands = re.findall(r"^\$ densight (\w+) (.*)$", first, re.MULTILINE)
    assert [verb for verb, _ in commands] == ["phantom", "train", "explain", "figures"]
    assert all(f"{folder}/" in arguments and "'" in arguments for _, arguments in commands)
    assert re.search(
        r"^Linear κ of \d held-out exams: -?\d\.\d\d(, 95 % interval -?\d\.\d\d to -?\d\.\d\d)?$", first, re.M
    )
    assert f"The report: {folder / 'run' / 'report.html'}" in first
    assert "data:image/" in (folder / "run" / "report.html").read_text()
    assert "8 exams had been made by an earlier run" in again
    assert "all: finished already" in again
    assert "had been done by an earlier run" in again
    assert first.splitlines()[-2:] == again.splitlines()[-2:]
    assert next((folder / "models" / "all").glob("*.safetensors")).read_bytes() == weights


def test_ctrl_c_ends_the_demo_with_status_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("densight.phantom.exams.write_exams", interrupt)
    with pytest.raises(typer.Exit) as stopped:
        tiny(tmp_path)
    assert stopped.value.exit_code == 130
    said = capsys.readouterr().out
    assert "Stopped." in said
    assert "$ densight train" not in said
