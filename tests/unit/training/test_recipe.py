from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from densight.network.architecture import ARCHITECTURES
from densight.network.mobilenet import MobileNetV2
from densight.training.checkpoint import State
from densight.training.loss import DensityLoss, class_weights, soft_targets
from densight.training.recipe import Recipe, read_recipe
from densight.training.schedule import learning_rate, make_optimizer, update_plateau
from densight.vocabulary import DensightError

PLAIN = {"network": "mobilenetv2-035", "preparation": "default", "shape": (64, 48), "epochs": 10, "batch_size": 4}
PLAIN |= {"optimizer": "sgd", "learning_rate": 0.01}


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text)
    return path


def test_the_tutorials_recipe_is_the_scripts() -> None:
    recipe = read_recipe("tutorial")
    assert (recipe.network, recipe.preparation, recipe.shape) == ("tutorial-resnet", "tutorial", (650, 650))
    assert (recipe.epochs, recipe.batch_size) == (100, 4)
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.decay) == ("sgd", 0.01, 0, 0)
    assert (recipe.schedule, recipe.plateau_factor, recipe.plateau_patience) == ("plateau", 0.1, 15)
    assert recipe.min_learning_rate == 0.001
    assert (recipe.rotation, recipe.zoom, recipe.shift, recipe.flip_rows, recipe.contrast) == (10, 0.2, 0.2, False, 0)
    assert (recipe.class_balance, recipe.ordinal_sharpness, recipe.keep) == (False, None, "accuracy")


def test_a_recipe_of_ones_own_names_what_differs_from_its_base(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "base: tutorial\nshape: [64, 128]\nlearning_rate: 1.0e-3\n"))
    assert (recipe.shape, recipe.learning_rate) == ((64, 128), 0.001)
    assert recipe.record() == read_recipe("tutorial").record() | {"shape": [64, 128], "learning_rate": 0.001}


def test_the_record_of_a_recipe_is_a_recipe(tmp_path: Path) -> None:
    lines = [f"{key}: {'null' if value is None else str(value).lower()}" for key, value in RECORD.items()]
    assert read_recipe(write(tmp_path, "\n".join(lines))) == read_recipe("default")


RECORD = read_recipe("default").record()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("base: default\nlearning_rate: 1e-3", r"learning_rate is '1e-3'. .*YAML reads 1e-3 as a word"),
        ("base: default\nepochs: 3.0", "epochs is 3.0. Fix: give a whole number above 0"),
        ("base: default\nepochs: true", "epochs is True. Fix: give a whole number above 0"),
        ("base: default\nepochs: 0", "epochs is 0. Fix: give a whole number above 0"),
        ("base: default\nlearning_rate: .nan", "learning_rate is nan"),
        ("base: default\nflip_rows: 1", "flip_rows is 1. Fix: give true or false"),
        ("base: default\nshape: 64", r"shape is 64. Fix: give two whole numbers, \[rows, columns\]"),
        ("base: default\nshape: [64, 48, 3]", r"shape is \(64, 48, 3\). Fix: give two whole numbers"),
        ("base: default\nshape: [16, 64]", r"the frame \(16, 64\) is too small"),
        ("base: default\npreparation: raw", "unknown preparation 'raw'. Fix: use one of tutorial, default"),
        ("base: default\noptimizer: adam", "optimizer is 'adam'. Fix: use one of sgd, rmsprop, adamw"),
        ("base: default\nkeep: best", "keep is 'best'. Fix: use one of accuracy, loss, last"),
        ("base: default\nzoom: 1.0", "zoom is 1.0. Fix: give a number from 0 to below 1"),
        ("base: default\nrotation: -10", "rotation is -10. Fix: give a number of 0 or more"),
        ("base: default\nwarmup_epochs: 1.5", "warmup_epochs is 1.5. Fix: give a whole number of 0 or more"),
        (
            "base: default\nshape: [64, 48.5]",
            r"shape\[1\] is 48.5. Fix: give two whole numbers, \[rows",
        ),
        ("base: default\nnetwork: 18", "network is 18. Fix: give a word"),
        ("base: default\nordinal_sharpness: 0", "ordinal_sharpness is 0. Fix: give a number above 0"),
        ("base: tutorial\nplateau_factor: 1", "plateau_factor is 1. Fix: give a number between 0 and 1"),
        ("base: tutorial\nnesterov: true", "nesterov without momentum"),
        ("base: tutorial\ncontrast: 0.1", "contrast with the preset tutorial"),
        ("base: my.yaml", "the recipe's base is 'my.yaml'. Fix: use one of tutorial, default, demo"),
        ("epochs: [", "the recipe is not valid YAML"),
        ("- epochs", "the recipe is not a table of keys and values"),
        ("", "the recipe is not a table of keys and values"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_file(text: str, fault: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DensightError, match=fault) as refused:
        read_recipe(path)
    assert refused.value.path == path
    assert refused.value.remedy


@pytest.mark.parametrize("base", ["default", "tutorial"])
def test_a_network_is_refused_with_a_preset_whose_channels_it_misreads(base: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"base: {base}\nnetwork: breastnet\n")
    with pytest.raises(DensightError) as refused:
        read_recipe(path)
    assert refused.value.path == path
    assert refused.value.fault == f"the network breastnet needs the preparation breast, but the recipe's is {base}"
    assert refused.value.remedy == "set preparation: breast, or choose another network"
    with pytest.raises(DensightError, match="needs the preparation breast"):
        replace(read_recipe(base), network="breastnet")


def test_a_network_with_the_preset_that_it_needs_is_a_recipe(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "base: default\nnetwork: breastnet\npreparation: breast\n"))
    assert (recipe.network, recipe.prepared().channels) == ("breastnet", 3)
    needed = {name: design.preparation for name, design in ARCHITECTURES.items()}
    assert needed.pop("breastnet") == "breast"
    assert set(needed.values()) == {None}


