from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from densight.intake.catalogue import read_catalogue
from densight.training.recipe import read_recipe
from densight.training.train import train
from tests.processes import listen_to_interrupts
from tests.trainings import (
    SMALL,
    TUTORIAL,
    StopAt,
    Stopped,
    arguments,
    begin,
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


def test_an_output_folder_that_is_a_file_is_refused(catalogue: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    error = refused(*arguments(catalogue, recipe_file(tmp_path), tmp_path / "file"))
    assert error.fault == "cannot be written, because a file stands where a folder is needed"


# The command, which says "held" and waits where the event happens for the given time, so that it can be stopped there.
HELD = """
import pathlib, sys, time
from densight.cli.main import run
from densight.training import fit

event, times = sys.argv.pop(1), int(sys.argv.pop(1))

def count(happened):
    global times
    times -= happened
    if happened and times == 0:
        print("held", flush=True)
        time.sleep(120)

rate, replace = fit.learning_rate, pathlib.Path.replace

def counted_rate(*given):
    count(event == "batch")
    return rate(*given)

def counted_replace(self, target):
    count(pathlib.Path(target).name == event)
    return replace(self, target)

fit.learning_rate, pathlib.Path.replace = counted_rate, counted_replace
run()
"""


def stop(event: str, times: int, by: signal.Signals, given: list[str]) -> tuple[int, list[str]]:
    """Run the command in a process of its own and stop it at the event; its status and what it said."""
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "COLUMNS": "120"}
    command = [sys.executable, "-c", HELD, event, str(times), *given]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | threads,
        preexec_fn=listen_to_interrupts,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            if line == "held\n":
                process.send_signal(by)
            said.append(line.rstrip())
        _, errors = process.communicate(timeout=120)
    assert "held" in said, errors
    assert "Traceback" not in errors
    return process.returncode, said


def kill(event: str, times: int, given: list[str]) -> str:
    status, said = stop(event, times, signal.SIGKILL, given)
    assert status == -signal.SIGKILL
    return "\n".join(said)


def test_killed_in_an_epoch_at_a_checkpoint_and_at_the_end_it_leaves_what_an_uninterrupted_run_leaves(
    catalogue: Path, tmp_path: Path
) -> None:
    recipe = recipe_file(tmp_path)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert run(*arguments(catalogue, recipe, straight)).exit_code == 0
    command = arguments(catalogue, recipe, stopped)

    output = kill("batch", 5, command)  # the second of three batches of the second epoch
    assert "epoch 1/3" in output
    assert "epoch 2/3" not in output
    output = kill("state.safetensors", 1, command)  # the second epoch is learnt, and its state about to be renamed
    assert "all: goes on after epoch 1 of 3" in output
    assert "epoch 2/3" not in output
    output = kill("model.json", 1, command)  # all but the bundle's last file is there
    assert "all: goes on after epoch 1 of 3" in output
    assert "epoch 3/3" in output
    assert not (stopped / "all" / "model.json").exists()
    finished = run(*command)
    assert "all: goes on after epoch 3 of 3" in finished.output

    left = left_in(stopped)
    assert {"all/weights.safetensors", "all/model.json", "all/MODEL_CARD.md", "all/training/curves.csv"} <= set(left)
    assert left == left_in(straight)
    assert steps_in_tensorboard(stopped / "all") == steps_in_tensorboard(straight / "all") == [1, 2, 3]


def steps_in_tensorboard(bundle: Path) -> list[int]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(bundle / "training" / "tensorboard"))
    events.Reload()
    tags = ["accuracy/train", "accuracy/validation", "learning_rate", "loss/train", "loss/validation"]
    assert sorted(events.Tags()["scalars"]) == tags
    curves = pd.read_csv(bundle / "training" / "curves.csv")
    logged = [event.value for event in events.Scalars("loss/validation")]
    assert logged == pytest.approx(curves["validation_loss"].tolist())
    return [event.step for event in events.Scalars("loss/train")]


