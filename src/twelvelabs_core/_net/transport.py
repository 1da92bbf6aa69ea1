"""The default transport: aiohttp's connections behind httpx's interface.

httpx's own async pool looks at every connection for every request and reaches a tenth of aiohttp's rate at 64
connections (measured). httpx provides the request, the response and the transport interface, so ``transport=`` takes
``httpx.MockTransport``, respx, or one of your own.

Importing this takes 0.3 s (measured), most of it for aiohttp and httpx: only import it where requests are sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from multidict import CIMultiDict

KEEP_ALIVE_SEC = 30
# These describe the body as it was transferred; here it is complete and decompressed.
_TRANSFER_HEADERS = frozenset({b"content-encoding", b"transfer-encoding", b"content-length"})


@dataclass(frozen=True, slots=True, repr=False)
class RawResponse:
    """A response, whichever transport it came through.

    Attributes:
        headers: name and value pairs, as received.
        body: decompressed.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """The first header of that name (in lower case), or None."""
        return next((v.decode("latin-1") for k, v in self.headers if k.lower() == name), None)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One connection pool for one host, on the running loop. The sender bounds the number of connections.

    Args:
        base_url: decides which proxy of the environment is used.
        timeout: seconds for the connection, and between two reads.
    """

    def __init__(self, base_url: str, timeout: httpx.Timeout) -> None:
        self._proxy = environment_proxy(base_url)
        self._timeout = aiohttp.ClientTimeout(sock_connect=timeout.connect, sock_read=timeout.read)
        self._session: aiohttp.ClientSession | None = None

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> RawResponse:
        """Send without httpx's request and response objects, which take a fifth of the CPU time of a text (measured).

        Args:
            body: bytes, an async iterable of bytes, or None.

        Raises:
            httpx.TransportError: as a transport of httpx would.
        """
        session = self._session or self._open_session()
        try:
            async with session.request(
                method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=self._timeout,
            ) as response:
                return RawResponse(response.status, response.raw_headers, await response.read())
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise httpx.UnsupportedProtocol(str(error)) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise httpx.ConnectError(str(error)) from error
        except asyncio.TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.ReadError(str(error) or type(error).__name__) from error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of httpx's; the response is read to its end."""
        try:
            body: Any = request.content
        except httpx.RequestNotRead:
            body = request.stream
        headers = CIMultiDict([(k.decode("ascii"), v.decode("latin-1")) for k, v in request.headers.raw])
        found = await self.request(request.method, str(request.url), headers, body or None)
        kept = [(k, v) for k, v in found.headers if k.lower() not in _TRANSFER_HEADERS]
        return httpx.Response(found.status, headers=kept, content=found.body, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SEC)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def environment_proxy(base_url: str) -> str | None:
    """The proxy for a host by ``HTTPS_PROXY``, ``NO_PROXY`` and the like, or None.

    aiohttp's ``trust_env`` looks it up in a thread twice for each request, which takes three times the request's own
    time (measured).
    """
    address = urlsplit(base_url)
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    return None if found is None or proxy_bypass(address.hostname or "") else found
