"""What the names of files and folders tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from densight.intake.mammogram import Entry
from densight.intake.naming import (
    find_images,
    is_projection,
    projection_of,
    read_names,
    read_tutorial_name,
    strip_projection,
)
from densight.vocabulary import PROJECTIONS, DensightError, Projection

ROOT = Path("in")


def told(*names: str) -> list[Entry]:
    return read_names([ROOT / name for name in names], ROOT)


def exams(*names: str) -> list[str]:
    return [entry.exam_id for entry in told(*names)]


@settings(deadline=None)
@given(
    st.text("abc019-", min_size=1), st.integers(0, 99), st.sampled_from("ABCDFG"), st.sampled_from(list(PROJECTIONS))
)
def test_a_tutorial_name_is_read_back(exam: str, number: int, density: str, projection: Projection) -> None:
    name = read_tutorial_name(f"{exam}_{number}_{density}_{projection}")
    assert name is not None
    assert (name.exam, name.number, name.density, name.projection) == (exam, str(number), density, projection)


@pytest.mark.parametrize(
    "stem", ["1302_1_D_MLO_X", "1302_D_MLO_R", "1302_x_D_MLO_R", "A_0002_1_MLO_R", "1302_1_D_MLO_R_650", ""]
)
def test_other_names_are_not_the_tutorial_s(stem: str) -> None:
    assert read_tutorial_name(stem) is None


@pytest.mark.parametrize(
    ("stem", "left"),
    [("P07_RCC", "P07"), ("CC_R_P07", "P07"), ("P07-LMLO-b", "P07-b"), ("MLO_L", ""), ("P1_LEFT_CC", "P1"), ("x", "x")],
)
def test_a_name_without_its_projection(stem: str, left: str) -> None:
    assert strip_projection(stem) == left


def test_only_a_bare_projection_names_its_folder() -> None:
    assert all(is_projection(name) for name in ("CC_R", "lmlo", "RIGHT-CC"))
    assert not any(is_projection(name) for name in ("CC_R_model", "old CC_R", "CC", "A", ""))


def test_the_file_s_name_comes_before_its_folders_and_the_nearest_folder_first() -> None:
    assert projection_of(Path("MLO_L/P1_CC_R.png")) == (Projection.CC_R, ())
    said = ("projection taken from the folder's name",)
    assert projection_of(Path("MLO_L/CC_L/A/1.png")) == (Projection.CC_L, said)
    assert projection_of(Path("/nowhere/1.png")) == (None, ())


# --- exams ---------------------------------------------------------------------------------------------------------


def test_names_of_the_tutorial_s_form_tell_the_exam_and_the_patient() -> None:
    entries = told("CC_R/test/D/1302_1_D_CC_R.png", "MLO_L/test/D/1302_1_D_MLO_L.png", "CC_R/test/A/9_1_A_CC_R.png")
    assert [(entry.exam_id, entry.patient_id) for entry in entries] == [("1302", "1302"), ("1302", "1302"), ("9", "9")]
    assert [(entry.density, entry.split) for entry in entries] == [("D", "test"), ("D", "test"), ("A", "test")]
    assert all(entry.assumed == () for entry in entries)


def test_an_exam_of_the_tutorial_with_one_projection_twice_is_parted_by_its_number_but_the_patient_is_one() -> None:
    entries = told("7_1_A_CC_R.png", "7_2_A_CC_R.png", "7_2_A_CC_L.png", "8_1_A_CC_R.png")
    assert [entry.exam_id for entry in entries] == ["7_1", "7_2", "7_2", "8"]
    assert [entry.patient_id for entry in entries] == ["7", "7", "7", "8"]


def test_names_without_their_projection_group_the_images() -> None:
    entries = told("P1_CC_R.png", "P1_CC_L.png", "P2_MLO_R.png")
    assert [entry.exam_id for entry in entries] == ["P1", "P1", "P2"]
    assert {entry.assumed for entry in entries} == {("exam and patient taken from the file's name",)}


def test_different_projections_in_a_folder_are_one_exam() -> None:
    entries = told("W1/RCC.png", "W1/LCC.png", "W1/RMLO.png", "W2/scan1_RCC.png", "W2/scan2_LMLO.png")
    assert [entry.exam_id for entry in entries] == ["W1"] * 3 + ["W2"] * 2
    assert {entry.assumed for entry in entries} == {("exam and patient taken from the folder's name",)}


def test_a_projection_folder_is_not_an_exam_s() -> None:
    assert exams("W1/CC_R/a.png", "W1/CC_L/b.png") == ["W1", "W1"]
    assert exams("CC_R/a.png", "CC_L/a.png", "CC_R/b.png", "CC_L/b.png") == ["a", "a", "b", "b"]


def test_otherwise_each_image_is_an_exam_of_its_own() -> None:
    entries = told("one_CC_R.png", "two_CC_R.png")
    assert [entry.exam_id for entry in entries] == ["one_CC_R", "two_CC_R"]
    assert {entry.assumed for entry in entries} == {("each image taken as a separate exam and patient",)}


def test_images_of_different_classes_are_not_one_exam() -> None:
    assert len(set(exams("A/1_CC_R.png", "B/1_CC_L.png"))) == 2


def test_the_same_names_in_several_folders_are_different_patients() -> None:
    entries = told("W1/a_CC_R.png", "W1/a_CC_L.png", "W2/a_CC_R.png", "W2/a_CC_L.png")
    assert [entry.exam_id for entry in entries] == ["W1_a", "W1_a", "W2_a", "W2_a"]
    assert [entry.patient_id for entry in entries] == ["W1", "W1", "W2", "W2"]
    assert "other folders hold the same file names" in entries[0].assumed[-1]


names = st.lists(
    st.tuples(
        st.sampled_from(["", "W1/", "W2/", "CC_R/", "train/A/", "test/B/"]),
        st.sampled_from(["", "P1_", "P2_", "3_1_A_"]),
        st.sampled_from(["CC_R", "LCC", "MLO_R", "x"]),
        st.sampled_from([".png", ".jpg"]),
    ).map("".join),
    min_size=1,
    max_size=8,
    # The tutorial's form says all there is to say: two files of one such name are two images of one projection.
    unique_by=lambda name: Path(name).stem if read_tutorial_name(Path(name).stem) else name,
)


@settings(deadline=None)
@given(names, st.randoms(use_true_random=False))
def test_what_names_tell_does_not_depend_on_their_order(listed: list[str], order: object) -> None:
    straight = {entry.path: entry for entry in told(*listed)}
    shuffled = list(listed)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {entry.path: entry for entry in told(*shuffled)} == straight
    assert all(entry.exam_id and entry.patient_id for entry in straight.values())


@settings(deadline=None)
@given(names)
def test_an_exam_is_of_one_patient_and_has_no_projection_twice(listed: list[str]) -> None:
    entries = told(*listed)
    by_exam: dict[str, list[Entry]] = {}
    for entry in entries:
        by_exam.setdefault(entry.exam_id, []).append(entry)
    for exam in by_exam.values():
        assert len({entry.patient_id for entry in exam}) == 1
        known = [entry.projection for entry in exam if entry.projection]
        assert len(known) == len(set(known)), exam


# --- files ---------------------------------------------------------------------------------------------------------


def test_images_are_found_in_order_and_nothing_else_is(tmp_path: Path) -> None:
    kept = ("b/2.PNG", "a.png", "b/1.tiff", "b/c/3.pgm", "x.dcm", "y.bmp")
    for name in (*kept, "notes.txt", ".hidden.png", ".git/a.png", "b/._1.png", "Thumbs.db", "catalogue.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == sorted(tmp_path / name for name in kept)


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    assert find_images(tmp_path / "in") == [tmp_path / "in" / "a.png"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(DensightError, match="this is a file, not a folder"):
        find_images(tmp_path / "a.png")
    with pytest.raises(DensightError, match="there is no such folder"):
        find_images(tmp_path / "gone")
