from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from densight.intake.split import split_by_patient
from densight.vocabulary import BIRADS, SPLITS, DensightError


def patients(*counts: int, images: int = 2) -> pd.DataFrame:
    """So many patients of A, B, …, each with some images."""
    rows = [
        (f"{label}{i:03d}", label, "")
        for label, count in zip("ABCDEFGH", counts, strict=False)
        for i in range(count)
        for _ in range(images)
    ]
    return pd.DataFrame(rows, columns=["patient_id", "density", "split"])


def count(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Patients of each class and split."""
    seen = table.drop_duplicates("patient_id")
    return Counter(zip(seen["density"], seen["split"], strict=True))


def test_a_hand_worked_case() -> None:
    # 45, 37, 38 patients at .60, .15, .25: quotas 27, 6.75, 11.25; 22.2, 5.55, 9.25; 22.8, 5.7, 9.5. Over all classes
    # 72, 18, 30, so one of 7, 6, 6 validation patients goes to test, where the remainders are .25, .25, .5: the last.
    table = split_by_patient(patients(45, 37, 38), ["A", "B", "C"], (0.6, 0.15, 0.25))
    assert count(table) == {
        ("A", "train"): 27, ("A", "validation"): 7, ("A", "test"): 11,
        ("B", "train"): 22, ("B", "validation"): 6, ("B", "test"): 9,
        ("C", "train"): 23, ("C", "validation"): 5, ("C", "test"): 10,
    }  # fmt: skip


def test_one_patient_a_class_is_trained_on() -> None:
    table = split_by_patient(patients(1, 1, 1, 1), BIRADS, (0.2, 0.4, 0.4))
    assert set(table["split"]) == {"train"}


FRACTIONS = st.sampled_from(
    [(0.6, 0.15, 0.25), (0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (1 / 3, 1 / 3, 1 / 3), (0.9, 0.1, 0)]
)
COUNTS = st.lists(st.integers(0, 40), min_size=2, max_size=6).filter(any)


@settings(max_examples=60, deadline=None)
@given(counts=COUNTS, fractions=FRACTIONS, seed=st.integers(0, 99))
def test_patients_stay_whole_and_counts_hold(
    counts: list[int], fractions: tuple[float, float, float], seed: int
) -> None:
    classes = list("ABCDEF"[: len(counts)])
    table = split_by_patient(patients(*counts), classes, fractions, seed)
    assert (table.groupby("patient_id")["split"].nunique() == 1).all()
    found = count(table)
    forced = 0
    for label, number in zip(classes, counts, strict=True):
        sizes = [found.get((label, split), 0) for split in SPLITS]
        assert sum(sizes) == number
        assert not number or sizes[0] > 0
        forced += number > 0 and fractions[0] * number < 1
        for size, fraction in zip(sizes, fractions, strict=True):
            assert math.floor(fraction * number + 1e-9) <= size <= math.ceil(fraction * number - 1e-9)
    for split, fraction in zip(SPLITS, fractions, strict=True):
        overall = sum(found.get((label, split), 0) for label in classes)
        assert abs(overall - fraction * sum(counts)) < 1 + forced


@settings(max_examples=25, deadline=None)
@given(counts=COUNTS, seed=st.integers(0, 99), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(counts: list[int], seed: int, order: np.random.Generator) -> None:
    table = patients(*counts)
    positions = list(range(len(table)))
    order.shuffle(positions)
    classes = list("ABCDEF"[: len(counts)])
    straight = split_by_patient(table, classes, seed=seed)
    shuffled = split_by_patient(table.iloc[positions], classes, seed=seed)
    assert dict(zip(straight["patient_id"], straight["split"], strict=True)) == dict(
        zip(shuffled["patient_id"], shuffled["split"], strict=True)
    )


def test_the_seed_decides_who_is_in_which_split() -> None:
    table = patients(20, 20)
    first, same, other = (split_by_patient(table, ["A", "B"], seed=seed)["split"].tolist() for seed in (1, 1, 2))
    assert first == same
    assert first != other
    assert Counter(first) == Counter(other)


def test_a_patient_is_of_the_class_of_most_images_and_the_densest_on_a_tie() -> None:
    # Four patients: two clearly A, one A-and-B tied (so B), one mostly B. With half in training, each class of two
    # gives one; had the tied patient been A, the three of A would give two.
    table = pd.DataFrame(
        [("p", "A"), ("q", "A"), ("tied", "A"), ("tied", "B"), ("most", "B"), ("most", "A"), ("most", "B")],
        columns=["patient_id", "density"],
    ).assign(split="")
    for seed in range(10):
        split = split_by_patient(table, ["A", "B"], (0.5, 0, 0.5), seed)
        of = dict(zip(split["patient_id"], split["split"], strict=True))
        assert {of["p"], of["q"]} == {"train", "test"}
        assert {of["tied"], of["most"]} == {"train", "test"}


def test_a_split_that_is_given_is_kept_and_holds_for_the_whole_patient() -> None:
    table = patients(8, 8)
    table.loc[table["patient_id"] == "A000", "split"] = ["test", ""]
    table.loc[table["patient_id"] == "B000", "split"] = "validation"
    split = split_by_patient(table, ["A", "B"], (1, 0, 0))
    assert split.loc[split["patient_id"] == "A000", "split"].tolist() == ["test", "test"]
    assert split.loc[split["patient_id"] == "B000", "split"].tolist() == ["validation", "validation"]
    assert set(split.loc[~split["patient_id"].isin(["A000", "B000"]), "split"]) == {"train"}
    assert (table["split"] == "").sum() == len(table) - 3, "the table given is not changed"


def test_patients_without_any_label_get_no_split() -> None:
    table = pd.DataFrame([("p", "A", ""), ("p", "", ""), ("q", "", "")], columns=["patient_id", "density", "split"])
    assert split_by_patient(table, BIRADS)["split"].tolist() == ["train", "train", ""]


@pytest.mark.parametrize(
    "fractions", [(0.6, 0.4), (0.6, 0.3, 0.3), (-0.2, 0.6, 0.6), (0, 0.5, 0.5), (float("nan"), 0, 1)]
)
def test_fractions_that_are_no_parts_of_one_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(DensightError, match="do not split a data set"):
        split_by_patient(patients(4, 4), ["A", "B"], fractions)
