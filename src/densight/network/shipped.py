"""The model bundles that come with densight."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from densight.network.bundle import CARD
from densight.vocabulary import DensightError

__all__ = ["DEFAULT", "is_shipped", "model_folder", "read_card", "shipped_models"]

DEFAULT = "starter"
"""The model that is used where none is given."""


def _home() -> Path:
    return Path(str(files("densight.network") / "models"))


def shipped_models() -> tuple[str, ...]:
    """The names of the bundles that come with densight, the default one first.

    Examples
    --------
    >>> shipped_models()[0]
    'starter'
    """
    return tuple(
        sorted((path.parent.name for path in _home().glob("*/model.json")), key=lambda name: (len(name), name))
    )


def is_shipped(source: str | Path) -> bool:
    """Whether a name is that of a shipped bundle; for a folder of the same name, give a longer path."""
    return str(source) in shipped_models()


def model_folder(source: str | Path) -> Path:
    """The folder of a shipped bundle of this name, or else the path itself.

    Examples
    --------
    >>> model_folder("models/all").as_posix(), model_folder("starter").name
    ('models/all', 'starter')
    """
    return _home() / source if is_shipped(source) else Path(source)


def read_card(source: str | Path) -> str:
    """The model card of a shipped bundle or of a bundle in a folder.

    Raises
    ------
    DensightError
        If there is none.

    Examples
    --------
    >>> read_card("starter").splitlines()[0]
    '# Model card: starter'
    """
    path = model_folder(source) / CARD
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(shipped_models())
        raise DensightError(
            "there is no model card that can be read", path, f"give {known}, or the folder of a model"
        ) from error
