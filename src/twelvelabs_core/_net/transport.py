"""The default transport: aiohttp's connections behind httpx's interface.

httpx's own async pool looks at every connection for every request and reaches a tenth of aiohttp's rate at 64
connections (measured). httpx keeps the request, the response and the transport interface, so that ``transport=``
takes ``httpx.MockTransport``, respx, or anyone's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .._api.requests import FileRange

if TYPE_CHECKING:
    import httpx

__all__ = ["RawResponse", "default_transport", "pieces", "prepare"]

PIECE = 64 * 1024
KEPT_ALIVE_SEC = 30


def prepare() -> None:
    """Import what sending needs, 0.3 s of it (measured), before a loop runs that it would hold up."""
    import aiohttp  # noqa: F401  (reads the certificates too, in 25 ms, once for all sessions)
    import httpx  # noqa: F401


@dataclass(frozen=True, slots=True, repr=False)
class RawResponse:
    """What came back, whichever way it was asked for.

    Attributes:
        headers: name and value pairs, as on the wire.
        body: decompressed.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """The first header of that name (in lower case), or None."""
        return next((v.decode("latin-1") for k, v in self.headers if k.lower() == name), None)


class DefaultTransport(Protocol):
    """The default transport: httpx's interface, and a short way for the one request that is sent ten thousand times.

    Making an ``httpx.Request`` and an ``httpx.Response`` costs a fifth of all that a text costs (measured).
    """

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: Mapping[str, Any]) -> RawResponse:
        """Send a small body; raises httpx's errors."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As ``httpx.AsyncBaseTransport``."""

    async def aclose(self) -> None:
        """Close the connections."""


def default_transport(base_url: str) -> DefaultTransport:
    """A transport for the running loop. The proxy comes from the environment; the engine bounds the connections."""
    import aiohttp
    import httpx
    from multidict import CIMultiDict

    proxy = _proxy(base_url)
    made: list[aiohttp.ClientSession] = []
    timeouts: dict[Any, aiohttp.ClientTimeout] = {}

    def session() -> aiohttp.ClientSession:
        if not made:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE_SEC)
            made.append(aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()))
        return made[0]

    def timeout_of(asked: Mapping[str, Any]) -> aiohttp.ClientTimeout:
        key = asked.get("connect"), asked.get("read")
        if key not in timeouts:
            timeouts[key] = aiohttp.ClientTimeout(sock_connect=key[0], sock_read=key[1])
        return timeouts[key]

    async def ask(method: str, url: str, headers: Any, body: Any, timeout: Mapping[str, Any]) -> RawResponse:
        try:
            async with session().request(
                method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                proxy=proxy,
                timeout=timeout_of(timeout),
            ) as answer:
                return RawResponse(answer.status, answer.raw_headers, await answer.read())
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise httpx.UnsupportedProtocol(str(error)) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise httpx.ConnectError(str(error)) from error
        except asyncio.TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.ReadError(str(error) or type(error).__name__) from error

    class Aiohttp(httpx.AsyncBaseTransport):
        async def post(
            self, url: str, headers: Mapping[str, str], body: bytes, timeout: Mapping[str, Any]
        ) -> RawResponse:
            return await ask("POST", url, headers, body, timeout)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                body: Any = request.content
            except httpx.RequestNotRead:
                body = request.stream
            headers = CIMultiDict([(k.decode("ascii"), v.decode("latin-1")) for k, v in request.headers.raw])
            timeout = request.extensions.get("timeout", {})
            found = await ask(request.method, str(request.url), headers, body or None, timeout)
            kept = [(k, v) for k, v in found.headers if k.lower() not in _OF_THE_WIRE]  # the body is decompressed
            return httpx.Response(found.status, headers=kept, content=found.body, request=request)

        async def aclose(self) -> None:
            while made:
                await made.pop().close()

    return Aiohttp()


_OF_THE_WIRE = frozenset({b"content-encoding", b"transfer-encoding", b"content-length"})


def _proxy(base_url: str) -> str | None:
    """``HTTPS_PROXY``, ``NO_PROXY`` and their kin, looked up once: there is one address. aiohttp's ``trust_env`` would
    look twice in a thread for every request, at three times the request's own cost (measured).
    """
    address = urlsplit(base_url)
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    return None if found is None or proxy_bypass(address.hostname or "") else found


def pieces(body: bytes | FileRange) -> httpx.AsyncByteStream:
    """A large body as a stream that lets other requests run between its pieces; a stretch of a file is never held
    whole.
    """
    import httpx

    class Pieces(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            if isinstance(body, bytes):
                view = memoryview(body)
                for start in range(0, len(view), PIECE):
                    yield bytes(view[start : start + PIECE])
                return
            with body.path.open("rb") as file:
                file.seek(body.start)
                left = body.length
                while left > 0 and (block := await asyncio.to_thread(file.read, min(PIECE, left))):
                    left -= len(block)
                    yield block

    return Pieces()
