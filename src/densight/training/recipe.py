"""Recipes: every choice of a training, in one flat table."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import ConfigDict, Field, create_model
from pydantic_core import ErrorDetails

from densight.network.architecture import check_preparation
from densight.preparation.prepare import Preparation
from densight.validation import validate
from densight.vocabulary import DensightError

__all__ = ["RECIPES", "Recipe", "read_recipe"]

RECIPES = ("tutorial", "default", "demo")
"""The recipes that come with densight."""

_STRICT: dict[str, Any] = {"strict": True, "allow_inf_nan": False}

Count = Annotated[int, Field(strict=True, gt=0, description="a whole number above 0")]
CountFromZero = Annotated[int, Field(strict=True, ge=0, description="a whole number of 0 or more")]
Positive = Annotated[float, Field(gt=0, description="a number above 0", **_STRICT)]
Amount = Annotated[float, Field(ge=0, description="a number of 0 or more", **_STRICT)]
Part = Annotated[float, Field(ge=0, lt=1, description="a number from 0 to below 1", **_STRICT)]
Factor = Annotated[float, Field(gt=0, lt=1, description="a number between 0 and 1", **_STRICT)]
Sharpness = Annotated[Positive | None, Field(description="a number above 0, or null")]
Switch = Annotated[bool, Field(strict=True, description="true or false")]
Whole = Annotated[int, Field(strict=True)]
Shape = Annotated[tuple[Whole, Whole], Field(strict=True, description="two whole numbers, [rows, columns]")]
Name = Annotated[str, Field(strict=True, description="a word")]


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training.

    Parameters
    ----------
    network : str
        A name of :data:`densight.network.architecture.ARCHITECTURES`, or ``timm:<model>``.
    preparation : {"tutorial", "default", "breast"}
        The preset; ``breastnet`` needs ``breast``.
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
        Fractions, uniform to either side, along rows and columns independently.
    flip_rows : bool
        Whether half of the images are flipped upside down.
    contrast : float
        The exponent of a power law on grey values of the preset ``default`` is drawn from ``exp(±contrast)``.
    class_balance : bool
        Whether each class has the same weight in the loss, whatever its number of images.
    ordinal_sharpness : float or None
        None: one-hot targets. Else soft ordinal targets, ``softmax(-sharpness * (i - j)**2)``
        (Díaz and Marathe, "Soft labels for ordinal regression", CVPR 2019, eq. 3).
    precision : {"32-true", "bf16-mixed"}
        Lightning's name. ``bf16-mixed`` computes convolutions in bfloat16; where the processor has it (AMX on CPUs) an
        epoch of the tutorial's network takes less than half as long.
    accumulate : int
        Batches whose gradients are added up for one step, as for a batch so many times as large, in the memory of one.
        Batch norm still uses one batch.
    keep : {"accuracy", "loss", "last"}
        Which epoch's weights are kept: best validation accuracy, best validation loss, or the last.

    Raises
    ------
    DensightError
        If a value is out of range or two contradict each other.
    """

    network: Name
    preparation: Name
    shape: Shape
    epochs: Count
    batch_size: Count
    optimizer: Literal["sgd", "rmsprop", "adamw"]
    learning_rate: Positive
    momentum: Part = 0.0
    nesterov: Switch = False
    decay: Amount = 0.0
    weight_decay: Amount = 0.0
    schedule: Literal["constant", "plateau", "cosine"] = "constant"
    plateau_factor: Factor = 0.1
    plateau_patience: Count = 10
    min_learning_rate: Amount = 0.0
    warmup_epochs: CountFromZero = 0
    rotation: Amount = 0.0
    zoom: Part = 0.0
    shift: Part = 0.0
    flip_rows: Switch = False
    contrast: Amount = 0.0
    class_balance: Switch = False
    ordinal_sharpness: Sharpness = None
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accumulate: Count = 1
    keep: Literal["accuracy", "loss", "last"] = "accuracy"

    def __post_init__(self) -> None:
        _check_fields(vars(self), None)
        if self.nesterov and not self.momentum:
            raise DensightError("the recipe asks for nesterov without momentum", remedy="give a momentum, such as 0.9")
        if self.preparation == "tutorial" and self.contrast:
            raise DensightError(
                "the recipe asks for contrast with the preset tutorial",
                remedy="leave contrast out, or use the preset default",
            )
        check_preparation(self.network, self.prepared().preset)

    def prepared(self) -> Preparation:
        """The preparation of images."""
        return Preparation(self.preparation, self.shape)

    def record(self) -> dict[str, Any]:
        """The recipe as plain values, for the bundle."""
        return asdict(self) | {"shape": list(self.shape)}


def _definitions() -> dict[str, Any]:
    hints = get_type_hints(Recipe, include_extras=True)
    return {
        field.name: (hints[field.name], ... if field.default is MISSING else field.default) for field in fields(Recipe)
    }


_FIELDS = create_model("_FIELDS", __config__=ConfigDict(extra="forbid"), **_definitions())
"""The recipe's fields for pydantic, which only checks values: it would turn 10 into 10.0, and records keep 10."""


def _check_fields(values: dict[str, Any], path: Path | None) -> None:
    validate(_FIELDS, values, path, _remedy, prefix="the recipe's ")


def _remedy(problem: ErrorDetails) -> str:
    """What to write instead of a field's value that does not fit."""
    known = _FIELDS.model_fields
    name = str(problem["loc"][0])
    if name not in known:
        return f"use {', '.join(known)}"
    if problem["type"] == "missing":
        return "add what is missing, or begin the file with base: default"
    if problem["type"] == "literal_error":
        return f"use one of {', '.join(get_args(known[name].annotation))}"
    text = f"give {known[name].description}"
    if isinstance(problem["input"], str) and problem["type"].startswith("float"):
        text += "; YAML reads 1e-3 as a word, so write 0.001 or 1.0e-3"
    return text


def read_recipe(name: str | Path) -> Recipe:
    """A recipe that comes with densight, or your own YAML file.

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
    _check_fields(values, path)
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
        raise DensightError("the recipe is not valid YAML", path, f"correct this: {error}") from error
    if not isinstance(values, dict):
        raise DensightError("the recipe is not a table of keys and values", path, "compare it with a shipped recipe")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
