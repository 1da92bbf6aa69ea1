"""Tasks of both endpoints: requests, responses and failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twelvelabs_core import MODELS, Fixed, InvalidInputError, MalformedResponseError, SegmentOptions, ServerError
from twelvelabs_core._api import tasks
from twelvelabs_core._api.names import unique_name
from twelvelabs_core._api.requests import MediaPayload
from twelvelabs_core._api.tasks import Listed, TaskState
from twelvelabs_core._media.streamed import StreamedFile

M30 = MODELS["marengo3.0"]
URL = "https://h.example/a.mp4"


# -- requests ------------------------------------------------------------------------------------------------------


def form_of(payload: MediaPayload, **options: Any) -> list[tuple[str, Any]]:
    request = tasks.create_v1(M30, payload, SegmentOptions(**options))
    assert (request.path, request.method, request.kinds) == ("embed/tasks", "POST", frozenset({"video"}))
    return list(request.form)


def test_a_v1_task_of_a_url() -> None:
    assert form_of(MediaPayload("video", url=URL)) == [
        ("model_name", "marengo3.0"),
        ("video_url", URL),
        ("video_embedding_scope", "clip"),
    ]


def test_a_v1_task_with_a_range_fixed_clips_and_the_whole_video() -> None:
    payload = MediaPayload("video", url=URL, start_sec=0, end_sec=7.5)
    assert form_of(payload, segmentation=Fixed(5), embedding_scope=("clip", "asset"))[2:] == [
        ("video_start_offset_sec", "0"),
        ("video_end_offset_sec", "7.5"),
        ("video_clip_length", "5"),
        ("video_embedding_scope", "clip"),
        ("video_embedding_scope", "video"),
    ]


def test_a_v1_task_of_a_file_streams_it() -> None:
    file = StreamedFile(Path("a.mp4"), 5, "a")
    payload = MediaPayload("video", content=file, filename="a.mp4", mime="video/mp4")
    assert form_of(payload)[1] == ("video_file", ("a.mp4", file, "video/mp4"))


@pytest.mark.parametrize(("start", "end"), [(1, None), (None, 1)])
def test_a_v1_task_needs_both_ends_of_a_range(start: float | None, end: float | None) -> None:
    with pytest.raises(InvalidInputError, match="start_sec and end_sec together"):
        form_of(MediaPayload("video", url=URL, start_sec=start, end_sec=end))


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (tasks.status_v1("t1"), "embed/tasks/t1/status"),
        (tasks.retrieve("embed-v2/tasks", "t1"), "embed-v2/tasks/t1"),
        (tasks.list_tasks("embed-v2/tasks", 2), "embed-v2/tasks?page=2&page_limit=50"),
    ],
)
def test_requests_about_tasks_embed_nothing(request_: Any, path: str) -> None:
    assert (request_.path, request_.method, request_.kinds, request_.json) == (path, "GET", frozenset(), None)


# -- responses -----------------------------------------------------------------------------------------------------


def test_a_task_with_all_fields() -> None:
    response = {
        "_id": "t1",
        "status": "failed",
        "error": {"message": "broken file"},
        "created_at": "2026-11-01T10:00:00Z",
    }
    expected = TaskState("t1", "failed", "broken file", 1793527200.0)
    assert tasks.read_state(response) == expected


@pytest.mark.parametrize(
    "response",
    [
        {"_id": "t1"},
        {"_id": "t1", "status": None, "error": None, "created_at": None, "model_name": None},
        {"_id": "t1", "status": "", "error": {}, "created_at": "yesterday"},
    ],
)
def test_absent_fields_of_a_task(response: dict[str, Any]) -> None:
    assert tasks.read_state(response) == TaskState("t1", "processing", None, None)


@pytest.mark.parametrize("response", [{}, {"_id": None}, {"_id": 7}, {"id": "t1"}])
def test_a_task_without_id_is_malformed(response: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponseError, match="no task id"):
        tasks.read_state(response)


def failed(message: str | None) -> TaskState:
    return TaskState("t1", "failed", message, None)


@pytest.mark.parametrize(
    "message",
    ["The service is unstable.", "Try again later", "please try later", "Temporarily overloaded", "UNAVAILABLE"],
)
def test_a_failure_that_may_pass_is_a_server_error(message: str) -> None:
    error = tasks.failure(failed(message))
    assert type(error) is ServerError
    assert "t1" in error.message
    assert message in error.message


@pytest.mark.parametrize("message", ["The video has no visual track.", "retry with another file"])
def test_a_failure_of_the_file_is_an_invalid_input(message: str) -> None:
    error = tasks.failure(failed(message))
    assert type(error) is InvalidInputError
    assert message in error.message


def test_a_failure_without_message_is_an_invalid_input() -> None:
    assert "without a reason" in tasks.failure(failed(None)).message
    assert type(tasks.failure(failed(None))) is InvalidInputError


# -- lists ---------------------------------------------------------------------------------------------------------

NAME = unique_name("a.mp4", ".mp4")


@pytest.mark.parametrize("part", ["video_embedding", "audio_embedding", "document_embedding", "image_embedding", None])
def test_a_task_is_found_by_the_name_of_its_file(part: str | None) -> None:
    metadata = {"metadata": {"input_filename": NAME, "duration": 5}}
    entry = {
        "_id": "t1",
        "status": "ready",
        "created_at": "2026-11-01T10:00:00Z",
        **({part: metadata} if part else metadata),
    }
    other = {"_id": "t2", "created_at": "2026-11-01T09:00:00Z", "video_embedding": {"metadata": {"duration": 5}}}
    found = tasks.find_named({"data": [other, entry]}, NAME)
    assert found == Listed(TaskState("t1", "ready", None, 1793527200.0), 1793523600.0, False)


@pytest.mark.parametrize(
    ("info", "is_last"),
    [({"page": 1, "total_page": 1}, True), ({"page": 1, "total_page": 2}, False), ({"page": "1"}, False), (5, False)],
)
def test_the_last_page_of_a_list(info: Any, is_last: bool) -> None:
    assert tasks.find_named({"data": [{}], "page_info": info}, NAME).is_last is is_last
    assert tasks.find_named({"data": [], "page_info": info}, NAME).is_last
