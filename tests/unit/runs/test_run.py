from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import densight
from densight.assessment.predictions import read_predictions
from densight.assessment.tables import read_assessments, read_exams
from densight.intake.exam import find_labelled
from densight.intake.failures import Failure
from densight.runs.outputs import AssessedExam, RunContext
from densight.runs.request import RunRequest
from densight.runs.result import RunResult
from densight.runs.run import run as run_request
from densight.vocabulary import DensightError
from tests.examples import write_exam, write_model

TABLES = ("assessments.csv", "breasts.csv", "exams.csv", "predictions_ccr.txt")


@dataclass(frozen=True)
class Recording:
    """An output that notes how many images each exam has, and fails for some."""

    seen: list[int]
    faulty: tuple[Path, ...]
    flags: tuple[str, ...] = ()
    key: str = "recorded"

    def open(self, context: RunContext) -> Recording:
        return self

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        self.seen.append(len(exam.images))
        return [Failure(image.entry.path, "no map", "") for image in exam.images if image.entry.path in self.faulty]

    def finish(self, result: RunResult) -> None:
        """Nothing is left to do."""


class Stopped(Exception):
    """Stands for whatever ends a run: power, Ctrl-C, a kill."""


def run(model: Path, exams: Path, folder: Path, *, stop_after: int | None = None) -> RunResult:
    def show(done: int, total: int) -> None:
        if stop_after is not None and done >= stop_after:
            raise Stopped

    return densight.run(exams, folder, model=model, progress=show)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


