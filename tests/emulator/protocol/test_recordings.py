"""What a recorded request is known by, and what is written of its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twelvelabs_emulator.protocol.recordings import Recorded, identity, keep, load, rounded, shown

FILE = {"size": 3, "sha256": "abc"}


def known(body: Any = None, path: str = "embed", query: tuple[tuple[str, str], ...] = ()) -> str:
    return identity("POST", path, query, body)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 6}, {"a": 6.0, "b": None}),
        ({"file": FILE | {"filename": "x-1.png", "content_type": "image/png"}}, {"file": FILE | {"filename": "y.png"}}),
        ({"text": "a", "filename": "upload-17.mp4"}, {"text": "a", "filename": "upload-18.mp4"}),
    ],
)
def test_equal_requests(one: Any, same: Any) -> None:
    assert known(one) == known(same)


@pytest.mark.parametrize("other", [{"text": "b"}, {"text": "a", "model": "x"}, {"text": ["a"]}, None, {"text": FILE}])
def test_different_bodies(other: Any) -> None:
    assert known({"text": "a"}) != known(other)


def test_method_path_and_query_count() -> None:
    assert len({known(), identity("GET", "embed", (), None), known(path="assets"), known(query=(("page", "2"),))}) == 4
    assert known(query=(("a", "1"), ("b", "2"))) == known(query=(("b", "2"), ("a", "1"), ("filename", "x")))


def test_vectors_alone_are_rounded() -> None:
    body = {"data": [{"embedding": [0.123456789, 1], "start_sec": 1.23456789}], "segments": [{"float": [1e-9]}]}
    assert rounded(body) == {
        "data": [{"embedding": [0.123457, 1], "start_sec": 1.23456789}],
        "segments": [{"float": [0.0]}],
    }


def test_the_last_answer_is_kept_and_no_error_takes_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    key = known({"text": "a"})
    assert load(folder, key) is None
    for status in (400, 429, 500, 401, 403):
        keep(folder, key, Recorded("a", status, {"status": status}))
    assert load(folder, key) == Recorded("a", 400, {"status": 400})
    for number in (1, 2):
        keep(folder, key, Recorded("a", 200, {"number": number}, "embed-v2/tasks/7"))
    keep(folder, key, Recorded("a", 400, {}))
    assert load(folder, key) == Recorded("a", 200, {"number": 2}, "embed-v2/tasks/7")
    assert len(list(folder.iterdir())) == 1


def test_a_long_request_is_shortened_for_the_reader() -> None:
    assert shown("short") == "short"
    assert len(shown("x" * 5_000)) < 400
