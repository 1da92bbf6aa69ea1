"""Answers with thousands of numbers, parsed in pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from twelvelabs_core import MalformedResponseError
from twelvelabs_core._api import responses
from twelvelabs_core._api.large_json import LARGE_ANSWER, Numbers, parse_in_pieces

LONG = [round(i / 7, 9) for i in range(300)]


def whole(found: Any) -> Any:
    """A value with its numbers parsed."""
    if isinstance(found, dict):
        return {key: whole(value) for key, value in found.items()}
    if isinstance(found, list):
        return [whole(value) for value in found]
    return from_json(found.json) if isinstance(found, Numbers) else found


@pytest.mark.parametrize("spaces", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    "value",
    [
        {"data": [{"embedding": LONG, "start_sec": i} for i in range(9)], "usage": {"a": 1}},
        {"video_embedding": {"segments": [{"float": LONG}, {"float": LONG[:3]}, {"float": []}]}},
        {"a": f"a text with [{'1, ' * 600}2] in it", "b": LONG},
        {"a": f'"[{"1," * 600}2]"', "b": LONG},
        [LONG, [LONG, None], True, "x"],
        LONG,
        {"nested": [[[[LONG]], LONG]]},
        {"ü [": LONG, "\u2028": [1, 2]},
    ],
)
def test_it_is_what_a_parser_makes_of_the_whole(value: Any, spaces: tuple[str, str]) -> None:
    for ascii_only in (False, True):
        body = json.dumps(value, separators=spaces, ensure_ascii=ascii_only).encode()
        assert whole(parse_in_pieces(body)) == from_json(body) == value


def test_long_lists_are_not_parsed_yet() -> None:
    found = parse_in_pieces(json.dumps({"a": LONG, "b": [1, 2]}).encode())
    assert isinstance(found["a"], Numbers) and found["b"] == [1, 2]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": ' + json.dumps(LONG).encode(), b"[1,2" * 600, b"[" * 5000 + b"1]"])
def test_what_is_not_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_in_pieces(body)


@given(st.binary(max_size=30), st.integers(0, 9_000), st.integers(0, 30))
def test_damage_is_found_or_makes_no_difference(other: bytes, at: int, cut: int) -> None:
    body = json.dumps({"data": [{"embedding": LONG, "name": "a"}] * 3}).encode()
    damaged = body[:at] + other + body[at + cut :]
    try:
        expected = from_json(damaged)
    except ValueError:
        expected = None
    try:
        found = whole(parse_in_pieces(damaged))
    except ValueError:
        found = None
    assert found == expected


def answer(count: int, **changes: Any) -> bytes:
    entries = [{"embedding": LONG[1:257], "start_sec": 6.0 * i, "end_sec": 6.0 * i + 6} for i in range(count)]
    entries[-1].update(changes)
    return json.dumps({"data": entries}).encode()


def test_large_and_small_answers_are_read_alike() -> None:
    body = answer(200)
    assert len(body) > LARGE_ANSWER
    large = responses.parse_json(body)
    assert isinstance(large["data"][0]["embedding"], Numbers)
    assert responses.v2_segments(large, 256) == responses.v2_segments(from_json(body), 256)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"embedding": LONG[:255]}, "a vector of 255 numbers, expected 256"),
        ({"embedding": [0.0] * 256 + [0.0] * 200}, "a vector of 456 numbers, expected 256"),
        ({"embedding": [0.0] * 256}, "a vector of zeros alone"),
        ({"embedding": [*LONG[1:256], float("nan")]}, "not a finite number"),
        ({"embedding": [*LONG[1:256], float("inf")]}, "not a finite number"),
        ({"embedding": [*LONG[1:256], None]}, "not a finite number"),
        ({"embedding": None}, "an entry without a vector"),
    ],
)
def test_every_vector_of_a_large_answer_is_checked(changes: dict[str, Any], reason: str) -> None:
    response = responses.parse_json(answer(200, **changes))
    with pytest.raises(MalformedResponseError, match=reason):
        responses.v2_segments(response, 256)


def test_an_uncertainty_of_a_large_answer_is_read_if_it_is_one() -> None:
    for found, expected in ((LONG[:256], LONG[:256]), (LONG[:255], None), ([*LONG[:255], None], None)):
        last = responses.v2_segments(responses.parse_json(answer(200, embedding_uncertainty=found)), 256)[-1]
        assert last.uncertainty == expected
