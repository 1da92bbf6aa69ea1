"""Whatever a server sends, the readers return what the API documents or raise this package's errors."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzz import Mutator, dumped, header_lists, json_values, ours_alone, statuses
from twelvelabs_core import TwelveLabsError
from twelvelabs_core._api import assets, responses, tasks
from twelvelabs_core._api.errors import error_from_status
from twelvelabs_core._api.rate_headers import read_rate_limits, read_retry_delay
from twelvelabs_core._api.timestamps import read_timestamp

NOW = 1.8e9
seeds = st.integers(0, 2**32)
SEGMENT = {
    "embedding": [0.1, -0.2, 0.3],
    "embedding_option": "visual",
    "embedding_scope": "clip",
    "start_sec": 0.0,
    "end_sec": 6.0,
    "start_page_number": 1,
    "quadrant": 2,
    "chunk_index": 3,
    "embedding_uncertainty": [0.1, 0.1, 0.1],
}
V1_SEGMENT = {"float": [0.1, -0.2, 0.3], "start_offset_sec": 0.0, "end_offset_sec": 6.0, "embedding_scope": "video"}
USAGE = {"input_tokens": {"text": 3, "image": 258}, "truncated": True, "truncation_reason": "model_context_window"}
TASK = {
    "_id": "task1",
    "status": "failed",
    "error": {"message": "try again later"},
    "created_at": "2026-01-01T00:00:00Z",
}


def assert_sound(segments: list[Any]) -> None:
    assert segments
    for segment in segments:
        assert len(segment.vector) == 3
        assert all(type(x) is float and math.isfinite(x) for x in segment.vector)
        assert any(segment.vector)
        for time in (segment.start_sec, segment.end_sec):
            assert time is None or math.isfinite(time)


@given(seeds)
def test_v2_answers(seed: int) -> None:
    mutator = Mutator(seed)
    with ours_alone():
        parsed = responses.parse_json(
            mutator.body({"data": [SEGMENT, {**SEGMENT, "chunk_index": None}], "usage": USAGE})
        )
        responses.usage(parsed)
        segments = responses.v2_segments(parsed, 3)
        assert_sound(segments)
        responses.single(segments, "text")


@given(seeds)
def test_v1_answers(seed: int) -> None:
    mutator = Mutator(seed)
    part = {"segments": [V1_SEGMENT, V1_SEGMENT], "metadata": {"input_filename": "a.png"}}
    with ours_alone():
        parsed = responses.parse_json(mutator.body({"image_embedding": part, "text_embedding": {"error_message": "x"}}))
        responses.v1_metadata(parsed)
        assert_sound(responses.v1_segments(parsed, "image", 3))
        responses.v1_segments(parsed, "text", 3)


@given(json_values)
def test_any_json_as_an_answer(value: Any) -> None:
    with ours_alone():
        parsed = responses.parse_json(dumped(value))
        for read in (responses.usage, responses.v1_metadata, tasks.read_state, tasks.read_task, assets.read_asset):
            with ours_alone():
                read(parsed)
        with ours_alone():
            responses.v1_segments(parsed, "text", 3)
        responses.v2_segments(parsed, 3)


@given(st.binary(max_size=200))
def test_any_bytes_as_an_answer(body: bytes) -> None:
    with ours_alone():
        responses.parse_json(body)


@given(statuses, st.one_of(json_values.map(dumped), st.binary(max_size=50)))
def test_error_bodies(status: int, body: bytes) -> None:
    error = error_from_status(status, body, trace_id="t")
    assert isinstance(error, TwelveLabsError)
    assert str(error) and repr(error)


@given(header_lists, seeds)
def test_rate_limit_headers(headers: list[tuple[bytes, bytes]], seed: int) -> None:
    body = Mutator(seed).body(
        {"error": {"code": "c", "message": "until 2026-01-01T00:00:00Z", "details": {"retryAfter": 3}}}
    )
    delay = read_retry_delay(headers, body, NOW)
    assert delay is None or 0 <= delay <= 1e9
    info = read_rate_limits(headers, NOW)
    if info is not None:
        for figure in (info.remaining, info.reset_in, info.minutes_remaining):
            assert figure is None or math.isfinite(figure)
        assert info.reset_in is None or 0 <= info.reset_in <= 1e9


@given(st.text(max_size=40) | st.datetimes().map(str) | st.from_regex(r"\A\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\dZ?\Z"))
def test_timestamps(text: str) -> None:
    found = read_timestamp(text)
    assert found is None or math.isfinite(found)


@given(seeds)
def test_tasks_and_assets(seed: int) -> None:
    mutator = Mutator(seed)
    with ours_alone():
        task = tasks.read_state(responses.parse_json(mutator.body(TASK)))
        assert isinstance(task.id, str) and task.id
        assert isinstance(tasks.failure(task), TwelveLabsError)
    with ours_alone():
        asset = assets.read_asset(responses.parse_json(mutator.body({"_id": "a1", "status": "failed", "error": {}})))
        assert isinstance(asset.id, str) and isinstance(asset.status, str)
