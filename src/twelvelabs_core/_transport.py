"""The default transport: aiohttp's connections behind httpx's interface.

httpx's own async pool looks at every connection for every request and reaches a tenth of aiohttp's rate at 64
connections (measured). httpx keeps the request, the response and the transport interface, so that ``transport=``
takes ``httpx.MockTransport``, respx, or anyone's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    import httpx

__all__ = ["default_transport", "network_errors", "pieces", "prepare", "unreachable"]

_ssl_context: Any = None
PIECE = 64 * 1024


def prepare() -> None:
    """Import what sending needs. Slow (0.3 s, measured), and not needed before the first request."""
    import httpx_aiohttp  # noqa: F401

    network_errors()


def default_transport(base_url: str) -> httpx.AsyncBaseTransport:
    """A transport for the running loop. The proxy comes from the environment; the engine bounds the connections."""
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    global _ssl_context
    if _ssl_context is None:  # 25 ms to make (measured), and safe to share
        _ssl_context = httpx.create_ssl_context()

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, ssl=_ssl_context, keepalive_timeout=30)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    proxy = _proxy(base_url)
    return AiohttpTransport(verify=_ssl_context, client=session, proxy=httpx.Proxy(proxy) if proxy else None)


def _proxy(base_url: str) -> str | None:
    """``HTTPS_PROXY``, ``NO_PROXY`` and their kin, looked up once: there is one address. aiohttp's ``trust_env`` would
    look twice in a thread for every request, at three times the request's own cost (measured).
    """
    address = urlsplit(base_url)
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    return None if found is None or proxy_bypass(address.hostname or "") else found


def network_errors() -> tuple[type[BaseException], ...]:
    """What a transport raises when no answer came. httpx-aiohttp lets some of aiohttp's own errors through."""
    import aiohttp
    import httpx

    return (httpx.TransportError, aiohttp.ClientError, OSError, asyncio.TimeoutError)


def unreachable(error: BaseException) -> bool:
    """Nothing answered at the address, so that nothing can have been processed. httpx-aiohttp gives both this and a
    connection that broke later as ``ConnectTimeout``; aiohttp's own error is behind it.
    """
    import aiohttp
    import httpx

    kinds = (httpx.ConnectError, aiohttp.ClientConnectorError, ConnectionRefusedError)
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)


def pieces(body: bytes) -> httpx.AsyncByteStream:
    """A large body as a stream that lets other requests run between its pieces."""
    import httpx

    class Pieces(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            view = memoryview(body)
            for start in range(0, len(view), PIECE):
                yield bytes(view[start : start + PIECE])

    return Pieces()
