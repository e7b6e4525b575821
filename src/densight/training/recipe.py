"""Recipes: every choice of a training, in one flat table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from densight.network.architecture import check_preparation
from densight.preparation.prepare import Preparation
from densight.vocabulary import DensightError

__all__ = ["RECIPES", "Recipe", "read_recipe"]

RECIPES = ("tutorial", "default", "demo")
"""The recipes that come with densight."""

_WORDS = {
    "optimizer": ("sgd", "rmsprop", "adamw"),
    "schedule": ("constant", "plateau", "cosine"),
    "precision": ("32-true", "bf16-mixed"),
    "keep": ("accuracy", "loss", "last"),
}

_RANGES: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (
        ("epochs", "batch_size", "accumulate", "learning_rate", "plateau_patience", "ordinal_sharpness"),
        lambda x: x > 0,
        "above 0",
    ),
    (("zoom", "shift", "momentum"), lambda x: 0 <= x < 1, "from 0 to below 1"),
    (("plateau_factor",), lambda x: 0 < x < 1, "between 0 and 1"),
    (
        ("decay", "weight_decay", "min_learning_rate", "warmup_epochs", "rotation", "contrast"),
        lambda x: x >= 0,
        "of 0 or more",
    ),
)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


_NUMBER = "a number; YAML reads 1e-3 as a word, so write 0.001 or 1.0e-3"
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a word"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, _NUMBER),
    "float | None": (lambda value: value is None or _is_number(value), _NUMBER),
    "tuple[int, int]": (
        lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value)),
        "two whole numbers, [rows, columns]",
    ),
}
"""What a value must be, by the annotation of its field."""


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training.

    Parameters
    ----------
    network : str
        A name of :data:`densight.network.architecture.ARCHITECTURES`, or ``timm:<model>``.
    preparation : {"tutorial", "default"}
        The preset.
    shape : (int, int)
        Rows and columns of the frame.
    epochs, batch_size : int
    optimizer : {"sgd", "rmsprop", "adamw"}
    learning_rate : float
    momentum : float
        Of SGD.
    nesterov : bool
        Of SGD.
    decay : float
        Keras' time-based decay: the rate at step ``t`` is ``learning_rate / (1 + decay * t)``.
    weight_decay : float
        Of AdamW.
    schedule : {"constant", "plateau", "cosine"}
        ``plateau`` is Keras' ReduceLROnPlateau on the validation loss.
    plateau_factor, plateau_patience, min_learning_rate
        Of the plateau schedule; the cosine ends at ``min_learning_rate``.
    warmup_epochs : int
        Epochs of linear rise before the cosine.
    rotation : float
        Degrees, uniform to either side.
    zoom, shift : float
        Parts of one, uniform to either side, along rows and columns independently.
    flip_rows : bool
        Whether images are turned upside down half of the time.
    contrast : float
        The exponent of a power law on grey values of the preset ``default`` is drawn from ``exp(±contrast)``.
    class_balance : bool
        Whether each class weighs alike in the loss, whatever its number of images.
    ordinal_sharpness : float or None
        None: one-hot targets. Else soft ordinal targets, ``softmax(-sharpness * (i - j)**2)``
        (Díaz and Marathe, "Soft labels for ordinal regression", CVPR 2019, eq. 3).
    precision : {"32-true", "bf16-mixed"}
        Lightning's name. ``bf16-mixed`` computes convolutions in bfloat16; where the processor has it (AMX on CPUs) an
        epoch of the tutorial's network takes less than half as long.
    accumulate : int
        Batches whose gradients together make one step: that of a batch so many times as large, in the memory of one.
        Batch norm still sees one batch.
    keep : {"accuracy", "loss", "last"}
        Which epoch's weights are kept: best validation accuracy, best validation loss, or the last.

    Raises
    ------
    DensightError
        If a value is out of range or two contradict each other.
    """

    network: str
    preparation: str
    shape: tuple[int, int]
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    decay: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    plateau_factor: float = 0.1
    plateau_patience: int = 10
    min_learning_rate: float = 0.0
    warmup_epochs: int = 0
    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    flip_rows: bool = False
    contrast: float = 0.0
    class_balance: bool = False
    ordinal_sharpness: float | None = None
    precision: str = "32-true"
    accumulate: int = 1
    keep: str = "accuracy"

    def __post_init__(self) -> None:
        for field in fields(self):
            fits, kind = _KINDS[str(field.type)]
            if not fits(getattr(self, field.name)):
                raise self._refusal(field.name, f"give {kind}")
        for name, known in _WORDS.items():
            if getattr(self, name) not in known:
                raise self._refusal(name, f"use one of {', '.join(known)}")
        for names, allowed, range_ in _RANGES:
            for name in names:
                if getattr(self, name) is not None and not allowed(getattr(self, name)):
                    raise self._refusal(name, f"give a number {range_}")
        if self.nesterov and not self.momentum:
            raise DensightError("the recipe asks for nesterov without momentum", remedy="give a momentum, such as 0.9")
        if self.preparation == "tutorial" and self.contrast:
            raise DensightError(
                "the recipe asks for contrast with the preset tutorial",
                remedy="leave contrast out, or use the preset default",
            )
        check_preparation(self.network, self.prepared().preset)

    def _refusal(self, name: str, remedy: str) -> DensightError:
        return DensightError(f"the recipe's {name} is {getattr(self, name)!r}", remedy=remedy)

    def prepared(self) -> Preparation:
        """The preparation of images."""
        return Preparation(self.preparation, self.shape)

    def record(self) -> dict[str, Any]:
        """The recipe as plain values, for the bundle."""
        return asdict(self) | {"shape": list(self.shape)}


