"""The default transport: aiohttp's connections.

httpx's own async pool looks at every connection for every request and reaches a tenth of aiohttp's rate at 64
connections (measured). httpx provides the request and the transport interface, so ``transport=`` takes
``httpx.MockTransport``, respx, or one of your own.

Importing this takes 0.3 s (measured), most of it for aiohttp and httpx: only import it where requests are sent.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from multidict import CIMultiDict

from .body import MAX_ERROR_BODY, read_body
from .deadline import Deadline, Deadlines
from .pace import check_reach

KEEP_ALIVE_SEC = 30
CONNECT_SEC = 10.0
MAX_SMALL_BODY = MAX_ERROR_BODY  # bytes, less than any limit


@dataclass(slots=True, repr=False)  # not frozen, which takes three times as long to make
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


class AiohttpTransport:
    """One connection pool on the running loop. The sender bounds the number of connections.

    Args:
        base_url: decides which proxy of the environment is used.
        timeout: seconds for a connection with all it needs (name, proxy, TLS), and without a byte of the response.
        deadlines: those that the requests are made in; they keep the time between two reads.
    """

    def __init__(self, base_url: str, timeout: float, deadlines: Deadlines) -> None:
        self._proxy = environment_proxy(base_url)
        self._seconds = timeout
        self._timeout = aiohttp.ClientTimeout(connect=timeout, sock_connect=min(CONNECT_SEC, timeout))
        self._deadlines = deadlines
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        headers: CIMultiDict[str],
        body: bytes | AsyncIterator[bytes | memoryview] | None,
        deadline: Deadline,
        *,
        limit: int,
    ) -> RawResponse:
        """Send without httpx's request and response objects, which take a fifth of the CPU time of a text (measured).

        Args:
            deadline: the one that it is sent in.
            limit: most bytes of the response's body, see :func:`~.body.read_body`.

        Raises:
            InvalidInputError: a test may not ask that address.
            Exception: of aiohttp's, for the sender to translate.
        """
        check_reach(url)
        session = self._session or self._open_session()
        response = await session.request(
            method, url, headers=headers, data=body, allow_redirects=False, proxy=self._proxy
        )
        content = response.content
        encoding = response.headers.get("Content-Encoding", "")
        if content.is_eof() and not encoding and (response.content_length or MAX_SMALL_BODY) < MAX_SMALL_BODY:
            # All of it came with its head, which is usual. aiohttp takes no more than the length says.
            return RawResponse(response.status, response.raw_headers, content.read_nowait())
        async with response:
            chunks = self._watched(content, deadline)
            found = await read_body(chunks, response.status, encoding, limit)
            return RawResponse(response.status, response.raw_headers, found)

    async def _watched(self, content: aiohttp.StreamReader, deadline: Deadline) -> AsyncIterator[bytes]:
        deadline.within(self._seconds)
        async for chunk in content.iter_any():
            deadline.within(self._seconds)
            yield chunk

    async def aclose(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        # No headers of its own: aiohttp would send them to a proxy too, and they hold the key.
        self._session = aiohttp.ClientSession(
            connector=_Connector(self._deadlines, self._seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=self._timeout,
        )
        return self._session


async def request_by(transport: httpx.AsyncBaseTransport, request: httpx.Request, limit: int) -> RawResponse:
    """Send by a transport of httpx's interface.

    Args:
        limit: as for :meth:`AiohttpTransport.request`.
    """
    response = await transport.handle_async_request(request)
    try:
        if response.is_closed:  # made with its content, which is decompressed then
            encoding, chunks = "", _once(response.content)
        else:
            encoding, chunks = response.headers.get("content-encoding", ""), response.aiter_raw()
        content = await read_body(chunks, response.status_code, encoding, limit)
        return RawResponse(response.status_code, response.headers.raw, content)
    finally:
        await response.aclose()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class _Connector(aiohttp.TCPConnector):
    """Reuses no connection on which bytes have come since its last response.

    aiohttp would take them for the response to the next request: another item's vector, and from then on every response
    of the connection would be the one before. HTTP/1.1 numbers no responses, so what comes while the next request is
    already under way cannot be told apart.

    While it makes a connection, for which aiohttp has a timer of its own, the deadline of the request stands still: a
    request that found no connection was not sent, which is to be told from one that got no response.
    """

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        super().__init__(limit=0, keepalive_timeout=KEEP_ALIVE_SEC)
        self._deadlines, self._seconds = deadlines, seconds

    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:  # nor for this
        deadline = self._deadlines.current()
        if deadline is not None:
            deadline.within(math.inf)
        made = await super()._create_connection(*args, **kwargs)
        if deadline is not None:
            deadline.within(self._seconds)
        return made

    async def _get(self, *args: Any) -> Any:  # aiohttp has no public place for it
        while (connection := await super()._get(*args)) is not None:
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                return connection
            connection.close()
        return None


def environment_proxy(base_url: str) -> str | None:
    """The proxy for a host by ``HTTPS_PROXY``, ``NO_PROXY`` and the like, or None.

    aiohttp's ``trust_env`` looks it up in a thread twice for each request, which takes three times the request's own
    time (measured).
    """
    address = urlsplit(base_url)
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    return None if found is None or proxy_bypass(address.hostname or "") else found