def test_a_recipe_made_in_python_is_checked_too_and_keeps_its_values_as_given() -> None:
    with pytest.raises(DensightError, match=r"the recipe's epochs is 0\. Fix: give a whole number above 0"):
        replace(read_recipe("default"), epochs=0)
    record = Recipe(**PLAIN | {"rotation": 10, "zoom": 0}).record()
    assert (repr(record["rotation"]), repr(record["zoom"])) == ("10", "0")


class TestSchedule:
    def plateau(self, losses: list[float], **changes: object) -> list[float]:
        """The rate of each epoch after the first, for these validation losses."""
        recipe = Recipe(**PLAIN | {"schedule": "plateau", "plateau_patience": 3, "min_learning_rate": 0.001} | changes)
        state, rates = State("", recipe.learning_rate), []
        for loss in losses:
            update_plateau(recipe, state, loss)
            rates.append(learning_rate(recipe, state, 0.0))
        return rates

    def test_a_plateau_of_patience_epochs_divides_the_rate_by_ten_once(self) -> None:
        rates = self.plateau([1.0] * 9)
        assert rates == pytest.approx([0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001])

    def test_without_a_floor_it_goes_on_falling_every_patience_epochs(self) -> None:
        rates = self.plateau([1.0] * 7, min_learning_rate=0.0)
        assert rates == pytest.approx([0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.0001])

    def test_only_what_is_better_by_more_than_a_ten_thousandth_counts(self) -> None:
        assert self.plateau([1.0, 0.99995, 0.9999, 0.99985])[-1] == pytest.approx(0.01), "0.99985 is better than 1"
        assert self.plateau([1.0, 0.99995, 0.99995, 0.99995])[-1] == pytest.approx(0.001)

    def test_a_better_loss_begins_the_waiting_anew(self) -> None:
        assert self.plateau([1.0, 1.0, 1.0, 0.5, 0.6, 0.6])[-1] == pytest.approx(0.01)
        assert self.plateau([1.0, 1.0, 1.0, 0.5, 0.6, 0.6, 0.6])[-1] == pytest.approx(0.001)

    def test_other_schedules_know_no_plateau(self) -> None:
        assert self.plateau([1.0] * 9, schedule="constant") == pytest.approx([0.01] * 9)

    def test_the_cosine_rises_to_the_rate_and_falls_to_the_floor(self) -> None:
        recipe = Recipe(**PLAIN | {"schedule": "cosine", "warmup_epochs": 2, "min_learning_rate": 0.0001})
        state = State("", recipe.learning_rate)
        rate = {position: learning_rate(recipe, state, position) for position in (0, 0.9, 1.9, 2, 6, 9.9, 10)}
        assert rate[0] == pytest.approx(0.01 * 0.1 / 2)
        assert rate[0.9] == pytest.approx(0.01 * 1.0 / 2)
        assert rate[1.9] == pytest.approx(0.01)
        assert rate[2] == pytest.approx(0.01)
        assert rate[6] == pytest.approx((0.01 + 0.0001) / 2)
        assert rate[10] == pytest.approx(0.0001)
        assert rate[9.9] == pytest.approx(0.0001 + 0.0099 * (1 + math.cos(math.pi * 7.9 / 8)) / 2)

    def test_keras_decay_counts_the_steps(self) -> None:
        recipe = Recipe(**PLAIN | {"learning_rate": 0.1, "decay": 0.1})
        rates = [learning_rate(recipe, State("", 0.1, steps=steps), 0.0) for steps in (0, 1, 10, 90)]
        assert rates == pytest.approx([0.1, 0.1 / 1.1, 0.05, 0.01])


