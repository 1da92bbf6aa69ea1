"""JSON bodies: how pydantic's errors become the API's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from twelvelabs_emulator import Settings
from twelvelabs_emulator.protocol.errors import ApiError
from twelvelabs_emulator.protocol.json_bodies import Body, Choices, Integer, join_path, parse


class Item(Body):
    size: Annotated[Integer, Field(ge=1)]


class Example(Body):
    kinds: Choices[Literal["a", "b"]] = ("a",)
    items: list[Item] = Field(default_factory=list)


def refused(value: Any, **settings: Any) -> tuple[str, str]:
    with pytest.raises(ApiError) as error:
        parse(Example, value, Settings(**settings), "example")
    assert error.value.status == 400
    return error.value.code, error.value.message.split("`")[1]


@pytest.mark.parametrize(
    ("value", "code", "parameter"),
    [
        ([], "parameter_invalid", "example"),
        ({"kinds": []}, "parameter_invalid", "example.kinds"),
        ({"kinds": "a"}, "parameter_invalid", "example.kinds"),
        ({"kinds": ["c"]}, "parameter_invalid", "example.kinds[0]"),
        ({"items": [{}]}, "parameter_not_provided", "example.items[0].size"),
        ({"items": [{"size": 1}, {"size": 1.5}]}, "parameter_invalid", "example.items[1].size"),
        ({"items": [{"size": "1"}]}, "parameter_invalid", "example.items[0].size"),
        ({"items": [{"size": True}]}, "parameter_invalid", "example.items[0].size"),
        ({"items": [{"size": None}]}, "parameter_not_provided", "example.items[0].size"),
        ({"colour": 1}, "parameter_unknown", "example.colour"),
        ({"items": [{"size": 1, "colour": 1}]}, "parameter_unknown", "example.items[0].colour"),
    ],
)
def test_errors(value: Any, code: str, parameter: str) -> None:
    assert refused(value) == (code, parameter)


def test_values() -> None:
    body = parse(Example, {"kinds": ["b", "a", "b"], "items": [{"size": 2.0}]}, Settings())
    assert body.kinds == ("b", "a")
    assert [item.size for item in body.items] == [2]


def test_nulls_and_unknown_fields_by_settings() -> None:
    assert parse(Example, {"kinds": None}, Settings()).kinds == ("a",)
    assert refused({"items": [{"size": None}]}, null_fields="refuse") == ("parameter_invalid", "example.items[0].size")
    assert parse(Example, {"colour": 1}, Settings(unknown_fields="ignore")).kinds == ("a",)


def test_paths() -> None:
    assert join_path("", "a", 0, "b") == "a[0].b"
