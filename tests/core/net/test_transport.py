"""The default transport, the requests written for it, and the session, on a fake aiohttp session without sockets."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from tests.support.sender import sender_of
from tests.support.service import BASE, KEY, Service
from twelvelabs_core._api.requests import Request
from twelvelabs_core._media.streamed import HeldContent
from twelvelabs_core._net import loop
from twelvelabs_core._net.deadline import Deadlines, Stalled
from twelvelabs_core._net.key import Key
from twelvelabs_core._net.sender import Sender
from twelvelabs_core._net.session import Session
from twelvelabs_core._net.transport import (
    MAX_SMALL_BODY,
    AiohttpTransport,
    RawResponse,
    _Connector,
    environment_proxy,
)
from twelvelabs_core._net.wire import LARGE_BODY, RequestWriter

URL = f"{BASE}/embed-v2"
TIMEOUT = httpx.Timeout(7.0, connect=3.0, pool=None)


class AiohttpSession:
    """Stands for an ``aiohttp.ClientSession``, its response and that one's content: one fixed response, which is there
    at once (``complete``) or comes in pieces, and a record of the requests.
    """

    def __init__(self, status: int = 200, headers: Any = (), body: bytes = b"{}", complete: bool = True) -> None:
        self.status, self.raw_headers, self._body, self._complete = status, headers, body, complete
        self.headers = httpx.Headers(list(headers))
        self.content, self.content_length = self, len(body)
        self.asked: list[dict[str, Any]] = []
        self.closed = self.released = False

    async def request(self, method: str, url: str, **options: Any) -> AiohttpSession:
        self.asked.append({"method": method, "url": url, **options})
        return self

    async def __aenter__(self) -> AiohttpSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.released = True

    def is_eof(self) -> bool:
        return self._complete

    def read_nowait(self) -> bytes:
        return self._body

    async def iter_any(self) -> Any:
        for start in range(0, len(self._body), 2):
            yield self._body[start : start + 2]

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def transport_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[AiohttpSession], AiohttpTransport]:
    def make(session: AiohttpSession) -> AiohttpTransport:
        transport = new_transport(7.0)
        monkeypatch.setattr(transport, "_session", session)
        return transport

    return make


def new_transport(seconds: float) -> AiohttpTransport:
    return AiohttpTransport(BASE, seconds, Deadlines(seconds))


class Clock:
    """Stands for a deadline: what it was told."""

    def __init__(self) -> None:
        self.given: list[float] = []
        self.stalled: list[Any] = []

    def within(self, seconds: float, stalled: Any = Stalled) -> None:
        self.given.append(seconds)
        self.stalled.append(stalled)


# -- the transport -------------------------------------------------------------------------------------------------


async def test_a_request_goes_to_aiohttp_with_its_headers(transport_with: Any) -> None:
    session = AiohttpSession(201, [(b"X-Trace-Id", b"t")], b"body", complete=False)
    clock = Clock()
    response = await transport_with(session).request("POST", URL, {"a": "b"}, b"{}", clock, limit=100)
    assert (response.status, response.body, response.header(b"x-trace-id")) == (201, b"body", "t")
    assert response.header(b"x-other") is None
    (asked,) = session.asked
    assert (asked["method"], asked["url"], asked["headers"], asked["data"]) == ("POST", URL, {"a": "b"}, b"{}")
    assert asked["allow_redirects"] is False
    assert session.released
    assert clock.given == [7.0, 7.0, 7.0]  # anew for each piece of the body


@pytest.mark.parametrize(
    ("complete", "headers", "size", "reads"),
    [
        (True, [], 10, 0),
        (False, [], 10, 6),
        (True, [(b"Content-Encoding", b"identity")], 10, 6),
        (True, [], MAX_SMALL_BODY, 1 + MAX_SMALL_BODY // 2),
    ],
)
async def test_what_has_come_with_its_head_is_read_at_once(
    transport_with: Any, complete: bool, headers: Any, size: int, reads: int
) -> None:
    session = AiohttpSession(200, headers, b"x" * size, complete)
    clock = Clock()
    response = await transport_with(session).request("POST", URL, {}, b"{}", clock, limit=10 * MAX_SMALL_BODY)
    assert (response.status, response.body) == (200, b"x" * size)
    assert session.released == (reads > 0)  # what has come whole has released its connection
    assert len(clock.given) == reads


async def test_a_connection_gets_ten_seconds_at_most() -> None:
    transport = new_transport(120.0)
    session = transport._open_session()
    timeout = session.timeout
    assert (timeout.total, timeout.connect, timeout.sock_connect, timeout.sock_read) == (None, 120.0, 10.0, None)
    assert not session.headers  # a proxy gets them too
    await transport.aclose()


async def test_the_deadline_stands_still_while_a_connection_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines = Deadlines(7.0)
    left: list[float] = []

    async def connect(*_: Any, **__: Any) -> str:
        left.append(deadline.at - asyncio.get_running_loop().time())
        return "made"

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", connect)
    connector = _Connector(deadlines, 7.0)
    with deadlines.of(600.0, 7.0) as deadline:
        assert deadlines.current() is deadline
        assert await connector._create_connection() == "made"
        left.append(deadline.at - asyncio.get_running_loop().time())
    assert deadlines.current() is None
    assert await connector._create_connection() == "made"  # outside of any deadline
    assert left[0] > 599 and 6 < left[1] <= 7
    await connector.close()


async def test_closing_closes_the_connections_once(transport_with: Any) -> None:
    session = AiohttpSession()
    transport = transport_with(session)
    await transport.aclose()
    await transport.aclose()
    assert session.closed
    assert transport._session is None


async def test_connections_are_opened_with_the_first_request() -> None:
    transport = new_transport(7.0)
    assert transport._session is None
    session = transport._open_session()
    assert transport._session is session
    assert session.connector is not None and session.connector.limit == 0
    await transport.aclose()
    assert session.closed


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "http://p:2"}, "http://p:2"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.twelvelabs.io"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.org"}, "http://p:1"),
    ],
)
def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(BASE) == expected


# -- requests as httpx's -------------------------------------------------------------------------------------------


@pytest.fixture
def writer() -> RequestWriter:
    return RequestWriter(BASE, Key(SecretStr(KEY)), TIMEOUT)


def test_a_json_request(writer: RequestWriter) -> None:
    written = writer.write(Request("embed-v2", frozenset({"text"}), json=b"{}"))
    assert (written.method, str(written.url), written.content) == ("POST", URL, b"{}")
    assert (written.headers["x-api-key"], written.headers["content-type"]) == (KEY, "application/json")
    assert written.extensions["timeout"] == {"connect": 3.0, "read": 7.0, "write": 7.0, "pool": None}


def test_a_request_to_another_service_has_its_own_headers_and_no_key(writer: RequestWriter) -> None:
    request = Request("https://storage.example/1", frozenset(), method="PUT", content=b"x", headers={"a": "b"})
    written = writer.write(request)
    assert (written.method, str(written.url), written.content) == ("PUT", "https://storage.example/1", b"x")
    assert written.headers["a"] == "b"
    assert "x-api-key" not in written.headers
    assert "x-api-key" in writer.write(Request("assets/1", frozenset(), method="GET")).headers


async def none() -> AsyncIterator[bytes]:
    yield b""


def test_a_large_body_is_streamed_with_its_length(writer: RequestWriter) -> None:
    large = Request("embed-v2", frozenset({"text"}), json=b"x" * (LARGE_BODY + 1))
    body = writer.streamed(large)
    assert body is not None
    assert (body.pieces, body.base64, body.content_type) == ((large.json,), False, "application/json")
    written = writer.write_streamed(large, writer.head(large, body, LARGE_BODY + 1), none())
    assert written.headers["content-length"] == str(LARGE_BODY + 1)
    assert (written.headers["host"], written.headers["x-api-key"]) == (written.url.host, KEY)
    again = writer.write(Request("embed-v2", frozenset({"text"}), json=b"{}"))
    assert again.headers["content-length"] == "2"  # the shared headers are as before


@pytest.mark.parametrize("kind", ["json", "content"])
def test_a_small_body_is_not_streamed(writer: RequestWriter, kind: str) -> None:
    bodies: dict[str, Any] = {"json": {"json": b"x" * LARGE_BODY}, "content": {"content": b"x" * LARGE_BODY}}
    assert writer.streamed(Request("embed-v2", **bodies[kind])) is None
    assert writer.streamed(Request("embed-v2", form=[("a", "b")])) is None
    assert writer.streamed(Request("embed-v2", method="GET")) is None


def test_a_form_has_its_files_between_what_is_written_of_it(writer: RequestWriter) -> None:
    file = HeldContent(b"content of the file")
    form = [("method", "direct"), ("file", ("a.mp4", file, "video/mp4")), ("note", "last")]
    body = writer.streamed(Request("assets", form=form))
    assert body is not None
    before, content, after = body.pieces
    assert content is file and not body.base64
    assert isinstance(before, bytes) and before.endswith(b'filename="a.mp4"\r\nContent-Type: video/mp4\r\n\r\n')
    assert isinstance(after, bytes) and b'name="note"\r\n\r\nlast\r\n--' in after
    name, boundary = body.content_type.split("boundary=")
    assert name == "multipart/form-data; " and after.endswith(b"--%s--\r\n" % boundary.encode())


def test_known_addresses_do_not_grow_without_end(writer: RequestWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._net.wire.MAX_KNOWN_URLS", 3)
    for i in range(10):
        written = writer.write(Request(f"assets/{i}", frozenset(), method="GET"))
        assert str(written.url) == f"{BASE}/assets/{i}"
    assert len(writer._urls) <= 3


async def test_a_written_request_as_aiohttp_takes_it(writer: RequestWriter) -> None:
    small = httpx.Request("PUT", URL, headers={b"X-A": "\u00e4".encode("latin-1")}, content=b"content")
    headers, body = writer.for_aiohttp(small)
    assert (headers["x-a"], body) == ("\u00e4", b"content")
    assert writer.for_aiohttp(httpx.Request("GET", URL))[1] is None


def test_the_headers_do_not_show_the_key(writer: RequestWriter) -> None:
    assert KEY not in repr(writer.json_headers)
    assert writer.json_headers["x-api-key"] == KEY
    assert "x-api-key" in repr(writer.json_headers)
    assert KEY not in repr(writer.aiohttp_json_headers)
    assert writer.aiohttp_json_headers["X-Api-Key"] == KEY


# -- the session ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, LARGE_BODY, LARGE_BODY + 1])
def test_small_json_takes_the_short_path(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    fake = AiohttpSession(body=b'{"a": 1}')

    async def send() -> RawResponse:
        session = Session(sender_of(Service(), transport=None).settings)
        monkeypatch.setattr(session._own, "_session", fake)
        try:
            return await session.send(Request("embed-v2", frozenset({"text"}), json=b"x" * size))
        finally:
            await session.aclose()

    assert loop.run(send()).body == b'{"a": 1}'
    (asked,) = fake.asked
    assert asked["url"] == URL
    assert isinstance(asked["data"], bytes) == (size <= LARGE_BODY)
    assert fake.closed


def test_a_transport_of_the_caller_is_not_closed() -> None:
    closed = []

    class Own(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.append(True)

    async def open_and_close() -> None:
        await Session(sender_of(Service(), transport=Own(lambda _: httpx.Response(200))).settings).aclose()

    loop.run(open_and_close())
    assert closed == []


def test_connections_are_closed_when_the_sender_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = AiohttpSession()
    sender = sender_of(Service(), transport=None)

    async def open_session(sender: Sender) -> None:
        session = sender._session.get()
        assert sender._session.get() is session
        assert session._own is not None
        monkeypatch.setattr(session._own, "_session", fake)

    async def settle() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    loop.run(open_session(sender))
    del sender
    gc.collect()
    loop.run(settle())
    assert fake.closed


def test_the_key_is_removed_from_the_body_of_a_response() -> None:
    service = Service()

    async def send() -> RawResponse:
        transport = httpx.MockTransport(lambda _: httpx.Response(400, content=f"bad key {service.key}!"))
        session = Session(sender_of(service, transport=transport).settings)
        return await session.send(Request("embed-v2", frozenset({"text"}), json=b"{}"))

    assert loop.run(send()).body == b"bad key ***!"
