"""Uploads: whole and in parts, found again, resumed, waited for, and deleted."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sender import Clock, Pauses, sender_of
from tests.support.service import Service, refusal, sent_form
from twelvelabs_core import (
    AuthenticationError,
    Budget,
    ConnectionFailedError,
    Document,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RetryPolicy,
    ServerError,
    Video,
)
from twelvelabs_core._cache.journal import Journal
from twelvelabs_core._embed.uploads import Uploads
from twelvelabs_core._net import loop
from twelvelabs_core._stats import Run

STORAGE = "https://storage.example"
CONTENT = bytes(range(256)) * 4  # 1,024 bytes: in parts of 100 there are 11
PART = 100
PARTS = 11


@dataclass
class File:
    """As much of a media file as an upload needs."""

    media: Any = field(default_factory=lambda: Video(b"x"))
    data: bytes | None = CONTENT
    path: Path | None = None
    url: str | None = None
    filename: str = "video.mp4"
    mime: str = "video/mp4"
    label: str = "paths[0] 'video.mp4'"
    content_digest: str = "digest"

    @property
    def kind(self) -> str:
        return str(self.media.kind)

    @property
    def size(self) -> int | None:
        return self.path.stat().st_size if self.path is not None else len(self.load())

    def load(self) -> bytes:
        return self.data or b""


NAME = "asset/s/digest"


class AssetServer:
    """Keeps assets and uploads, and answers as the API and its storage do.

    Attributes:
        polls: retrievals that find an asset processing before it is ready; None = it fails.
        first_urls: addresses that come with a new upload.
        part_faults: responses or exceptions instead of taking a part, in order, by part.
    """

    def __init__(self, **settings: Any) -> None:
        self.polls: int | None = 0
        self.first_urls = 3
        self.part_faults: dict[int, list[Any]] = {}
        self.on_part: Callable[[], None] = lambda: None
        self.upload_status = "active"
        self.etag: str | None = '"etag"'
        self.page_size = 50
        self.__dict__.update(settings)
        self.assets: dict[str, bytes | None] = {}
        self.stored: dict[int, bytes] = {}
        self.reported: list[int] = []
        self.part_urls: list[str] = []
        self.asked: list[str] = []
        self.deletion: httpx.Response = httpx.Response(204)
        self.report_fault: httpx.Response | None = None
        self._urls = 0
        self.service = Service(self.answer)

    def answer(self, request: httpx.Request) -> Any:
        if str(request.url).startswith(STORAGE):
            return self._part(request)
        path = request.url.path.partition("/v1.3/")[2]
        self.asked.append(f"{request.method} {path}")
        if path == "assets":
            (file,) = [f for f in sent_form(request) if f.name == "file"]
            self.assets["a1"] = file.value
            return {"_id": "a1", "status": "processing"}
        if path.startswith("assets/multipart-uploads"):
            return self._multipart(request, path)
        asset_id = path.removeprefix("assets/")
        if request.method == "DELETE":
            self.assets.pop(asset_id, None)
            return self.deletion
        return self._asset(asset_id)

    def _asset(self, asset_id: str) -> Any:
        if asset_id not in self.assets:
            return refusal(404)
        if self.polls is None:
            return {"_id": asset_id, "status": "failed", "error": {"message": "broken container"}}
        self.polls -= 1
        return {"_id": asset_id, "status": "processing" if self.polls >= 0 else "ready"}

    def _multipart(self, request: httpx.Request, path: str) -> Any:
        body = json.loads(request.content) if request.content else {}
        if path == "assets/multipart-uploads":
            self.assets["a2"] = None
            described = {"upload_id": "u1", "asset_id": "a2", "chunk_size": PART, "upload_headers": {"x-part": "1"}}
            urls = self._new_urls(1, self.first_urls)
            return {**described, "total_chunks": -(-body["total_size"] // PART), "upload_urls": urls}
        if path.endswith("/presigned-urls"):
            return {"upload_urls": self._new_urls(body["start"], body["count"])}
        if request.method == "POST":
            if self.report_fault is not None:
                return self.report_fault
            self.reported += [part["chunk_index"] for part in body["completed_chunks"]]
            return {}
        if self.upload_status == "gone":
            return refusal(404)
        page = int(request.url.params["page"])
        listed = sorted(self.reported)
        shown = listed[(page - 1) * self.page_size : page * self.page_size]
        return {
            "status": self.upload_status,
            "uploaded_chunks": [{"index": index, "status": "completed"} for index in shown],
            "page_info": {"total_page": -(-len(listed) // self.page_size)},
        }

    def _new_urls(self, start: int, count: int) -> list[dict[str, Any]]:
        """Each address is new."""
        self._urls += 1
        return [
            {"chunk_index": index, "url": f"{STORAGE}/{index}?signature={self._urls}"}
            for index in range(start, start + count)
        ]

    def _part(self, request: httpx.Request) -> Any:
        self.on_part()
        assert "x-api-key" not in request.headers
        assert request.headers["x-part"] == "1"
        index = int(request.url.path[1:])
        self.part_urls.append(str(request.url))
        faults = self.part_faults.get(index)
        fault = faults.pop(0) if faults else None
        if isinstance(fault, BaseException):
            raise fault
        if fault is not None:
            return fault
        self.stored[index] = request.content
        return httpx.Response(200, headers={} if self.etag is None else {"ETag": self.etag})

    def count(self, line: str) -> int:
        return self.asked.count(line)

    def attempts(self, index: int) -> list[str]:
        """The addresses that a part was sent to."""
        return [url for url in self.part_urls if url.startswith(f"{STORAGE}/{index}?")]

    @property
    def content(self) -> bytes:
        return b"".join(self.stored[index] for index in sorted(self.stored))


class Client:
    """Uploads to a server; another one with the same journal stands for the next process."""

    def __init__(
        self,
        server: AssetServer,
        journal: Journal | None = None,
        *,
        keep: bool = False,
        timeout: float = 60,
        **settings: Any,
    ) -> None:
        self.journal = journal or Journal(None)
        self.run_state = Run(1)
        sender = sender_of(server.service, **settings)
        self._uploads = Uploads(sender, self.journal, scope="s", keep=keep, timeout=timeout)

    def obtain(self, file: File | None = None, *, in_parts: bool = False) -> str:
        source: Any = file or File()
        return loop.run(self._uploads.obtain(source, self.run_state, in_parts=in_parts))

    def discard(self, file: File | None = None) -> None:
        source: Any = file or File()
        loop.run(self._uploads.discard(source, self.run_state))

    def write(self, **entry: Any) -> None:
        loop.run(self.journal.write(NAME, **entry))

    @property
    def entry(self) -> dict[str, Any] | None:
        found = loop.run(self.journal.find(NAME))
        return None if found is None else {name: value for name, value in found.items() if name != "written"}


@pytest.fixture(params=["bytes", "file"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> File:
    if request.param == "bytes":
        return File()
    path = tmp_path / "video.mp4"
    path.write_bytes(CONTENT)
    return File(path=path, data=None)


# -- whole ---------------------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_waited_for_and_written_down(file: File) -> None:
    server = AssetServer(polls=2)
    client = Client(server)
    assert client.obtain(file) == "a1"
    assert server.assets["a1"] == CONTENT
    assert server.asked == ["POST assets", *["GET assets/a1"] * 3]
    assert client.entry == {"asset_id": "a1"}
    assert client.run_state.stats.uploaded_bytes == len(CONTENT)


def test_an_asset_that_is_known_is_used_again() -> None:
    server = AssetServer()
    client = Client(server, keep=True)
    client.obtain()
    assert Client(server, client.journal).obtain() == "a1"
    assert server.count("POST assets") == 1


def test_an_asset_that_is_gone_is_uploaded_again() -> None:
    server = AssetServer()
    client = Client(server)
    client.write(asset_id="deleted")
    assert client.obtain() == "a1"
    assert server.asked[:2] == ["GET assets/deleted", "POST assets"]


def test_an_upload_that_cannot_be_processed_is_forgotten() -> None:
    client = Client(AssetServer(polls=None))
    with pytest.raises(InvalidInputError, match="broken container"):
        client.obtain()
    assert client.entry is None


def test_waits_for_processing_grow_up_to_10_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.poll", Clock(monkeypatch))
    Client(AssetServer(polls=10), timeout=1000).obtain()
    assert pauses.seconds[:3] == [0.5, 0.75, 1.125]
    assert max(pauses.seconds) == pauses.seconds[-1] == 10


def test_an_upload_that_is_not_ready_in_time_stays_in_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    Pauses(monkeypatch, "_net.poll", Clock(monkeypatch))
    client = Client(AssetServer(polls=1000), timeout=30)
    with pytest.raises(ServerError, match=r"asset a1.*after 30 s"):
        client.obtain()
    assert client.entry == {"asset_id": "a1"}


# -- in parts ------------------------------------------------------------------------------------------------------


def test_a_file_is_sent_in_parts_and_each_is_reported(file: File) -> None:
    server = AssetServer()
    client = Client(server)
    assert client.obtain(file, in_parts=True) == "a2"
    assert server.content == CONTENT
    assert len(server.part_urls) == PARTS
    assert sorted(server.reported) == list(range(1, PARTS + 1))
    assert client.entry == {"asset_id": "a2"}
    assert client.run_state.stats.uploaded_bytes == len(CONTENT)


@pytest.mark.parametrize("fault", [refusal(503), httpx.ReadError("reset"), httpx.ReadTimeout("slow")])
def test_a_part_that_fails_is_sent_again_alone_to_a_new_address(fault: Any) -> None:
    server = AssetServer(part_faults={2: [fault]})
    client = Client(server)
    client.obtain(in_parts=True)
    first, second = server.attempts(2)
    assert first != second
    assert len(server.part_urls) == PARTS + 1
    assert server.content == CONTENT
    assert client.run_state.stats.retries == 1
    assert client.run_state.stats.uploaded_bytes == len(CONTENT)


def test_attempts_of_a_part_are_counted_and_what_has_arrived_is_reported() -> None:
    server = AssetServer(part_faults={11: [refusal(503)] * 10})
    client = Client(server, retry=RetryPolicy(max_retries=2))
    with pytest.raises(ServerError):
        client.obtain(in_parts=True)
    assert len(server.attempts(11)) == 3
    assert sorted(server.reported) == sorted(server.stored) == list(range(1, 11))
    assert client.entry is not None and client.entry["upload_id"] == "u1"


def test_the_error_of_the_part_is_raised_even_if_the_report_fails_too() -> None:
    server = AssetServer(part_faults={5: [refusal(401)]})
    server.report_fault = refusal(400)
    with pytest.raises(AuthenticationError):
        Client(server).obtain(in_parts=True)


def test_no_attempt_of_a_part_starts_after_max_elapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def takes_a_while() -> None:
        clock.now += 40

    server = AssetServer(part_faults={1: [refusal(503)] * 20}, on_part=takes_a_while)
    with pytest.raises(ServerError):
        Client(server, retry=RetryPolicy(max_retries=10, max_elapsed=100)).obtain(File(data=b"one part"), in_parts=True)
    assert len(server.attempts(1)) == 3


def test_an_unreachable_storage_is_given_up_as_for_any_request() -> None:
    server = AssetServer(part_faults={1: [httpx.ConnectError("refused")] * 20})
    with pytest.raises(ConnectionFailedError):
        Client(server).obtain(File(data=b"one part"), in_parts=True)
    assert len(server.attempts(1)) == 3


def test_a_used_up_budget_ends_the_upload_at_once() -> None:
    server = AssetServer()
    with pytest.raises(QuotaExceededError):
        Client(server, budget=Budget(requests=3)).obtain(in_parts=True)
    assert len(server.asked) + len(server.part_urls) == 3


def test_a_part_without_an_etag_is_an_error() -> None:
    with pytest.raises(MalformedResponseError, match="no ETag"):
        Client(AssetServer(etag=None)).obtain(in_parts=True)


def test_a_missing_address_is_an_error() -> None:
    server = AssetServer(first_urls=0)
    server._new_urls = lambda start, count: []  # type: ignore[method-assign]
    with pytest.raises(MalformedResponseError, match="no address for part"):
        Client(server, retry=RetryPolicy(max_retries=0)).obtain(in_parts=True)


@pytest.mark.parametrize("missing", ["upload_id", "asset_id", "chunk_size", "total_chunks"])
def test_a_response_that_describes_no_upload_is_an_error(missing: str) -> None:
    described = {"upload_id": "u1", "asset_id": "a2", "chunk_size": PART, "total_chunks": 1}
    del described[missing]
    server = AssetServer()
    server._multipart = lambda request, path: described  # type: ignore[method-assign]
    with pytest.raises(MalformedResponseError, match=missing):
        Client(server).obtain(in_parts=True)


def test_a_large_document_is_refused_before_anything_is_sent() -> None:
    server = AssetServer()
    with pytest.raises(InvalidInputError, match="public URL") as caught:
        Client(server).obtain(File(media=Document(b"x")), in_parts=True)
    assert caught.value.item == "paths[0] 'video.mp4'"
    assert server.asked == []


# -- resuming ------------------------------------------------------------------------------------------------------


def interrupted(server: AssetServer) -> Journal:
    """The journal of an upload that broke off after parts 1 to 8."""
    server.part_faults = {9: [refusal(400)], 10: [refusal(400)], 11: [refusal(400)]}
    client = Client(server)
    with pytest.raises(InvalidInputError):
        client.obtain(in_parts=True)
    assert sorted(server.stored) == list(range(1, 9))
    server.part_faults, server.part_urls = {}, []
    return client.journal


@pytest.mark.parametrize("page_size", [50, 3])
def test_an_interrupted_upload_sends_the_missing_parts_only(page_size: int) -> None:
    server = AssetServer(page_size=page_size)
    client = Client(server, interrupted(server))
    assert client.obtain(in_parts=True) == "a2"
    assert len(server.part_urls) == 3
    assert server.content == CONTENT
    assert sorted(server.reported) == list(range(1, PARTS + 1))
    assert server.count("POST assets/multipart-uploads") == 1
    assert client.entry == {"asset_id": "a2"}


@pytest.mark.parametrize("status", ["gone", "expired", "failed"])
def test_an_upload_that_has_expired_begins_anew(status: str) -> None:
    server = AssetServer()
    journal = interrupted(server)
    server.upload_status = status
    assert Client(server, journal).obtain(in_parts=True) == "a2"
    assert len(server.part_urls) == PARTS
    assert server.count("POST assets/multipart-uploads") == 2


def test_an_upload_that_is_complete_sends_no_part() -> None:
    server = AssetServer()
    journal = interrupted(server)
    server.upload_status = "completed"
    client = Client(server, journal)
    assert client.obtain(in_parts=True) == "a2"
    assert server.part_urls == []
    assert client.entry == {"asset_id": "a2"}


# -- deleting ------------------------------------------------------------------------------------------------------


def test_an_asset_is_deleted_once() -> None:
    server = AssetServer()
    client = Client(server)
    client.obtain()
    client.discard()
    client.discard()
    assert server.count("DELETE assets/a1") == 1
    assert client.entry is None


def test_an_asset_of_an_earlier_process_is_deleted() -> None:
    server = AssetServer()
    journal = Client(server).journal
    Client(server, journal).obtain()
    Client(server, journal).discard()
    assert server.assets == {}


def test_an_asset_to_keep_is_not_deleted() -> None:
    server = AssetServer()
    client = Client(server, keep=True)
    client.obtain()
    client.discard()
    assert server.count("DELETE assets/a1") == 0
    assert client.entry == {"asset_id": "a1"}


def test_a_url_has_no_asset() -> None:
    server = AssetServer()
    client = Client(server)
    client.write(asset_id="a1")
    client.discard(File(url="https://h.example/a.mp4"))
    assert server.asked == []


def test_a_failed_deletion_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = AssetServer()
    client = Client(server)
    client.obtain()
    server.deletion = refusal(400)
    with caplog.at_level(logging.WARNING):
        client.discard()
    assert "a1 could not be deleted" in caplog.text
