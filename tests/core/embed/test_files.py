"""One file to its segments: read once, embedded by a request or a task."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from tests.support import media
from tests.support.service import (
    Service,
    fields_of,
    right_answer,
    sent_form,
    sent_json,
    v1_answer,
    v2_answer,
    vector,
)
from twelvelabs_core import (
    MODELS,
    Audio,
    BatchError,
    CacheError,
    Composed,
    Document,
    Fixed,
    Image,
    InvalidInputError,
    MalformedResponseError,
    Media,
    SegmentOptions,
    Sentences,
    ServerError,
    TwelveLabsError,
    Video,
)
from twelvelabs_core._cache.encoding import decode_json, is_whole
from twelvelabs_core._embed.settings import EmbedSettings
from twelvelabs_core._media import opened as opened_module
from twelvelabs_core._media.streamed import StreamedFile

M30, M35 = MODELS["marengo3.0"], MODELS["marengo3.5"]
MB = 1_000_000


def segment(option: str | None, start: float | None, end: float | None, scope: str | None = "clip") -> dict[str, Any]:
    labels = {"embedding_option": option, "embedding_scope": scope, "start_sec": start, "end_sec": end}
    return {"embedding": vector(f"{option}{start}{scope}"), **labels}


class Tasks:
    """Responds to assets and tasks like the API; each is ready at once."""

    def __init__(self, *data: dict[str, Any]) -> None:
        self.status = "ready"
        self.data = list(data) or [segment("visual", None, None, "asset")]
        self.service = Service(self.answer)

    def answer(self, request: httpx.Request) -> Any:
        path, task = request.url.path, {"_id": "t1", "status": self.status}
        if path.endswith("/assets"):
            return httpx.Response(201, json={"_id": "a1", "status": "ready"})
        if "/assets/" in path:
            return {"_id": "a1", "status": "ready"}
        if path.endswith("/embed-v2/tasks"):
            return httpx.Response(202, json={**task, "status": "processing"})
        if "/embed-v2/tasks/" in path:
            return {**task, "data": self.data}
        return {"data": self.data}

    @property
    def paths(self) -> list[str]:
        return [f"{r.method} {r.url.path.removeprefix('/v1.3/')}" for r in self.service.requests]


# -- read once -----------------------------------------------------------------------------------------------


@pytest.fixture
def large_video(tmp_path: Path) -> Path:
    """A video larger than one request takes, padded with a ``free`` box."""
    content = media.mp4([("red", 6, 220)])
    path = tmp_path / "large.mp4"
    path.write_bytes(content + (37 * MB + 8).to_bytes(4, "big") + b"free" + bytes(37 * MB))
    return path


def test_an_uploaded_video_is_opened_and_digested_once(
    large_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, digested = [], []
    real_open, real_update = av.open, opened_module._update_from

    def count_open(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return real_open(*arguments, **options)

    def count_digest(found: Any, content: Any) -> None:
        digested.append(content.name)
        real_update(found, content)

    monkeypatch.setattr(av, "open", count_open)
    monkeypatch.setattr(opened_module, "_update_from", count_digest)
    found = Tasks(segment("visual", 0, 6)).service.client(cache=tmp_path / "c.sqlite").rows(Video(large_video))
    assert [row.metadata["end_sec"] for row in found] == [6.0]
    assert len(opened) == 1
    assert digested == [str(large_video)]


@pytest.mark.parametrize(
    "item",
    [
        Image("https://h.example/a.jpg"),
        Video("https://h.example/a.mp4"),
        Composed("red", [Image("https://h.example/a.jpg")]),
    ],
    ids=["image", "video", "composed"],
)
async def test_a_url_is_embedded_without_a_thread(item: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> None:
        raise AssertionError("a thread was used")

    service = Service(lambda _: v2_answer(vector("v")))
    client = service.client()
    client.embed("warm up")
    monkeypatch.setattr(asyncio, "to_thread", refuse)
    assert (await client.aembed(item)).vector == vector("v")
    assert (await client.aembed_many([item, "a"]))[0].vector == vector("v")


def test_a_file_is_read_in_another_thread_than_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = []
    real = StreamedFile.open

    def read(file: StreamedFile) -> Any:
        readers.append(threading.current_thread().name)
        return real(file)

    monkeypatch.setattr(StreamedFile, "open", read)
    (tmp_path / "a.png").write_bytes(media.png())
    Service().client().embed(Image(tmp_path / "a.png"))
    assert len(readers) == 1
    assert "twelvelabs" not in readers[0]


def test_a_file_changed_while_it_is_embedded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(media.png("red"))

    def change(request: httpx.Request) -> Any:
        path.write_bytes(media.png("blue", (300, 300)))
        return right_answer(request)

    client = Service(change).client(max_concurrency=1, cache=tmp_path / "c.sqlite")
    with pytest.raises(BatchError, match=r"items\[1\] .*a\.png.*has changed") as caught:
        client.embed_many(["first", Image(path)])
    assert [found is not None for found in caught.value.results] == [True, False]
    assert isinstance(caught.value.errors[1], InvalidInputError)
    assert not client.embed(Image(path)).cached


# -- request or task -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code", "too_long"),
    [
        ("The audio must not be longer than 600 seconds; it lasts 605.0.", "parameter_invalid", True),
        ("too much", "video_duration_too_long", True),
        ("The duration of the video exceeds the maximum of 10 minutes", None, True),
        ("Video is too long: 700 seconds", None, True),
        ("segmentation must be between 2 and 10 seconds", "parameter_invalid", False),
        ("min_duration_sec must be at most 5 seconds", "parameter_invalid", False),
        ("video.end_sec must not exceed the duration of 12.0 seconds", "parameter_invalid", False),
        ("The video must not be shorter than 4 seconds; it lasts 2.0.", "video_duration_too_short", False),
        ("The file could not be fetched within 30 seconds", None, False),
    ],
)
def test_only_a_refusal_for_duration_is_followed_by_a_task(message: str, code: str | None, too_long: bool) -> None:
    tasks = Tasks()

    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("/embed-v2"):
            return httpx.Response(400, json={"code": code, "message": message})
        return tasks.answer(request)

    client = Service(answer).client()
    if too_long:
        assert client.embed(Video("https://h.example/a.mp4")).vector == vector("visualNoneasset")
    else:
        with pytest.raises(InvalidInputError, match=r"seconds"):
            client.embed(Video("https://h.example/a.mp4"))


# -- one vector = the segment of scope asset - ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "option"), [(Image(media.png()), "visual"), (Document(b"Red. Blue.", filename="a.txt"), "text")]
)
def test_embed_and_asset_segment_share_a_cache_entry(item: Media, option: str, tmp_path: Path) -> None:
    service = Service()
    client = service.client("marengo3.5", cache=tmp_path / "c.sqlite")
    one = client.embed(item)
    (row,) = client.rows(item, SegmentOptions(embedding_scope=("asset",)))
    (segment,) = client.embed_segments(item, SegmentOptions(embedding_scope=("asset",)))
    assert len(service.requests) == 1
    assert row.vector == segment.vector == one.vector
    assert (segment.option, segment.scope) == (option, "asset")
    assert (row.metadata["embedding_option"], row.metadata["embedding_scope"]) == (option, "asset")


def test_equal_files_of_one_call_are_embedded_once(tmp_path: Path) -> None:
    tasks = Tasks(segment("visual", 0, 6))
    content = media.mp4([("red", 6, 220)])
    client = tasks.service.client("marengo3.5")
    first, second = client.embed_segments_many([Video(content), Video(content)])
    assert first == second
    assert tasks.paths.count("POST embed-v2/tasks") == 1
    assert client.last_run.deduplicated == 1
    assert client.last_run.segments == 2


def test_a_text_document_is_divided_into_sentences_by_default() -> None:
    tasks = Tasks({**segment("text", None, None, "chunk"), "chunk_index": 0})
    client = tasks.service.client("marengo3.5")
    page = Document(b"Red. Blue.", filename="a.txt")
    client.embed_segments(page)
    client.embed_segments(page, SegmentOptions(segmentation=Sentences(2)))
    sent = [
        sent_json(r)["document"]["segmentation"]["sequential"] for r in tasks.service.requests if r.method == "POST"
    ]
    assert [s["max_sentences"] for s in sent] == [5, 2]
    assert sent[0]["overlap_sentences"] == 1


# -- v1 --------------------------------------------------------------------------------------------------------


def v1_audio(*segments: tuple[str, float, float]) -> Callable[[httpx.Request], dict[str, Any]]:
    found = [{"float": vector(name), "start_offset_sec": start, "end_offset_sec": end} for name, start, end in segments]
    return lambda _: {"model_name": "marengo3.0", "audio_embedding": {"segments": found}}


UNLABELLED_PAIRS = v1_audio(("audio", 0, 6), ("speech", 0, 6), ("audio 2", 6, 12), ("speech 2", 6, 12))


def test_v1_audio_segments_keep_the_order_of_the_response() -> None:
    service = Service(UNLABELLED_PAIRS)
    found = service.client(api_version="v1").embed_segments(Audio("https://h.example/a.mp3", start_sec=1.5))
    assert [s.vector for s in found] == [vector(n) for n in ("audio", "speech", "audio 2", "speech 2")]
    assert [(s.start_sec, s.end_sec, s.option, s.scope) for s in found[1:3]] == [
        (0, 6, None, "clip"),
        (6, 12, None, "clip"),
    ]
    assert fields_of(service.requests[0])["audio_start_offset_sec"] == "1.5"


@pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off")
def test_v1_audio_segments_on_2_7() -> None:
    entry = {"float": vector("a", 1024), "start_offset_sec": 0, "end_offset_sec": 6}
    service = Service(lambda _: {"model_name": "m", "audio_embedding": {"segments": [entry]}})
    (found,) = service.client("Marengo-retrieval-2.7").embed_segments(Audio(media.wav()))
    assert (len(found.vector), found.start_sec, found.end_sec) == (1024, 0, 6)


@pytest.mark.parametrize(
    "options",
    [
        SegmentOptions(segmentation=Fixed(4)),
        SegmentOptions(embedding_option="audio"),
        SegmentOptions(embedding_scope=("asset",)),
    ],
)
def test_segment_options_for_audio_are_refused_on_v1(options: SegmentOptions) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match="v1 offers no options"):
        service.client(api_version="v1").embed_segments(Audio(media.wav()), options)
    assert service.requests == []


def test_mean_of_unlabelled_audio_on_v1_has_a_separate_space(tmp_path: Path) -> None:
    """It mixes audio and transcription vectors, which v2 returns separately."""
    service = Service(UNLABELLED_PAIRS)
    client = service.client(api_version="v1", cache=tmp_path / "c.sqlite")
    for cached in (False, True):
        found = client.embed(Audio("https://h.example/a.mp3"))
        assert (found.space, found.pooled, found.cached) == ("marengo3.0/512/v1-audio", 4, cached)
    assert (
        Service(lambda _: v1_answer("marengo3.0", image=vector("i")))
        .client(api_version="v1")
        .embed(Image("https://h.example/a.jpg"))
        .space
        == "marengo3.0/512"
    )


# -- v1 video ----------------------------------------------------------------------------------------------------


def v1_video(request: httpx.Request) -> Any:
    path = request.url.path
    if path.endswith("/embed/tasks"):
        return {"_id": "t1"}
    if path.endswith("/status"):
        return {"_id": "t1", "status": "ready"}
    times = {"start_offset_sec": 0, "end_offset_sec": 6}
    found = [
        {**times, "float": vector(f"{o}{s}"), "embedding_option": o, "embedding_scope": s}
        for s in ("clip", "video")
        for o in ("visual", "audio")
    ]
    return {"_id": "t1", "status": "ready", "video_embedding": {"segments": found}}


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (None, [("visual", "clip"), ("audio", "clip"), ("visual", "asset"), ("audio", "asset")]),
        (SegmentOptions(embedding_option=("audio",)), [("audio", "clip"), ("audio", "asset")]),
    ],
)
def test_v1_segments_of_video_are_filtered_by_option(
    options: SegmentOptions | None, labels: list[tuple[str, str]]
) -> None:
    service = Service(v1_video)
    client = service.client(api_version="v1")
    found = client.embed_segments(Video("https://h.example/a.mp4"), options)
    assert [(s.option, s.scope) for s in found] == labels
    assert [f"{r.method} {r.url.path.removeprefix('/v1.3/')}" for r in service.requests] == [
        "POST embed/tasks",
        "GET embed/tasks/t1/status",
        "GET embed/tasks/t1",
    ]


# -- labels ------------------------------------------------------------------------------------------------------


def test_a_segment_with_times_and_no_scope_is_a_clip() -> None:
    entries = [segment("visual", 0, 6, None), segment("visual", None, None, None), segment("visual", 0, 6, "asset")]
    found = Service(lambda _: {"data": entries}).client().embed_segments(Video("https://h.example/a.mp4"))
    assert [(s.start_sec, s.scope) for s in found] == [(0, "clip"), (0, "asset"), (None, None)]


@pytest.mark.parametrize("item", [Image(media.png()), Image("https://h.example/a.png")], ids=["file", "url"])
def test_small_files_and_urls_are_not_uploaded(item: Media) -> None:
    tasks = Tasks(segment("visual", None, None, None))
    tasks.service.client().embed(item)
    assert tasks.paths == ["POST embed-v2"]


@pytest.mark.parametrize("keep", [False, True])
def test_an_uploaded_asset_is_deleted_unless_kept(keep: bool, large_video: Path) -> None:
    tasks = Tasks(segment("visual", 0, 6))
    tasks.service.client(keep_assets=keep).embed_segments(Video(large_video))
    assert [p for p in tasks.paths if "assets" in p] == ["POST assets", "GET assets/a1"] + ["DELETE assets/a1"] * (
        not keep
    )
    (request,) = [r for r in tasks.service.requests if r.url.path.endswith("/embed-v2")]
    assert sent_json(request)["video"]["media_source"] == {"asset_id": "a1"}


class OrderedStore(dict[str, bytes]):
    """A store that keeps the order of what is written and what is sent."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def mset(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        for key, value in pairs:
            whole = key.startswith("journal/") and is_whole(key, value)
            entry = (decode_json(value) if whole else None) or {}
            kind = key.split("/")[1] if key.startswith("journal/") else "result"
            state = "known" if "task_id" in entry or "asset_id" in entry else "intended" if entry else "deleted"
            self.lines.append(kind if kind == "result" else f"{kind} {state}")
        self.update(pairs)


