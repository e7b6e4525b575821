from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densight.assessment.fusion import fuse_breasts, fuse_exams, group_means, mean_of, predicted_class
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError

COLUMNS = ["p_A", "p_B", "p_C", "p_D"]


def image(projection: str, p: list[float], exam: str = "1", patient: str = "1", density: str = "") -> dict[str, object]:
    view, side = projection.split("_")
    row = {"patient_id": patient, "exam_id": exam, "laterality": side, "view": view, "density": density}
    return row | dict(zip(COLUMNS, p, strict=True))


FOUR = {
    "CC_R": [0.80, 0.20, 0.00, 0.00],
    "MLO_R": [0.40, 0.40, 0.20, 0.00],
    "CC_L": [0.10, 0.70, 0.10, 0.10],
    "MLO_L": [0.10, 0.30, 0.50, 0.10],
}


def test_breast_is_the_mean_of_cc_and_mlo_and_exam_of_all_four() -> None:
    images = pd.DataFrame([image(projection, p, density="B") for projection, p in FOUR.items()])
    breasts, exams = fuse_breasts(images, BIRADS), fuse_exams(images, BIRADS)
    assert breasts["laterality"].tolist() == ["R", "L"]
    assert breasts[COLUMNS].to_numpy() == pytest.approx(np.array([[0.6, 0.3, 0.1, 0.0], [0.1, 0.5, 0.3, 0.1]]))
    assert breasts["predicted"].tolist() == ["A", "B"]
    assert breasts["projections"].tolist() == ["CC_R MLO_R", "CC_L MLO_L"]
    assert exams[COLUMNS].to_numpy() == pytest.approx(np.array([[0.35, 0.40, 0.20, 0.05]]))
    row = exams.loc[0]
    assert (row.predicted, row.density, row.projections, row.missing, row.assumed) == (
        "B",
        "B",
        "CC_R CC_L MLO_R MLO_L",
        "",
        "",
    )
    assert list(breasts.columns) == [
        "exam_id", "patient_id", "laterality", "density", *COLUMNS, "predicted", "projections", "missing", "assumed",
    ]  # fmt: skip
    assert list(exams.columns) == [column for column in breasts.columns if column != "laterality"]


def test_a_missing_projection_is_named_and_the_present_ones_weigh_the_same() -> None:
    images = pd.DataFrame([image(projection, FOUR[projection]) for projection in ("CC_R", "MLO_R", "MLO_L")])
    exam = fuse_exams(images, BIRADS).loc[0]
    assert exam.missing == "CC_L"
    assert exam[COLUMNS].tolist() == pytest.approx([1.3 / 3, 0.9 / 3, 0.7 / 3, 0.1 / 3])
    breasts = fuse_breasts(images, BIRADS)
    assert breasts["missing"].tolist() == ["", "CC_L"]
    assert breasts[COLUMNS].mean().tolist() != pytest.approx(exam[COLUMNS].tolist())


def test_two_images_of_one_projection_count_once_and_are_said() -> None:
    images = pd.DataFrame(
        [
            image("CC_R", [1.0, 0.0, 0.0, 0.0]),
            image("CC_R", [0.0, 1.0, 0.0, 0.0]),
            image("MLO_R", [0.0, 0.0, 1.0, 0.0]),
        ]
    )
    exam = fuse_exams(images, BIRADS).loc[0]
    assert exam[COLUMNS].tolist() == [0.25, 0.25, 0.5, 0.0]
    assert exam.assumed == "2 images of CC_R averaged"
    assert exam.projections == "CC_R MLO_R"
    assert fuse_breasts(images, BIRADS).loc[0, "assumed"] == "2 images of CC_R averaged"


def test_equal_probabilities_give_the_less_dense_class() -> None:
    assert predicted_class([[0.0, 0.5, 0.5, 0.0]], BIRADS) == ["B"]


def test_visits_numbered_for_each_patient_anew_stay_apart() -> None:
    images = pd.DataFrame(
        [image("CC_R", FOUR["CC_R"], exam="1", patient="x"), image("CC_R", FOUR["CC_L"], exam="1", patient="y")]
    )
    exams = fuse_exams(images, BIRADS)
    assert exams[["exam_id", "patient_id", "predicted"]].to_numpy().tolist() == [["1", "x", "A"], ["1", "y", "B"]]


