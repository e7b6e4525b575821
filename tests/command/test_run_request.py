"""One run, however it is requested: Python, command line, watch; every output of the same explanations."""

from __future__ import annotations

import csv
import json
import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread

import densight
from densight.assessment import assess
from densight.assessment.models import load_models
from densight.assessment.percent_density import fuse_percent_density
from densight.pacs.queue import Queue
from densight.pacs.watch import INCOMING, QUEUE, RUNS, Watch
from densight.runs import dicom as dicom_output
from densight.runs import maps as maps_output
from densight.vocabulary import DensightError, Projection
from tests.dicom_files import write_exam as write_dicom_exam
from tests.examples import write_exam
from tests.indexing import densight as command

TIMES = re.compile(rb'("(?:started|finished)": "|<time datetime=")[^"]*"|\d{4}-\d\d-\d\d, \d\d:\d\d UTC')


@pytest.fixture(scope="module")
def dicom_exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dicom") / "exam"
    write_dicom_exam(folder, 1)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run folder, without the times at which it was made."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): TIMES.sub(b"", path.read_bytes()) for path in files}


def test_python_makes_the_run_folder_that_the_command_makes(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    done = command("explain", exams_folder, "-m", model_folder, "--method", "grad-cam,layer-cam", "-o", tmp_path / "a")
    assert done.status == 0, done.fault

    result = densight.run(exams_folder, tmp_path / "b", model=model_folder, methods=("grad-cam", "layer-cam"))

    assert contents(tmp_path / "b") == contents(tmp_path / "a")
    assert result.report == tmp_path / "b" / "report.html"
    assert result.exams is not None
    assert result.breasts is not None
    assert (len(result.exams), len(result.breasts), result.failures) == (3, 6, [])
    assert repr(result) == f"<RunResult {tmp_path / 'b'}: 10 images assessed, 0 failures>"


def test_a_loaded_model_runs_too(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    model = densight.load_model(model_folder)
    densight.run(exams_folder, tmp_path / "a", model=model)
    densight.run(exams_folder, tmp_path / "b", model=model_folder)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_requests_that_cannot_be_fulfilled_are_refused_before_anything_is_done(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    for wrong, fault in (
        ({"split": "training"}, "unknown split 'training'"),
        ({"identified": True}, "--identified goes with --dicom alone"),
        ({"methods": ("magic",)}, "magic"),
        ({"dicom": True}, "no image of the input is a DICOM file"),
    ):
        with pytest.raises(DensightError, match=fault):
            densight.run(exams_folder, tmp_path / "run", model=model_folder, **wrong)  # type: ignore[arg-type]
        assert not (tmp_path / "run").exists()


def test_all_outputs_share_one_explanation_per_image_and_method(
    model_folder: Path, dicom_exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained: list[str] = []
    real = maps_output.explain

    def count(result: assess.ImageResult, method: str = "grad-cam", layer: str | None = None) -> object:
        explained.append(method)
        return real(result, method, layer)

    monkeypatch.setattr(maps_output, "explain", count)
    methods = ("layer-cam", "grad-cam")
    result = densight.run(dicom_exam, tmp_path, model=model_folder, methods=methods, dicom=True, redcap=True)

    assert result.failures == []
    assert sorted(explained) == ["grad-cam"] * 4 + ["layer-cam"] * 4
    assert len(list((tmp_path / "dicom").rglob("map_*.dcm"))) == 8


def test_an_object_that_cannot_be_made_is_named_and_the_others_are_written(
    model_folder: Path, dicom_exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DensightError("an odd birth date", remedy="correct it")

    with monkeypatch.context() as patch:
        patch.setattr(dicom_output, "make_report", fail)
        result = densight.run(dicom_exam, tmp_path, model=model_folder, dicom=True)
    assert [(one.fault, one.remedy) for one in result.failures] == [
        ("report.dcm not written: an odd birth date", "correct it")
    ]
    written = {path.name for path in (tmp_path / "dicom").rglob("*") if path.is_file()}
    assert written >= {"report.fhir.json", *(f"dense_{projection}.dcm" for projection in densight.PROJECTIONS)}
    assert "report.dcm" not in written
    # The same request tries it again.
    assert densight.run(dicom_exam, tmp_path, model=model_folder, dicom=True).failures == []
    assert list((tmp_path / "dicom").rglob("report.dcm"))


def test_fhir_of_the_same_exam_is_the_same_file(model_folder: Path, dicom_exam: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        densight.run(dicom_exam, folder, model=model_folder, dicom=True)
    one, other = (next(folder.rglob("report.fhir.json")).read_bytes() for folder in (first, second))
    assert one == other


def test_a_run_of_the_watch_has_a_report_and_can_be_tested_by_trials(
    model_folder: Path, dicom_exam: Path, tmp_path: Path
) -> None:
    with Queue(tmp_path / QUEUE) as queue:
        lines: list[str] = []
        watch = Watch(
            tmp_path, queue, load_models([model_folder]), "grad-cam", None, None, "MG", -1, 0.1, 0.0, lines.append
        )
        for path in sorted(dicom_exam.iterdir()):
            watch.inbox.take(str(dcmread(path).SOPInstanceUID), path.read_bytes())
        watch.run(threading.Event(), once=True)
        assert queue.states() == {"answered": 1}
    (run,) = (tmp_path / RUNS).iterdir()
    record = json.loads((run / "run.json").read_text())
    assert record["command"] == "explain"
    assert record["sources"]["input"].startswith(f"../../{INCOMING}/")
    assert (run / "report.html").is_file()
    assert list((run / "maps" / "exams").glob("*.png"))
    done = command("trial", run, "--images", 4)
    assert done.status == 0, done.fault
    assert (run / "trials.json").is_file()


def test_percent_density_is_the_same_in_tables_report_dicom_fhir_and_python(
    model_folder: Path, dicom_exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an image that has none: the other three count, everywhere, and the reason is given."""
    real, lacking = assess.ImageAssessment, Projection.MLO_R

    def without(*args: object, **kwargs: object) -> assess.ImageAssessment:
        made = real(*args, **kwargs)  # type: ignore[arg-type]
        percent = {"CC_R": 10.0, "CC_L": 20.0, "MLO_L": 40.0}.get(made.projection)
        return real(
            made.classes,
            made.probabilities,
            made.projection,
            made.preparation,
            made.model,
            percent,
            ("no breast found",),
        )

    monkeypatch.setattr(assess, "ImageAssessment", without)
    result = densight.run(dicom_exam, tmp_path, model=model_folder, dicom=True)
    python = densight.load_model(model_folder).assess(densight.read_exam(dicom_exam))

    expected = (10 + 20 + 40) / 3
    assert python.percent.value == pytest.approx(expected)
    assert (python.percent.images, python.percent.missing) == (3, ((lacking, "no breast found"),))
    assert python.breasts["R"].percent_density == 10.0  # type: ignore[index]
    assert result.exams is not None
    assert result.breasts is not None
    row = result.exams.iloc[0]
    assert float(row["percent_density"]) == pytest.approx(expected)
    assert (row["percent_density_images"], row["percent_density_missing"]) == ("3", "MLO_R: no breast found")
    of_breasts = result.breasts.set_index("laterality")["percent_density"].astype(float)
    assert of_breasts.to_dict() == {"R": 10.0, "L": 30.0}
    page = (tmp_path / "report.html").read_text()
    assert "mean of 3 images; without: MLO_R: no breast found" in page
    fhir = json.loads(next(tmp_path.rglob("report.fhir.json")).read_text())
    exam = fhir["entry"][1]["resource"]
    values = {part["code"]["coding"][0]["code"]: part["valueQuantity"]["value"] for part in exam["component"]}
    assert (values["111046"], values["density-images"]) == (pytest.approx(expected, abs=1e-4), 3)
    assert "mean of 3 of 4 images" in exam["note"][0]["text"]
    report = next(tmp_path.rglob("report.dcm"))
    stored = _percent_values(report)
    assert stored[0] == pytest.approx(expected, abs=1e-4)


def _percent_values(path: Path) -> list[float]:
    """The percent densities of a structured report, in its order: exam, breasts, images."""

    def walk(dataset: object) -> list[float]:
        found = []
        for item in getattr(dataset, "ContentSequence", []):
            if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == "111046":
                found.append(float(item.MeasuredValueSequence[0].NumericValue))
            found += walk(item)
        return found

    return walk(dcmread(path))


def test_percent_density_by_hand() -> None:
    two_of_a_projection = [
        (Projection.MLO_L, 30.0, ""),
        (Projection.CC_R, 10.0, ""),
        (Projection.CC_R, 20.0, ""),
        (Projection.CC_L, float("nan"), "a cut breast"),
    ]
    fused = fuse_percent_density(two_of_a_projection)
    assert (fused.value, fused.images, fused.reasons) == (22.5, 3, "CC_L: a cut breast")
    assert fused == fuse_percent_density(reversed(two_of_a_projection))
    assert fuse_percent_density([(Projection.CC_R, None, "")]).summary == (
        "Percent density could not be measured. Without: CC_R."
    )


def test_assess_then_explain_computes_once(
    model_folder: Path, exams_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, exam = densight.load_model(model_folder), densight.read_exam(exams_folder / "E1")
    passes: list[Projection | None] = []
    real = assess.assess_image

    def count(models: object, prepared: assess.PreparedImage) -> assess.ImageResult:
        passes.append(prepared.mammogram.projection)
        return real(models, prepared)  # type: ignore[arg-type]

    monkeypatch.setattr(assess, "assess_image", count)
    result = model.assess(exam)
    first, second = model.explain(exam), model.explain(exam, "layer-cam")

    assert len(passes) == 4
    assert list(first) == list(second) == list(result.images)
    other = densight.read_exam(exams_folder / "E2")
    assert not np.array_equal(model.assess(other).probabilities, result.probabilities)
    np.testing.assert_array_equal(model.assess(exam).probabilities, result.probabilities)
    assert len(passes) == 12


def test_projections_are_found_in_any_spelling_and_missing_ones_are_named(
    model_folder: Path, exams_folder: Path
) -> None:
    model, exam = densight.load_model(model_folder), densight.read_exam(exams_folder / "E3")
    result, maps = model.assess(exam), model.explain(exam)
    for values in (result.images, maps):
        assert values["R-CC"] is values["CC_R"] is values[Projection.CC_R]  # type: ignore[index]
        with pytest.raises(KeyError, match=r"no projection 'R-MLO'; there are CC_R, MLO_L"):
            values["R-MLO"]  # type: ignore[index]
        assert "holiday" not in values
    assert re.fullmatch(r"<Assessment [A-D] \(probability 0\.\d\d\).*, CC_R, MLO_L>", repr(result))
    assert repr(result.images["CC_R"]).startswith("<ImageAssessment CC_R: ")  # type: ignore[index]


def test_an_older_run_folder_is_still_read(model_folder: Path, exams_folder: Path, tmp_path: Path) -> None:
    """Without the columns, fields and outputs that came later."""
    densight.run(exams_folder, tmp_path, model=model_folder)
    exams = pd.read_csv(tmp_path / "exams.csv", dtype=str, keep_default_na=False)
    exams.drop(columns=[name for name in exams if name.startswith("percent_density")]).to_csv(
        tmp_path / "exams.csv", index=False
    )
    record = json.loads((tmp_path / "run.json").read_text())
    del record["outputs"]
    record |= {"dicom": "dicom, identified", "engine": None, "a field of a later version": 1}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert command("figures", "--help").status == 0
    from densight.report.report import write_report

    page = write_report(tmp_path).read_text()
    assert "--dicom --identified" in page
    assert densight.run(exams_folder, tmp_path, model=model_folder).resumed == 10


def test_redcap_gets_a_record_per_exam_that_fits_its_data_dictionary(
    model_folder: Path, exams_folder: Path, tmp_path: Path
) -> None:
    write_exam(exams_folder / 'E 4, "quoted"', 4, 0.5)
    done = command("assess", exams_folder, "-m", model_folder, "--redcap", "-o", tmp_path / "run")
    assert done.status == 0, done.fault
    with (tmp_path / "run" / "redcap_data_dictionary.csv").open(newline="", encoding="utf-8") as file:
        fields = {row["Variable / Field Name"]: row for row in csv.DictReader(file)}
    with (tmp_path / "run" / "redcap_import.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))

    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,25}", name) for name in fields)
    assert next(iter(fields)) == next(iter(records[0])) == "record_id"
    assert set(records[0]) == {*fields, "breast_density_complete"}
    assert fields["density"]["Choices, Calculations, OR Slider Labels"] == "1, A | 2, B | 3, C | 4, D"
    assert fields["patient_id"]["Identifier?"] == "y"
    exams = pd.read_csv(tmp_path / "run" / "exams.csv", dtype=str, keep_default_na=False)
    assert len({record["record_id"] for record in records}) == len(records) == len(exams) == 4
    assert [" ABCD"[int(record["density"])] for record in records] == exams["predicted"].tolist()
    for record in records:
        assert sum(float(record[f"p_{label}"]) for label in "abcd") == pytest.approx(1, abs=1e-5)
        assert record["breast_density_complete"] == "2"
    # A resumed run writes them too, though nothing is left to assess.
    (tmp_path / "run" / "redcap_import.csv").unlink()
    assert densight.run(exams_folder, tmp_path / "run", model=model_folder, redcap=True).resumed == 14
    assert (tmp_path / "run" / "redcap_import.csv").is_file()