def test_ctrl_c_says_where_the_tutorials_network_goes_on_and_ends_as_if_nothing_had_been(
    catalogue: Path, tmp_path: Path
) -> None:
    recipe = recipe_file(tmp_path, TUTORIAL.replace("[64, 64]", "[32, 32]"))
    command = arguments(catalogue, recipe, tmp_path / "stopped")
    status, said = stop("batch", 5, signal.SIGINT, command)
    assert status == 130
    assert said[-2:] == ["held", "Stopped. The same command goes on with epoch 2 of all."]
    assert "goes on after epoch 1 of 2" in kill("batch", 2, command)
    assert run(*command).exit_code == 0
    run(*arguments(catalogue, recipe, tmp_path / "straight"))
    assert left_in(tmp_path / "stopped") == left_in(tmp_path / "straight")


@pytest.mark.parametrize(
    "changes",
    [
        "optimizer: sgd\nmomentum: 0.9\nnesterov: true\ndecay: 0.1\nschedule: constant\n",
        "optimizer: rmsprop\nschedule: plateau\nplateau_patience: 1\nkeep: last\n",
        "precision: bf16-mixed\nkeep: accuracy\n",
    ],
    ids=["sgd", "rmsprop", "bf16"],
)
def test_every_optimizer_goes_on_to_the_same_weights(changes: str, catalogue: Path, tmp_path: Path) -> None:
    small = SMALL.replace("warmup_epochs: 1\n", "").replace("[64, 48]", "[32, 32]")
    recipe = read_recipe(recipe_file(tmp_path, small + changes))
    images = read_catalogue(catalogue)
    for name, stops in (("straight", [0]), ("stopped", [2, 3, 0])):
        for stop in stops:
            try:
                train(images, tmp_path / name, recipe=recipe, projection="CC_R", seed=3, progress=StopAt(stop))
            except Stopped:
                assert stop
    assert left_in(tmp_path / "stopped") == left_in(tmp_path / "straight")
    assert read_record(tmp_path / "straight")["recipe"]["optimizer"] in changes + "adamw"


def test_the_curves_so_far_are_there_while_it_trains(catalogue: Path, tmp_path: Path) -> None:
    state = begin(catalogue, recipe_file(tmp_path), tmp_path / "out")
    assert pd.read_csv(state.parent / "curves.csv")["epoch"].tolist() == [1]
    assert steps_in_tensorboard(state.parents[1]) == [1]


def test_a_damaged_state(catalogue: Path, tmp_path: Path) -> None:
    recipe, out = recipe_file(tmp_path), tmp_path / "out"
    state = begin(catalogue, recipe, out)
    content = state.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"{}" * 99, b"\0" * len(content)):
        state.write_bytes(damaged)
        error = refused(*arguments(catalogue, recipe, out))
        assert "the saved state is damaged. Fix: delete it to begin the training anew" in str(error)
        assert error.path == state
    state.unlink()
    assert run(*arguments(catalogue, recipe, out)).exit_code == 0


@pytest.mark.parametrize(
    ("name", "time", "epochs"),
    [("state.safetensors", 2, 1), ("weights.safetensors", 1, 2)],
    ids=["at the second state", "at the bundle"],
)
def test_a_full_disk_costs_nothing_that_was_there(
    name: str, time: int, epochs: int, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = arguments(catalogue, recipe_file(tmp_path), tmp_path / "out", "--epochs", "2")
    write_bytes, writes = Path.write_bytes, []

    def filling_up(path: Path, content: bytes) -> int:
        if path.name.startswith(f".{Path(name).stem}-"):
            writes.append(path)
            if len(writes) == time:
                write_bytes(path, content[:1000])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", filling_up)
        error = refused(*command)
    assert f"{name}: cannot be written (No space left on device). Fix: free some space" in str(error)
    there = {path.name for path in (tmp_path / "out" / "all").rglob("*.safetensors")}
    assert there == {"state.safetensors"}
    assert f"all: goes on after epoch {epochs} of 2" in run(*command).output
    run(*arguments(catalogue, tmp_path / "recipe.yaml", tmp_path / "straight", "--epochs", "2"))
    assert left_in(tmp_path / "out") == left_in(tmp_path / "straight")
