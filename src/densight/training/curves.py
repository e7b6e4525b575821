"""Learning curves as a table, as a picture, and for TensorBoard."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from densight.storage import replacing, write_csv
from densight.training.checkpoint import Epoch

__all__ = ["TensorBoardLog", "draw_curves", "write_curves"]


def write_curves(path: Path, history: Sequence[Epoch]) -> None:
    """Write one row per epoch."""
    write_csv(path, [field.name for field in fields(Epoch)], (asdict(epoch) for epoch in history))


class TensorBoardLog:
    """The curves for TensorBoard, where it is installed; else nothing.

    What a stopped training left in the folder is written anew, so that no epoch is in it twice or missing.

    Parameters
    ----------
    folder : Path
        Of the event file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        self._writer: Any = None

    def write(self, history: Sequence[Epoch]) -> None:
        """Add the epochs that are not yet there: ``loss/train`` and the like, and ``learning_rate``."""
        if self._writer is None:
            try:
                tensorboard = import_module("torch.utils.tensorboard")
            except ImportError:
                return
            shutil.rmtree(self._folder, ignore_errors=True)
            self._writer = tensorboard.SummaryWriter(str(self._folder))
        for epoch in history[self._written :]:
            for quantity in ("loss", "accuracy"):
                for part in ("train", "validation"):
                    value = getattr(epoch, f"{part}_{quantity}")
                    self._writer.add_scalar(f"{quantity}/{part}", value, epoch.epoch)
            self._writer.add_scalar("learning_rate", epoch.learning_rate, epoch.epoch)
        self._written = len(history)
        self._writer.flush()

    def close(self) -> None:
        """Finish the event file."""
        if self._writer is not None:
            self._writer.close()


def draw_curves(path: Path, history: Sequence[Epoch], best_epoch: int, chance: float) -> None:
    """Draw loss and accuracy of training and validation, with the epoch that was kept.

    Parameters
    ----------
    path : Path
        A PNG or SVG file.
    history : sequence of Epoch
    best_epoch : int
        From one.
    chance : float
        The accuracy of guessing, drawn as a line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [epoch.epoch for epoch in history]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, colour in (("train", "#8a8a8a"), ("validation", "#1f5fa8")):
            values = [getattr(epoch, f"{part}_{quantity}") for epoch in history]
            axes.plot(
                epochs, values, color=colour, label={"train": "training"}.get(part, part), linewidth=1.6, marker="."
            )
        axes.axvline(best_epoch, color="#c0392b", linewidth=1, linestyle=":", label=f"kept: epoch {best_epoch}")
        axes.set(xlabel="epoch", ylabel=quantity, xlim=(1, max(len(epochs), 2)))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        if quantity == "accuracy":
            axes.axhline(chance, color="black", linewidth=0.8, linestyle="--", label="chance")
            axes.set_ylim(0, 1)
        else:
            # A few wild epochs of the validation loss, as batch norm makes them early, must not flatten the rest.
            losses = sorted(epoch.validation_loss for epoch in history)
            top = max(max(epoch.train_loss for epoch in history), losses[int(0.9 * (len(losses) - 1))])
            axes.set_ylim(0, 1.15 * top)
        axes.legend(frameon=False, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
