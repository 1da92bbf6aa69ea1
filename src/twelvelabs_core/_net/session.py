"""What a sender holds on the background loop: connections, headers and the bounds on concurrency.

Imports httpx: see :mod:`.transport`.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from .._api.requests import Request
from . import loop
from .account import Account
from .transport import AiohttpTransport, RawResponse
from .wire import LARGE_BODY, NETWORK_ERRORS, RequestWriter, connection_error

if TYPE_CHECKING:
    from .settings import SenderSettings

CONNECT_TIMEOUT = 10.0
# A request with media is held in memory (base64 adds a third), so few of them are in flight at a time.
MEDIA_IN_FLIGHT = 8


class Session:
    """Connections to one account. Made and closed on the background loop; not usable after a fork.

    Attributes:
        generation: of the loop it belongs to.
        account: its limiters and its circuit; shared with other sessions of it.
        slots: bounds the requests in flight.
        media_slots: bounds those of them that hold media.
    """

    def __init__(self, settings: SenderSettings) -> None:
        self.generation = loop.generation()
        self.account = Account.of(settings.base_url, settings.api_key, settings.limits)
        self.slots = asyncio.Semaphore(settings.max_concurrency)
        self.media_slots = asyncio.Semaphore(min(MEDIA_IN_FLIGHT, settings.max_concurrency))
        self._base_url = settings.base_url
        self._timeout_sec = settings.timeout
        self._key = settings.api_key.encode()
        timeout = httpx.Timeout(settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout), pool=None)
        self._writer = RequestWriter(settings.base_url, settings.api_key, timeout)
        self._own = AiohttpTransport(settings.base_url, timeout) if settings.transport is None else None
        self._transport = settings.transport or self._own
        loop.close_at_exit(self.aclose)

    async def send(self, request: Request) -> RawResponse:
        """Send once. The response's body does not contain the API key, even if the server repeats it.

        Raises:
            ConnectionFailedError: no complete response; ``code="unreachable"`` if no connection was made.
            InvalidInputError: no connection could carry the request.
        """
        try:
            if self._own is not None and request.json is not None and len(request.json) <= LARGE_BODY:
                url = f"{self._base_url}/{request.path}"
                response = await self._own.request("POST", url, self._writer.json_headers, request.json)
            else:
                response = await self._send_by_httpx(request)
        except NETWORK_ERRORS as error:
            raise connection_error(error, self._base_url, self._timeout_sec) from error
        if self._key in response.body:
            return replace(response, body=response.body.replace(self._key, b"***"))
        return response

    async def _send_by_httpx(self, request: Request) -> RawResponse:
        assert self._transport is not None
        with contextlib.ExitStack() as files:
            response = await self._transport.handle_async_request(self._writer.write(request, files))
            try:
                return RawResponse(response.status_code, response.headers.raw, await response.aread())
            finally:
                await response.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless the transport is the caller's."""
        loop.forget(self.aclose)
        if self._own is not None:
            with contextlib.suppress(Exception):
                await self._own.aclose()
