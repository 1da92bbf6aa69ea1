"""What went wrong while a request was sent or its response was read, as one of our errors. Imports httpx: see
:mod:`.transport`.

Whatever a transport raises becomes one: a server can make aiohttp raise a ``ValueError`` as well as a ``ClientError``.
The original is never the cause of ours, since its request, its arguments and the locals of its frames hold the API key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import httpx

from .._api.requests import Request
from .._errors import ConnectionFailedError, InvalidInputError, MalformedResponseError, TwelveLabsError
from .deadline import NotTaken, Stalled
from .key import Key
from .retry import NOT_WRITTEN

MAX_TEXT = 300
_NOT_SENDABLE = (
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_NO_CONNECTION = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    ConnectionRefusedError,
)


class Failures:
    """Translates the exceptions of any transport.

    Args:
        timeout, total_timeout: seconds, for messages.
    """

    def __init__(self, base_url: str, key: Key, timeout: float, total_timeout: float) -> None:
        self._base_url, self._key = base_url, key
        self._timeout, self._total_timeout = timeout, total_timeout

    def translated(self, error: BaseException, request: Request) -> TwelveLabsError:
        """Our error for an exception, without traceback, cause or context, so that it shows nothing of the original.

        Returns:
            ConnectionFailedError, with the code ``unreachable`` if no connection was made, or ``not_written`` if the
            server cannot have all of the request; InvalidInputError for one that no connection could carry;
            MalformedResponseError for an address of the server's that cannot
            be used. An error of ours that was raised on the way is returned itself.
        """
        ours = next((found for found in _chain(error) if isinstance(found, TwelveLabsError)), None)
        failure = ours or self._connection_error(error, request)
        failure.__cause__ = failure.__context__ = None
        return failure.with_traceback(None)

    def _connection_error(self, error: BaseException, request: Request) -> TwelveLabsError:
        to = _origin(request.path) if request.is_absolute else self._base_url
        text = self._key.mask(" ".join(str(error).split()))[:MAX_TEXT] or type(error).__name__
        if isinstance(error, _NOT_SENDABLE):
            if request.is_absolute:
                return MalformedResponseError("The server gave an address that no request can be sent to.")
            return InvalidInputError(f"The request cannot be sent to {to}: {text}.")
        if isinstance(error, _NO_CONNECTION):
            return ConnectionFailedError(f"Cannot reach {to}: {text}.", code="unreachable")
        if isinstance(error, NotTaken):
            return ConnectionFailedError(f"{to} has taken nothing of the request for {self._timeout:g} s.")
        if isinstance(error, (Stalled, aiohttp.ServerTimeoutError, httpx.TimeoutException)):
            return ConnectionFailedError(f"No response from {to} within {self._timeout:g} s.")
        if isinstance(error, asyncio.TimeoutError):
            return ConnectionFailedError(
                f"No complete response from {to} within {self._total_timeout:g} s (total_timeout)."
            )
        if any(map(_is_closed_to_writing, _chain(error))):
            return ConnectionFailedError(f"The connection to {to} was closed: {text}.", code=NOT_WRITTEN)
        if not isinstance(error, (aiohttp.ClientError, httpx.TransportError, OSError)):
            text = f"{type(error).__name__}: {text}"
        return ConnectionFailedError(f"The connection to {to} failed: {text}.")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, nearest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_closed_to_writing(error: BaseException) -> bool:
    """Whether a part of the request was refused because its connection was closing. aiohttp has the same exception for
    a connection that is lost after it was written, with another message.
    """
    return isinstance(error, aiohttp.ClientConnectionResetError) and "closing transport" in str(error)


def _origin(address: str) -> str:
    """Scheme and host of an address: its path and query may hold a signature."""
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}"
    except ValueError:
        return "an address of the server's"
