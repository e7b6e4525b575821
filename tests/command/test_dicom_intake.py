"""A hospital's own exams: folders, zip archives, DICOMDIR; which images are chosen; nobody learns whose they are."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.fileset import FileSet

import densight
from densight.assessment.priors import compare_with_priors, paired_change
from densight.intake.dicom.read import read_dicom
from densight.intake.exam import find_inputs
from densight.intake.files import conceal, read_bytes, real_path, stamp
from densight.intake.pseudonyms import KEY_VARIABLE, pseudonym
from densight.phantom.settings import Settings
from densight.vocabulary import DensightError
from tests import dicom_files as files
from tests.dicom_files import SECRETS, mammogram, pixels_of, write, write_exam
from tests.indexing import densight as command
from tests.phantoms import Shared


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def projections(source: Path) -> list[str]:
    return sorted(str(entry.projection) for entry in find_inputs(source).entries)


FOUR = ["CC_L", "CC_R", "MLO_L", "MLO_R"]


def test_files_without_suffix_are_told_by_what_they_say(tmp_path: Path) -> None:
    write_exam(tmp_path / "in" / "a", 1)
    write_exam(tmp_path / "in" / "b", 2)
    (tmp_path / "in" / "notes").write_text("no image")
    inputs = find_inputs(tmp_path / "in")
    assert projections(tmp_path / "in") == sorted(2 * FOUR)
    assert len({entry.exam_id for entry in inputs.entries}) == len({entry.patient_id for entry in inputs.entries}) == 2
    exam = densight.read_exam(tmp_path / "in" / "a")
    assert [str(one.projection) for one in exam] == ["CC_R", "CC_L", "MLO_R", "MLO_L"]
    assert exam.mammograms[0].spacing == (0.1, 0.1)


def test_a_zip_archive_is_read_as_a_folder(tmp_path: Path, model_folder: Path) -> None:
    paths = write_exam(tmp_path / "in", 1)
    with zipfile.ZipFile(tmp_path / "exams.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"P1/{path.name}")
        archive.writestr("P1/notes.txt", "no image")
        archive.writestr("__MACOSX/P1/IM0", "hidden")
    assert projections(tmp_path / "exams.zip") == FOUR
    plain, zipped = densight.read_mammogram(paths[2]), densight.read_mammogram(tmp_path / "exams.zip" / "P1" / "IM2")
    np.testing.assert_array_equal(plain.pixels, zipped.pixels)

    done = command("assess", tmp_path / "exams.zip", "-m", model_folder, "-o", tmp_path / "run")
    assert done.status == 0, done.fault
    again = command("assess", tmp_path / "exams.zip", "-m", model_folder, "-o", tmp_path / "run")
    assert "4 images had been done" in again.printed


def test_zip_archives_that_are_no_use(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(DensightError, match="the zip archive cannot be read"):
        find_inputs(tmp_path / "broken.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("notes.txt", "no image")
    with pytest.raises(DensightError, match="there is no image in the folder"):
        find_inputs(tmp_path / "empty.zip")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM0.dcm", b"\0" * (2**29 + 1))
    with pytest.raises(DensightError, match="too large"):
        read_bytes(tmp_path / "bomb.zip" / "IM0.dcm")
    with pytest.raises(DensightError, match="there is no such file"):
        read_bytes(tmp_path / "bomb.zip" / "IM1.dcm")
    assert stamp(tmp_path / "bomb.zip" / "IM1.dcm") == []


def test_a_dicomdir_lists_its_files_and_names_those_that_are_gone(tmp_path: Path) -> None:
    fileset = FileSet()
    for path in write_exam(tmp_path / "in", 1, StudyID="1", AccessionNumber="", SeriesNumber=1, InstanceNumber=1):
        fileset.add(dcmread(path))
    fileset.write(tmp_path / "disc")
    assert projections(tmp_path / "disc" / "DICOMDIR") == FOUR
    assert projections(tmp_path / "disc") == FOUR

    gone = find_inputs(tmp_path / "disc" / "DICOMDIR").entries[0].path
    real_path(gone).unlink()
    inputs = find_inputs(tmp_path / "disc" / "DICOMDIR")
    assert len(inputs.entries) == 3
    assert [failure.fault for failure in inputs.failures] == ["there is no such file"]
    write(tmp_path / "no" / "DICOMDIR", mammogram())
    with pytest.raises(DensightError, match="this is no DICOMDIR"):
        find_inputs(tmp_path / "no" / "DICOMDIR")


def test_what_is_no_screening_view_is_listed_and_damaged_files_are_failures(tmp_path: Path, model_folder: Path) -> None:
    folder = tmp_path / "in"
    write_exam(folder, 1)
    magnified = Dataset()
    magnified.update(files.code("399163009"))
    view = files.code(files.VIEW_CODES["CC"])
    view.ViewModifierCodeSequence = [magnified]
    write(folder / "ml", mammogram(ViewCodeSequence=[files.code("399260004")], ViewPosition=None))
    write(folder / "mag", mammogram(ViewCodeSequence=[view]))
    write(folder / "dbt", mammogram(SOPClassUID=files.TOMOSYNTHESIS, NumberOfFrames=50))
    nothing = {"ViewCodeSequence": None, "ViewPosition": None, "ImageLaterality": None}
    write(folder / "report", mammogram(SOPClassUID=files.CAPTURE, Modality="OT", **nothing))
    whole = write(folder / "bad", mammogram(exam=9)).read_bytes()
    (folder / "bad").write_bytes(whole[:300])

    done = command("assess", folder, "-m", model_folder, "-o", tmp_path / "run")

    assert done.status == 1
    assert "4 images of 1 exam" in done.printed
    listed = table(tmp_path / "run" / "not_assessed.csv")
    assert {Path(row["path"]).name: row["reason"] for row in listed} == {
        "ml": "the view ML, medio-lateral, is neither CC nor MLO",
        "mag": "the view is modified: magnification",
        "dbt": "a tomosynthesis volume of 50 slices",
        "report": "an image that names no view: a scanned report or a screenshot perhaps",
    }
    failed = table(tmp_path / "run" / "failures.csv")
    assert [Path(row["path"]).name for row in failed] == ["bad"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "a tomosynthesis volume of 50 slices" in page


def test_of_several_images_of_a_projection_the_rule_chooses_one(tmp_path: Path) -> None:
    kinds = {
        "processing": {"SOPClassUID": files.FOR_PROCESSING, "PresentationIntentType": "FOR PROCESSING"},
        "partial": {"PartialView": "YES"},
        "synthetic": {"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D"]},
        "first": {"AcquisitionDate": "20240102", "AcquisitionTime": "090000"},
        "second": {"AcquisitionDate": "20240102", "AcquisitionTime": "090130", "InstanceNumber": 1},
        "number": {"AcquisitionDate": "20240102", "AcquisitionTime": "090130", "InstanceNumber": 2},
    }
    for name, attributes in kinds.items():
        write(tmp_path / "in" / name, mammogram(**attributes))
    write(tmp_path / "in" / "a copy", dcmread(tmp_path / "in" / "number"))
    inputs = find_inputs(tmp_path / "in")
    assert [entry.path.name for entry in inputs.entries] == ["number"]
    printed = {one.path.name: one.reason.split("was chosen, ")[1] for one in inputs.left_out}
    assert printed == {
        "processing": "for presentation",
        "partial": "a whole view",
        "synthetic": "no synthetic image",
        "first": "taken later",
        "second": "of a greater instance number",
        "a copy": "which is the same image",
    }
    for gone in ("number", "a copy", "second", "first"):
        (tmp_path / "in" / gone).unlink()
    assert [entry.path.name for entry in find_inputs(tmp_path / "in").entries] == ["synthetic"]
    assert (
        "a synthetic image, computed from tomosynthesis" in densight.read_mammogram(tmp_path / "in/synthetic").assumed
    )


def test_folders_of_the_tutorial_hold_dicom_and_contradictions_are_failures(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for number, label in enumerate("ABCD" * 2):
        write(root / "CC_R" / label / f"{number}.dcm", mammogram(pixels_of(number), exam=number))
    write(root / "CC_L" / "B" / "wrong.dcm", mammogram(exam=99))
    done = command("index", root, "-o", tmp_path / "catalogue.csv")
    assert done.status == 1
    rows = table(tmp_path / "catalogue.csv")
    assert sorted(row["density"] for row in rows) == sorted("ABCD" * 2)
    assert all(row["patient_id"].startswith("P") and row["exam_id"].startswith("E") for row in rows)
    (failure,) = table(tmp_path / "failures.csv")
    assert failure["fault"] == "its folder says CC_L, the file CC_R"


def test_an_image_lying_another_way_is_hung_and_the_pitch_turned_with_it(tmp_path: Path) -> None:
    pixels = pixels_of(3)
    hung = densight.read_mammogram(write(tmp_path / "a", mammogram(pixels)))
    turned = np.ascontiguousarray(np.rot90(pixels))
    path = write(tmp_path / "b", mammogram(turned, PatientOrientation=["L", "A"], ImagerPixelSpacing=[0.1, 0.2]))
    other = densight.read_mammogram(path)
    np.testing.assert_array_equal(other.pixels, hung.pixels)
    assert other.spacing == (0.2, 0.1)
    assert any("as its patient orientation L, A asks for" in words for words in other.assumed)
    assert read_dicom(path).shown.shape == turned.shape


def test_pseudonyms_go_with_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pseudonym("patient", "4711")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "keys" / "other.key"))
    second = pseudonym("patient", "4711")
    assert second != first
    assert len(second) == 10
    assert (tmp_path / "keys" / "other.key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "damaged.key"))
    (tmp_path / "damaged.key").write_text("abc")
    with pytest.raises(DensightError, match="this is no key of pseudonyms"):
        pseudonym("patient", "4711")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "file" / "key"))
    with pytest.raises(DensightError, match="cannot be read or made"):
        pseudonym("patient", "4711")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_names_of_files_that_tell_who_the_patient_is_are_found_again_and_shown_nowhere(
    tmp_path: Path, model_folder: Path, packed: bool
) -> None:
    home = tmp_path / "in" / "zzyzxname, quellinda" / "2023-11-17"
    paths = write_exam(home, 1, **SECRETS)
    for path in paths:
        path.rename(path.with_name(f"{dcmread(path).SOPInstanceUID}.dcm"))
    source = tmp_path / "in"
    if packed:
        source = tmp_path / "all.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in home.iterdir():
                archive.write(path, path.relative_to(tmp_path / "in"))
    done = command("assess", source, "-m", model_folder, "-o", tmp_path / "run")
    assert done.status == 0, done.fault
    rows = table(tmp_path / "run" / "assessments.csv")
    base = source.parent if packed else source
    for row in rows:
        assert row["path"].count("~") == 3
        assert densight.read_mammogram(base / row["path"]).projection == f"{row['view']}_{row['laterality']}"
    assert "4 images had been done" in command("assess", source, "-m", model_folder, "-o", tmp_path / "run").printed
    assert conceal("a.dcm") != conceal("b.dcm")


def leaks(folder: Path) -> list[str]:
    """Secrets found in the bytes of any file, as they are or in UTF-16, and the files' names."""
    words = {part for value in SECRETS.values() for part in value.replace("^", " ").split(" ")} | set(SECRETS.values())
    words -= {"seen", "again", "5", "77"}
    found = []
    for path in folder.rglob("*"):
        content = str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b"")
        lowered = content.lower()
        found += [f"{path}: {word}" for word in words if word.lower().encode() in lowered]
        found += [f"{path}: {word}" for word in words if word.lower().encode("utf-16-le") in lowered]
    return found


