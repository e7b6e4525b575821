from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from densight.cli.main import app, run
from tests.examples import write_model

VERBS = (
    "index",
    "models",
    "card",
    "train",
    "assess",
    "explain",
    "trial",
    "figures",
    "calibrate",
    "anatomy",
    "convert",
    "phantom",
    "demo",
)


def densight(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "densight", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"COLUMNS": "100"})
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_the_help_names_every_verb_and_is_no_device() -> None:
    printed = CliRunner().invoke(app, ["--help"]).output
    assert all(re.search(rf"^  {verb} ", printed, re.MULTILINE) for verb in VERBS)
    assert "not a medical device" in printed


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_80_columns_cuts_no_sentence_and_explains_every_option(verb: str) -> None:
    printed = CliRunner().invoke(app, [*filter(None, [verb]), "--help"], env={"COLUMNS": "80"}).output
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    assert "..." not in re.sub(r"\[[A-Z|]+\]\.\.\.", "", printed)
    options = [line for line in lines if re.match(r"  -", line)]
    assert options
    assert all(re.fullmatch(r"  (-\w, )?--[a-z-]+( [A-Z]+)? {2,}\S.*", line) for line in options)


def test_help_and_import_load_nothing_heavy() -> None:
    check = (
        "import sys, densight, densight.cli.main; "
        "print([name for name in ('torch', 'pandas', 'matplotlib', 'cv2', 'scipy', 'sklearn', 'numpy') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_fault_is_one_message_and_status_2(tmp_path: Path) -> None:
    done = densight("assess", tmp_path / "nowhere", "--model", tmp_path, status=2)
    assert done.stderr.startswith("densight: ")
    assert "no model.json" in done.stderr
    assert "Fix:" in done.stderr
    assert "Traceback" not in done.stderr


def write_odd_catalogue(exams: Path) -> Path:
    """A catalogue as a spreadsheet of Windows writes it, with ids that mean something to terminals and pages."""
    rows = [
        ("E1/CC_R.png", "p/1", "<script>alert(1)</script>", "A"),
        ("E1/CC_L.png", "p/1", "<script>alert(1)</script>", "A"),
        ("E2/CC_R.png", "ä", "e[/b]:x:", "B"),
        ("E2/CC_L.png", "ä", "e[/b]:x:", "C"),
        ("E3/CC_R.png", "ü", "e[/b]:x:", "D"),
    ]
    lines = [f"{path},{patient},{exam},{path[6]},{path[3:5]},{density}," for path, patient, exam, density in rows]
    text = "\r\n".join(["path,patient_id,exam_id,laterality,view,density,split", *lines, ""])
    path = exams / "odd [1] catalogue.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    return path


def test_odd_ids_and_paths_are_shown_as_they_are_and_every_exam_has_its_pictures(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run [/b] ä"

    printed = densight("explain", write_odd_catalogue(exams_folder), "--model", model_folder, "-o", out).stdout

    assert "e[/b]:x:" in printed
    assert str(out / "report.html") in printed
    assert len(list((out / "maps" / "exams").iterdir())) == 3
    assert len(list((out / "maps" / "CC_R").glob("*_classes.png"))) == 3
    report = (out / "report.html").read_text()
    assert "<script>alert" not in report
    assert report.count("<canvas") == report.count('class="plate"') > 3


def test_images_that_a_model_may_have_learnt_from_are_said_to_be_among_those_assessed(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    catalogue = exams_folder / "catalogue.csv"
    rows = ["E1/CC_R.png,1,1,R,CC,A,train", "E2/CC_R.png,2,2,R,CC,B,validation", "E3/CC_R.png,3,3,R,CC,C,test"]
    catalogue.write_text("\n".join(["path,patient_id,exam_id,laterality,view,density,split", *rows]))
    common = ("assess", catalogue, "--model", model_folder, "-o")
    note = "note: the input has 2 images of the splits train and validation; --split test leaves them out"
    assert note in densight(*common, tmp_path / "all").stdout
    assert "note:" not in densight(*common, tmp_path / "test", "--split", "test").stdout


def test_an_exam_whose_images_carry_different_labels_is_assessed_and_left_out_of_the_figures(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"

    printed = densight("assess", write_odd_catalogue(exams_folder), "--model", model_folder, "-o", out).stdout
    figures = densight("figures", out).stdout

    assert "note: 1 exam: no reference, for the images carry different densities, B and C" in printed
    assert "exam: 1 of 3 without a reference density, left out" in figures
    assert pd.read_csv(out / "exams.csv", keep_default_na=False)["density"].tolist() == ["A", "", "D"]
    assert pd.read_csv(out / "breasts.csv")["density"].tolist() == ["A", "A", "B", "C", "D"]


def test_an_output_folder_that_is_a_file_is_refused(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "run"):
        printed = densight("assess", exams_folder, "--model", model_folder, "-o", output, status=2).stderr
        assert "a file stands where a folder is needed. Fix: choose another folder." in printed
    assert (tmp_path / "file").read_text() == "mine"


def test_the_version_is_said() -> None:
    assert re.fullmatch(r"densight \d+\.\d+\.\d+\n", CliRunner().invoke(app, ["--version"]).output)


def test_assess_explain_and_figures_end_in_a_report(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.csv"
    files = sorted(exams_folder.glob("*/*.png"))
    rows = [
        {
            "path": path.relative_to(tmp_path).as_posix(),
            "patient_id": path.parent.name,
            "exam_id": "1",
            "laterality": path.stem[-1],
            "view": path.stem.split("_")[0],
            "density": {"E1": "A", "E2": "D", "E3": "B"}[path.parent.name],
            "split": "test",
        }
        for path in files
    ]
    pd.DataFrame(rows).to_csv(labelled, index=False)
    out = tmp_path / "run"

    assessed = densight("assess", labelled, "--model", model_folder, "-o", out).stdout
    explained = densight("explain", labelled, "--split", "test", "--model", model_folder, "-o", out).stdout
    measured = densight("figures", out).stdout

    assert "10 images of 3 exams" in assessed
    assert str(out / "report.html") in explained
    assert "macro recall" in measured
    pictures = sorted(path.name for path in (out / "maps" / "CC_R").iterdir())
    assert len([name for name in pictures if "E1_1_CC_R" in name]) == 11
    assert sorted(path.name for path in (out / "maps" / "exams").iterdir()) == ["E1_1.png", "E2_1.png", "E3_1.png"]
    report = (out / "report.html").read_text()
    assert "data:image/" in report
    assert "Macro recall" in report or "macro recall" in report


def test_bad_images_give_status_1_and_are_named(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    (exams_folder / "E3" / "CC_R.png").write_bytes(b"\x89PNG\r\n\x1a\n half")

    done = densight("assess", exams_folder, "--model", model_folder, "-o", tmp_path / "run", status=1)

    assert "1 image cannot be used:" in done.stdout
    assert "E3/CC_R.png: the PNG image is truncated or damaged" in done.stdout
    assert "9 images of 3 exams" in done.stdout


def test_a_killed_run_goes_on(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "densight", "explain", exams_folder, "-m", model_folder, "-o", tmp_path / "killed"]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    journal, deadline = tmp_path / "killed" / "journal.jsonl", time.monotonic() + 100
    while time.monotonic() < deadline and not (journal.is_file() and journal.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()

    done = densight("explain", exams_folder, "-m", model_folder, "-o", tmp_path / "killed")
    densight("assess", exams_folder, "-m", model_folder, "-o", tmp_path / "whole")

    assert "had been done by an earlier run" in done.stdout
    for name in ("breasts.csv", "exams.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_ctrl_c_is_one_line_and_status_130(
    model_folder: Path,
    exams_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("densight.runs.run.assess_entries", interrupt)
    monkeypatch.setattr(
        sys, "argv", ["densight", "assess", str(exams_folder), "-m", str(model_folder), "-o", str(tmp_path / "run")]
    )
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 130
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_split_and_a_split_without_images_are_refused(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    common = ("assess", exams_folder, "-m", model_folder, "-o", tmp_path / "run")
    assert "use one of train, validation, test" in densight(*common, "--split", "holiday", status=2).stderr
    assert "there is no image of the split 'test'" in densight(*common, "--split", "test", status=2).stderr


def test_one_model_a_projection_by_repeating_the_option(exams_folder: Path, tmp_path: Path) -> None:
    models = [write_model(tmp_path / p, (p,), seed=i) for i, p in enumerate(("CC_R", "CC_L", "MLO_R", "MLO_L"))]
    options = [part for model in models for part in ("--model", model)]

    densight("assess", exams_folder, *options, "-o", tmp_path / "run")
    again = densight("assess", exams_folder, "--model", tmp_path, "-o", tmp_path / "run").stdout

    assert "10 images had been done by an earlier run" in again
    shown = pd.read_csv(tmp_path / "run" / "assessments.csv")
    assert (shown["model"].str.split("@").str[0] == shown["view"] + "_" + shown["laterality"]).all()
