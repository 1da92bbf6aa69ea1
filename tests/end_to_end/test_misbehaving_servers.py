"""Servers that answer too slowly, too much or not in HTTP: every call ends in time, with an error of ours."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.raw_server import RawServer, Writer, answering, raw_deflate, raw_server, response
from tests.support.service import v2_answer, vector
from twelvelabs_core import (
    ConnectionFailedError,
    EmbeddingClient,
    MalformedResponseError,
    RateLimitError,
    ServerError,
    TwelveLabsError,
    no_waiting,
)
from twelvelabs_core._api.requests import Request
from twelvelabs_core._media.streamed import HeldContent
from twelvelabs_core._stats import Run
from twelvelabs_core.adapter import run

KEY = "tlk_0123456789abcdefSECRET"
ANSWER = json.dumps(v2_answer(vector("a"))).encode()
HEAD = b"HTTP/1.1 200 OK\r\n"


Transport = httpx.AsyncBaseTransport | None


@pytest.fixture(params=["default", "httpx"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """The client's own connections, or httpx's behind ``transport=``, which their owner closes."""
    if request.param == "default":
        yield None
        return
    made = httpx.AsyncHTTPTransport()
    yield made
    run(made.aclose())


def client_of(server: RawServer, **settings: Any) -> EmbeddingClient:
    return EmbeddingClient(**{"api_key": KEY, "base_url": server.base_url, "max_retries": 0, **settings})


# -- connections that end before a request ---------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", [True, False])
def test_a_request_that_was_not_written_is_not_paid_for(monkeypatch: pytest.MonkeyPatch, repeat: bool) -> None:
    """Its connection ended after it was chosen: it is sent again, also if the server must not perform it twice."""
    connect, left = aiohttp.TCPConnector.connect, [True]

    async def closing(*args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await connect(*args, **kwargs)
        if left:
            left.pop()
            assert connection.transport is not None
            if sys.version_info >= (3, 12):
                connection.transport.close()
            else:  # aiohttp writes the request a moment later, in a task
                asyncio.get_running_loop().call_soon(connection.transport.close)
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", closing)
    request = Request("embed-v2", frozenset({"text"}), json=b"{}")
    counted = Run(1)
    with raw_server(answering(response(ANSWER))) as server, no_waiting():
        client = client_of(server, max_retries=1)
        run(client._sender.send(request, counted, repeat=repeat))
        assert len(server.requests) == 1
    assert (counted.stats.requests, counted.stats.retries, counted.stats.paid_again) == (2, 1, 0)


# -- responses that nobody asked for ---------------------------------------------------------------------------------


def test_a_stray_response_is_not_taken_for_the_next_one() -> None:
    """A server or proxy that answers a request twice, the second time while the connection is idle."""
    stray = response(json.dumps(v2_answer(vector("stray"))).encode())

    async def answer_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int(server.requests[-1].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while True:
            text = json.loads(await reader.readexactly(length))["text"]["input_text"]
            writer.write(response(json.dumps(v2_answer(vector(text))).encode()))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(stray)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])

    with raw_server(answer_twice, read_body=False) as server:
        client = client_of(server)
        for text in ("a", "b", "c"):
            assert client.embed(text).vector == vector(text)
            time.sleep(0.06)
        assert len(server.requests) == 3, "each on a connection of its own"


# -- deadlines ---------------------------------------------------------------------------------------------------------


async def _dribble(writer: asyncio.StreamWriter, content: bytes) -> None:
    for byte in content * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def dribbled_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n")
    await _dribble(writer, b" ")


async def dribbled_chunks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _i in range(1000):
        writer.write(b"1\r\n \r\n")
        await asyncio.sleep(0.02)


async def headers_without_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    for i in range(1000):
        writer.write(b"X-%d: 1\r\n" % i)
        await asyncio.sleep(0.02)


async def status_line_dribbled(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _dribble(writer, b"HTTP/1.1 200 OK")


async def interim_responses(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def early_hints(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def slow_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(1000):
        await reader.read(1)
        await asyncio.sleep(0.05)


SLOW: list[Writer] = [
    dribbled_body,
    dribbled_chunks,
    headers_without_end,
    status_line_dribbled,
    interim_responses,
    early_hints,
    nothing,
]
SECONDS = 0.3


def within(seconds: float, call: Callable[[], Any]) -> TwelveLabsError:
    """The error of a call that must fail in this time."""
    begun = time.monotonic()
    with pytest.raises(TwelveLabsError) as caught:
        call()
    assert time.monotonic() - begun < seconds
    return caught.value


@pytest.mark.parametrize("handle", SLOW, ids=lambda handle: handle.__name__)
def test_an_attempt_ends_at_its_deadline(handle: Writer, transport: Transport) -> None:
    with raw_server(handle) as server:
        client = client_of(server, timeout=30, total_timeout=SECONDS, transport=transport)
        error = within(SECONDS + 2, lambda: client.embed("a"))
        assert len(server.requests) == 1
    assert type(error) is ConnectionFailedError
    assert error.code is None, "the request was sent"
    assert "within 0.3 s (total_timeout)" in error.message


def test_it_is_retried_as_any_timeout(transport: Transport) -> None:
    with raw_server(dribbled_body) as server, no_waiting():
        client = client_of(server, total_timeout=0.1, max_retries=2, transport=transport)
        within(3, lambda: client.embed("a"))
        assert len(server.requests) == 3
        assert client.last_run.retries == 2


def test_a_body_that_is_read_byte_by_byte_ends_too(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._net.streaming.LOWEST_RATE", 1e9)
    with raw_server(slow_reader, read_body=False) as server:
        client = client_of(server, timeout=30, total_timeout=SECONDS, transport=transport)
        error = within(SECONDS + 2, lambda: send(client, Request("assets", content=bytes(20_000_000), method="PUT")))
    assert type(error) is ConnectionFailedError


def send(client: EmbeddingClient, request: Request) -> Any:
    return run(client._sender.send(request, Run(1)))


async def reads_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # it reads and writes
    await asyncio.sleep(60)


@pytest.mark.parametrize("kind", ["content", "form", "json"])
def test_a_body_of_which_nothing_is_taken_ends_after_the_timeout(
    kind: str, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twelvelabs_core._net.streaming.LOWEST_RATE", 1e9)
    content = bytes(40_000_000)
    request = {
        "content": Request("assets", content=content, method="PUT"),
        "form": Request("assets", form=[("file", ("file", HeldContent(content), "video/mp4"))]),
        "json": Request("embed-v2", json=content),
    }[kind]
    with raw_server(reads_nothing, read_body=False) as server:
        client = client_of(server, timeout=SECONDS, total_timeout=30, transport=transport)
        error = within(SECONDS + 4, lambda: send(client, request))
    assert type(error) is ConnectionFailedError
    if transport is None:
        assert "has taken nothing of the request for 0.3 s" in error.message


async def answers_and_reads_no_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b'{"code": "too_large", "message": "No."}', "413 Content Too Large"))
    await writer.drain()
    await asyncio.sleep(60)


def test_an_answer_before_the_body_is_read_is_the_answer() -> None:
    with raw_server(answers_and_reads_no_more, read_body=False) as server:
        request = Request("assets", content=bytes(20_000_000), method="PUT")
        error = within(5, lambda: send(client_of(server, timeout=3), request))
    assert error.status == 413


def test_a_large_body_has_more_time() -> None:
    async def slow_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        writer.write(response(b'{"code": "c", "message": "m"}', "400 Bad Request"))

    with raw_server(slow_answer) as server:
        request = Request("assets", content=bytes(1_000_000), method="PUT")
        error = within(5, lambda: send(client_of(server, total_timeout=0.2), request))
    assert error.status == 400, "0.2 s and 1 MB at the lowest rate"


def test_a_proxy_that_hangs_is_given_up_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(nothing) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:passw0rd@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        client = EmbeddingClient(
            api_key=KEY, base_url="https://api.example/v1.3", max_retries=0, timeout=SECONDS, total_timeout=30
        )
        error = within(SECONDS + 3, lambda: client.embed("a"))
        assert proxy.requests[0].startswith(b"CONNECT api.example:443")
        assert KEY.encode() not in b"".join(proxy.requests)
    assert (type(error), error.code) == (ConnectionFailedError, "unreachable")
    assert "passw0rd" not in str(error)


# -- the largest answer ------------------------------------------------------------------------------------------------


async def _flood(writer: asyncio.StreamWriter, head: bytes, piece: bytes, server: list[int]) -> None:
    writer.write(head)
    for _ in range(2000):
        writer.write(piece)
        server[0] += len(piece)
        await writer.drain()


def flooding(status: str, piece: bytes, taken: list[int], encoding: str = "") -> Writer:
    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\n{encoding}Connection: close\r\n\r\n".encode()
        await _flood(writer, head, piece, taken)

    return handle


def test_a_huge_answer_is_not_read_and_not_asked_for_again(transport: Transport) -> None:
    taken = [0]
    with raw_server(flooding("200 OK", b" " * 1_000_000, taken)) as server:
        client = client_of(server, max_retries=3, transport=transport)
        error = within(30, lambda: client.embed("a"))
        assert len(server.requests) == 1
    assert (type(error), error.code) == (MalformedResponseError, "response_too_large")
    assert taken[0] < 40_000_000


@pytest.mark.parametrize("status", ["500 Internal Server Error", "429 Too Many Requests", "200 OK"])
def test_an_error_with_a_huge_body_is_the_error_it_is(status: str) -> None:
    taken = [0]
    kinds = {"2": MalformedResponseError, "4": RateLimitError, "5": ServerError}
    with raw_server(flooding(status, b"x" * 1_000_000, taken)) as server:
        error = within(30, lambda: client_of(server).embed("a"))
    assert type(error) is kinds[status[0]]
    assert taken[0] < 40_000_000


@cache
def packed_zeros(encoding: str) -> bytes:
    """512 MB."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()


