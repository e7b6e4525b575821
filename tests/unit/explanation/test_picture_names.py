from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from densight.explanation.picture_names import exam_picture_name, image_names
from densight.intake.mammogram import Entry
from densight.vocabulary import Projection

ids = st.text("ab_/ äß1", max_size=4)


def entry(path: str, patient: str = "", exam: str = "", projection: Projection = Projection.CC_R) -> Entry:
    return Entry(Path(path), projection, patient, exam)


def test_an_exams_picture_is_named_by_its_ids() -> None:
    assert exam_picture_name("1302", "1302") == "1302_1302.png"
    assert exam_picture_name("P7", "2024_1") == "P7_2024_1.png"
    assert exam_picture_name("P 7", "../7:1").startswith("P-7_..-7-1-")


@given(ids, ids)
def test_a_name_is_safe_on_every_file_system(patient: str, exam: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+\.png", exam_picture_name(patient, exam))
    (name,) = image_names([entry("in/ü (1).png", patient, exam)], Path("in")).values()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


@given(ids, ids, ids, ids)
def test_different_exams_have_different_pictures(patient: str, exam: str, patient2: str, exam2: str) -> None:
    alike = exam_picture_name(patient, exam) == exam_picture_name(patient2, exam2)
    assert alike == ((patient, exam) == (patient2, exam2))


def test_an_image_keeps_its_name_and_gains_the_ids_that_it_lacks() -> None:
    entries = [entry("in/1302_1_D_CC_R.png", "1302", "1302"), entry("in/E1/RCC.png", "P1", "E1")]
    assert list(image_names(entries, Path("in")).values()) == ["1302_1_D_CC_R", "P1_E1_RCC"]


def test_images_of_one_projection_that_would_share_a_name_are_told_apart_wherever_the_run_lies() -> None:
    alike = [("ä/CC_R.png", "ä"), ("ü/CC_R.png", "ü"), ("E/CC_R.png", "E"), ("E/CC_R.tif", "E")]
    here, there = (
        image_names([entry(f"{root}/{path}", exam, exam) for path, exam in alike], Path(root))
        for root in ("in", "/a/b")
    )
    assert len(set(here.values())) == 4
    assert list(here.values()) == list(there.values())


def test_the_same_name_in_two_projections_stays_as_it_is() -> None:
    entries = [entry("CC_R/07.png", "07", "07"), entry("CC_L/07.png", "07", "07", Projection.CC_L)]
    assert list(image_names(entries, Path()).values()) == ["07", "07"]
