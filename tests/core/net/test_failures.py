"""Exceptions of aiohttp, httpx and everything below them become ours, and nothing of the original stays in them."""

from __future__ import annotations

import asyncio
import socket
import zlib
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from tests.support.service import BASE, KEY
from twelvelabs_core import ConnectionFailedError, InvalidInputError, MalformedResponseError, TwelveLabsError
from twelvelabs_core._api.requests import Request
from twelvelabs_core._net.failures import Failures
from twelvelabs_core._net.key import Key

CONNECTION_KEY: Any = SimpleNamespace(host="h", port=443, ssl=True, is_ssl=True)
REQUEST: Any = SimpleNamespace(real_url="http://h", headers={"x-api-key": KEY})
TO_API, TO_STORAGE = Request("embed-v2"), Request("https://storage.example/part?signature=5ecret", method="PUT")


def failure(error: BaseException, request: Request = TO_API) -> TwelveLabsError:
    return Failures(BASE, Key(SecretStr(KEY)), 7.0, 600.0).translated(error, request)


def test_what_stopped_the_writing_of_a_body_is_looked_for_in_the_cause() -> None:
    """aiohttp reports it as the end of the response that never came."""
    error = aiohttp.ClientOSError(None, "Can not write request body for http://h")
    assert failure(error).code is None
    error = aiohttp.ClientOSError(None, "Can not write request body for http://h")
    error.__cause__ = aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    found = failure(error)
    assert (type(found), found.code) == (ConnectionFailedError, "not_written")
    assert found.__cause__ is None


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (httpx.UnsupportedProtocol("m"), InvalidInputError, None),
        (httpx.LocalProtocolError("m"), InvalidInputError, None),
        (httpx.InvalidURL("m"), InvalidInputError, None),
        (aiohttp.InvalidURL("x"), InvalidInputError, None),
        (aiohttp.NonHttpUrlClientError("ftp://x"), InvalidInputError, None),
        (httpx.ConnectError("m"), ConnectionFailedError, "unreachable"),
        (httpx.ConnectTimeout("m"), ConnectionFailedError, "unreachable"),
        (httpx.ProxyError("m"), ConnectionFailedError, "unreachable"),
        (ConnectionRefusedError("m"), ConnectionFailedError, "unreachable"),
        (aiohttp.ClientConnectorError(CONNECTION_KEY, OSError(111, "no")), ConnectionFailedError, "unreachable"),
        (
            aiohttp.ClientConnectorDNSError(CONNECTION_KEY, socket.gaierror(-2, "unknown")),
            ConnectionFailedError,
            "unreachable",
        ),
        (aiohttp.ConnectionTimeoutError("slow"), ConnectionFailedError, "unreachable"),
        (aiohttp.ClientHttpProxyError(REQUEST, (), status=407), ConnectionFailedError, "unreachable"),
        (httpx.ReadTimeout("m"), ConnectionFailedError, None),
        (aiohttp.SocketTimeoutError("slow"), ConnectionFailedError, None),
        (asyncio.TimeoutError(), ConnectionFailedError, None),
        (httpx.ReadError(""), ConnectionFailedError, None),
        (aiohttp.ServerDisconnectedError(), ConnectionFailedError, None),
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), ConnectionFailedError, "not_written"),
        (aiohttp.ClientConnectionResetError("Connection lost"), ConnectionFailedError, None),
        (aiohttp.ClientPayloadError("short"), ConnectionFailedError, None),
        (aiohttp.ClientResponseError(REQUEST, (), status=400, message="bad"), ConnectionFailedError, None),
        (ConnectionResetError(104, "reset"), ConnectionFailedError, None),
        (OSError("m"), ConnectionFailedError, None),
        (zlib.error("m"), ConnectionFailedError, None),
        (ValueError("m"), ConnectionFailedError, None),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "m"), ConnectionFailedError, None),
        (RecursionError("m"), ConnectionFailedError, None),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_each_becomes_ours(error: Exception, kind: type[TwelveLabsError], code: str | None) -> None:
    found = failure(error)
    assert (type(found), found.code) == (kind, code)
    assert BASE in found.message
    assert found.__cause__ is None and found.__context__ is None and found.__traceback__ is None


def test_the_two_deadlines_are_told_apart() -> None:
    assert "within 7 s" in failure(aiohttp.SocketTimeoutError()).message
    assert "within 600 s (total_timeout)" in failure(asyncio.TimeoutError()).message


def test_an_address_of_the_server_s_that_cannot_be_used_is_its_fault() -> None:
    found = failure(httpx.InvalidURL("Invalid port: '5ecret'"), TO_STORAGE)
    assert type(found) is MalformedResponseError


def test_another_service_is_named_without_its_signature() -> None:
    found = failure(ConnectionResetError(104, "reset"), TO_STORAGE)
    assert "https://storage.example failed" in found.message
    assert "5ecret" not in str(found)
    assert "an address" in failure(OSError("m"), Request("https://[broken")).message


def test_an_error_of_ours_inside_theirs_is_the_reason() -> None:
    ours = InvalidInputError("the file has shrunk")
    wrapped = aiohttp.ClientConnectionError("Failed to send bytes")
    wrapped.__cause__ = ours
    assert failure(wrapped) is ours


def test_texts_are_one_short_line_without_the_key_or_a_password() -> None:
    found = failure(ValueError(f"bad line:\n  {KEY}\n at http://user:passw0rd@proxy:1 " + "x" * 10_000))
    assert KEY not in found.message and "passw0rd" not in found.message
    assert "\n" not in found.message and len(found.message) < 500
