"""Recipes: every choice of a training, in one flat table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from densight.preparation.prepare import Preparation
from densight.vocabulary import DensightError

__all__ = ["RECIPES", "Recipe", "read_recipe"]

RECIPES = ("tutorial", "default")
"""The recipes that come with densight."""


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
    keep: str = "accuracy"

    def __post_init__(self) -> None:
        for name, known in (
            ("optimizer", ("sgd", "rmsprop", "adamw")),
            ("schedule", ("constant", "plateau", "cosine")),
            ("precision", ("32-true", "bf16-mixed")),
            ("keep", ("accuracy", "loss", "last")),
        ):
            if getattr(self, name) not in known:
                raise DensightError(
                    f"the recipe's {name} is {getattr(self, name)!r}", remedy=f"use one of {', '.join(known)}"
                )
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise DensightError(f"the recipe's {name} is {getattr(self, name)}", remedy="give a positive number")
        if not 0 <= self.zoom < 1:
            raise DensightError(f"the recipe's zoom is {self.zoom}", remedy="give a part of one, from 0 to below 1")
        if self.preparation == "tutorial" and self.contrast:
            raise DensightError(
                "the recipe asks for contrast with the preset tutorial",
                remedy="leave contrast out, or use the preset default",
            )
        self.prepared()

    def prepared(self) -> Preparation:
        """The preparation of images."""
        return Preparation(self.preparation, self.shape)

    def record(self) -> dict[str, Any]:
        """The recipe as plain values, for the bundle."""
        return asdict(self)


def read_recipe(name: str | Path) -> Recipe:
    """A recipe that comes with densight, or one's own YAML file.

    A file may begin with ``base: NAME`` and then name only what differs.

    Raises
    ------
    DensightError
        If there is no such recipe, a key is unknown, or a value does not fit.

    Examples
    --------
    >>> read_recipe("tutorial").batch_size
    4
    """
    values = _values(name)
    known = {field.name for field in fields(Recipe)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise DensightError(
            f"the recipe has unknown keys: {', '.join(unknown)}", name, f"use {', '.join(sorted(known))}"
        )
    if isinstance(values.get("shape"), list):
        values["shape"] = tuple(values["shape"])
    try:
        return Recipe(**values)
    except DensightError:
        raise
    except (TypeError, ValueError) as error:
        raise DensightError(f"the recipe does not fit ({error})", name, "compare it with a shipped recipe") from error


def _values(name: str | Path) -> dict[str, Any]:
    import yaml

    if str(name) in RECIPES:
        text = resources.files("densight.training").joinpath("recipes", f"{name}.yaml").read_text(encoding="utf-8")
    elif Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise DensightError(
            f"there is no recipe {str(name)!r}", remedy=f"use {' or '.join(RECIPES)}, or the path of a YAML file"
        )
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DensightError("the recipe is not valid YAML", name, f"mend this: {error}") from error
    if not isinstance(values, dict):
        raise DensightError("the recipe is not a table of keys and values", name, "compare it with a shipped recipe")
    base = values.pop("base", None)
    return values if base is None else _values(base) | values
