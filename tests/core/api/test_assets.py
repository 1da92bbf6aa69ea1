"""Assets: requests for uploads at once and in parts, and the state of an asset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twelvelabs_core import InvalidInputError, MalformedResponseError
from twelvelabs_core._api import assets
from twelvelabs_core._api.requests import FileRange, Request

UPLOADS = "assets/multipart-uploads"


def body(request: Request) -> Any:
    assert request.json is not None
    return json.loads(request.json)


@pytest.mark.parametrize("file", [Path("a.mp4"), b"content"])
def test_an_upload_at_once_is_a_form_with_the_file(file: Path | bytes) -> None:
    request = assets.create(file, "a.mp4", "video/mp4")
    assert (request.path, request.method, request.categories) == ("assets", "POST", ("upload",))
    assert list(request.form) == [
        ("method", "direct"),
        ("file", ("a.mp4", file, "video/mp4")),
        ("filename", "a.mp4"),
        ("enable_hls", "false"),
        ("enable_thumbnail", "false"),
    ]


def test_long_filenames_are_shortened_and_keep_their_suffix() -> None:
    name = "x" * 300 + ".mp4"
    assert dict(assets.create(b"x", name, "video/mp4").form)["filename"] == name[-255:]
    assert body(assets.create_multipart(name, "video", 1))["filename"] == name[-255:]


def test_an_upload_in_parts() -> None:
    created = assets.create_multipart("a.mp4", "video", 10**9)
    assert (created.path, created.method, created.categories) == (UPLOADS, "POST", ("upload",))
    assert body(created) == {
        "filename": "a.mp4",
        "type": "video",
        "total_size": 10**9,
        "enable_hls": False,
        "enable_thumbnail": False,
    }
    more = assets.more_urls("u1", 51, 50)
    assert (more.path, more.method, body(more)) == (f"{UPLOADS}/u1/presigned-urls", "POST", {"start": 51, "count": 50})
    done = assets.complete("u1", [(1, "e1", 5), (2, "e2", 4)])
    assert (done.path, done.method) == (f"{UPLOADS}/u1", "POST")
    assert body(done) == {
        "completed_chunks": [
            {"chunk_index": 1, "proof": "e1", "proof_type": "etag", "chunk_size": 5},
            {"chunk_index": 2, "proof": "e2", "proof_type": "etag", "chunk_size": 4},
        ]
    }
    state = assets.uploaded("u1", 3)
    assert (state.path, state.method) == (f"{UPLOADS}/u1?page=3&page_limit=50", "GET")


def test_a_part_is_put_to_its_url_and_its_response_headers_are_read() -> None:
    content = FileRange(Path("a.mp4"), 5, 5)
    request = assets.part("https://storage.example/1?sig=x", content, {"x-a": "b"})
    assert (request.path, request.method, request.reads) == ("https://storage.example/1?sig=x", "PUT", "headers")
    assert (request.content, request.headers, request.categories) == (content, {"x-a": "b"}, None)


def test_state_and_deletion_of_an_asset() -> None:
    assert (assets.retrieve("a1").path, assets.retrieve("a1").method) == ("assets/a1", "GET")
    deleted = assets.delete("a1")
    assert (deleted.path, deleted.method, deleted.reads) == ("assets/a1", "DELETE", "headers")


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ({"_id": "a1", "status": "ready"}, ("a1", "ready")),
        ({"_id": "a1", "status": "processing", "error": None}, ("a1", "processing")),
        ({"_id": "a1"}, ("a1", "ready")),
    ],
)
def test_read_asset(response: dict[str, Any], found: tuple[str, str]) -> None:
    assert assets.read_asset(response) == found


@pytest.mark.parametrize("response", [{}, {"_id": None, "status": "ready"}, {"_id": 7}])
def test_an_asset_without_id_is_malformed(response: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponseError, match="no asset id"):
        assets.read_asset(response)


@pytest.mark.parametrize(
    ("error", "message"),
    [({"message": "not a video"}, "not a video"), ({}, "no reason given"), (None, "no reason given")],
)
def test_a_failed_asset_is_an_invalid_input(error: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        assets.read_asset({"_id": "a1", "status": "failed", "error": error})
