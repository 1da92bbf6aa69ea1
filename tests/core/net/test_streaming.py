"""Bodies whose contents are read while they are sent."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from twelvelabs_core import InvalidInputError
from twelvelabs_core._api.requests import BLOCK, MediaPayload, Request, SentFile, StreamedBody, json_request
from twelvelabs_core._media.streamed import HeldContent, MadeContent, StreamedFile
from twelvelabs_core._net.deadline import NotTaken
from twelvelabs_core._net.streaming import CHUNK, BodyReader

TIMELESS: Any = SimpleNamespace(within=lambda *_: None)


async def sent(body: StreamedBody) -> tuple[bytes, list[int]]:
    """A body and the sizes of its chunks."""
    reader = BodyReader(body)
    try:
        await reader.open()
        chunks = [bytes(chunk) async for chunk in reader.chunks(TIMELESS, 7.0, 9.0)]
    finally:
        reader.close()
    assert reader.size == sum(map(len, chunks))
    return b"".join(chunks), [len(chunk) for chunk in chunks]


@pytest.mark.parametrize("size", [1, 2, 3, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
async def test_a_json_body_has_the_contents_in_base64(size: int, tmp_path: Path) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    payloads = [
        MediaPayload("image", content=StreamedFile(path, size, "a")),
        MediaPayload("image", url="https://a.example/b.png"),
        MediaPayload("image", content=HeldContent(b"x" * 5)),
    ]
    body = {"sources": [payload.source() for payload in payloads], "text": "a \u00e4"}
    request = json_request("embed-v2", frozenset({"image"}), body, payloads)
    assert request.streamed is not None and request.json is None
    found = json.loads((await sent(request.streamed))[0])
    first, url, last = found["sources"]
    assert base64.b64decode(first["base64_string"], validate=True) == content[:size]
    assert url == {"url": "https://a.example/b.png"}
    assert (base64.b64decode(last["base64_string"]), found["text"]) == (b"x" * 5, "a \u00e4")


async def test_a_body_is_passed_on_in_chunks_without_a_copy() -> None:
    whole, sizes = await sent(StreamedBody((b"<", HeldContent(bytes(BLOCK + 10)), b">")))
    assert whole == b"<" + bytes(BLOCK + 10) + b">"
    assert sizes == [1, CHUNK, CHUNK, CHUNK, 10, 1]


async def test_each_chunk_has_its_time() -> None:
    given: list[tuple[Any, ...]] = []
    deadline: Any = SimpleNamespace(within=lambda *told: given.append(told))
    reader = BodyReader(StreamedBody((bytes(CHUNK + 64_000),)))
    await reader.open()
    assert [len(chunk) async for chunk in reader.chunks(deadline, 7.0, 9.0)] == [CHUNK, 64_000]
    assert given == [(7.0 + CHUNK / 64_000, NotTaken), (8.0, NotTaken), (9.0,)]


class Watched:
    """A content that tells what is done with it."""

    memory = 0

    def __init__(self, size: int, *, fails_after: int | None = None) -> None:
        self.size, self.fails_after = size, fails_after
        self.blocks = self.closed = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.was_closed = threading.Event()

    def open(self) -> Watched:
        self.blocks = 0
        return self

    def read(self, size: int, /) -> bytes:
        assert threading.current_thread() is not threading.main_thread()
        self.goes_on.wait()
        assert not self.closed
        if self.blocks == self.fails_after:
            raise InvalidInputError("gone")
        self.blocks += 1
        return bytes(size)

    def close(self) -> None:
        self.closed += 1
        self.was_closed.set()


async def test_one_block_is_read_ahead_and_no_more() -> None:
    content = Watched(5 * BLOCK)
    reader = BodyReader(StreamedBody((content,)))
    await reader.open()
    assert content.blocks == 1  # nothing was asked for yet
    chunks = reader.chunks(TIMELESS, 7.0, 9.0)
    await anext(chunks)
    await asyncio.sleep(0.05)
    assert content.blocks == 2
    left = sum([len(chunk) async for chunk in chunks])
    assert left == 5 * BLOCK - CHUNK
    reader.close()
    assert (content.blocks, content.closed) == (5, 1)


async def test_a_small_body_is_read_whole_before_anything_is_sent() -> None:
    content = Watched(BLOCK, fails_after=0)
    reader = BodyReader(StreamedBody((content,)))
    with pytest.raises(InvalidInputError, match="gone"):
        await reader.open()
    reader.close()
    assert content.closed == 1


async def test_what_fails_later_fails_the_body() -> None:
    content = Watched(2 * BLOCK, fails_after=1)
    with pytest.raises(InvalidInputError, match="gone"):
        await sent(StreamedBody((content,)))
    assert content.closed == 1


async def test_a_content_is_closed_when_the_thread_that_reads_it_is_done() -> None:
    content = Watched(3 * BLOCK)
    reader = BodyReader(StreamedBody((content,)))
    await reader.open()
    chunks = reader.chunks(TIMELESS, 7.0, 9.0)
    content.goes_on.clear()
    await anext(chunks)
    await asyncio.sleep(0.05)  # the thread waits in the next block
    await chunks.aclose()  # type: ignore[attr-defined]  # it is an async generator
    reader.close()
    assert content.closed == 0
    content.goes_on.set()
    await asyncio.wait_for(asyncio.to_thread(content.was_closed.wait), 5)
    assert reader._read() == []  # nothing is read any more


@pytest.mark.parametrize(
    ("content", "memory"),
    [
        (HeldContent(bytes(300)), 700),
        (HeldContent(bytes(BLOCK)), BLOCK + BLOCK * 4 // 3),
        (HeldContent(bytes(10 * BLOCK)), BLOCK + 2 * (BLOCK * 4 // 3)),
        (MadeContent(lambda: b"", size=300, memory=5_000), 5_700),
    ],
)
def test_what_a_request_holds_of_its_contents(content: SentFile, memory: int) -> None:
    payload = MediaPayload("image", content=content)
    in_json = json_request("embed-v2", frozenset({"image"}), {"a": payload.source()}, [payload])
    in_form = Request("embed", form=[("a", "b"), ("image_file", ("a.png", content, "image/png"))])
    assert [r.memory for r in (in_json, in_form, Request("x", content=content))] == [memory] * 3
    assert [r.memory for r in (Request("x", content=b"x"), Request("x", json=b"x"), Request("x"))] == [0] * 3