BOMB = """
import resource, sys
sys.path.insert(0, {path!r})
import httpx
from twelvelabs_core import EmbeddingClient, MalformedResponseError
import twelvelabs_core._net.transport
transport = httpx.AsyncHTTPTransport() if {httpx} else None
client = EmbeddingClient(api_key="tlk_0123456789", base_url={url!r}, max_retries=3, transport=transport)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    client.embed("a")
except MalformedResponseError as error:
    assert error.code == "response_too_large", error
else:
    raise AssertionError
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
assert grown < 60, grown
"""


@pytest.mark.parametrize("by_httpx", [False, True], ids=["default", "httpx"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_never_held_whole(
    encoding: str, by_httpx: bool, script: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    bomb = packed_zeros(encoding)
    assert len(bomb) < 3_000_000
    with raw_server(answering(response(bomb, content_encoding=encoding))) as server:
        root = str(Path(__file__).parents[2] / "src")
        script(BOMB.format(path=root, httpx=by_httpx, url=server.base_url))
        assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "raw deflate", "identity", "GZIP"])
def test_every_compression_that_is_asked_for_is_read(encoding: str, transport: Transport) -> None:
    packed = {
        "deflate": zlib.compress(ANSWER),
        "raw deflate": raw_deflate(ANSWER),
        "identity": ANSWER,
    }.get(encoding, gzip.compress(ANSWER))
    with raw_server(answering(response(packed, content_encoding=encoding.removeprefix("raw ")))) as server:
        assert client_of(server, transport=transport).embed("a").vector == vector("a")


# -- what is not HTTP --------------------------------------------------------------------------------------------------

BAD_GZIP = gzip.compress(ANSWER)[:10] + b"\xff" * 50
ODD: dict[str, bytes] = {
    "nothing": b"",
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "bad version": b"HTTP/9.9 200 OK\r\n\r\n",
    "http2": b"HTTP/2 200\r\n\r\n",
    "bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "negative status": b"HTTP/1.1 -1 OK\r\n\r\n",
    "status 0": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 99999": b"HTTP/1.1 99999 OK\r\n\r\n",
    "status 600": response(ANSWER, "600 Odd"),
    "status 999": response(ANSWER, "999 Odd"),
    "no reason": b"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n",
    "bytes in the reason": b"HTTP/1.1 500 \xff\xfe\x00\r\nContent-Length: 0\r\n\r\n",
    "header without colon": HEAD + b"no colon here\r\n\r\n",
    "nul in a header": HEAD + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "latin header": HEAD + "X-Trace-Id: \u00e4\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
    "space before colon": HEAD + b"Content-Length : 0\r\n\r\n",
    "folded header": HEAD + b"X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "huge header": HEAD + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X-%d: a\r\n" % i for i in range(10_000)) + b"\r\n",
    "empty header name": HEAD + b": a\r\n\r\n",
    "length abc": HEAD + b"Content-Length: abc\r\n\r\n",
    "length negative": HEAD + b"Content-Length: -1\r\n\r\n",
    "length huge": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "length too long": HEAD + b"Content-Length: 100000\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunked": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "huge chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n{}",
    "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
    "chunk without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
    "odd transfer": HEAD + b"Transfer-Encoding: banana\r\n\r\n{}",
    "bad gzip": response(BAD_GZIP, content_encoding="gzip"),
    "not gzip": response(ANSWER, content_encoding="gzip"),
    "cut gzip": response(gzip.compress(ANSWER)[:-20], content_encoding="gzip"),
    "bad deflate": response(b"\x78\x9c" + b"\xff" * 50, content_encoding="deflate"),
    "brotli": response(b"\x8b\x02\x80{}\x03", content_encoding="br"),
    "zstd": response(b"\x28\xb5\x2f\xfd", content_encoding="zstd"),
    "gzip twice": response(gzip.compress(gzip.compress(ANSWER)), content_encoding="gzip, gzip"),
    "unknown encoding": response(ANSWER, content_encoding="\xe4 odd"),
    "redirect": response(b"", "302 Found", location="http://127.0.0.1:1/elsewhere"),
    "redirect to nowhere": response(b"", "301 Moved", location="http://[broken"),
    "redirect without address": response(b"", "307 Temporary Redirect"),
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n{}",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "bad cookies": response(ANSWER[:-1], set_cookie=f"{KEY}@=\x01; Domain=[; Expires=x"),
    "many cookies": HEAD + b"Set-Cookie: a=b; Path=/\xff\r\n" * 100 + b"Content-Length: 2\r\n\r\n{}",
    "utf-16": response(ANSWER.decode().encode("utf-16"), content_type="application/json; charset=utf-16"),
    "odd charset": response(b"{", content_type="application/json; charset=\x02banana"),
    "deep json": response(b"[" * 100_000),
    "deep objects": response(b'{"a":' * 100_000),
    "huge integer": response(b'{"data": [{"embedding": [' + b"9" * 4000 + b"]}]}"),
    "nul": response(b"\x00" * 1000),
    "bom": response(b"\xef\xbb\xbf{}"),
    "surrogate": response(b'{"data": "\\ud800"}'),
    "odd error": response(b'{"code": {"a": [' + b"9" * 4000 + b"]}}", "400 Bad Request"),
    "reset": b"reset",
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("name", list(ODD))
def test_an_odd_answer_is_an_error_of_ours(name: str, version: str, transport: Transport) -> None:
    handle: Writer = reset if name == "reset" else answering(ODD[name])
    with raw_server(handle) as server:
        client = client_of(server, api_version=version, timeout=5, total_timeout=5, transport=transport)
        error = within(4, lambda: client.embed("a"))
    assert KEY not in str(error)
    assert len(str(error)) < 1000 and "\n" not in str(error)


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()


_accounts = itertools.count()
GOOD = response(gzip.compress(ANSWER, mtime=0), content_encoding="gzip", x_trace_id="t")
MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(GOOD) - 1), st.sampled_from(["flip", "drop", "insert", "cut"]), st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


@given(mutations=MUTATIONS)
def test_a_damaged_answer_is_the_right_vector_or_an_error_of_ours(
    damaged: tuple[RawServer, list[bytes]], mutations: list[tuple[int, str, bytes]]
) -> None:
    """The body has a checksum (gzip's), so that a vector of a damaged one would be a wrong one."""
    server, answers = damaged
    content = bytearray(GOOD)
    for place, kind, noise in mutations:
        match kind:
            case "flip":
                content[place : place + 1] = bytes([content[place] ^ 0x55]) if place < len(content) else b""
            case "drop":
                del content[place : place + 1 + len(noise)]
            case "insert":
                content[place:place] = noise
            case _:
                del content[place:]
    answers[:] = [bytes(content)]
    # An account of its own each time: after many failures, the client would stop asking.
    client = client_of(server, api_key=f"{KEY}{next(_accounts)}", timeout=2, total_timeout=2)
    try:
        found = client.embed("a").vector
    except TwelveLabsError as error:
        assert KEY not in str(error)
    else:
        assert found == vector("a")


@pytest.fixture(scope="module")
def damaged() -> Iterator[tuple[RawServer, list[bytes]]]:
    answers: list[bytes] = []

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[0])

    with raw_server(handle) as server:
        yield server, answers