def test_the_reference_is_the_labelled_images_one() -> None:
    images = pd.DataFrame([image("CC_R", FOUR["CC_R"], density=""), image("CC_L", FOUR["CC_L"], density="C")])
    assert fuse_exams(images, BIRADS)["density"].tolist() == ["C"]
    assert fuse_breasts(images, BIRADS)["density"].tolist() == ["", "C"]


def test_an_exam_of_different_labels_has_no_reference_but_breasts_have_their_own() -> None:
    images = pd.DataFrame(
        [
            image("CC_R", FOUR["CC_R"], exam="7", patient="p", density="B"),
            image("CC_L", FOUR["CC_L"], exam="7", patient="p", density="C"),
        ]
    )
    assert fuse_breasts(images, BIRADS)["density"].tolist() == ["B", "C"]
    (exam,) = fuse_exams(images, BIRADS).to_dict("records")
    assert exam["density"] == ""
    assert exam["assumed"] == "no reference, for the images carry different densities, B and C"
    images["laterality"] = "R"
    (breast,) = fuse_breasts(images, BIRADS).to_dict("records")
    assert breast["density"] == ""
    assert breast["assumed"].startswith("2 images of CC_R averaged; no reference, for ")


@pytest.mark.parametrize(
    ("images", "fault"),
    [
        (pd.DataFrame([image("CC_R", FOUR["CC_R"], exam="")]), "row 1 of the images has no exam_id"),
        (pd.DataFrame([image("XX_R", FOUR["CC_R"])]), "unknown projection: view 'XX'"),
        (pd.DataFrame([image("CC_R", FOUR["CC_R"])])[:0], "no assessed image"),
    ],
)
def test_images_that_cannot_be_fused_are_refused(images: pd.DataFrame, fault: str) -> None:
    with pytest.raises(DensightError, match=fault):
        fuse_exams(images, BIRADS)


def test_group_means_refuses_what_has_no_mean() -> None:
    with pytest.raises(DensightError, match="n at least 1"):
        mean_of(np.empty((0, 4)))
    with pytest.raises(DensightError, match="group 1 has no row"):
        group_means([[0.5, 0.5], [0.5, 0.5]], [0, 2])
    with pytest.raises(DensightError, match="with a group for each row"):
        group_means([[0.5, 0.5], [0.5, 0.5]], [0])


weights = st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4)
exams_of_images = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(PROJECTIONS), weights), min_size=1, max_size=12
)


def table(rows: list[tuple[str, str, list[float]]]) -> pd.DataFrame:
    return pd.DataFrame(
        [image(projection, [w / sum(weight) for w in weight], exam=exam) for exam, projection, weight in rows]
    )


@given(exams_of_images)
def test_an_exam_alone_or_among_others_is_fused_the_same(rows: list[tuple[str, str, list[float]]]) -> None:
    images = table(rows)
    together = fuse_exams(images, BIRADS).set_index("exam_id")
    for exam, alone in images.groupby("exam_id"):
        fused = fuse_exams(alone, BIRADS).iloc[0]
        assert fused[COLUMNS].tolist() == together.loc[exam, COLUMNS].tolist()
        assert fused["missing"] == together.loc[exam, "missing"]


@given(exams_of_images, st.randoms())
def test_the_order_of_images_does_not_matter(rows: list[tuple[str, str, list[float]]], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = (fuse_exams(table(r), BIRADS).sort_values("exam_id", ignore_index=True) for r in (rows, shuffled))
    assert one[COLUMNS].to_numpy() == pytest.approx(other[COLUMNS].to_numpy(), abs=1e-12)
    assert one["projections"].tolist() == other["projections"].tolist()


@given(st.lists(weights, min_size=4, max_size=4))
def test_fused_probabilities_lie_among_the_projections_and_sum_to_one(rows: list[list[float]]) -> None:
    images = table([("a", projection, row) for projection, row in zip(PROJECTIONS, rows, strict=True)])
    single, exam = images[COLUMNS].to_numpy(), fuse_exams(images, BIRADS)[COLUMNS].to_numpy()[0]
    assert exam.sum() == pytest.approx(1)
    assert (exam >= single.min(axis=0) - 1e-12).all()
    assert (exam <= single.max(axis=0) + 1e-12).all()
    assert fuse_breasts(images, BIRADS)[COLUMNS].mean().tolist() == pytest.approx(exam.tolist())
    assert mean_of(single) == pytest.approx(exam)
