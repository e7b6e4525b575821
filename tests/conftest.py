from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
