from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from densight.figures.agreement import cohen_kappa, gwet_ac
from densight.figures.confusion import confusion_matrix
from densight.figures.merit import measure

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


def test_hand_worked() -> None:
    # Totals 3, 2, 1 by row and 2, 2, 2 by column. There: one step twice, 2 of 6. By chance: row by column by steps,
    # 3·2·1 + 3·2·2 + 2·2·1 + 2·2·1 + 1·2·2 + 1·2·1 = 32 of 36. κ = 1 - (2/6) / (32/36) = 0.625.
    assert cohen_kappa([[2, 1, 0], [0, 1, 1], [0, 0, 1]], "linear").item() == pytest.approx(0.625)


def test_two_classes_apart_disagree_twice_as_much_as_one() -> None:
    near, far = cohen_kappa([[[3, 1, 0], [0, 4, 0], [0, 0, 4]], [[3, 0, 1], [0, 4, 0], [0, 0, 4]]], "linear")
    assert near > far


def test_gwets_ac_by_hand() -> None:
    # Shares of both raters: A .5, B .325, C .175. Weights 1, .75, 0. There: (8 + 3 + 2 + .75·7) / 20. By chance: the
    # sum of weights, 6, over 3·2, times Σ π (1 - π) = .25 + .219375 + .144375 = .61375.
    counts = [[8, 2, 0], [2, 3, 1], [0, 2, 2]]
    there, chance = (13 + 0.75 * 7) / 20, 0.61375
    assert gwet_ac(counts).item() == pytest.approx((there - chance) / (1 - chance))


def test_one_class_alone_has_no_kappa() -> None:
    assert np.isnan(cohen_kappa([[5, 0], [0, 0]]))
    assert measure([0, 0], [0, 0], ["a", "b"], 2)["kappa"].interval is None


@given(PAIRS, st.sampled_from(["none", "linear", "quadratic"]))
def test_equal_to_scikit_learn(pairs: list[tuple[int, int]], weights: str) -> None:
    truth, told = zip(*pairs, strict=True)
    ours = cohen_kappa(confusion_matrix(truth, told, 4), weights).item()
    if len({*truth, *told}) == 1:
        assert np.isnan(ours)
    else:
        theirs = sklearn.metrics.cohen_kappa_score(
            truth, told, labels=[0, 1, 2, 3], weights=None if weights == "none" else weights
        )
        assert ours == pytest.approx(theirs)


def test_the_interval_holds_the_value_and_is_wider_where_one_patient_has_many_images() -> None:
    truth, told = [0, 1, 2, 3] * 10, [0, 1, 2, 2, 1, 1, 2, 3] * 5
    alone = measure(truth, told, [str(row) for row in range(40)], 4)["kappa_linear"]
    shared = measure(truth, told, [str(row // 8 + 10 * (told[row] == truth[row])) for row in range(40)], 4)[
        "kappa_linear"
    ]
    widths = []
    for kappa in (alone, shared):
        assert kappa.interval is not None
        low, high = kappa.interval
        assert low < kappa.value < high
        widths.append(high - low)
    assert widths[1] > widths[0]


def test_a_single_patient_has_no_interval() -> None:
    kappa = measure([0, 1, 1], [0, 0, 1], ["a", "a", "a"], 2)["kappa_linear"]
    assert (kappa.value, kappa.interval, kappa.method) == (pytest.approx(0.4), None, "none")
