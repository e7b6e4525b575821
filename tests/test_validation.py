from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from densight.validation import validate
from densight.vocabulary import DensightError


@dataclass(frozen=True)
class Frame:
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.rows < 0:
            raise DensightError("a frame needs rows", remedy="give a frame with rows")


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    engine: Literal["torch", "openvino"]
    frames: list[Frame] = []


def refused(schema: object, content: object, **options: object) -> DensightError:
    with pytest.raises(DensightError) as caught:
        validate(schema, content, "a.json", **{"remedy": "write the file again"} | options)
    assert caught.value.path == Path("a.json")
    return caught.value


def test_content_that_fits_becomes_the_type() -> None:
    content = {"engine": "torch", "frames": [{"rows": 1, "columns": 2}]}
    assert validate(Settings, content, None, "") == Settings(engine="torch", frames=[Frame(1, 2)])
    assert validate(TypeAdapter(dict[str, Frame]), {"a": {"rows": 1, "columns": 2}}, None, "") == {"a": Frame(1, 2)}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"engine": "jax"}, "engine is 'jax' but should be 'torch' or 'openvino'"),
        ({}, "engine is missing"),
        ({"engine": "torch", "device": "cpu"}, "device is not a known field"),
        ({"engine": "torch", "frames": [{"rows": 1}]}, "frames[0].columns is missing"),
        ([1, 2], "the content is [1, 2] but should be a table of keys and values"),
        ({"engine": "torch", "frames": [[1]]}, "frames[0] is [1] but should be a table of keys and values"),
        ({"engine": "torch", "frames": [{"rows": -1, "columns": 2}]}, "a frame needs rows"),
    ],
)
def test_what_does_not_fit_is_named_by_field_value_and_rule(content: object, fault: str) -> None:
    error = refused(Settings, content, prefix="a.json is damaged: ")
    assert error.fault == f"a.json is damaged: {fault}"
    assert error.remedy == "write the file again"


def test_a_callable_remedy_sees_the_problem_and_the_fault_does_not_repeat_it() -> None:
    error = refused(Settings, {"engine": "jax"}, remedy=lambda problem: f"use {problem['ctx']['expected']}")
    assert (error.fault, error.remedy) == ("engine is 'jax'", "use 'torch' or 'openvino'")
    inner = refused(Frame, {"rows": -1, "columns": 2}, remedy=lambda problem: "")
    assert (inner.fault, inner.remedy) == ("a frame needs rows", "give a frame with rows")


def test_a_callable_remedy_is_of_the_first_problem_and_of_those_like_it() -> None:
    several = refused(Frame, {"rows": "a", "columns": "b"}, remedy=lambda problem: "give a number")
    assert several.fault == "rows is 'a'"
    missing = refused(Frame, {}, remedy=lambda problem: f"add {problem['loc'][0]}")
    assert missing.fault == "rows, columns are missing"


def test_many_problems_and_long_values_are_shortened() -> None:
    error = refused(TypeAdapter(list[int]), ["x" * 500, "b", "c", "d", "e"])
    assert error.fault.count("but should be a valid integer") == 3
    assert error.fault.endswith("; 2 more")
    assert len(error.fault) < 400