class TestOptimizer:
    def one_step(self, **changes: object) -> list[float]:
        """A weight at 1 with a gradient of 0.5, twice."""
        module = nn.Linear(1, 1, bias=False)
        nn.init.ones_(module.weight)
        optimizer = make_optimizer(module, Recipe(**PLAIN | {"learning_rate": 0.1} | changes))
        values = []
        for _ in range(2):
            module.weight.grad = torch.full((1, 1), 0.5)
            optimizer.step()
            values.append(module.weight.item())
        return values

    def test_plain_sgd(self) -> None:
        assert self.one_step() == pytest.approx([0.95, 0.90])

    def test_nesterov_momentum(self) -> None:
        # v1 = .5, step .5 + .9 v1 = .95; v2 = .9 v1 + .5 = .95, step .5 + .9 v2 = 1.355
        assert self.one_step(momentum=0.9, nesterov=True) == pytest.approx([0.905, 0.905 - 0.1355])

    def test_rmsprop_has_keras_constants(self) -> None:
        first = 1 - 0.1 * 0.5 / (math.sqrt(0.1 * 0.25) + 1e-7)
        second = first - 0.1 * 0.5 / (math.sqrt(0.9 * 0.025 + 0.025) + 1e-7)
        assert self.one_step(optimizer="rmsprop") == pytest.approx([first, second])

    def test_adamw_shrinks_kernels_but_neither_biases_nor_batch_norm(self) -> None:
        network = MobileNetV2(3, width=0.35)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(1.0)
        optimizer = make_optimizer(network, Recipe(**PLAIN | {"optimizer": "adamw", "weight_decay": 0.5}))
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        for name, parameter in network.named_parameters():
            expected = 1 - 0.01 * 0.5 if parameter.ndim > 1 else 1.0
            assert torch.allclose(parameter, torch.tensor(expected)), name


class TestLoss:
    def test_targets_without_order_are_one_hot(self) -> None:
        assert torch.equal(soft_targets(4, None), torch.eye(4))

    def test_targets_with_order_fall_with_the_squared_distance(self) -> None:
        e = [math.exp(-2 * k**2) for k in range(3)]
        expected = [
            [1 / (1 + e[1] + e[2]), e[1] / (1 + e[1] + e[2]), e[2] / (1 + e[1] + e[2])],
            [e[1] / (1 + 2 * e[1]), 1 / (1 + 2 * e[1]), e[1] / (1 + 2 * e[1])],
        ]
        np.testing.assert_allclose(soft_targets(3, 2.0)[:2], expected, rtol=1e-6)
        np.testing.assert_allclose(soft_targets(3, 2.0)[2], expected[0][::-1], rtol=1e-6)

    def test_balanced_classes_weigh_alike(self) -> None:
        labels = np.array([0] * 6 + [1] * 3 + [2])
        weights = class_weights(labels, 3, balanced=True).numpy()
        np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
        np.testing.assert_allclose([weights[labels][labels == c].sum() for c in range(3)], 10 / 3, rtol=1e-6)
        assert class_weights(labels, 3, balanced=False).tolist() == [1, 1, 1]

    def test_a_batch_by_hand(self) -> None:
        recipe = Recipe(**PLAIN | {"class_balance": True})
        loss = DensityLoss.of(recipe, np.array([0, 0, 0, 1]), 2, torch.device("cpu"))
        logits = torch.tensor([[math.log(3.0), 0.0], [math.log(3.0), 0.0]])  # probabilities .75 and .25
        expected = (-math.log(0.75) * 4 / 6 - math.log(0.25) * 4 / 2) / 2
        assert loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected)

    def test_ordinal_targets_punish_far_mistakes_more(self) -> None:
        loss = DensityLoss.of(
            Recipe(**PLAIN | {"ordinal_sharpness": 1.0}), np.array([0, 1, 2, 3]), 4, torch.device("cpu")
        )
        guesses = 4 * torch.eye(4)
        by_guess = [loss(guesses[[guess]], torch.tensor([0])).item() for guess in range(4)]
        assert by_guess == sorted(by_guess)
        assert by_guess[1] < by_guess[3] - 1
