from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densight.figures.evaluate import Figures
from densight.figures.merit import Merit, measure
from densight.figures.plots import (
    draw_chart,
    draw_confusion,
    draw_confusions,
    draw_groups,
    draw_intervals,
    draw_reliability,
    draw_risk,
    draw_roc,
    save_plots,
)


@pytest.fixture
def found() -> Figures:
    truth, told = [0] * 14 + [1] * 6 + [2] * 2, [0] * 10 + [1] * 9 + [0, 2, 1]
    merit = measure(truth, told, [str(i) for i in range(22)], 3)
    return Figures(("F", "G", "D"), {}, {"MLO_R": merit, "exam": measure([0, 2], [0, 0], ["a", "a"], 3)})


def test_a_confusion_matrix_shows_its_counts_and_the_shares_of_each_true_class(found: Figures) -> None:
    axes = draw_confusion(found, "MLO_R").axes[0]
    shown = [text.get_text() for text in axes.texts]
    assert shown[:4] == ["10", "71 %", "4", "29 %"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["F\n(14)", "G\n(6)", "D\n(2)"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class (cases)", "predicted class")
    image = axes.images[0].get_array()
    assert np.asarray(image).sum(axis=1) == pytest.approx(np.ones(3))


def test_the_page_has_every_level_and_the_intervals_their_values(found: Figures) -> None:
    titles = [axes.get_title(loc="left") for axes in draw_confusions(found).axes]
    assert titles[:2] == ["MLO_R", "exam"]
    axes = draw_intervals(found).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["MLO_R\nn = 22", "exam\nn = 2"]
    spans = [line.get_xdata() for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert any(tuple(span) == found.levels["MLO_R"]["accuracy"].interval for span in spans)


def test_png_and_svg_are_saved(found: Figures, tmp_path: Path) -> None:
    written = save_plots(found, tmp_path)
    assert {path.relative_to(tmp_path / "figures").name for path in written} == {
        f"{name}.{suffix}"
        for name in ("confusion_MLO_R", "confusion_exam", "confusion", "intervals")
        for suffix in ("png", "svg")
    }
    assert all(path.read_bytes().startswith((b"\x89PNG", b"<?xml")) for path in written)


def test_the_same_figures_give_the_same_files(found: Figures, tmp_path: Path) -> None:
    one, two = (save_plots(found, tmp_path / out) for out in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@pytest.fixture
def probable() -> Merit:
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=80)
    said = rng.dirichlet(np.ones(4), size=80) + np.eye(4)[truth]
    said /= said.sum(axis=1, keepdims=True)
    ids = [str(i) for i in range(80)]
    return measure(truth, said.argmax(axis=1), ids, 4, probabilities=said, dense_from=2, thresholds=[0.3])


def test_the_reliability_diagram_has_a_point_a_bin(probable: Merit) -> None:
    above, below = draw_reliability(probable).axes
    points = [tuple(one.get_offsets()[0]) for one in above.collections]
    assert points == [pytest.approx((one.confidence, one.accuracy)) for one in probable.reliability]
    assert [bar.get_height() for bar in below.patches] == [one.n for one in probable.reliability]


def test_the_roc_curve_passes_through_its_operating_points(probable: Merit) -> None:
    axes = draw_roc(probable).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["p ≥ 0.3", "p ≥ 0.5", "class"]
    assert probable.dense is not None
    curve = np.array(probable.dense.curve)
    assert (np.diff(curve, axis=0) >= 0).all()
    assert [tuple(curve[0]), tuple(curve[-1])] == [(0, 0), (1, 1)]
    for one in axes.collections[:2]:
        false, true = one.get_offsets()[0]
        on_curve = (np.abs(curve - (false, true)) < 1e-9).all(axis=1)
        # A point may lie on a straight part of the curve, of which only the ends are kept.
        assert on_curve.any() or np.interp(false, *curve.T) == pytest.approx(true, abs=0.05)


def test_the_roc_curve_of_a_perfect_model_has_no_made_up_interval() -> None:
    said = np.eye(4)[[0, 1, 2, 3]]
    merit = measure([0, 1, 2, 3], [0, 1, 2, 3], list("abcd"), 4, probabilities=said, dense_from=2)
    notes = [text.get_text() for text in draw_roc(merit).axes[0].texts]
    assert "AUC 1.000" in notes


def test_what_lies_outside_its_limits_is_of_another_colour() -> None:
    point = {"name": "2025-01", "n": 30, "patients": 30, "value": 0.8, "low": 0.7, "high": 0.9, "out": False}
    points = [point, point | {"name": "2025-02", "value": 0.5, "out": True}, point | {"name": "2025-03", "value": None}]
    axes = draw_chart("month", {"figure": "kappa_quadratic", "centre": 0.8, "points": points}).axes[0]
    inside, outside = (tuple(one.get_facecolor()[0]) for one in axes.collections)
    assert inside != outside
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2025-01", "2025-02", "2025-03"]


def test_groups_of_few_are_pale() -> None:
    estimate = {"value": 0.7, "interval": [0.6, 0.8], "method": "bca", "intervals": {}}
    rows = [{"name": name, "n": 40, "estimates": {"accuracy": estimate}} for name in "XY"]
    axes = draw_groups("vendor", rows, ["Y"]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["X\nn = 40", "Y\nn = 40"]
    assert [one.get_alpha() for one in axes.collections] == [1.0, 0.45]


def test_the_risk_curve_ends_at_the_error_of_all() -> None:
    axes = draw_risk({"kept": [0.5, 1.0], "risk": [0.1, 0.3], "area": 0.2}).axes[0]
    assert axes.lines[0].get_xydata()[-1].tolist() == [1.0, 0.3]
