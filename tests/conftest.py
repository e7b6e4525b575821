from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.examples import write_exam, write_model
from tests.phantoms import Shared

torch.set_num_threads(1)

# In CI Hypothesis takes its own profile `ci`: 100 examples per property.
settings.register_profile("dev", max_examples=20, deadline=None)
if "CI" not in os.environ:
    settings.load_profile("dev")

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
KINDS = ("unit", "command", "system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder that it lies in: unit, command or system."""
    for item in items:
        if item.path.is_relative_to(TESTS) and (kind := item.path.relative_to(TESTS).parts[0]) in KINDS:
            item.add_marker(kind)


@pytest.fixture(scope="session")
def data() -> Path:
    """Real mammograms: beside the project, or where DENSIGHT_DATA points. Their absence skips, but never in CI."""
    folder = Path(os.environ.get("DENSIGHT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real mammograms at {folder}; set DENSIGHT_DATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder.resolve()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Folders that are made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    return Shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared")


@pytest.fixture
def undrawn_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are saved as empty files: for tests of names and numbers, where drawing would take most of the time."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _, path, **__: Path(path).touch())


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "all")


@pytest.fixture
def exams_folder(tmp_path: Path) -> Path:
    """Three exams: two of four projections, one of two."""
    for seed, dense in ((1, 0.2), (2, 0.9)):
        write_exam(tmp_path / "exams" / f"E{seed}", seed, dense)
    write_exam(tmp_path / "exams" / "E3", 3, 0.5, ("CC_R", "MLO_L"))
    return tmp_path / "exams"
