"""How the weights of the anatomy are fitted and judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densight.anatomy.network import FRAME, STRIDE


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")


def test_overlaps_are_as_worked_by_hand() -> None:
    from anatomy.figures import dice, iou

    one, other = np.zeros((2, 10), bool)
    one[:6] = other[3:7] = True
    assert dice(one, other) == pytest.approx(2 * 3 / (6 + 4))
    assert iou(one, other) == pytest.approx(3 / 7)
    assert dice(~(one | True), ~(one | True)) == 1


def test_percent_densities_agree_as_worked_by_hand() -> None:
    from anatomy.figures import percent

    rows = [{"measured": m, "true": t, "good": True} for m, t in ((12, 10), (18, 20), (33, 30), (41, 40), (52, 50))]
    said = percent(rows)
    assert said["mean absolute error"] == pytest.approx(2)
    assert said["bias"] == pytest.approx(1.2)
    assert said["r low"] < said["r"] == pytest.approx(np.corrcoef([12, 18, 33, 41, 52], [10, 20, 30, 40, 50])[0, 1])
    # Fisher's z ± 1.96/√2.
    assert np.arctanh(said["r high"]) - np.arctanh(said["r"]) == pytest.approx(1.96 / np.sqrt(2))


def test_no_patient_is_in_two_folds_and_every_image_in_one(data: Path) -> None:
    from anatomy import material

    known = list(material.mias(data / "mias"))[:60]
    folds = material.folds(known)
    assert sorted(i for fold in folds for i in fold) == list(range(60))
    patients = [{known[i].patient for i in fold} for fold in folds]
    assert sum(map(len, patients)) == len(set.union(*patients))


def test_an_example_is_framed_with_its_labels(data: Path) -> None:
    from anatomy import material
    from anatomy.augment import example

    known = next(material.ddsm(data / "ddsm_tissue"))
    inputs, targets, counted = example(known, np.random.default_rng(0))
    again = example(known, np.random.default_rng(0))
    assert inputs.shape == (3, *FRAME)
    assert targets.shape == (4, FRAME[0] // STRIDE, FRAME[1] // STRIDE)
    assert counted.tolist() == [1, 1, 1, 0]
    assert np.isfinite(inputs).all()
    assert 0 <= targets.min() <= targets.max() <= 1 + 1e-6
    # Muscle and dense tissue lie in the breast.
    assert (targets[1] <= targets[0] + 1e-3).all()
    assert (targets[2] <= targets[0] + 1e-3).all()
    np.testing.assert_array_equal(inputs, again[0])
