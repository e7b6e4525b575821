"""The loss: cross-entropy, optionally with balanced classes and ordinal targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from densight.training.recipe import Recipe

__all__ = ["DensityLoss", "class_weights", "soft_targets"]


@dataclass(frozen=True, eq=False)
class DensityLoss:
    """The weighted cross-entropy of a batch.

    Parameters
    ----------
    targets : Tensor of float32, shape (n_classes, n_classes)
        A target distribution a true class.
    weights : Tensor of float32, shape (n_classes,)
        A weight a true class.
    """

    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, recipe: Recipe, labels: npt.NDArray[np.int64], n_classes: int, device: torch.device) -> DensityLoss:
        """The recipe's loss for training images of these labels."""
        weights = class_weights(labels, n_classes, balanced=recipe.class_balance)
        return cls(soft_targets(n_classes, recipe.ordinal_sharpness).to(device), weights.to(device))

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(B, n_classes)`` and class indices ``(B,)`` to the batch's mean loss."""
        losses = functional.cross_entropy(logits.float(), self.targets[labels], reduction="none")
        return (losses * self.weights[labels]).mean()


def soft_targets(n_classes: int, sharpness: float | None) -> Tensor:
    """Target distributions, a row a true class: one-hot, or softer the nearer in order.

    Source: Díaz and Marathe, "Soft labels for ordinal regression", CVPR 2019, eq. 3.

    Examples
    --------
    >>> [round(p, 4) for p in soft_targets(3, 2.0)[1].tolist()]
    [0.1065, 0.787, 0.1065]
    """
    if sharpness is None:
        return torch.eye(n_classes)
    order = torch.arange(n_classes, dtype=torch.float32)
    return torch.softmax(-sharpness * (order[:, None] - order[None, :]) ** 2, dim=1)


def class_weights(labels: npt.NDArray[np.int64], n_classes: int, *, balanced: bool) -> Tensor:
    """A weight a class, mean one over the images: inverse to the class's share where ``balanced``.

    Examples
    --------
    >>> class_weights(np.array([0, 0, 0, 1]), 2, balanced=True).tolist()
    [0.6666666865348816, 2.0]
    """
    if not balanced:
        return torch.ones(n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    return torch.from_numpy((len(labels) / (n_classes * counts)).astype(np.float32))
