"""Assets: requests for uploads at once and in parts, and the state of an asset."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from twelvelabs_core import Asset, InvalidInputError, MalformedResponseError
from twelvelabs_core._api import assets
from twelvelabs_core._api.assets import UploadPlan
from twelvelabs_core._api.names import unique_name
from twelvelabs_core._api.requests import Request
from twelvelabs_core._media.streamed import HeldContent, StreamedFile

UPLOADS = "assets/multipart-uploads"


def body(request: Request) -> Any:
    assert request.json is not None
    return json.loads(request.json)


@pytest.mark.parametrize("file", [StreamedFile(Path("a.mp4"), 5, "a"), HeldContent(b"content")])
def test_an_upload_at_once_is_a_form_with_the_file(file: StreamedFile | HeldContent) -> None:
    request = assets.create(file, "a.mp4", "video/mp4")
    assert (request.path, request.method, request.categories) == ("assets", "POST", ("upload",))
    assert list(request.form) == [
        ("method", "direct"),
        ("file", ("a.mp4", file, "video/mp4")),
        ("filename", "a.mp4"),
        ("enable_hls", "false"),
        ("enable_thumbnail", "false"),
    ]


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
    content = StreamedFile(Path("a.mp4"), 5, "a", start=5)
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
        ({"_id": "a1", "status": "ready"}, Asset("a1", "ready")),
        ({"_id": "a1", "status": "processing", "error": None}, Asset("a1", "processing")),
        ({"_id": "a1"}, Asset("a1", "ready")),
        ({"_id": "a1", "size": 5}, Asset("a1", "ready", size=5)),
        ({"_id": "a1", "size": "5"}, Asset("a1", "ready")),
    ],
)
def test_read_asset(response: dict[str, Any], found: Asset) -> None:
    assert asdict(assets.read_asset(response)) == asdict(found)


@pytest.mark.parametrize("response", [{}, {"_id": None, "status": "ready"}, {"_id": 7}])
def test_an_asset_without_id_is_malformed(response: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponseError, match="no asset id"):
        assets.read_asset(response)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "not a video"}, "not a video"),
        ("not a video", "not a video"),
        ({}, "no reason given"),
        (None, "no reason given"),
        (5, "5"),
    ],
)
def test_a_failed_asset_is_an_invalid_input(error: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        assets.usable(assets.read_asset({"_id": "a1", "status": "failed", "error": error}))


# -- lists and uploads in parts ------------------------------------------------------------------------------------


def test_an_asset_is_looked_for_by_its_whole_name() -> None:
    request = assets.find("a b&c-0123.mp4")
    assert (request.path, request.method) == ("assets?filename=a%20b%26c-0123.mp4&page=1&page_limit=50", "GET")


def test_only_the_asset_of_the_name_and_size_is_found() -> None:
    name = unique_name("a.mp4", ".mp4")
    ours = {"_id": "a1", "filename": name}
    others = [{"_id": "a2", "filename": "a.mp4"}, {"_id": "a3", "filename": unique_name("a.mp4", ".mp4")}, 5, None]
    find = assets.find_named
    assert find({"data": [*others, ours]}, name, 7) == "a1"
    assert find({"data": others}, name, 7) is None
    assert find({"data": [{**ours, "size": 7}]}, name, 7) == "a1"
    assert find({"data": [{**ours, "size": 6}]}, name, 7) is None
    assert find({"data": [{**ours, "size": 6}]}, name, None) == "a1"
    assert find({"data": [{**ours, "status": "failed"}]}, name, 7) is None
    assert find({"data": [{**ours, "_id": "../x"}, ours]}, name, 7) == "a1"


def test_the_headers_of_a_part_hold_nothing_of_the_connection() -> None:
    described = {"upload_id": "u", "asset_id": "a", "chunk_size": 5, "total_chunks": 2}
    headers = {"Content-Type": "x/y", "x-n": 5, "Host": "h", "content-length": "9", "X-API-Key": "k"}
    plan = assets.read_upload({**described, "upload_headers": headers}, 9)
    assert plan == UploadPlan("u", "a", 5, 2, {"Content-Type": "x/y", "x-n": "5"})
    assert assets.read_upload({**described, "upload_headers": None}, 10).headers == {}


@pytest.mark.parametrize(("size", "fits"), [(5, False), (6, True), (10, True), (11, False)])
def test_the_parts_must_make_up_the_file(size: int, fits: bool) -> None:
    described = {"upload_id": "u", "asset_id": "a", "chunk_size": 5, "total_chunks": 2}
    if fits:
        assert assets.read_upload(described, size).parts == 2
    else:
        with pytest.raises(MalformedResponseError, match="2 parts of 5 bytes"):
            assets.read_upload(described, size)


def test_addresses_are_read_for_parts_that_exist() -> None:
    entries = [{"chunk_index": i, "url": f"https://s.example/{i}"} for i in (0, 1, 2, 3, True, "1")]
    assert assets.read_part_urls({"upload_urls": entries}, 2, "https://h") == {
        1: "https://s.example/1",
        2: "https://s.example/2",
    }