def test_no_name_id_or_date_of_the_input_is_in_any_output(tmp_path: Path, model_folder: Path) -> None:
    source = tmp_path / "in" / "Quellinda Zzyzxname" / "20231117"
    write_exam(source, 1, **SECRETS)
    write_exam(tmp_path / "in" / "PIDX-774411", 2, **{**SECRETS, "StudyDate": "20251117", "BurnedInAnnotation": "NO"})
    write(source / "ml", mammogram(**SECRETS, ViewPosition="ML", ViewCodeSequence=[files.code("399260004")]))
    (source / "bad").write_bytes(write(source / "bad", mammogram(exam=9, **SECRETS)).read_bytes()[:900])
    out = tmp_path / "out"
    done = [
        command("index", tmp_path / "in", "-o", out / "catalogue.csv"),
        command("explain", tmp_path / "in", "-m", model_folder, "--dicom", "-o", out / "run"),
        command("anatomy", tmp_path / "in", "-o", out / "anatomy"),
        command("doctor", source / "IM0", "-m", model_folder, "-o", out / "doctor"),
        command("doctor", source / "ml", "-m", model_folder, "-o", out / "doctor2"),
    ]
    assert [one.status for one in done] == [1, 1, 1, 0, 1], [one.fault for one in done]
    (out / "said.txt").write_text("".join(one.printed + one.fault for one in done))
    assert len(list((out / "run" / "dicom").rglob("*.dcm"))) == 2 * (1 + 1 + 4 + 8)
    assert leaks(out) == []
    assert leaks(tmp_path / "in") != []