def read_recipe(name: str | Path) -> Recipe:
    """A recipe that comes with densight, or one's own YAML file.

    A file may begin with ``base: default``, or another that comes with densight, and then name only what differs.

    Raises
    ------
    DensightError
        If there is no such recipe, a key is unknown or missing, or a value does not fit.

    Examples
    --------
    >>> read_recipe("tutorial").batch_size
    4
    """
    if str(name) in RECIPES:
        return Recipe(**_shipped(str(name)))
    path = Path(name)
    if not path.is_file():
        raise DensightError(
            f"there is no recipe {str(name)!r}", remedy=f"use {', '.join(RECIPES)}, or the path of a YAML file"
        )
    values = _read_yaml(path)
    base = values.pop("base", None)
    if base is not None:
        if base not in RECIPES:
            raise DensightError(f"the recipe's base is {base!r}", path, f"use one of {', '.join(RECIPES)}")
        values = _shipped(base) | values
    _check_keys(values, path)
    try:
        return Recipe(**values)
    except DensightError as error:
        raise DensightError(error.fault, path, error.remedy) from None


def _shipped(name: str) -> dict[str, Any]:
    with resources.as_file(resources.files("densight.training") / "recipes" / f"{name}.yaml") as path:
        values = _read_yaml(path)
    base = values.pop("base", None)
    return values if base is None else _shipped(base) | values


def _read_yaml(path: Path) -> dict[str, Any]:
    """The table of a YAML file, lists as tuples."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DensightError(f"the recipe cannot be read ({error})", path, "save it as text in UTF-8") from error
    except yaml.YAMLError as error:
        raise DensightError("the recipe is not valid YAML", path, f"mend this: {error}") from error
    if not isinstance(values, dict):
        raise DensightError("the recipe is not a table of keys and values", path, "compare it with a shipped recipe")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _check_keys(values: dict[str, Any], path: Path) -> None:
    known = {field.name: field.default is MISSING for field in fields(Recipe)}
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        raise DensightError(f"the recipe has unknown keys: {', '.join(unknown)}", path, f"use {', '.join(known)}")
    missing = [name for name, required in known.items() if required and name not in values]
    if missing:
        raise DensightError(
            f"the recipe lacks {', '.join(missing)}", path, "add what is missing, or begin the file with base: default"
        )
