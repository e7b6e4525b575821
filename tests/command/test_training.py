from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from densight.network.bundle import read_bundle
from densight.storage import checksum
from densight.training.data import FramedImages
from densight.training.fit import fit, open_device
from densight.training.recipe import Recipe, read_recipe
from tests.examples import TwoChannels, draw_breast
from tests.trainings import (
    SMALL,
    TUTORIAL,
    arguments,
    begin,
    edit,
    left_in,
    make_catalogue,
    read_record,
    recipe_file,
    refused,
    run,
)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return make_catalogue(tmp_path / "images")


def test_a_seed_decides_the_weights(catalogue: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run(*arguments(catalogue, recipe, tmp_path / name, "--epochs", "1", "--seed", seed))
    digests = [checksum(tmp_path / name / "all" / "weights.safetensors") for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
    assert read_record(tmp_path / "c" / "all")["seed"] == 2


def test_it_learns_what_can_be_learnt(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path / "images", labels="FD", training=20, validation=8)
    recipe = recipe_file(tmp_path, SMALL + "epochs: 10\nbatch_size: 4\nlearning_rate: 0.003\n")
    run(*arguments(catalogue, recipe, tmp_path / "models"))
    curves = pd.read_csv(tmp_path / "models" / "all" / "training" / "curves.csv")
    assert curves["train_accuracy"].iloc[0] < 0.7
    assert curves["train_accuracy"].iloc[-4:].mean() >= 0.8
    assert curves["train_loss"].iloc[-1] < 0.7 * curves["train_loss"].iloc[0]
    assert read_record(tmp_path / "models" / "all")["validation_accuracy"] >= 0.85


class Plain(TwoChannels):
    """A network in which the images of a batch do not meet: no batch norm, no dropout."""

    def forward_features(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.square()], dim=1)


def test_the_gradients_of_several_batches_make_the_step_of_a_large_one(tmp_path: Path) -> None:
    breasts = [draw_breast(seed, seed % 2, shape=(64, 48)).astype(np.float32) for seed in range(7)]
    learnt = []
    # Seven images: a step of six and one of one, either way.
    for batch_size, accumulate in ((6, 1), (2, 3)):
        recipe = Recipe(
            network="mobilenetv2-035",
            preparation="default",
            shape=(64, 48),
            epochs=3,
            batch_size=batch_size,
            accumulate=accumulate,
            optimizer="sgd",
            learning_rate=0.5,
            decay=0.5,
            schedule="cosine",
        )
        images = FramedImages(breasts, np.arange(7) % 2, recipe, None)
        network = Plain()
        state = fit(
            network,
            images,
            images,
            recipe,
            fabric=open_device("cpu", recipe.precision),
            seed=1,
            fingerprint="",
            state_path=tmp_path / f"{accumulate}.safetensors",
            on_batch=lambda *_: None,
            on_epoch=lambda _: None,
        )
        assert state.steps == 6
        learnt.append(
            [*network.classifier.weight.detach().ravel().tolist(), *(epoch.train_loss for epoch in state.history)]
        )
    assert learnt[0] == pytest.approx(learnt[1], rel=1e-5)
    assert learnt[0][:4] != pytest.approx([1.0, -2.0, 0.5, 4.0], abs=0.01)


def test_each_projection_gets_its_bundle_and_the_bundle_holds_the_whole_record(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path / "images", training=4, validation=2, projections=("MLO_L", "CC_R"))
    recipe = recipe_file(tmp_path)
    command = ("train", catalogue, "--recipe", recipe, "--projection", "each", "--epochs", "2", "-o", tmp_path / "out")
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert re.findall(r"^(\w+): recipe (.+)$", result.output, re.MULTILINE) == [
        ("CC_R", "recipe.yaml --epochs 2, 2 epochs"),
        ("MLO_L", "recipe.yaml --epochs 2, 2 epochs"),
    ]
    assert len(re.findall(r"^MLO_L epoch [12]/2: loss \d\.\d{4}, accuracy [01]\.\d{3}; ", result.output, re.M)) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["CC_R", "MLO_L"]
    bundle = read_bundle(tmp_path / "out" / "MLO_L")
    assert bundle.facts.projections == ("MLO_L",)
    assert bundle.facts.classes == ("F", "G", "D")
    assert bundle.facts.preparation.shape == (64, 48)
    record = bundle.facts.training
    assert record["recipe_name"] == "recipe.yaml --epochs 2"
    assert record["recipe"]["epochs"] == record["epochs"] == 2
    assert record["recipe"] == read_recipe(recipe).record() | {"epochs": 2}
    assert record["images"] == {"train": {"F": 4, "G": 4, "D": 4}, "validation": {"F": 2, "G": 2, "D": 2}}
    assert record["patients"] == {"train": 12, "validation": 6}
    assert (record["seed"], record["device"], record["left_out"]) == (0, "cpu", 0)
    assert {"densight", "torch"} <= set(record["versions"])
    curves = pd.read_csv(tmp_path / "out" / "MLO_L" / "training" / "curves.csv")
    best = curves.iloc[record["best_epoch"] - 1]
    assert best["validation_loss"] == curves["validation_loss"].min() == record["validation_loss"]
    row = (
        rf"MLO_L +{record['best_epoch']} of 2 +{record['validation_loss']:.4f} +{record['validation_accuracy']:.4f} +6 "
    )
    assert re.search(row, result.output)
    assert not list((tmp_path / "out").rglob("state*"))

    before = left_in(tmp_path / "out")
    again = run(*command)
    assert again.exit_code == 0
    assert "CC_R: finished already\nMLO_L: finished already\n" in again.output
    assert left_in(tmp_path / "out") == before


def test_a_terminal_gets_a_bar(catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densight.cli.train.draws_bars", lambda console: True)
    recipe = recipe_file(tmp_path)
    result = run(*arguments(catalogue, recipe, tmp_path, "--epochs", "2"), FORCE_COLOR="1")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", result.output)
    assert "all reading the images" in shown
    assert re.search(r"all epoch 2/2 batch 3/3 loss \d\.\d{3} val\. accuracy [01]\.\d{3} ━+ 0:00:00", shown)
    assert "all epoch 1/2:" not in shown, "a line an epoch is for what is no terminal"


def test_real_films_are_learnt_from(data: Path, tmp_path: Path) -> None:
    films = pd.read_csv(data / "mias" / "manifest.csv", dtype=str)
    films = pd.concat([films[films["tissue"] == label].head(6) for label in "FGD"])
    films["split"] = np.where(np.arange(18) % 6 < 4, "train", "validation")
    films = films.assign(
        path=[str(data / "mias" / path) for path in films["path"]],
        exam_id=films["patient_id"],
        density=films["tissue"],
        classes="F G D",
    )
    films.to_csv(tmp_path / "catalogue.csv", index=False)
    for recipe, name in ((SMALL, "default"), (TUTORIAL, "tutorial")):
        given = arguments(tmp_path / "catalogue.csv", recipe_file(tmp_path, recipe), tmp_path / name, "--epochs", "2")
        result = run(*given)
        assert result.exit_code == 0, result.output
        assert len(pd.read_csv(tmp_path / name / "all" / "training" / "curves.csv")) == 2
        assert read_bundle(tmp_path / name / "all").facts.preparation.preset == name
        assert (tmp_path / name / "all" / "training" / "curves.png").read_bytes().startswith(b"\x89PNG")


class TestUnreadableImages:
    def test_are_left_out_and_listed_and_the_status_says_so(self, catalogue: Path, tmp_path: Path) -> None:
        images = catalogue.parent
        (images / "3.png").write_bytes((images / "3.png").read_bytes()[:300])
        (images / "10.png").write_bytes(b"")
        command = arguments(catalogue, recipe_file(tmp_path), tmp_path / "out", "--epochs", "1")
        result = run(*command)
        assert result.exit_code == 1
        assert "2 images cannot be used:" in result.output
        assert f"{images / '10.png'}: the file is empty (0 bytes)" in result.output
        listed = tmp_path / "out" / "failures.csv"
        with listed.open() as file:
            rows = list(csv.DictReader(file))
        assert [row["path"] for row in rows] == [str(images / "3.png"), str(images / "10.png")]
        assert "truncated" in rows[0]["fault"]
        assert all(row["remedy"] for row in rows)
        record = read_record(tmp_path / "out" / "all")
        assert record["images"] == {"train": {"F": 7, "G": 8, "D": 8}, "validation": {"F": 2, "G": 3, "D": 3}}
        assert record["patients"] == {"train": 23, "validation": 8}
        assert record["left_out"] == 2
        before = left_in(tmp_path / "out")
        assert run(*command).exit_code == 1, "the same command again says the same"
        assert left_in(tmp_path / "out") == before

    def test_that_are_mended_in_the_middle_of_a_training_are_noticed(self, catalogue: Path, tmp_path: Path) -> None:
        image = catalogue.parent / "3.png"
        whole = image.read_bytes()
        image.write_bytes(b"")
        begin(catalogue, recipe_file(tmp_path), tmp_path / "out")
        image.write_bytes(whole)
        error = refused(*arguments(catalogue, tmp_path / "recipe.yaml", tmp_path / "out"))
        assert "3.png: whether it can be read has changed since the training was begun" in str(error)

    def test_that_were_all_of_a_class_stop_it(self, catalogue: Path, tmp_path: Path) -> None:
        for i in range(8):
            (catalogue.parent / f"{i}.png").write_bytes(b"")
        error = refused(*arguments(catalogue, recipe_file(tmp_path), tmp_path / "out"))
        assert "no training image of class F can be read; here the file is empty" in str(error)


class TestRefusals:
    def test_a_class_without_training_images(self, catalogue: Path, tmp_path: Path) -> None:
        edit(catalogue, lambda table: table[(table["density"] != "G") | (table["split"] != "train")])
        error = refused(*arguments(catalogue, recipe_file(tmp_path), tmp_path))
        assert "no training image of class G among the projections CC_R" in str(error)

    def test_no_validation_image_of_the_last_projection_is_found_before_the_first_is_trained(
        self, tmp_path: Path
    ) -> None:
        catalogue = make_catalogue(tmp_path / "images", training=1, validation=1, projections=("CC_R", "MLO_L"))
        edit(catalogue, lambda table: table[(table["view"] == "CC") | (table["split"] == "train")])
        error = refused("train", catalogue, "--recipe", recipe_file(tmp_path), "-o", tmp_path / "out")
        assert "no validation image among the projections MLO_L" in str(error)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("option", "value", "fault"),
        [
            (
                "--recipe",
                "cake",
                "there is no recipe 'cake'. Fix: use tutorial, default, demo, or the path",
            ),
            (
                "--projection",
                "LM_R",
                "unknown projection 'LM_R'. Fix: use CC_R, CC_L, MLO_R, MLO_L, each or",
            ),
            ("--projection", "CC_L", "the catalogue has no image of CC_L. Fix: use one that it has: CC_R"),
            ("--device", "abacus", "unknown device 'abacus'. Fix: use one of cpu, cuda, mps, auto"),
        ],
    )
    def test_unknown_words(self, option: str, value: str, fault: str, catalogue: Path, tmp_path: Path) -> None:
        error = refused("train", catalogue, "--recipe", recipe_file(tmp_path), "-o", tmp_path / "out", option, value)
        assert fault in str(error)

    @pytest.mark.parametrize("device", ["cuda", "mps"])
    def test_a_device_that_is_not_there(self, device: str, catalogue: Path, tmp_path: Path) -> None:
        if {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[device]:
            pytest.skip(f"this computer has a device {device}")
        error = refused(*arguments(catalogue, recipe_file(tmp_path), tmp_path / "out", "--device", device))
        assert f"this computer has no device '{device}'. Fix: use --device cpu or auto" in str(error)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (
                "base: default\nepoch: 3\n",
                "the recipe's epoch is not a known field. Fix: use network, preparation,",
            ),
            ("base: default\nepochs: many\n", "the recipe's epochs is 'many'. Fix: give a whole number"),
            (
                "network: tutorial-resnet\n",
                "the recipe's preparation, shape, epochs, batch_size, optimizer, learning_rate are missing",
            ),
            (
                "base: default\nnetwork: perceptron\n",
                "unknown network 'perceptron'. Fix: use one of tutorial-",
            ),
        ],
    )
    def test_recipes_that_do_not_fit(self, text: str, fault: str, catalogue: Path, tmp_path: Path) -> None:
        assert fault in str(refused(*arguments(catalogue, recipe_file(tmp_path, text), tmp_path / "out")))

    def test_a_folder_of_another_training(self, catalogue: Path, tmp_path: Path) -> None:
        recipe, out = recipe_file(tmp_path), tmp_path / "out"
        state = begin(catalogue, recipe, out)
        before = left_in(out)
        error = refused(*arguments(catalogue, recipe, out, "--seed", "1"))
        assert error.path == state
        assert "a training with another recipe, seed or other images was begun here" in str(error)
        assert "choose another output folder, or delete this file" in str(error)
        assert left_in(out) == before
        assert run(*arguments(catalogue, recipe, out)).exit_code == 0
        error = refused(*arguments(catalogue, recipe, out, "--seed", "1"))
        assert error.path == out / "all"
        assert "the folder holds a model of another training" in str(error)

    def test_a_loss_that_is_no_number(self, catalogue: Path, tmp_path: Path) -> None:
        recipe = recipe_file(tmp_path, SMALL + "optimizer: sgd\nlearning_rate: 1.0e+30\nschedule: constant\n")
        error = refused(*arguments(catalogue, recipe, tmp_path / "out"))
        assert re.search(r"the loss is (nan|inf) in epoch 1\. Fix: lower the recipe's learning_rate", str(error))
