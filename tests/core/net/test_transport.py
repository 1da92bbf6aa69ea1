"""The default transport, the requests written for it, and the session, on a fake aiohttp session without sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest

from tests.support.sender import sender_of
from tests.support.service import BASE, KEY, Service
from twelvelabs_core import ConnectionFailedError, InvalidInputError, TwelveLabsError
from twelvelabs_core._api.requests import FileRange, Request
from twelvelabs_core._media.streamed import StreamedFile
from twelvelabs_core._net import loop
from twelvelabs_core._net.sender import Sender
from twelvelabs_core._net.session import Session
from twelvelabs_core._net.transport import AiohttpTransport, RawResponse, environment_proxy
from twelvelabs_core._net.wire import CHUNK, LARGE_BODY, ChunkedBody, RequestWriter, connection_error

URL = f"{BASE}/embed-v2"
TIMEOUT = httpx.Timeout(7.0, connect=3.0, pool=None)


class AiohttpSession:
    """Stands for an ``aiohttp.ClientSession``: one fixed response, and a record of the requests."""

    def __init__(self, status: int = 200, headers: Any = (), body: bytes = b"{}", error: Any = None) -> None:
        self.status, self.raw_headers, self._body, self._error = status, headers, body, error
        self.asked: list[dict[str, Any]] = []
        self.closed = False

    @contextlib.asynccontextmanager
    async def request(self, method: str, url: str, **options: Any) -> Any:
        self.asked.append({"method": method, "url": url, **options})
        if self._error is not None:
            raise self._error
        yield self

    async def read(self) -> bytes:
        return self._body

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def transport_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[AiohttpSession], AiohttpTransport]:
    def make(session: AiohttpSession) -> AiohttpTransport:
        transport = AiohttpTransport(BASE, TIMEOUT)
        monkeypatch.setattr(transport, "_session", session)
        return transport

    return make


# -- the transport -------------------------------------------------------------------------------------------------


async def test_a_request_goes_to_aiohttp_with_its_timeouts(transport_with: Any) -> None:
    session = AiohttpSession(201, [(b"X-Trace-Id", b"t")], b"body")
    response = await transport_with(session).request("POST", URL, {"a": "b"}, b"{}")
    assert (response.status, response.body, response.header(b"x-trace-id")) == (201, b"body", "t")
    assert response.header(b"x-other") is None
    (asked,) = session.asked
    assert (asked["method"], asked["url"], asked["headers"], asked["data"]) == ("POST", URL, {"a": "b"}, b"{}")
    assert (asked["timeout"].sock_connect, asked["timeout"].sock_read, asked["timeout"].total) == (3.0, 7.0, None)
    assert asked["allow_redirects"] is False


CONNECTION_KEY: Any = SimpleNamespace(host="h", port=443, ssl=True, is_ssl=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aiohttp.InvalidURL("x"), httpx.UnsupportedProtocol),
        (aiohttp.NonHttpUrlClientError("ftp://x"), httpx.UnsupportedProtocol),
        (aiohttp.ClientConnectorError(CONNECTION_KEY, OSError(111, "refused")), httpx.ConnectError),
        (aiohttp.ClientConnectorDNSError(CONNECTION_KEY, socket.gaierror(-2, "unknown")), httpx.ConnectError),
        (aiohttp.ConnectionTimeoutError("slow"), httpx.ConnectError),
        (aiohttp.SocketTimeoutError("slow"), httpx.ReadTimeout),
        (asyncio.TimeoutError(), httpx.ReadTimeout),
        (aiohttp.ServerDisconnectedError(), httpx.ReadError),
        (aiohttp.ClientPayloadError("short"), httpx.ReadError),
        (ConnectionResetError(104, "reset"), httpx.ReadError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
async def test_errors_of_aiohttp_become_those_of_httpx(
    transport_with: Any, error: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(httpx.TransportError) as caught:
        await transport_with(AiohttpSession(error=error)).request("POST", URL, {}, b"{}")
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error


async def test_as_an_httpx_transport_it_drops_the_headers_of_the_transfer(transport_with: Any) -> None:
    headers = [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"3"), (b"X-Trace-Id", b"t")]
    session = AiohttpSession(200, headers, b"decompressed")
    request = httpx.Request("PUT", URL, headers={b"X-A": "\u00e4".encode("latin-1")}, content=b"content")
    response = await transport_with(session).handle_async_request(request)
    assert (response.status_code, await response.aread()) == (200, b"decompressed")
    assert "content-encoding" not in response.headers
    assert response.headers["x-trace-id"] == "t"
    (asked,) = session.asked
    assert (asked["method"], asked["data"], asked["headers"]["x-a"]) == ("PUT", b"content", "\u00e4")


async def test_a_streamed_body_stays_a_stream_and_an_empty_one_is_none(transport_with: Any) -> None:
    session = AiohttpSession()
    transport = transport_with(session)
    body = ChunkedBody(b"x")
    await transport.handle_async_request(httpx.Request("PUT", URL, stream=body, headers={"content-length": "1"}))
    await transport.handle_async_request(httpx.Request("GET", URL))
    assert [asked["data"] for asked in session.asked] == [body, None]


async def test_closing_closes_the_connections_once(transport_with: Any) -> None:
    session = AiohttpSession()
    transport = transport_with(session)
    await transport.aclose()
    await transport.aclose()
    assert session.closed
    assert transport._session is None


async def test_connections_are_opened_with_the_first_request() -> None:
    transport = AiohttpTransport(BASE, TIMEOUT)
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
    return RequestWriter(BASE, KEY, TIMEOUT)


@pytest.fixture
def files() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as files:
        yield files


def test_a_json_request(writer: RequestWriter, files: contextlib.ExitStack) -> None:
    written = writer.write(Request("embed-v2", frozenset({"text"}), json=b"{}"), files)
    assert (written.method, str(written.url), written.content) == ("POST", URL, b"{}")
    assert (written.headers["x-api-key"], written.headers["content-type"]) == (KEY, "application/json")
    assert written.extensions["timeout"] == {"connect": 3.0, "read": 7.0, "write": 7.0, "pool": None}


def test_a_request_to_another_service_has_its_own_headers_and_no_key(
    writer: RequestWriter, files: contextlib.ExitStack
) -> None:
    request = Request("https://storage.example/1", frozenset(), method="PUT", content=b"x", headers={"a": "b"})
    written = writer.write(request, files)
    assert (written.method, str(written.url), written.content) == ("PUT", "https://storage.example/1", b"x")
    assert written.headers["a"] == "b"
    assert "x-api-key" not in written.headers
    assert "x-api-key" in writer.write(Request("assets/1", frozenset(), method="GET"), files).headers


async def test_a_large_body_is_streamed_with_its_length(writer: RequestWriter, files: contextlib.ExitStack) -> None:
    body = b"x" * (LARGE_BODY + 1)
    written = writer.write(Request("embed-v2", frozenset({"text"}), json=body), files)
    assert written.headers["content-length"] == str(len(body))
    with pytest.raises(httpx.RequestNotRead):
        written.content  # noqa: B018
    assert await written.aread() == body
    again = writer.write(Request("embed-v2", frozenset({"text"}), json=b"{}"), files)
    assert again.headers["content-length"] == "2"  # the shared headers are as before


async def test_a_range_of_a_file_is_read_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 1024
    path.write_bytes(content)
    start, length = 1000, 2 * CHUNK + 5
    chunks = [chunk async for chunk in ChunkedBody(FileRange(path, start, length))]
    assert b"".join(chunks) == content[start : start + length]
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 5]


async def test_a_file_that_has_become_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"short")
    with pytest.raises(InvalidInputError, match="has become shorter"):
        [chunk async for chunk in ChunkedBody(FileRange(path, 2, 100))]


def test_a_form_opens_its_files_and_they_are_closed(writer: RequestWriter, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content of the file")
    form = [("method", "direct"), ("file", ("a.mp4", StreamedFile(path, 19, "a.mp4"), "video/mp4"))]
    with contextlib.ExitStack() as files:
        written = writer.write(Request("assets", frozenset(), form=form), files)
        body = written.read()
    assert b"content of the file" in body and b'filename="a.mp4"' in body
    assert written.headers["content-type"].startswith("multipart/form-data; boundary=")


def test_known_addresses_do_not_grow_without_end(
    writer: RequestWriter, files: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twelvelabs_core._net.wire.MAX_KNOWN_URLS", 3)
    for i in range(10):
        written = writer.write(Request(f"assets/{i}", frozenset(), method="GET"), files)
        assert str(written.url) == f"{BASE}/assets/{i}"
    assert len(writer._urls) <= 3


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (httpx.UnsupportedProtocol("m"), InvalidInputError, None),
        (httpx.LocalProtocolError("m"), InvalidInputError, None),
        (httpx.ConnectError("m"), ConnectionFailedError, "unreachable"),
        (httpx.ConnectTimeout("m"), ConnectionFailedError, "unreachable"),
        (ConnectionRefusedError("m"), ConnectionFailedError, "unreachable"),
        (httpx.ReadTimeout("m"), ConnectionFailedError, None),
        (httpx.ReadError(""), ConnectionFailedError, None),
        (OSError("m"), ConnectionFailedError, None),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_network_errors_become_ours(error: Exception, kind: type[TwelveLabsError], code: str | None) -> None:
    found = connection_error(error, BASE, 7.0)
    assert (type(found), found.code) == (kind, code)
    assert BASE in found.message


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
        session = sender._open_session()
        assert sender._open_session() is session
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