def test_a_run_writes_a_row_an_image_a_breast_and_an_exam(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    result = run(model_folder, exams_folder, tmp_path / "run")

    images, classes = read_assessments(tmp_path / "run")
    exams, _ = read_exams(tmp_path / "run")
    assert (len(images), classes, result.failures, result.resumed) == (10, ("A", "B", "C", "D"), [], 0)
    assert images["path"].tolist()[0] == "E1/CC_L.png"
    assert exams[["exam_id", "missing"]].to_numpy().tolist() == [["E1", ""], ["E2", ""], ["E3", "CC_L MLO_R"]]
    assert images["preparation"].str.contains("preset default").all()
    of_one = images[(images["view"] == "CC") & (images["laterality"] == "R")]
    np.testing.assert_allclose(
        read_predictions(tmp_path / "run" / "predictions_ccr.txt"), of_one[["p_A", "p_B", "p_C", "p_D"]]
    )
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["models"][0]["network"] == "mobilenetv2-035"
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()


def test_a_stopped_run_goes_on_and_ends_in_the_same_tables(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    run(model_folder, exams_folder, tmp_path / "whole")
    with pytest.raises(Stopped):
        run(model_folder, exams_folder, tmp_path / "stopped", stop_after=4)
    # A kill in the middle of a write leaves half a line.
    with (tmp_path / "stopped" / "journal.jsonl").open("a") as journal:
        journal.write('{"E2/CC_L.png": {"file"')

    result = run(model_folder, exams_folder, tmp_path / "stopped")
    again = run(model_folder, exams_folder, tmp_path / "stopped")

    assert (result.resumed, again.resumed) == (4, 10)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_damaged_lines_of_the_journal_and_a_damaged_record_do_not_end_in_a_traceback(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    run(model_folder, exams_folder, tmp_path / "run")
    journal, record = tmp_path / "run" / "journal.jsonl", tmp_path / "run" / "run.json"
    _, *others = journal.read_text().splitlines()
    journal.write_text("\n".join(["[1]", '{"E1/CC_R.png": 3}', '{"E1/CC_R.png": {"file": [0, 0]}}', "\0", *others]))

    assert run(model_folder, exams_folder, tmp_path / "run").resumed == 6

    record.write_text('{"models": [{}]}')
    with pytest.raises(DensightError, match="holds a run of another model"):
        run(model_folder, exams_folder, tmp_path / "run")
    record.write_text('{"models": [{}, 3]}')
    with pytest.raises(DensightError, match=r"run\.json: models\[1\] is 3 .*into another folder"):
        run(model_folder, exams_folder, tmp_path / "run")


def test_a_file_that_changed_is_assessed_again_and_a_new_exam_is_added(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    run(model_folder, exams_folder, tmp_path / "run")
    before = pd.read_csv(tmp_path / "run" / "exams.csv")
    shutil.copyfile(exams_folder / "E2" / "CC_L.png", exams_folder / "E1" / "CC_L.png")
    write_exam(exams_folder / "E4", 4, 0.7)

    result = run(model_folder, exams_folder, tmp_path / "run")

    after = pd.read_csv(tmp_path / "run" / "exams.csv")
    assert result.resumed == 6
    assert after["exam_id"].tolist() == ["E1", "E2", "E3", "E4"]
    assert after["p_A"].head(3).ne(before["p_A"]).tolist() == [True, False, False]


def test_bad_images_are_listed_and_the_rest_is_assessed_and_a_mended_one_is_taken_up(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    good = (exams_folder / "E1" / "CC_R.png").read_bytes()
    (exams_folder / "E1" / "CC_R.png").write_bytes(good[:200])
    (exams_folder / "E2" / "MLO_L.png").write_bytes(b"")

    result = run(model_folder, exams_folder, tmp_path / "run")

    failures = pd.read_csv(tmp_path / "run" / "failures.csv")
    assert [Path(path).relative_to(exams_folder).as_posix() for path in failures["path"]] == [
        "E1/CC_R.png",
        "E2/MLO_L.png",
    ]
    assert failures["fault"].str.contains("truncated|empty").all()
    assert failures["remedy"].ne("").all()
    assert len(read_assessments(tmp_path / "run")[0]) == 8
    assert read_exams(tmp_path / "run")[0]["missing"].tolist()[:2] == ["CC_R", "MLO_L"]

    (exams_folder / "E1" / "CC_R.png").write_bytes(good)
    (exams_folder / "E2" / "MLO_L.png").write_bytes(good)
    assert run(model_folder, exams_folder, tmp_path / "run").failures == []
    assert not (tmp_path / "run" / "failures.csv").exists()
    assert len(result.failures) == 2


def test_a_run_of_nothing_but_bad_images_says_so(model_folder: Path, tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exams" / "E1", 1, 0.5, ("CC_R",))
    (folder / "CC_R.png").write_bytes(b"not an image")

    result = run(model_folder, tmp_path / "exams", tmp_path / "run")

    assert result.images is None
    assert len(result.failures) == 1


def test_another_input_in_the_same_folder_leaves_nothing_of_the_first(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    run(model_folder, exams_folder, tmp_path / "run")
    one = write_exam(tmp_path / "one" / "E9", 9, 0.5, ("CC_L",))
    run(model_folder, tmp_path / "one", tmp_path / "run")
    assert read_exams(tmp_path / "run")[0]["exam_id"].tolist() == ["E9"]
    assert [path.name for path in (tmp_path / "run").glob("predictions_*")] == ["predictions_ccl.txt"]

    (one / "CC_L.png").write_bytes(b"")
    run(model_folder, tmp_path / "one", tmp_path / "run")
    assert list((tmp_path / "run").glob("*s.csv")) == [tmp_path / "run" / "failures.csv"]


def test_the_folder_of_another_models_run_is_refused(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    run(model_folder, exams_folder, tmp_path / "run")
    other = write_model(tmp_path / "other", seed=1)

    with pytest.raises(DensightError, match=r"run: the folder holds a run of another model.*choose another folder"):
        run(other, exams_folder, tmp_path / "run")


def test_a_full_disk_ends_the_run_and_what_is_done_is_kept(
    model_folder: Path, exams_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def full(path: Path, mode: str = "r", *args: object, **kwargs: object) -> object:
        journal = tmp_path / "run" / "journal.jsonl"
        if path == journal and mode == "a" and journal.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, mode, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DensightError, match=r"journal.jsonl: cannot be written .No space left on device"):
        run(model_folder, exams_folder, tmp_path / "run")
    monkeypatch.undo()

    assert run(model_folder, exams_folder, tmp_path / "run").resumed == 4


def test_an_exam_is_explained_once_all_its_images_are_there_and_again_if_it_was_not(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    run(model_folder, exams_folder, tmp_path / "run")
    last = find_labelled(exams_folder, None, "ABCD").entries[-1].path
    seen: list[int] = []

    def explain(method: str, *faulty: Path) -> list[str]:
        request = RunRequest(
            exams_folder, tmp_path / "run", (model_folder,), methods=(method,), outputs=(Recording(seen, faulty),)
        )
        return [failure.fault for failure in run_request(request).failures]

    faults = [explain("grad-cam"), explain("grad-cam"), explain("layer-cam", last), explain("layer-cam")]

    assert seen == [4, 4, 2, 4, 4, 2, 2]
    assert faults == [[], [], ["no map"], []]
    assert read_assessments(tmp_path / "run")[0]["maps"].str.startswith("maps/").all()


def test_labels_on_another_scale_are_left_out_and_that_is_said(data: Path) -> None:
    inputs = find_labelled(data / "infn" / "TestSet", None, ("F", "G", "D"))
    entries, left_out = inputs.entries, inputs.remark
    inputs = find_labelled(data / "infn" / "TestSet", None, ("A", "B", "C", "D"))
    labelled, nothing = inputs.entries, inputs.remark

    assert left_out == "labels left out, because they are A, B, C, D and the model's F, G, D"
    assert {entry.density for entry in entries} == {None}
    assert all(left_out in entry.assumed for entry in entries)
    assert {entry.density for entry in labelled} == set("ABCD")
    assert nothing == ""