def test_a_projection_that_nothing_tells_is_told_by_the_picture(
    tmp_path: Path, model_folder: Path, shared: Shared
) -> None:
    shutil.copytree(shared.phantoms(1, 6, Settings(shape=(256, 208)), ".dcm"), tmp_path / "phantoms")
    expected = {}
    for number, path in enumerate(sorted((tmp_path / "phantoms" / "P000001").glob("*.dcm"))):
        dataset = dcmread(path)
        for keyword in ("ViewCodeSequence", "ViewPosition", "ImageLaterality"):
            del dataset[keyword]
        write(tmp_path / "in" / f"IM{number}", dataset)
        expected[f"IM{number}"] = path.stem.removeprefix("P000001_")
    assert projections(tmp_path / "in") == ["None"] * 4
    done = command("assess", tmp_path / "in", "-m", model_folder, "-o", tmp_path / "run")
    assert done.status == 0, done.fault
    rows = table(tmp_path / "run" / "assessments.csv")
    assert {row["path"]: f"{row['view']}_{row['laterality']}" for row in rows} == expected
    assert all("projection read from the picture" in row["preparation"] for row in rows)
    assert command("index", tmp_path / "in", "-o", tmp_path / "c.csv").status == 1


def test_doctor_shows_each_step_and_where_it_ends(tmp_path: Path, model_folder: Path) -> None:
    path = write(tmp_path / "IM0", mammogram(BodyPartThickness=55, KVP=28))
    done = command("doctor", path, "-m", model_folder, "-o", tmp_path / "good")
    assert done.status == 0, done.fault
    for words in (
        "1. The file",
        "projection: CC_R",
        "view from ViewCodeSequence",
        "window 2048/4096, linear",
        "0.1 × 0.1",
    ):
        assert words in done.printed
    assert "8. The result" in done.printed
    assert len(list((tmp_path / "good").glob("*.png"))) == 5
    assert (tmp_path / "good" / "doctor.html").read_text().count("<img ") == 5

    write(tmp_path / "IM1", mammogram(ViewCodeSequence=[files.code("399192008")]))
    done = command("doctor", tmp_path / "IM1", "-m", model_folder, "-o", tmp_path / "bad")
    assert done.status == 1
    assert "this is not assessed: the view XCCL" in done.printed
    (tmp_path / "IM2").write_bytes(path.read_bytes()[:700])
    done = command("doctor", tmp_path / "IM2", "-m", model_folder, "-o", tmp_path / "worse")
    assert done.status == 1
    assert "Stopped" in done.printed


