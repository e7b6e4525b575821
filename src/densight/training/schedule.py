"""The optimizer, and its learning rate at every step."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from densight.training.checkpoint import State
from densight.training.recipe import Recipe

__all__ = ["learning_rate", "make_optimizer", "update_plateau"]

PLATEAU_MIN_DELTA = 1e-4
"""Keras' ReduceLROnPlateau counts as better only what is better by more than this."""


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; RMSprop with Keras' constants; AdamW without weight decay on biases and batch norm.

    Momentum is PyTorch's. Keras multiplies by the rate before it accumulates, which differs only while the rate
    changes.
    """
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov
        )
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), recipe.learning_rate, alpha=0.9, eps=1e-7)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, recipe.learning_rate)


def learning_rate(recipe: Recipe, state: State, position: float) -> float:
    """The rate of a step at ``position`` epochs since the beginning, ``state.steps`` steps after it.

    Source of the cosine: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    eq. 5, without restarts. Of the decay: Keras 2.2, ``keras.optimizers.SGD``.
    """
    rate = state.learning_rate
    if recipe.schedule == "cosine":
        span = max(recipe.epochs - recipe.warmup_epochs, 1)
        fall = 0.5 * (1 + float(np.cos(np.pi * max(position - recipe.warmup_epochs, 0) / span)))
        rise = min(1.0, (position + 0.1) / recipe.warmup_epochs) if recipe.warmup_epochs else 1.0
        rate = rise * (recipe.min_learning_rate + (recipe.learning_rate - recipe.min_learning_rate) * fall)
    return rate / (1 + recipe.decay * state.steps)


def update_plateau(recipe: Recipe, state: State, validation_loss: float) -> None:
    """Keras' ReduceLROnPlateau: after ``patience`` epochs without a better validation loss, multiply the rate.

    Source: Keras 2.2, ``keras.callbacks.ReduceLROnPlateau``.
    """
    if recipe.schedule != "plateau":
        return
    if validation_loss < state.plateau_best - PLATEAU_MIN_DELTA:
        state.plateau_best, state.plateau_wait = validation_loss, 0
        return
    state.plateau_wait += 1
    if state.plateau_wait >= recipe.plateau_patience:
        state.learning_rate = max(state.learning_rate * recipe.plateau_factor, recipe.min_learning_rate)
        state.plateau_wait = 0