def test_the_intention_comes_first_and_the_result_is_stored_before_anything_is_deleted() -> None:
    tasks = Tasks(segment("visual", 0, 6))
    lines: list[str] = []

    def answer(request: httpx.Request) -> Any:
        lines.append(f"{request.method} {request.url.path.removeprefix('/v1.3/')}")
        return tasks.answer(request)

    video = Video(media.mp4([("red", 6, 220)]))
    Service(answer).client("marengo3.5", cache=OrderedStore(lines)).embed_segments(video)
    assert lines == [
        "asset intended",
        "POST assets",
        "asset known",
        "GET assets/a1",
        "task intended",
        "POST embed-v2/tasks",
        "task known",
        "GET embed-v2/tasks/t1",
        "result",
        "task deleted",
        "DELETE assets/a1",
        "asset deleted",
    ]


def test_a_result_that_cannot_be_stored_leaves_its_task_to_the_next_run() -> None:
    """The task is asked for again, not made again."""
    tasks = Tasks(segment("visual", 0, 6))
    store = OrderedStore([])
    video = Video(media.mp4([("red", 6, 220)]))
    client = tasks.service.client("marengo3.5", cache=store)

    async def fail(*_: Any) -> None:
        raise CacheError("disk full")

    client._cache.put = fail  # type: ignore[union-attr, method-assign]
    with contextlib.suppress(TwelveLabsError):
        client.embed_segments(video)
    assert tasks.service.client("marengo3.5", cache=store).embed_segments(video)
    assert tasks.paths.count("POST embed-v2/tasks") == 1


