"""Writing files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from densight.storage import write_text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_get_the_permissions_of_every_new_file(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "new.txt", "new")
        write_text(tmp_path / "new.txt", "newer")
    finally:
        os.umask(before)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o666 & ~mask
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]
