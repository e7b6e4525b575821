from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densight.figures.levels import Figures
from densight.figures.merit import measure
from densight.figures.plots import draw_confusion, draw_confusions, draw_intervals, save_plots


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
