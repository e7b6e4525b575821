from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from densight.network.architecture import Architecture, build_network
from densight.network.bundle import Bundle, read_bundle, write_bundle
from densight.network.facts import BundleFacts
from densight.network.shipped import model_folder, shipped_models
from densight.preparation.prepare import Preparation
from densight.storage import checksum
from densight.vocabulary import DensightError, Projection
from tests.examples import write_model


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    """A bundle to spoil."""
    return shutil.copytree(model_folder, tmp_path / "bundle")


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(folder: Path) -> DensightError:
    with pytest.raises(DensightError) as caught:
        read_bundle(folder)
    error = caught.value
    assert error.remedy
    assert error.path is not None
    assert error.path == folder or error.path.parent == folder
    return error


def logits(bundle: Bundle) -> torch.Tensor:
    torch.manual_seed(0)
    with torch.inference_mode():
        return bundle.network(torch.rand(2, bundle.facts.architecture.channels, *bundle.facts.preparation.shape))


@pytest.mark.parametrize("name", ["tutorial-resnet", "mobilenetv2-050"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    preparation = Preparation("tutorial", (70, 90))
    architecture = Architecture(name, 3, 3)
    network = build_network(architecture)
    network.train()(torch.rand(4, 3, 70, 90))
    facts = BundleFacts(
        architecture,
        preparation,
        ("F", "G", "D"),
        (Projection.MLO_R, Projection.MLO_L),
        {"seed": 3, "recipe": {"epochs": 2}},
        licence="CC-BY-4.0",
    )
    write_bundle(tmp_path / "new" / "bundle", network.state_dict(), facts)
    bundle = read_bundle(tmp_path / "new" / "bundle")
    assert bundle.facts == facts
    assert bundle.checksum == checksum(bundle.folder / "weights.safetensors")
    assert not bundle.network.training
    assert bundle.network.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(bundle.network.state_dict()[key], value) for key, value in network.state_dict().items())
    images = torch.rand(2, 3, 70, 90)
    with torch.inference_mode():
        assert torch.equal(bundle.network(images), network.eval()(images))


def test_the_card_says_what_the_model_is_and_is_not(folder: Path) -> None:
    card = (folder / "MODEL_CARD.md").read_text()
    assert "Not a medical device" in card
    assert "mobilenetv2-035" in card
    assert "A, B, C, D" in card
    assert checksum(folder / "weights.safetensors") in card


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_model(tmp_path / name) for name in ("first", "second"))
    for name in ("model.json", "weights.safetensors", "MODEL_CARD.md"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    assert "there is no model bundle (no model.json)" in str(refused(tmp_path))
    assert "densight train or convert" in str(refused(tmp_path / "nowhere"))


def test_a_bundle_without_weights_is_refused(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    assert "no weights.safetensors" in str(refused(folder))


def test_one_changed_byte_of_the_weights_is_noticed(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    error = refused(folder)
    assert error.path == path
    assert "not those that model.json names" in str(error)


def test_the_weights_of_another_bundle_are_noticed(folder: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", seed=1)
    shutil.copy(other / "weights.safetensors", folder)
    assert "not those that model.json names" in str(refused(folder))


@pytest.mark.parametrize("end", [0, 4, 1000, -1])
def test_truncated_weights_are_refused_even_with_their_checksum(folder: Path, end: int) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:end])
    rewrite(folder, weights_sha256=checksum(path))
    assert "do not fit the network" in str(refused(folder))


def test_the_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", preset="tutorial")
    shutil.copy(other / "weights.safetensors", folder)
    rewrite(folder, weights_sha256=checksum(folder / "weights.safetensors"))
    assert "do not fit the network mobilenetv2-035" in str(refused(folder))


class Bomb:
    """A pickle that, when read, leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
def test_a_pickle_is_refused_and_not_run(folder: Path, tmp_path: Path, save: object) -> None:
    path = folder / "weights.safetensors"
    save({"stem.weight": Bomb(tmp_path / "exploded")}, path)
    rewrite(folder, weights_sha256=checksum(path))
    assert "do not fit the network" in str(refused(folder))
    assert not (tmp_path / "exploded").exists()


def test_a_later_format_is_refused(folder: Path) -> None:
    rewrite(folder, format=2)
    error = refused(folder)
    assert "later densight" in str(error)
    assert error.remedy == "upgrade densight"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1, 2]", b"null", b'{"format": 1}', b'{"format": "one"}', b"\xff\xfe\x00"],
    ids=["empty", "half", "list", "null", "bare", "word", "bytes"],
)
def test_a_damaged_model_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.json").write_bytes(content)
    error = refused(folder)
    assert error.path == folder / "model.json"
    assert "model.json is damaged" in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["A"]},
        {"classes": ["A", "A", "B", "C"]},
        {"projections": ["CC_X"]},
        {"preparation": {"preset": "holiday", "shape": [96, 64]}},
        {"preparation": {"preset": "default", "shape": [8, 8]}},
        {"architecture": {"name": "mobilenetv2-035"}},
    ],
)
def test_a_model_json_with_impossible_facts_is_refused(folder: Path, changes: dict[str, object]) -> None:
    rewrite(folder, **changes)
    assert "model.json is damaged" in str(refused(folder))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"projections": ["CC_X"]}, "projections[0] is 'CC_X' but should be 'CC_R', 'CC_L', 'MLO_R' or 'MLO_L'"),
        ({"preparation": {"preset": "holiday", "shape": [96, 64]}}, "unknown preparation 'holiday'"),
        ({"architecture": {"name": "mobilenetv2-035"}}, "architecture.channels is missing"),
        ({"architecture": {"name": "mobilenetv2-035", "channels": "1"}}, "architecture.channels is '1' but should be"),
        ({"licence": None}, "licence is None but should be a valid string"),
    ],
)
def test_the_field_that_is_wrong_is_named(folder: Path, changes: dict[str, object], fault: str) -> None:
    rewrite(folder, **changes)
    error = refused(folder)
    assert error.fault.startswith(f"model.json is damaged: {fault}")
    assert error.remedy == "copy the whole bundle again"


def test_a_key_of_another_program_is_passed_over(folder: Path) -> None:
    before = read_bundle(folder).facts
    rewrite(folder, hub="a/b")
    assert read_bundle(folder).facts == before


@pytest.mark.parametrize("name", shipped_models())
def test_a_bundle_written_before_is_written_again_to_the_byte(name: str, tmp_path: Path) -> None:
    bundle = read_bundle(model_folder(name))
    write_bundle(tmp_path, bundle.network.state_dict(), bundle.facts, bundle.scope)
    assert (tmp_path / "scope.json").read_bytes() == (bundle.folder / "scope.json").read_bytes()
    kept = {"weights_sha256": bundle.checksum}
    rewritten = (
        json.dumps(json.loads((tmp_path / "model.json").read_text()) | kept, indent=2, ensure_ascii=False) + "\n"
    )
    assert rewritten == (bundle.folder / "model.json").read_text()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"limit": "far"}, "limit is 'far' but should be a valid number"),
        ({"mean": [1.0]}, "scale, mean and whitening do not fit each other"),
        ({"scale": ["wide"]}, "scale is ['wide'] (could not convert"),
        ({"whitening": {}}, "whitening is {} ("),
    ],
)
def test_a_damaged_scope_is_refused(changes: dict[str, object], fault: str, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder("starter"), tmp_path / "bundle")
    path = folder / "scope.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    rewrite(folder, scope_sha256=checksum(path))
    assert refused(folder).fault.startswith(f"the bundle's scope is damaged: {fault}")


def test_an_unknown_network_is_refused_by_name(folder: Path) -> None:
    rewrite(folder, architecture={"name": "resnet99", "channels": 1})
    with pytest.raises(DensightError, match="unknown network 'resnet99'"):
        read_bundle(folder)


def test_two_seeds_are_two_models(tmp_path: Path) -> None:
    first, second = (read_bundle(write_model(tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    assert first.checksum != second.checksum
    assert not torch.allclose(logits(first), logits(second))
