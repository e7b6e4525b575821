from __future__ import annotations

from pathlib import Path

import pytest

from densight.vocabulary import (
    BIRADS,
    PROJECTIONS,
    DensightError,
    Laterality,
    Projection,
    View,
    check_classes,
    find_projection,
)


def test_the_words_are_those_of_the_field() -> None:
    assert BIRADS == ("A", "B", "C", "D")
    assert [projection.value for projection in PROJECTIONS] == ["CC_R", "CC_L", "MLO_R", "MLO_L"]
    assert Projection.MLO_L.view is View.MLO
    assert Projection.CC_R.laterality is Laterality.R


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_projection_is_its_view_and_laterality(projection: Projection) -> None:
    assert Projection.of(projection.view, projection.laterality) is projection
    assert Projection.of(f" {projection.view.lower()} ", projection.laterality.lower()) is projection


def test_a_view_that_is_none_is_refused() -> None:
    with pytest.raises(DensightError, match=r"unknown projection: view 'LM', laterality 'R'.*CC_R, CC_L, MLO_R, MLO_L"):
        Projection.of("LM", "R")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1302_1_D_MLO_R", "MLO_R"),
        ("predictions_ccl", "CC_L"),
        ("RCC", "CC_R"),
        ("rmlo", "MLO_R"),
        ("L-MLO", "MLO_L"),
        ("R CC", "CC_R"),
        ("P07.LCC.v2", "CC_L"),
        ("P_00001_LEFT_MLO", "MLO_L"),
        ("A_0002_1.RIGHT_CC", "CC_R"),
        ("mlo right", "MLO_R"),
        ("CC_R and later MLO_L", "MLO_L"),
        ("07MLO_L", "MLO_L"),
        ("CC", None),
        ("R", None),
        ("accl", None),
        ("RCCL", None),
        ("CCRL", None),
        ("BRIGHT_CC", None),
        ("", None),
    ],
)
def test_a_projection_is_found_in_any_usual_spelling(text: str, expected: str | None) -> None:
    assert find_projection(text) == expected


@pytest.mark.parametrize("classes", [[], ["A"], ["A", "A"], ["A", " "], ["A", "B", "A"]])
def test_classes_are_at_least_two_different_labels(classes: list[str]) -> None:
    with pytest.raises(DensightError, match="not an ordered set of at least two different labels"):
        check_classes(classes)


def test_classes_keep_their_order_and_lose_their_blanks() -> None:
    assert check_classes([" F", "G ", "D"]) == ("F", "G", "D")


def test_an_error_says_which_file_what_and_what_to_do() -> None:
    error = DensightError("the file is empty", "exam/a.png", "export it again")
    assert str(error) == "exam/a.png: the file is empty. Fix: export it again."
    assert (error.fault, error.path, error.remedy) == ("the file is empty", Path("exam/a.png"), "export it again")
    assert isinstance(error, ValueError)
    assert str(DensightError("no luck")) == "no luck."
