"""What can be assessed, and reading one exam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from densight.intake.catalogue import COLUMNS
from densight.intake.exam import find_inputs, find_labelled, group_exams, read_entry, read_exam
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Exam, Mammogram
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Projection


def write_images(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (64, 64), np.uint8)).save(folder / name)
    return folder


def write_catalogue(folder: Path, *rows: str, columns: str = ",".join(COLUMNS)) -> Path:
    write_images(folder, *(row.split(",")[0] for row in rows))
    (folder / "catalogue.csv").write_text("\n".join([columns, *rows]) + "\n")
    return folder / "catalogue.csv"


FOUR = ("RCC.png", "LCC.png", "RMLO.png", "LMLO.png")


# --- finding -------------------------------------------------------------------------------------------------------


def test_a_folder_of_four_loose_images_is_one_exam(tmp_path: Path) -> None:
    inputs = find_inputs(write_images(tmp_path / "E7", *FOUR))
    entries, classes = inputs.entries, inputs.classes
    assert classes is None
    assert [len(exam) for exam in group_exams(entries)] == [4]
    assert {entry.exam_id for entry in entries} == {"E7"}
    assert {entry.projection for entry in entries} == set(PROJECTIONS)


def test_the_tutorial_s_test_set_is_ten_exams_found_by_name(data: Path) -> None:
    inputs = find_inputs(data / "infn" / "TestSet")
    entries, classes = inputs.entries, inputs.classes
    exams = {exam[0].exam_id: exam for exam in group_exams(entries)}
    assert len(entries) == 16
    assert classes == BIRADS
    assert sorted(exams) == sorted(["1103", "111", "110", "124", "1251", "1301", "1302", "1346", "145", "2205"])
    assert {entry.projection for entry in exams["145"]} == {Projection.CC_R, Projection.CC_L, Projection.MLO_R}
    assert {entry.density for entry in exams["1302"]} == {"D"}
    assert {entry.split for entry in entries} == {"test"}
    assert all(entry.assumed == () for entry in entries)


def test_mini_mias_is_read_by_its_table(data: Path) -> None:
    inputs = find_inputs(data / "mias")
    entries, classes = inputs.entries, inputs.classes
    assert classes == ("F", "G", "D")
    assert len(entries) == 240
    assert {len(exam) for exam in group_exams(entries)} == {2}
    assert all(entry.path.is_file() for entry in entries)


def test_a_row_of_a_data_set_s_table_that_does_not_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,patient_id,laterality,view,tissue\na.png,1,R,AP,F\n")
    with pytest.raises(DensightError, match=r"a\.png: unknown view 'AP'.*correct it in the data set's table"):
        find_inputs(tmp_path)


def test_a_catalogue_keeps_its_ids_labels_splits_and_what_was_assumed(tmp_path: Path) -> None:
    rows = ["a.png,7,1,R,CC,B,train,guessed; twice", "b.png,7,1,L,CC,,train,", "c.png,8,2,L,MLO,D,test,"]
    path = write_catalogue(tmp_path, *rows, columns=",".join([*COLUMNS, "assumed"]))
    for source in (path, tmp_path):
        inputs = find_inputs(source)
        entries, classes = inputs.entries, inputs.classes
        assert classes == BIRADS
        assert [(e.patient_id, e.exam_id, e.density, e.split) for e in entries] == [
            ("7", "1", "B", "train"),
            ("7", "1", None, "train"),
            ("8", "2", "D", "test"),
        ]
        assert [entry.assumed for entry in entries] == [("guessed", "twice"), (), ()]
        assert [len(exam) for exam in group_exams(entries)] == [2, 1]


def test_a_parquet_catalogue_with_gaps_assumes_nothing(tmp_path: Path) -> None:
    table = pd.DataFrame([["a.png", "7", "1", "R", "CC", "B", "train"]] * 2, columns=list(COLUMNS))
    table["path"] = ["a.png", "b.png"]
    table.assign(assumed=["guessed", None]).to_parquet(tmp_path / "c.parquet")
    entries = find_inputs(tmp_path / "c.parquet").entries
    assert [entry.assumed for entry in entries] == [("guessed",), ()]


def test_a_single_file_is_an_input(tmp_path: Path) -> None:
    inputs = find_inputs(write_images(tmp_path, "P7_LCC.png") / "P7_LCC.png")
    (entry,), classes = inputs.entries, inputs.classes
    assert (entry.projection, entry.exam_id, entry.patient_id) == (Projection.CC_L, "P7", "P7")
    assert classes is None
    (entry,) = find_inputs(write_images(tmp_path, "1302_1_D_MLO_R.png") / "1302_1_D_MLO_R.png").entries
    assert (entry.projection, entry.exam_id, entry.assumed) == (Projection.MLO_R, "1302", ())


def test_only_the_images_of_a_split(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path, "a.png,1,1,R,CC,B,train", "b.png,2,2,R,CC,B,test")
    assert [entry.path.name for entry in find_inputs(path, split="test").entries] == ["b.png"]
    with pytest.raises(DensightError, match="there is no image of the split 'validation'"):
        find_inputs(path, split="validation")


def test_what_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DensightError, match="there is no such file or folder"):
        find_inputs(tmp_path / "gone")
    with pytest.raises(DensightError, match="there is no such catalogue"):
        find_inputs(tmp_path / "gone.csv")
    with pytest.raises(DensightError, match="there is no image in the folder"):
        find_inputs(tmp_path)


def test_labels_of_another_scale_are_remark_and_that_is_said(tmp_path: Path) -> None:
    write_images(tmp_path, "CC_R/A/1_CC_R.png", "CC_R/D/2_CC_R.png")
    inputs = find_labelled(tmp_path, None, ("F", "G", "D"))
    entries, remark = inputs.entries, inputs.remark
    assert [entry.density for entry in entries] == [None, None]
    assert remark == "labels left out, because they are A, B, C, D and the model's F, G, D"
    inputs = find_labelled(tmp_path, None, BIRADS)
    entries, remark = inputs.entries, inputs.remark
    assert [entry.density for entry in entries] == ["A", "D"]
    assert remark == ""


# --- reading -------------------------------------------------------------------------------------------------------


def test_an_entry_s_image_has_all_that_is_known_and_was_assumed(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "a.png,7,1,L,MLO,B,train,turned", columns=",".join([*COLUMNS, "assumed"]))
    grey = np.asarray(Image.open(tmp_path / "a.png"))
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "a.png")
    (entry,) = find_inputs(tmp_path / "catalogue.csv").entries
    mammogram = read_entry(entry)
    np.testing.assert_array_equal(mammogram.pixels, grey)
    assert (mammogram.projection, mammogram.patient_id, mammogram.exam_id) == (Projection.MLO_L, "7", "1")
    assert (mammogram.density, mammogram.path) == ("B", tmp_path / "a.png")
    assert mammogram.assumed == ("turned", "equal colour channels taken as grey")


def test_an_exam_is_read_in_the_order_of_projections(tmp_path: Path) -> None:
    exam = read_exam(write_images(tmp_path / "E7", *reversed(FOUR)))
    assert [mammogram.projection for mammogram in exam] == list(PROJECTIONS)
    assert (exam.exam_id, exam.patient_id, exam.density) == ("E7", "E7", None)
    assert len(exam) == 4


def test_an_exam_may_be_one_image_or_a_list_of_images(tmp_path: Path) -> None:
    write_images(tmp_path, "P7_LCC.png", "P7_RMLO.png")
    assert [m.projection for m in read_exam(tmp_path / "P7_LCC.png")] == [Projection.CC_L]
    exam = read_exam([tmp_path / "P7_RMLO.png", str(tmp_path / "P7_LCC.png")])
    assert [m.projection for m in exam] == [Projection.CC_L, Projection.MLO_R]
    assert exam.exam_id == "P7"


def test_an_exam_in_a_class_folder_has_its_label(tmp_path: Path) -> None:
    exam = read_exam(write_images(tmp_path, "CC_R/test/C/7_1_C_CC_R.png", "CC_L/test/C/7_1_C_CC_L.png"))
    assert (exam.density, exam.exam_id, len(exam)) == ("C", "7", 2)


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (("RCC.png", "LCC.png", "RMLO.png", "RMLO_2.png"), r"2 of its images are MLO_R \(RMLO\.png, RMLO_2\.png\)"),
        (("a_CC_R.png", "b_CC_R.png"), r"2 of its images are CC_R \(a_CC_R\.png, b_CC_R\.png\)"),
        (("RCC.png", "RCC.tif"), r"2 of its images are CC_R \(RCC\.png, RCC\.tif\)"),
        (("7_1_A_CC_R.png", "7_2_A_CC_R.png"), r"2 of its images are CC_R \(7_1_A_CC_R\.png, 7_2_A_CC_R\.png\)"),
        (("W1/RCC.png", "W2/RCC.png"), r"this holds 2 exams \(W1, W2\); 2 of its images are CC_R"),
    ],
)
def test_a_projection_that_occurs_twice_is_said(tmp_path: Path, names: tuple[str, ...], fault: str) -> None:
    with pytest.raises(DensightError, match=f"{fault}.*Fix: give one exam's folder.*one of each projection"):
        read_exam(write_images(tmp_path / "in", *names))


def test_a_list_with_a_projection_twice_names_both_images(tmp_path: Path) -> None:
    write_images(tmp_path, "a_RCC.png", "b_RCC.png")
    with pytest.raises(DensightError, match=r"b_RCC\.png: the exam has two images of CC_R, this and .*a_RCC\.png"):
        read_exam([tmp_path / "a_RCC.png", tmp_path / "b_RCC.png"])


def test_several_exams_are_refused_by_name(tmp_path: Path) -> None:
    write_images(tmp_path, *(f"P{i}_{projection}.png" for i in range(7) for projection in ("CC_R", "CC_L")))
    with pytest.raises(DensightError, match=r"this holds 7 exams \(P0, P1, P2, P3, P4, …\)"):
        read_exam(tmp_path)


def test_an_unknown_projection_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "in", "RCC.png", "x.png")
    with pytest.raises(DensightError, match=r"x\.png: the projection is not known.*…_MLO_R\.png"):
        read_exam(tmp_path / "in")


def test_an_exam_has_at_least_one_mammogram_and_each_has_a_projection() -> None:
    with pytest.raises(DensightError, match="the exam has no mammogram"):
        Exam(())
    with pytest.raises(DensightError, match="the projection is not known"):
        Exam((Mammogram(np.eye(4, dtype=np.uint8)),))


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int16)])
def test_a_mammogram_is_one_grey_channel_of_integers(pixels: np.ndarray) -> None:
    with pytest.raises(DensightError, match="a mammogram is a 2-D array of uint8 or uint16"):
        Mammogram(pixels)


def test_a_mammogram_s_name_is_its_file_s_else_its_projection_s(tmp_path: Path) -> None:
    write_images(tmp_path, "P7_LCC.png")
    pixels = np.eye(4, dtype=np.uint8)
    assert read_mammogram(tmp_path / "P7_LCC.png").name == "P7_LCC"
    assert Mammogram(pixels, Projection.CC_L).name == "CC_L"
    assert Mammogram(pixels).name == "mammogram"