def test_the_earlier_exam_of_the_same_patient_is_set_beside(tmp_path: Path, model_folder: Path) -> None:
    same = {"PatientID": "one", "PatientName": "One"}
    write_exam(tmp_path / "in" / "a", 1, **{**same, "StudyDate": "20200301"})
    write_exam(tmp_path / "in" / "b", 2, **{**same, "StudyDate": "20220301"})
    write_exam(tmp_path / "in" / "c", 3, **{**same, "StudyDate": "20230301"})
    write_exam(tmp_path / "in" / "d", 4)
    done = command("assess", tmp_path / "in", "-m", model_folder, "-o", tmp_path / "run")
    assert done.status == 0, done.fault
    assert "2 exams compared with an earlier one" in done.printed
    rows = table(tmp_path / "run" / "priors.csv")
    assert [row["years"] for row in rows] == ["2.0", "1.0"]
    assert rows[1]["prior_exam_id"] == rows[0]["exam_id"]
    for row in rows:
        low, mean, high = (float(row[f"change_expected_class{ending}"]) for ending in ("_low", "", "_high"))
        assert low <= mean <= high
        assert row["projections"] == "CC_R CC_L MLO_R MLO_L"
    assert "2022" not in (tmp_path / "run" / "priors.csv").read_text()
    assert "Earlier exams of the same patients" in (tmp_path / "run" / "report.html").read_text()


