"""Examples in docstrings run in a folder of their own, for some of them write files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Several workers share the cores: one thread each, for they would wait for each other at every layer. What tests start
# shares them, too.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Not the user's own key of pseudonyms; processes that tests start read it from here, too.
os.environ["DENSIGHT_KEY_FILE"] = str(Path(tempfile.mkdtemp(prefix="densight-")) / "pseudonym.key")


@pytest.fixture(autouse=True)
def _own_folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)
