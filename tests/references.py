"""The documentation's own list of commands and modules, from ``docs/_ext``."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"


def load_extension(name: str) -> ModuleType:
    """A module of ``docs/_ext``, such as ``reference``."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def every_command() -> Iterator[tuple[str, Any]]:
    """Every command of densight with its full name."""
    found: Iterator[tuple[str, Any]] = load_extension("reference").commands()
    return found