def test_changes_with_a_pencil() -> None:
    assert paired_change(np.array([1.0]), np.array([0.5])) == (0.5, -np.inf, np.inf)
    assert paired_change(np.array([np.nan]), np.array([0.5])) is None
    # Differences 1, 2, 3: mean 2, standard error 1/√3, Student's quantile of 2 degrees of freedom 4.3027.
    mean, low, high = paired_change(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert (mean, low, high) == pytest.approx((2, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)
    import pandas as pd

    nothing = pd.DataFrame(columns=["exam_id", "patient_id", "predicted"])
    images = pd.DataFrame(columns=["exam_id", "view", "laterality", "percent_density", "p_A", "p_B"])
    assert compare_with_priors(images, nothing, ("A", "B"), {}) == []


def test_without_pydicom_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "IM0", mammogram())
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(DensightError, match=r"pip install 'densight\[dicom\]'"):
        densight.read_mammogram(path)


def test_run_json_says_how_dicom_was_written(tmp_path: Path, model_folder: Path) -> None:
    write_exam(tmp_path / "in", 1)
    assert command("assess", tmp_path / "in", "-m", model_folder, "--dicom", "-o", tmp_path / "run").status == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["dicom"] == "dicom, pseudonymous"
    refused = command("assess", tmp_path / "in", "-m", model_folder, "--identified", "-o", tmp_path / "run2")
    assert "--identified goes with --dicom alone" in refused.fault


def test_uids_are_in_a_catalogue_only_if_asked_for(tmp_path: Path) -> None:
    paths = write_exam(tmp_path / "in", 1)
    write(tmp_path / "in" / "CC_R.png", mammogram(exam=2))
    for asked in (False, True):
        done = command("index", tmp_path / "in", "-o", tmp_path / "c.csv", *(["--uids"] if asked else []))
        assert done.status == 0, done.fault
        rows = {Path(row["path"]).name: row for row in table(tmp_path / "c.csv")}
        assert ("sop_uid" in rows["IM0"]) == asked
    assert rows["IM0"]["sop_uid"] == dcmread(paths[0]).SOPInstanceUID
    assert rows["IM3"]["study_uid"] == dcmread(paths[0]).StudyInstanceUID
    assert rows["CC_R.png"]["study_uid"] == dcmread(tmp_path / "in" / "CC_R.png").StudyInstanceUID
