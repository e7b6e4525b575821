"""What is written for a PACS: valid by other people's tools, and read again exactly."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

import densight
from densight.explanation.explanation import EXPECTED_CLASS
from densight.interchange.codes import COMPOSITIONS
from densight.interchange.maps import ZERO
from densight.phantom.dicom import write_dicom
from densight.phantom.settings import Settings
from tests.dicom_files import mammogram, write, write_exam
from tests.examples import write_exam as write_pictures
from tests.examples import write_model
from tests.indexing import densight as command
from tests.pacs_servers import require
from tests.phantoms import Shared

pytestmark = pytest.mark.usefixtures("_quiet")


@pytest.fixture
def _quiet(recwarn: pytest.WarningsRecorder) -> None:
    """pydicom warns of what the tests do on purpose."""


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory, shared: Shared) -> Path:
    """Two phantom exams, one image of which lies another way."""
    folder = tmp_path_factory.mktemp("phantoms") / "exams"
    shutil.copytree(shared.phantoms(2, 21, Settings(shape=(160, 128)), ".dcm"), folder)
    path = folder / "P000002" / "P000002_MLO_R.dcm"
    dataset = dcmread(path)
    turned = np.rot90(np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns))
    dataset.Rows, dataset.Columns = turned.shape
    dataset.PixelData, dataset.PatientOrientation = np.ascontiguousarray(turned).tobytes(), ["FL", "A"]
    write(path, dataset)
    (folder / "catalogue.csv").unlink()
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "all")


@pytest.fixture(scope="module")
def run(exams: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    done = command("explain", exams, "-m", model, "--dicom", "--identified", "-o", folder)
    assert done.status == 0, done.fault
    return folder


def of_second_exam(run: Path) -> Path:
    for folder in sorted((run / "dicom").iterdir()):
        if str(dcmread(folder / "report.dcm").PatientID) == "P000002":
            return folder
    raise AssertionError("no report of P000002")


def test_every_object_is_valid_to_dciodvfy_and_reports_to_dsrdump(run: Path) -> None:
    require("dciodvfy", "dsrdump")
    paths = sorted((run / "dicom").rglob("*.dcm"))
    assert len(paths) == 2 * (1 + 1 + 4 + 8)
    for path in paths:
        printed = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True).stderr
        assert "Error" not in printed, f"{path.name}: {printed}"
        if path.name == "report.dcm":
            dumped = subprocess.run(["dsrdump", str(path)], capture_output=True, text=True)
            assert dumped.returncode == 0, dumped.stderr
            assert 'CODE:(,,"Breast composition")=(1297' in dumped.stdout


def test_phantoms_are_valid_to_dciodvfy(tmp_path: Path) -> None:
    require("dciodvfy")
    for style, photometric in (("display", "MONOCHROME1"), ("raw", "MONOCHROME2"), ("film", "MONOCHROME2")):
        made = densight.phantom.exam(3, style=style, photometric=photometric, shape=(128, 104))
        path = tmp_path / f"{style}.dcm"
        write_dicom(path, made.mammograms[3], made, "P000003", 3)
        printed = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True).stderr
        assert "Error" not in printed, printed


def groups(report: Dataset) -> dict[str, Dataset]:
    """The measurement groups of a report by their tracking identifier, read with pydicom alone."""
    (measured,) = [
        item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    ]
    found = {}
    for group in measured.ContentSequence:
        (name,) = [
            item.TextValue
            for item in group.ContentSequence
            if item.ConceptNameCodeSequence[0].CodeMeaning == "Tracking Identifier"
        ]
        found[name] = group
    return found


def values(group: Dataset) -> dict[str, object]:
    found: dict[str, object] = {}
    for item in group.ContentSequence:
        name = item.ConceptNameCodeSequence[0]
        if item.ValueType == "NUM":
            found[name.CodeValue] = float(item.MeasuredValueSequence[0].NumericValue)
        elif item.ValueType == "CODE":
            found[name.CodeMeaning] = item.ConceptCodeSequence[0].CodeValue
        elif item.ValueType == "TEXT":
            found[name.CodeMeaning] = item.TextValue
    return found


def test_the_report_read_by_pydicom_alone_says_what_the_model_says(run: Path, exams: Path, model: Path) -> None:
    report = dcmread(of_second_exam(run) / "report.dcm")
    loaded = densight.load_model(model)
    result = loaded.assess(densight.read_exam(exams / "P000002"))
    found = groups(report)
    assert set(found) == {
        "exam", "breast R", "breast L", "image CC_R", "image CC_L", "image MLO_R", "image MLO_L"
    }  # fmt: skip
    for name, printed in (("exam", result), ("breast R", result.breasts["R"]), ("image MLO_R", result.images["MLO_R"])):
        seen = values(found[name])
        assert seen["Breast composition"] == COMPOSITIONS[printed.density].value
        for label, probability in zip("ABCD", printed.probabilities, strict=True):
            assert seen[f"probability-{label}"] == pytest.approx(float(probability), abs=5.1e-5)
        assert seen.get("111046") == (printed.percent_density and pytest.approx(printed.percent_density, abs=5.1e-5))
        assert seen["Algorithm Name"] == "densight"
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE", "PRELIMINARY", "UNVERIFIED"
    )  # fmt: skip
    source = dcmread(exams / "P000002" / "P000002_CC_R.dcm")
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "StudyDate", "StudyID"):
        assert report[keyword].value == source[keyword].value


def test_the_report_read_by_highdicom(run: Path) -> None:
    report = hd.sr.srread(of_second_exam(run) / "report.dcm")
    found = report.content.get_image_measurement_groups()
    assert len(found) == 7
    sites = [[site.value.meaning for site in group.finding_sites] for group in found]
    assert sites == [["Breast"]] * 7
    (evaluation,) = found[0].get_qualitative_evaluations()
    assert evaluation.value.scheme_designator == "SCT"
    names = {measurement.name.value for measurement in found[0].get_measurements()}
    assert names >= {f"probability-{label}" for label in "ABCD"}


@pytest.mark.parametrize("projection", ["CC_L", "MLO_R"])
def test_maps_and_masks_lie_on_the_pixels_of_the_file_as_it_is(
    run: Path, exams: Path, model: Path, projection: str
) -> None:
    source = exams / "P000002" / f"P000002_{projection}.dcm"
    image = densight.read_mammogram(source)
    loaded = densight.load_model(model)
    explanation = loaded.explain(image)
    stored = dcmread(source)
    folder = of_second_exam(run)

    def as_stored(hung: np.ndarray) -> np.ndarray:
        """The turned file holds the hung image turned by 90° against the clock."""
        return np.rot90(hung) if projection == "MLO_R" else hung

    for ending, label in (("", explanation.predicted), ("_expected", EXPECTED_CLASS)):
        path = folder / f"map_{projection}{ending}.dcm"
        written = hd.pm.pmread(path) if hasattr(hd.pm, "pmread") else hd.imread(path)
        plain = dcmread(path)
        assert (plain.Rows, plain.Columns) == (stored.Rows, stored.Columns)
        assert (
            plain.PerFrameFunctionalGroupsSequence[0]
            .DerivationImageSequence[0]
            .SourceImageSequence[0]
            .ReferencedSOPInstanceUID
            == stored.SOPInstanceUID
        )
        mapping = real_world(plain)
        values = plain.pixel_array.astype(float) * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
        expected = as_stored(explanation.map(label))
        np.testing.assert_allclose(values, expected, atol=0.5001 * mapping.RealWorldValueSlope)
        assert np.array_equal(plain.pixel_array == ZERO, np.abs(expected) <= 0.5 * mapping.RealWorldValueSlope)
        through = written.get_frame(1, apply_real_world_transform=True)
        np.testing.assert_allclose(through, values, rtol=1e-6, atol=1e-9)

    anatomy = densight.anatomy.read(image)
    masks = hd.seg.segread(folder / f"dense_{projection}.dcm")
    for number in masks.segment_numbers:
        name = masks.get_segment_description(number).segment_label
        frame = masks.get_pixels_by_source_instance([stored.SOPInstanceUID], segment_numbers=[number])[0, ..., 0]
        np.testing.assert_array_equal(frame.astype(bool), as_stored(getattr(anatomy, name)))


def real_world(dataset: Dataset) -> Dataset:
    for holder in (dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence[0]):
        if "RealWorldValueMappingSequence" in holder:
            return holder.RealWorldValueMappingSequence[0]
    raise AssertionError("no real world value mapping")


def test_the_capture_is_the_hanging(run: Path) -> None:
    folder = of_second_exam(run)
    (picture,) = (run / "maps" / "exams").glob(f"{folder.name}.png")
    from PIL import Image

    shown = np.asarray(Image.open(picture).convert("RGB"))
    np.testing.assert_array_equal(dcmread(folder / "capture.dcm").pixel_array, shown)


def test_uids_are_the_same_for_the_same_and_others_for_another_model(
    run: Path, exams: Path, model: Path, tmp_path: Path
) -> None:
    def uids(folder: Path) -> dict[str, str]:
        return {path.name: dcmread(path).SOPInstanceUID for path in of_second_exam(folder).glob("*.dcm")}

    command("explain", exams / "P000002", "-m", model, "--dicom", "--identified", "-o", tmp_path / "again")
    assert uids(tmp_path / "again") == uids(run)
    other = write_model(tmp_path / "other", seed=5)
    command("explain", exams / "P000002", "-m", other, "--dicom", "--identified", "-o", tmp_path / "run")
    assert not set(uids(tmp_path / "run").values()) & set(uids(run).values())


def test_a_run_without_dicom_is_gone_on_with(exams: Path, model: Path, tmp_path: Path) -> None:
    first = command("assess", exams / "P000001", "-m", model, "-o", tmp_path / "run")
    assert first.status == 0
    assert not (tmp_path / "run" / "dicom").exists()
    second = command("assess", exams / "P000001", "-m", model, "--dicom", "-o", tmp_path / "run")
    assert second.status == 0
    assert len(list((tmp_path / "run" / "dicom").rglob("report.dcm"))) == 1
    third = command("assess", exams / "P000001", "-m", model, "--dicom", "-o", tmp_path / "run")
    assert "4 images had been done" in third.printed


def test_fhir_is_valid_and_says_the_same(run: Path) -> None:
    from fhir.resources.bundle import Bundle

    content = json.loads((of_second_exam(run) / "report.fhir.json").read_text())
    bundle = Bundle.model_validate(content)
    report, exam, *breasts = [entry.resource for entry in bundle.entry]
    printed = values(groups(dcmread(of_second_exam(run) / "report.dcm"))["exam"])
    assert exam.valueCodeableConcept.coding[0].code == printed["Breast composition"]
    assert len(breasts) == 2
    assert report.status == "preliminary"
    assert "not a medical device" in report.conclusion
    assert {part.code.coding[0].code: float(part.valueQuantity.value) for part in exam.component} == pytest.approx(
        {name: value for name, value in printed.items() if isinstance(value, float)}
    )


def test_objects_bear_pseudonyms_unless_asked(exams: Path, model: Path, tmp_path: Path) -> None:
    done = command("assess", exams / "P000001", "-m", model, "--dicom", "-o", tmp_path / "run")
    assert done.status == 0, done.fault
    source = dcmread(exams / "P000001" / "P000001_CC_R.dcm")
    for path in (tmp_path / "run" / "dicom").rglob("*.dcm"):
        written = dcmread(path)
        assert written.StudyInstanceUID == source.StudyInstanceUID
        assert written.PatientID != source.PatientID
        assert written.PatientName == f"{written.PatientID}^"
        assert [written.StudyDate, written.AccessionNumber, written.StudyID].count("") == 3


def test_what_cannot_be_written_is_said(model: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1, 0.5)
    done = command("assess", tmp_path / "pictures", "-m", model, "--dicom", "-o", tmp_path / "run")
    assert done.status == 2
    assert "no image of the input is a DICOM file" in done.fault

    write_exam(tmp_path / "exam", 1, StudyInstanceUID=None)
    done = command("assess", tmp_path / "exam", "-m", model, "--dicom", "-o", tmp_path / "run2")
    assert done.status == 1
    assert "no DICOM written: the DICOM file has no StudyInstanceUID" in done.printed
    assert "4 images of 1 exam" in done.printed

    other = write_model(tmp_path / "three", classes=("F", "G", "D"))
    write(tmp_path / "one" / "IM0", mammogram())
    done = command("assess", tmp_path / "one", "-m", other, "--dicom", "-o", tmp_path / "run3")
    assert "DICOM has codes for A, B, C, D alone" in done.fault
