"""Bodies are read decompressed and up to a largest size."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.service import Service, v2_answer, vector
from twelvelabs_core import MalformedResponseError, RateLimitError
from twelvelabs_core._api.requests import MANY_VECTORS, ONE_VECTOR, Request
from twelvelabs_core._net.body import MAX_ERROR_BODY, MAX_PIECE, Decompressor, read_body

TEXT = bytes(range(256)) * 100


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP ", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-15)),
        ("gzip", gzip.compress(TEXT) + b"what follows"),
    ],
)
async def test_a_body_is_read_whole(encoding: str, packed: bytes, size: int) -> None:
    assert await read_body(pieces(packed, size), 200, encoding, len(packed) + len(TEXT)) == TEXT


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
async def test_an_empty_body_is_empty(encoding: str) -> None:
    if encoding != "gzip":
        assert await read_body(pieces(b""), 200, encoding, 10) == b""
    assert await read_body(pieces(b""), 500, encoding, 10) == b""


@pytest.mark.parametrize(("limit", "fits"), [(len(TEXT), True), (len(TEXT) - 1, False)])
@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_the_limit_counts_decompressed_bytes(encoding: str, limit: int, fits: bool) -> None:
    packed = gzip.compress(TEXT) if encoding else TEXT
    reading = read_body(pieces(packed), 200, encoding, limit)
    if fits:
        assert await reading == TEXT
        return
    with pytest.raises(MalformedResponseError) as caught:
        await reading
    assert caught.value.code == "response_too_large"


async def test_compressed_bytes_count_too() -> None:
    """Blocks without content, of which a stream may have any number."""
    empty_blocks = b"\x00\x00\x00\xff\xff" * 10_000
    with pytest.raises(MalformedResponseError):
        await read_body(pieces(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + empty_blocks), 200, "gzip", 10_000)


async def test_reading_stops_at_the_limit() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1000
            yield b"x" * 1000

    with pytest.raises(MalformedResponseError):
        await read_body(endless(), 200, "", 50_000)
    assert taken == 51_000
    assert len(await read_body(endless(), 500, "", 50_000)) == MAX_ERROR_BODY


def test_decompression_goes_piece_by_piece() -> None:
    sizes = [len(piece) for piece in Decompressor.of("gzip")(gzip.compress(bytes(10 * MAX_PIECE)))]
    assert sum(sizes) == 10 * MAX_PIECE and max(sizes) == MAX_PIECE


@pytest.mark.parametrize(
    ("encoding", "packed"), [("gzip", b"no gzip"), ("deflate", b"\x78\x9c\xff\xff"), ("gzip", gzip.compress(TEXT)[:-9])]
)
async def test_damaged_compression_is_an_error_of_a_success_alone(encoding: str, packed: bytes) -> None:
    with pytest.raises((zlib.error, EOFError)):
        await read_body(pieces(packed), 200, encoding, 10**6)
    assert len(await read_body(pieces(packed), 429, encoding, 10**6)) <= len(TEXT)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\x00", "x" * 1000])
async def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(MalformedResponseError, match="not asked for"):
        await read_body(pieces(TEXT), 200, encoding, 10**6)
    assert await read_body(pieces(TEXT), 503, encoding, 10**6) == b""


@pytest.mark.parametrize(
    ("request_", "limit"),
    [
        (Request("embed-v2", frozenset({"text"})), ONE_VECTOR),
        (Request("embed", frozenset({"text", "image"})), ONE_VECTOR),
        (Request("embed-v2", frozenset({"video"})), MANY_VECTORS),
        (Request("embed", frozenset({"audio", "text"})), MANY_VECTORS),
        (Request("embed-v2/tasks", frozenset({"video"})), MANY_VECTORS),
        (Request("embed-v2/tasks/1", method="GET"), MANY_VECTORS),
        (Request("embed/tasks/1", method="GET"), MANY_VECTORS),
        (Request("embed-v2/tasks?page=1", method="GET"), ONE_VECTOR),
        (Request("assets/1", method="GET"), ONE_VECTOR),
    ],
    ids=lambda value: getattr(value, "path", ""),
)
def test_the_largest_answer_is_by_what_was_asked(request_: Request, limit: int) -> None:
    assert request_.largest_answer == limit


def test_an_answer_that_is_too_large_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._api.requests.ONE_VECTOR", 5000)
    service = Service(lambda _: v2_answer(vector("a")))
    with pytest.raises(MalformedResponseError) as caught:
        service.client(max_retries=5).embed("a")
    assert caught.value.code == "response_too_large"
    assert len(service.requests) == 1


def test_a_refusal_with_a_huge_body_is_still_a_refusal() -> None:
    service = Service(lambda _: httpx.Response(429, content=b"x" * 1_000_000))
    with pytest.raises(RateLimitError):
        service.client(max_retries=0).embed("a")


@pytest.mark.parametrize("streamed", [True, False])
def test_a_transport_of_the_caller_may_stream_or_not(streamed: bool) -> None:
    packed = gzip.compress(httpx.Response(200, json=v2_answer(vector("a"))).content)

    def answer(_: httpx.Request) -> Any:
        content: Any = pieces(packed, 50) if streamed else packed
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=content)

    assert Service(answer).client(max_retries=0).embed("a").vector == vector("a")
