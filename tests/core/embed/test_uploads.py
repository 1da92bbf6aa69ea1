"""Uploads: whole and in parts, found again, resumed, waited for, and deleted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.anyjson import answer_of, anything
from tests.support.sender import Clock, Pauses, sender_of
from tests.support.service import Service, refusal, sent_form
from twelvelabs_core import (
    Budget,
    ConnectionFailedError,
    Document,
    InvalidInputError,
    MalformedResponseError,
    Media,
    QuotaExceededError,
    RetryPolicy,
    ServerError,
    TwelveLabsError,
    Video,
)
from twelvelabs_core._api.names import is_name
from twelvelabs_core._cache.journal import Journal
from twelvelabs_core._embed.multipart import PARALLEL_PARTS
from twelvelabs_core._embed.uploads import Uploads
from twelvelabs_core._media.file import MediaFile, locate
from twelvelabs_core._net import loop
from twelvelabs_core._stats import Run

STORAGE = "https://storage.example"
CONTENT = bytes(range(256)) * 4  # 1,024 bytes: in parts of 100 there are 11
PART = 100
PARTS = 11


LABEL = "paths[0] 'video.mp4'"


def opened(source: Any = CONTENT, kind: type[Media] = Video) -> MediaFile:
    """A file as an upload gets it."""
    file = locate(kind(source, filename="video.mp4"), LABEL)
    file.mime = "video/mp4"
    return file


KEY = "k"
NAME = "asset/s/k"
KEPT = f"asset/s/{opened().content_digest}"


class AssetServer:
    """Keeps assets and uploads, and answers as the API and its storage do.

    Attributes:
        polls: retrievals that find an asset processing before it is ready; None = it fails.
        first_urls: addresses that come with a new upload.
        part_faults: responses or exceptions instead of taking a part, in order, by part.
        faults: responses or exceptions instead of those to an upload, which is taken all the same if it is ``lost``.
        shows_names: lists of assets show their file names.
    """

    def __init__(self, **settings: Any) -> None:
        self.polls: int | None = 0
        self.first_urls = 3
        self.part_faults: dict[int, list[Any]] = {}
        self.on_part: Callable[[], None] = lambda: None
        self.upload_status = "active"
        self.etag: str | None = '"etag"'
        self.page_size = 50
        self.faults: list[Any] = []
        self.lost = False
        self.shows_names = True
        self.on_upload: Callable[[], None] = lambda: None
        self.__dict__.update(settings)
        self.assets: dict[str, bytes | None] = {}
        self.stored: dict[int, bytes] = {}
        self.reported: list[int] = []
        self.part_urls: list[str] = []
        self.asked: list[str] = []
        self.deletion: httpx.Response = httpx.Response(204)
        self.report_fault: httpx.Response | None = None
        self.names: dict[str, str] = {}
        self._urls = 0
        self._ids = itertools.count(1)
        self.service = Service(self.answer)

    def answer(self, request: httpx.Request) -> Any:
        if str(request.url).startswith(STORAGE):
            return self._part(request)
        path = request.url.path.partition("/v1.3/")[2]
        self.asked.append(f"{request.method} {path}")
        if path == "assets":
            return self._upload(request) if request.method == "POST" else self._list(request.url.params["filename"])
        if path.startswith("assets/multipart-uploads"):
            return self._multipart(request, path)
        asset_id = path.removeprefix("assets/")
        if request.method == "DELETE":
            self.assets.pop(asset_id, None)
            return self.deletion
        return self._asset(asset_id)

    def _upload(self, request: httpx.Request) -> Any:
        form = {field.name: field for field in sent_form(request)}
        self.on_upload()
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or self.lost:
            asset_id = f"a{next(self._ids)}"
            self.assets[asset_id] = form["file"].value
            self.names[asset_id] = form["filename"].text
            assert form["file"].filename == form["filename"].text
        if isinstance(fault, BaseException):
            raise fault
        return fault or {"_id": asset_id, "status": "processing"}

    def _list(self, name: str) -> Any:
        listed = [{"_id": i, "filename": n, "status": "ready"} for i, n in self.names.items()]
        return {"data": [entry for entry in listed if self.shows_names and name.lower() in entry["filename"].lower()]}

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
            self.assets["a2"], self.names["a2"] = None, body["filename"]
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

    def obtain(self, file: MediaFile | None = None, *, in_parts: bool = False, key: str = KEY) -> str:
        return loop.run(self.obtaining(file or opened(), in_parts, key))

    async def obtaining(self, file: MediaFile, in_parts: bool = False, key: str = KEY) -> str:
        return (await self._uploads.obtain(file, key, self.run_state, in_parts=in_parts)).asset_id

    def discard(self, file: MediaFile | None = None, key: str = KEY) -> None:
        loop.run(self._uploads.discard(file or opened(), key, self.run_state))

    def write(self, **entry: Any) -> None:
        loop.run(self.journal.write(NAME, **entry))

    @property
    def entry(self) -> dict[str, Any] | None:
        found = loop.run(self.journal.find(NAME))
        return None if found is None else {k: v for k, v in found.items() if k not in ("written", "filename")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["bytes", "file"])
def file(request: pytest.FixtureRequest, path: Path) -> MediaFile:
    return opened(CONTENT if request.param == "bytes" else path)


# -- whole ---------------------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_waited_for_and_written_down(file: MediaFile) -> None:
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
    client.obtain(key="one")
    assert Client(server, client.journal, keep=True).obtain(key="another") == "a1"
    assert server.count("POST assets") == 1


def test_an_asset_that_is_gone_is_uploaded_again() -> None:
    server = AssetServer()
    client = Client(server)
    client.write(asset_id="deleted", filename="video.mp4")
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


def test_a_file_is_sent_in_parts_and_each_is_reported(file: MediaFile) -> None:
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
    server = AssetServer(part_faults={index: [refusal(401)] * 9 for index in range(4, PARTS + 1)})
    server.report_fault = refusal(400)
    with pytest.raises(ServerError, match=r"storage refused part \d"):
        Client(server).obtain(in_parts=True)


def test_no_attempt_of_a_part_starts_after_max_elapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def takes_a_while() -> None:
        clock.now += 40

    server = AssetServer(part_faults={1: [refusal(503)] * 20}, on_part=takes_a_while)
    with pytest.raises(ServerError):
        Client(server, retry=RetryPolicy(max_retries=10, max_elapsed=100)).obtain(opened(b"one part"), in_parts=True)
    assert len(server.attempts(1)) == 3


def test_an_unreachable_storage_is_given_up_as_for_any_request() -> None:
    server = AssetServer(part_faults={1: [httpx.ConnectError("refused")] * 20})
    with pytest.raises(ConnectionFailedError):
        Client(server).obtain(opened(b"one part"), in_parts=True)
    assert len(server.attempts(1)) == 3


def test_a_used_up_budget_ends_the_upload_at_once() -> None:
    server = AssetServer()
    with pytest.raises(QuotaExceededError):
        Client(server, budget=Budget(requests=3)).obtain(in_parts=True)
    assert len(server.asked) + len(server.part_urls) <= 3


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
    described = {"upload_id": "u1", "asset_id": "a2", "chunk_size": PART, "total_chunks": PARTS}
    del described[missing]
    server = AssetServer()
    server._multipart = lambda request, path: described  # type: ignore[method-assign]
    with pytest.raises(MalformedResponseError, match=missing):
        Client(server).obtain(in_parts=True)


def test_a_large_document_is_refused_before_anything_is_sent() -> None:
    server = AssetServer()
    with pytest.raises(InvalidInputError, match="public URL") as caught:
        Client(server).obtain(opened(kind=Document), in_parts=True)
    assert str(caught.value.item).startswith(LABEL)
    assert server.asked == []


# -- resuming ------------------------------------------------------------------------------------------------------


def interrupted(server: AssetServer) -> Journal:
    """The journal of an upload that broke off after parts 1 to 8."""
    server.part_faults = {9: [refusal(400)] * 9, 10: [refusal(400)] * 9, 11: [refusal(400)] * 9}
    client = Client(server)
    # One after another: of parts under way together, the first that fails may cancel one before it.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ServerError):
        patch.setattr("twelvelabs_core._embed.multipart.PARALLEL_PARTS", 1)
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


def test_parts_that_arrived_and_were_not_reported_are_reported_and_not_sent_again() -> None:
    """A process that is killed sends again what was on the way, at most."""
    server = AssetServer()
    client = Client(server)

    async def run_and_kill() -> None:
        task = asyncio.ensure_future(client.obtaining(opened(), in_parts=True))

        def kill() -> None:
            if len(server.stored) == 6:
                task.cancel()

        server.on_part = kill
        await asyncio.gather(task, return_exceptions=True)

    report, server.report_fault = server.report_fault, refusal(400)  # a killed process reports nothing
    loop.run(run_and_kill())
    server.report_fault = report
    server.on_part = lambda: None
    assert server.reported == []
    known = len(server.stored)
    server.part_urls = []
    assert Client(server, client.journal).obtain(in_parts=True) == "a2"
    assert len(server.part_urls) <= PARTS - known + PARALLEL_PARTS
    assert len(server.part_urls) < PARTS
    assert server.content == CONTENT
    assert sorted(server.reported) == list(range(1, PARTS + 1))


def test_parts_whose_proof_is_refused_are_sent_again() -> None:
    server = AssetServer()
    client = Client(server, interrupted(server))
    entry = loop.run(client.journal.find(NAME))
    assert entry is not None
    client.write(**{**entry, "proofs": [[9, "wrong", PART], "no proof", [1]]})
    server.report_fault = refusal(400)
    server.on_part = lambda: setattr(server, "report_fault", None)
    assert client.obtain(in_parts=True) == "a2"
    assert len(server.part_urls) == 3


@pytest.mark.parametrize(
    "entry",
    [
        {"upload_id": "../x", "asset_id": "a2", "chunk_size": PART, "total_chunks": PARTS},
        {"upload_id": "u1", "asset_id": "a2", "chunk_size": PART, "total_chunks": 1},
        {"upload_id": "u1"},
        {"asset_id": "../../../v1.3/indexes/x", "filename": "f"},
        {"asset_id": 5, "filename": "f"},
        {"asset_id": "a9"},
    ],
)
def test_a_journal_entry_that_cannot_be_one_is_not_followed(entry: dict[str, Any]) -> None:
    server = AssetServer()
    client = Client(server)
    client.write(**entry)
    assert client.obtain(in_parts=True) == "a2"
    assert server.asked[0] == "POST assets/multipart-uploads"
    assert server.content == CONTENT


# -- an address that is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("retries", [0, 5])
def test_a_part_whose_address_has_expired_gets_a_new_one(status: int, retries: int) -> None:
    server = AssetServer(part_faults={2: [refusal(status)] * 2})
    Client(server, retry=RetryPolicy(max_retries=retries)).obtain(in_parts=True)
    assert len(set(server.attempts(2))) == 3
    assert server.content == CONTENT


@pytest.mark.parametrize("fault", [refusal(403), refusal(401), refusal(503), refusal(429), httpx.Response(302)])
def test_what_the_storage_answers_is_never_about_the_account(fault: httpx.Response) -> None:
    server = AssetServer(part_faults={1: [fault] * 99})
    with pytest.raises(ServerError, match="The storage refused part 1"):
        Client(server, retry=RetryPolicy(max_retries=1)).obtain(opened(b"one part"), in_parts=True)
    assert len(server.attempts(1)) <= 6


# -- a response that is lost ---------------------------------------------------------------------------------------


LOST = [refusal(503), httpx.ReadError("reset"), httpx.Response(200, content=b"<html>"), {"status": "processing"}]


@pytest.mark.parametrize("fault", LOST, ids=["503", "reset", "html", "no id"])
@pytest.mark.parametrize("shown", [True, False])
def test_an_upload_whose_response_is_lost_is_found_by_its_name(fault: Any, shown: bool, file: MediaFile) -> None:
    server = AssetServer(faults=[fault], lost=True, shows_names=shown)
    client = Client(server)
    assert client.obtain(file) == ("a1" if shown else "a2")
    assert server.count("POST assets") == (1 if shown else 2)
    assert client.run_state.stats.uploaded_bytes == len(CONTENT)


def test_an_upload_of_a_killed_process_is_found_by_its_name() -> None:
    server = AssetServer()
    client = Client(server)
    upload = server._upload

    async def killed(request: httpx.Request) -> None:
        upload(request)
        running[0].cancel()
        await asyncio.sleep(1)

    running: list[asyncio.Task[Any]] = []

    async def run_and_kill() -> None:
        running.append(asyncio.ensure_future(client.obtaining(opened())))
        await asyncio.gather(*running, return_exceptions=True)

    server._upload = killed  # type: ignore[method-assign]
    loop.run(run_and_kill())
    server._upload = upload  # type: ignore[method-assign]
    assert client.entry == {}
    assert Client(server, client.journal).obtain() == "a1"
    assert server.count("POST assets") == 1


def test_an_asset_of_another_name_or_size_is_not_taken() -> None:
    server = AssetServer(faults=[httpx.ReadError("reset")], lost=True)
    shown = server._list
    other = {"_id": "other", "filename": "video.mp4", "status": "ready"}
    server._list = lambda name: {"data": [other, *({**e, "size": 5} for e in shown(name)["data"])]}  # type: ignore[method-assign]
    assert Client(server).obtain() == "a2"


def test_a_refused_upload_leaves_nothing_in_the_journal() -> None:
    client = Client(AssetServer(faults=[refusal(400)]))
    with pytest.raises(InvalidInputError):
        client.obtain()
    assert client.entry is None


# -- a file that changes -------------------------------------------------------------------------------------------


def rewrite(path: Path, content: bytes, *, keep_time: bool) -> None:
    before = path.stat()
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("keep_time", [True, False])
@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", CONTENT[::-1]], ids=["shorter", "longer", "other"])
def test_a_file_that_changes_before_it_is_sent_is_not_kept(path: Path, content: bytes, keep_time: bool) -> None:
    """Opened and digested, then changed; also with its size and its time as they were."""
    server = AssetServer()
    client = Client(server)
    file = opened(path)
    assert file.content_digest
    rewrite(path, content, keep_time=keep_time)
    with pytest.raises(InvalidInputError, match=r"video\.mp4'.*has changed"):
        client.obtain(file)
    assert server.assets == {}
    assert client.entry is None


@pytest.mark.parametrize("keep_time", [True, False])
@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", CONTENT[::-1]], ids=["shorter", "longer", "other"])
def test_a_file_that_changes_while_its_parts_are_sent_is_not_kept(path: Path, content: bytes, keep_time: bool) -> None:
    server = AssetServer()
    client = Client(server)
    file = opened(path)
    assert file.content_digest
    server.on_part = lambda: rewrite(path, content, keep_time=keep_time) if len(server.stored) == 3 else None
    with pytest.raises(InvalidInputError, match=r"has changed|become shorter"):
        client.obtain(file, in_parts=True)


def test_a_file_whose_attributes_change_is_the_same_file(path: Path) -> None:
    server = AssetServer()
    file = opened(path)
    assert file.content_digest
    server.on_upload = lambda: path.chmod(0o600)
    assert Client(server).obtain(file) == "a1"


# -- responses that cannot be right --------------------------------------------------------------------------------


PLAN = {"upload_id": "u1", "asset_id": "a2", "chunk_size": PART, "total_chunks": PARTS}


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_chunks": 1},
        {"total_chunks": 10**8},
        {"total_chunks": 10**8, "chunk_size": 0},
        {"total_chunks": True, "chunk_size": 2000},
        {"chunk_size": -100},
        {"chunk_size": 1e400},
        {"chunk_size": "100"},
        {"upload_id": "../../../v1.3/indexes/x"},
        {"asset_id": "../../../v1.3/indexes/x"},
        {"asset_id": "a?force=true"},
        {"asset_id": ""},
        {"upload_headers": {"x": "a\r\nb: c"}},
        {"upload_headers": {"x\n": "a"}},
        {"upload_headers": 5},
        {"upload_urls": [{"chunk_index": 1, "url": "ftp://storage.example/1"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "http://storage.example/1"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "https:///1"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "https://storage.example:port/1"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "https://[::1/1"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "https://999.1.1.1/1"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "https://a b/\u0000"}]},
        {"upload_urls": [{"chunk_index": 1, "url": "assets"}]},
        {"upload_urls": [{"chunk_index": 1}]},
    ],
)
def test_an_upload_planned_wrongly_is_refused_and_nothing_is_deleted(wrong: dict[str, Any]) -> None:
    server = AssetServer()
    server._multipart = lambda request, path: answer_of({**PLAN, **wrong})  # type: ignore[method-assign]
    client = Client(server)
    with pytest.raises(MalformedResponseError):
        client.obtain(in_parts=True)
    client.discard()
    assert server.part_urls == []
    assert server.asked == ["POST assets/multipart-uploads"]


@pytest.mark.parametrize("asset_id", ["../../../v1.3/indexes/x", "..", "a/b", "a b", "a%2e", "é", "a" * 129, 5, None])
def test_an_asset_id_that_cannot_be_one_is_asked_for_nothing(asset_id: Any) -> None:
    server = AssetServer()
    server._upload = lambda request: {"_id": asset_id, "status": "ready"}  # type: ignore[method-assign]
    client = Client(server, retry=RetryPolicy(max_retries=0))
    with pytest.raises(MalformedResponseError, match="asset id"):
        client.obtain()
    client.discard()
    assert {line.partition(" ")[2] for line in server.asked} == {"assets"}


urls = st.sampled_from([f"{STORAGE}/1", "https://[", "x", "https://h:99999/"]) | anything
fields: dict[str, st.SearchStrategy[Any]] = {
    "_id": st.sampled_from(["a1", "../x"]) | anything,
    "status": st.sampled_from(["ready", "failed", "processing", "active", "completed", "expired"]) | anything,
    "error": anything,
    "size": anything,
    "upload_id": st.sampled_from(["u1", "../x"]) | anything,
    "asset_id": st.sampled_from(["a2", "../x"]) | anything,
    "chunk_size": st.sampled_from([PART, 1024, 0]) | anything,
    "total_chunks": st.sampled_from([PARTS, 1, 10**8]) | anything,
    "upload_headers": st.just({"x-part": "1"}) | anything,
    "upload_urls": st.lists(st.fixed_dictionaries({"chunk_index": st.integers(0, 3), "url": urls})) | anything,
    "uploaded_chunks": st.lists(st.fixed_dictionaries({"index": anything, "status": anything})) | anything,
    "page_info": st.fixed_dictionaries({"total_page": anything}) | anything,
    "data": st.lists(st.fixed_dictionaries({"_id": anything, "filename": anything})) | anything,
}


@given(answers=st.lists(st.fixed_dictionaries({}, optional=fields), min_size=1, max_size=6), parts=st.booleans())
def test_any_json_gives_an_asset_or_one_of_our_errors(answers: list[dict[str, Any]], parts: bool) -> None:
    asked: list[httpx.URL] = []
    script = itertools.cycle(answers)

    def answer(request: httpx.Request) -> Any:
        asked.append(request.url)
        if request.url.host == "storage.example":
            return httpx.Response(200, headers={"etag": "e"})
        return answer_of(next(script))

    server = AssetServer()
    server.service = Service(answer)
    client = Client(server, timeout=0, retry=RetryPolicy(max_retries=1))
    for _ in range(2):  # the second with the journal of the first
        with contextlib.suppress(TwelveLabsError):
            client.obtain(in_parts=parts)
    client.discard()
    assert all(".." not in str(url) for url in asked)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", 'a"b\r\nx: y.mp4', "\udcff\udcfe.mp4", "x" * 400 + ".mp4", "日本.mp4", ""])
@pytest.mark.parametrize("in_parts", [False, True])
def test_each_upload_has_a_name_that_no_other_has(name: str, in_parts: bool) -> None:
    server = AssetServer()
    for key in ("one", "two"):
        file = opened()
        file.filename = name
        Client(server).obtain(file, key=key, in_parts=in_parts)
    asset_id = "a2" if in_parts else "a1"
    sent = server.names[asset_id]
    assert sent.isprintable() and not set('"\\/') & set(sent)
    assert len(sent) <= 255
    assert is_name(sent, sent) and not is_name(name, sent)
    if not in_parts:
        assert sent != server.names["a2"]


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


def test_equal_files_with_other_options_have_assets_of_their_own() -> None:
    """The first to end does not delete the asset of the other, and a list shows whose task is whose."""
    server = AssetServer()
    client = Client(server)
    assert [client.obtain(key="fixed"), client.obtain(key="dynamic")] == ["a1", "a2"]
    client.discard(key="fixed")
    assert list(server.assets) == ["a2"]
    assert client.obtain(key="dynamic") == "a2"


def test_an_asset_is_deleted_also_when_the_batch_stops() -> None:
    server = AssetServer()
    client = Client(server)
    client.obtain()
    client.run_state.stopping = True
    client.discard()
    assert server.assets == {}


def test_an_asset_to_keep_is_not_deleted() -> None:
    server = AssetServer()
    client = Client(server, keep=True)
    client.obtain()
    client.discard()
    assert server.count("DELETE assets/a1") == 0
    assert loop.run(client.journal.find(KEPT)) is not None


def test_a_url_has_no_asset() -> None:
    server = AssetServer()
    client = Client(server)
    client.write(asset_id="a1")
    client.discard(opened("https://h.example/a.mp4"))
    assert server.asked == []


def test_a_failed_deletion_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = AssetServer()
    client = Client(server)
    client.obtain()
    server.deletion = refusal(400)
    with caplog.at_level(logging.WARNING):
        client.discard()
    assert "a1 could not be deleted" in caplog.text
    assert client.entry == {"asset_id": "a1"}  # the next run can use it, or delete it