def test_a_deletion_that_hangs_does_not_hold_back_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._embed.uploads.DELETE_SEC", 0.05)
    tasks = Tasks(segment("visual", 0, 6))
    lines: list[str] = []

    async def never() -> Any:
        await asyncio.sleep(60)

    service = Service(lambda request: never() if request.method == "DELETE" else tasks.answer(request))
    video = Video(media.mp4([("red", 6, 220)]))
    assert service.client("marengo3.5", cache=OrderedStore(lines)).embed_segments(video)
    assert lines[-2:] == ["result", "task deleted"]


async def test_another_call_for_the_file_does_not_wait_for_the_deletion() -> None:
    tasks, deleting = Tasks(segment("visual", 0, 6)), threading.Event()

    async def never() -> Any:
        deleting.set()
        await asyncio.Event().wait()

    service = Service(lambda request: never() if request.method == "DELETE" else tasks.answer(request))
    client, video = service.client("marengo3.5", cache=OrderedStore([])), Video(media.mp4([("red", 6, 220)]))
    calls = [asyncio.ensure_future(client.aembed_segments(video)) for _ in range(2)]
    assert await asyncio.to_thread(deleting.wait, 10)
    done, waiting = await asyncio.wait(calls, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    for call in waiting:
        call.cancel()
    assert [len(call.result()) for call in done] == [1]


def test_accounts_have_their_own_journals() -> None:
    tasks = Tasks(segment("visual", 0, 6))
    store = OrderedStore([])
    video = Video(media.mp4([("red", 6, 220)]))
    keys = ["tlk_one", "tlk_another"]
    for key in keys:
        with pytest.raises(ServerError):
            client = tasks.service.client("marengo3.5", cache=store, api_key=key, task_timeout=0)
            tasks.status = "processing"
            client.embed_segments(video)
    assert tasks.paths.count("POST embed-v2/tasks") == 2
    assert not any(key in name + value.decode("latin-1") for name, value in store.items() for key in keys)


# -- a file that changes ----------------------------------------------------------------------------------------


def test_a_file_changed_between_digest_and_sending_is_never_kept(tmp_path: Path) -> None:
    """With its size and its times as they were: what is sent is digested too."""
    path = tmp_path / "a.png"
    first, second = media.png("red"), media.png("blue")
    size = max(len(first), len(second))
    first, second = first.ljust(size, b"\0"), second.ljust(size, b"\0")
    path.write_bytes(first)
    service = Service()
    client = service.client(cache=tmp_path / "c.sqlite", max_concurrency=1)
    read = StreamedFile.open

    def change_and_read(file: StreamedFile) -> Any:
        before = path.stat()
        path.write_bytes(second)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return read(file)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(StreamedFile, "open", change_and_read)
        with pytest.raises(InvalidInputError, match=r"a\.png.*has changed"):
            client.embed(Image(path))
    assert service.requests == []
    path.write_bytes(first)
    assert not client.embed(Image(path)).cached


@pytest.mark.parametrize("change", ["shorter", "other"])
def test_a_v1_video_changed_while_it_is_sent_is_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = media.mp4([("red", 6, 220)])
    path.write_bytes(content)
    service = Service(v1_video)
    client = service.client(api_version="v1", cache=tmp_path / "c.sqlite")
    read = StreamedFile.open

    def change_and_read(file: StreamedFile) -> Any:
        path.write_bytes(content[:-1] if change == "shorter" else content[::-1])
        return read(file)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(StreamedFile, "open", change_and_read)
        with pytest.raises(InvalidInputError, match=r"a\.mp4.*has changed"):
            client.embed_segments(Video(path))
    path.write_bytes(content)
    assert client.embed_segments(Video(path))
    assert [r.url.path for r in service.requests].count("/v1.3/embed/tasks") == 1


def test_each_v1_video_is_sent_under_its_own_name(tmp_path: Path) -> None:
    service = Service(v1_video)
    client = service.client(api_version="v1")
    content = media.mp4([("red", 6, 220)])
    for name in ("a.mp4", "a.mp4", 'a"b\r\nc: d.mp4'):
        client.embed_segments(Video(content, filename=name))
    path = tmp_path / os.fsdecode(b"\xff.mp4")
    path.write_bytes(content)
    client.embed_segments(Video(path))
    forms = [sent_form(r) for r in service.requests if r.url.path.endswith("/embed/tasks")]
    names = [field.filename for form in forms for field in form if field.name == "video_file"]
    assert len(set(names)) == 4
    assert all(name is not None and name.isprintable() and name.endswith(".mp4") for name in names)


@pytest.mark.parametrize("name", [b'a"b\r\nx-evil: c.png', b"\xff.png"])
def test_an_odd_file_name_changes_nothing_else_of_a_v1_form(name: bytes, tmp_path: Path) -> None:
    service = Service()
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(media.png())
    service.client(api_version="v1").embed(Image(path))
    (request,) = service.requests
    fields = {field.name: field for field in sent_form(request)}
    assert set(fields) == {"model_name", "image_file"}
    assert fields["image_file"].value == media.png()


# -- assets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["asset", "task"])
def test_an_id_that_leads_elsewhere_is_not_followed(wrong: str, large_video: Path) -> None:
    tasks = Tasks(segment("visual", 0, 6))
    elsewhere = {"_id": "../../../v1.3/indexes/X", "status": "ready"}

    def answer(request: httpx.Request) -> Any:
        path = request.url.path
        return elsewhere if path.endswith("/tasks" if wrong == "task" else "/assets") else tasks.answer(request)

    service = Service(answer)
    with pytest.raises(MalformedResponseError, match=f"{wrong} id that cannot be one"):
        service.client("marengo3.5", max_retries=0).embed_segments(Video(large_video))
    assert not any("indexes" in request.url.path for request in service.requests)


@pytest.mark.parametrize(
    "plan", [{"total_chunks": 10**8}, {"total_chunks": 1}, {"upload_urls": [{"chunk_index": 1, "url": "https://["}]}]
)
def test_an_upload_that_does_not_fit_the_file_is_refused(
    plan: dict[str, Any], large_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twelvelabs_core._embed.route.DIRECT_BYTES", MB)
    size = large_video.stat().st_size
    right = {"upload_id": "u1", "asset_id": "a1", "chunk_size": size // 2 + 1, "total_chunks": 2}
    service = Service(lambda _: httpx.Response(201, json={**right, **plan}))
    with pytest.raises(MalformedResponseError):
        service.client("marengo3.5", max_retries=0).embed_segments(Video(large_video))
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("status", "lasting", "deleted"), [(400, True, True), (500, True, False), (500, False, True), (400, False, True)]
)
def test_an_asset_is_kept_after_an_error_that_may_pass_if_the_journal_is_lasting(
    status: int, lasting: bool, deleted: bool, large_video: Path, tmp_path: Path
) -> None:
    tasks = Tasks()

    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("/embed-v2"):
            return httpx.Response(status, json={"message": "no"})
        return tasks.answer(request)

    service = Service(answer)
    cache = tmp_path / "c.sqlite" if lasting else None
    with pytest.raises(TwelveLabsError):
        service.client(cache=cache, max_retries=0).embed_segments(Video(large_video))
    assert ("DELETE" in [r.method for r in service.requests]) is deleted


# -- spaces ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "version", "kind", "space"),
    [
        ("marengo3.0", "v1", "audio", "marengo3.0/512/v1-audio"),
        ("marengo3.0", "v2", "audio", "marengo3.0/512"),
        ("marengo3.0", "v1", "video", "marengo3.0/512"),
        ("marengo3.0", "v1", "text", "marengo3.0/512"),
        ("Marengo-retrieval-2.7", "v1", "audio", "Marengo-retrieval-2.7/1024"),
        ("marengo3.5", "v2", "audio", "marengo3.5/512"),
    ],
)
def test_space_of_a_kind(model: str, version: Any, kind: Any, space: str) -> None:
    known = MODELS[model]
    assert EmbedSettings(known, known.dimensions[0], version, "end", len).space_of(kind) == space


def test_a_chunks_id_holds_the_segmentation_also_when_it_is_the_default() -> None:
    data = {**segment("text", None, None, "chunk"), "chunk_index": 0}
    page = Document(b"Red. Blue.", filename="a.txt")
    default, same, other = (
        Tasks(data).service.client("marengo3.5").rows(page, options)[0].id
        for options in (
            None,
            SegmentOptions(segmentation=Sentences(5, overlap_sentences=1)),
            SegmentOptions(segmentation=Sentences(2)),
        )
    )
    assert default == same != other


# -- one file, many files ---------------------------------------------------------------------------------------------


def test_the_rows_of_one_file_fail_with_its_own_error() -> None:
    with pytest.raises(InvalidInputError, match="no") as caught:
        Service(lambda r: httpx.Response(400, json={"message": "no"})).client().rows(Image(media.png()))
    assert str(caught.value.item).startswith("image ")


def test_rows_of_many_files_take_any_iterable() -> None:
    found = Service().client().rows_many(Image(media.png(color)) for color in ("red", "blue"))
    assert [len(rows) for rows in found] == [1, 1]


@pytest.mark.parametrize("method", ["embed_segments_many", "rows_many"])
def test_one_file_is_no_list_of_files(method: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Wrap it: \[item\]"):
        getattr(Service().client(), method)(Image(media.png()))
