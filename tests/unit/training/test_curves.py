from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from densight.training.checkpoint import Epoch
from densight.training.curves import TensorBoardLog, draw_curves, write_curves

HISTORY = [Epoch(i + 1, 0.1 / (i + 1), 1.0 / (i + 1), i / 4, 1.2 / (i + 1), i / 5) for i in range(4)]


def test_the_table_holds_every_number_exactly(tmp_path: Path) -> None:
    write_curves(tmp_path / "curves.csv", HISTORY)
    table = pd.read_csv(tmp_path / "curves.csv")
    assert [Epoch(**row) for row in table.to_dict("records")] == HISTORY
    assert table.columns.tolist() == [
        *("epoch", "learning_rate", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    ]


@pytest.mark.parametrize("epochs", [1, 4])
def test_the_picture_shows_the_curves_chance_and_the_epoch_that_was_kept(epochs: int, tmp_path: Path) -> None:
    draw_curves(tmp_path / "curves.png", HISTORY[:epochs], epochs, 0.25)
    assert np.asarray(Image.open(tmp_path / "curves.png")).shape[:2] == (540, 1350)
    draw_curves(tmp_path / "curves.svg", HISTORY[:epochs], epochs, 0.25)
    drawn = (tmp_path / "curves.svg").read_text()
    for text in ("loss", "accuracy", "training", "validation", "chance", f"kept: epoch {epochs}"):
        assert f"<!-- {text} -->" in drawn
    for colour in ("#1f5fa8", "#8a8a8a"):
        assert drawn.count(f"stroke: {colour}") >= 2


def read_scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, round(event.value, 5)) for event in events.Scalars(tag)]


def test_tensorboard_has_every_epoch_once_after_a_training_that_was_stopped(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    stopped = TensorBoardLog(tmp_path / "log")
    stopped.write(HISTORY[:1])
    stopped.write(HISTORY[:2])  # and is killed: never closed
    resumed = TensorBoardLog(tmp_path / "log")
    resumed.write(HISTORY[:3])
    resumed.write(HISTORY)
    resumed.write(HISTORY)
    resumed.close()
    stopped.close()
    assert read_scalars(tmp_path / "log", "loss/validation") == [(1, 1.2), (2, 0.6), (3, 0.4), (4, 0.3)]
    assert read_scalars(tmp_path / "log", "learning_rate") == [(1, 0.1), (2, 0.05), (3, 0.03333), (4, 0.025)]
    assert len(list((tmp_path / "log").iterdir())) == 1


def test_without_tensorboard_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = TensorBoardLog(tmp_path / "log")
    log.write(HISTORY)
    log.close()
    assert not (tmp_path / "log").exists()
