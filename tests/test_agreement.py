from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from densight.figures.agreement import linear_kappa, measure_kappa
from densight.figures.merit import confusion_matrix

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


def test_hand_worked() -> None:
    # Totals 3, 2, 1 by row and 2, 2, 2 by column. There: one step twice, 2 of 6. By chance: row by column by steps,
    # 3·2·1 + 3·2·2 + 2·2·1 + 2·2·1 + 1·2·2 + 1·2·1 = 32 of 36. κ = 1 - (2/6) / (32/36) = 0.625.
    assert linear_kappa([[2, 1, 0], [0, 1, 1], [0, 0, 1]]).item() == pytest.approx(0.625)


def test_two_classes_apart_disagree_twice_as_much_as_one() -> None:
    near, far = linear_kappa([[[3, 1, 0], [0, 4, 0], [0, 0, 4]], [[3, 0, 1], [0, 4, 0], [0, 0, 4]]])
    assert near > far


def test_one_class_alone_has_no_kappa() -> None:
    assert np.isnan(linear_kappa([[5, 0], [0, 0]]))
    assert measure_kappa([0, 0], [0, 0], ["a", "b"], 2).interval is None


@given(PAIRS)
def test_equal_to_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, told = zip(*pairs, strict=True)
    ours = linear_kappa(confusion_matrix(truth, told, 4)).item()
    if len({*truth, *told}) == 1:
        assert np.isnan(ours)
    else:
        theirs = sklearn.metrics.cohen_kappa_score(truth, told, labels=[0, 1, 2, 3], weights="linear")
        assert ours == pytest.approx(theirs)


def test_the_interval_holds_the_value_and_is_wider_where_one_patient_has_many_images() -> None:
    truth, told = [0, 1, 2, 3] * 10, [0, 1, 2, 2, 1, 1, 2, 3] * 5
    alone = measure_kappa(truth, told, [str(row) for row in range(40)], 4)
    shared = measure_kappa(truth, told, [str(row // 8 + 10 * (told[row] == truth[row])) for row in range(40)], 4)
    widths = []
    for kappa in (alone, shared):
        assert kappa.interval is not None
        low, high = kappa.interval
        assert low < kappa.value < high
        widths.append(high - low)
    assert widths[1] > widths[0]


def test_a_single_patient_has_no_interval() -> None:
    kappa = measure_kappa([0, 1, 1], [0, 0, 1], ["a", "a", "a"], 2)
    assert (kappa.value, kappa.interval, kappa.method) == (pytest.approx(0.4), None, "none")
