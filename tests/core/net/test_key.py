"""The key is written into headers, and taken out of what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.secrets import shown_in
from tests.support.service import KEY, v2_answer, vector
from twelvelabs_core._net.key import Headers, Key

key = Key(SecretStr(KEY))


def test_headers_hold_the_key_and_do_not_show_it() -> None:
    headers = key.headers({"accept": "a"})
    assert headers == {"x-api-key": KEY, "accept": "a"}
    assert repr(headers) == "Headers(x-api-key, accept)"
    assert isinstance(headers, Headers)
    assert not shown_in(KEY, key, [key], {"a": headers}.values())


def test_a_body_without_the_key_is_not_copied() -> None:
    body = json.dumps(v2_answer(vector("a"))).encode()
    assert key.mask_answer(body) is body


@pytest.mark.parametrize("vectors", [0, 1, 3])
@pytest.mark.parametrize("before", [True, False])
def test_a_key_beside_vectors_is_found(vectors: int, before: bool) -> None:
    data = [{"embedding": vector(str(n)), "embedding_option": "visual"} for n in range(vectors)]
    answer = {"a": KEY, "data": data} if before else {"data": data, "a": [KEY]}
    masked = key.mask_answer(json.dumps(answer).encode())
    assert json.loads(masked) == json.loads(json.dumps(answer).replace(KEY, "***"))


def test_a_key_inside_a_long_list_is_found() -> None:
    body = json.dumps({"data": [*vector("a"), KEY, *vector("b")]}).encode()
    assert not shown_in(KEY, key.mask_answer(body))


ANSWERS: Any = st.recursive(
    st.sampled_from([0, 0.25, KEY, KEY.upper(), f"[{KEY}", f'"{KEY}]', f"[{KEY}{' ' * 1500}]", "[", "]", vector("a")]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", KEY, "]"]), inner, max_size=3),
    max_leaves=8,
)


@given(answer=ANSWERS, indent=st.sampled_from([None, 1]))
def test_wherever_the_key_stands_in_an_answer_it_is_found(answer: Any, indent: int | None) -> None:
    masked = key.mask_answer(json.dumps(answer, indent=indent).encode())
    assert not shown_in(KEY, masked)
    assert not shown_in(KEY, json.loads(masked))


@pytest.mark.parametrize("short", ["k", "test", "tokens7"])
def test_a_stand_in_for_a_key_is_not_searched_for(short: str) -> None:
    """It would be found inside the words of an answer."""
    assert Key(SecretStr(short)).mask_answer(b'{"tokens7": "testk"}') == b'{"tokens7": "testk"}'
    assert Key(SecretStr(short)).mask("ok http://u:p@h/") == "ok http://***@h/"


def test_characters_with_a_meaning_in_patterns_are_taken_as_they_are() -> None:
    odd = "a.b*c[d](e)^f$g\\h%i|j"
    assert Key(SecretStr(odd)).mask(f"<{odd}>") == "<***>"
    assert Key(SecretStr("........")).mask("12345678") == "12345678"
