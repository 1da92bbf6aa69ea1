"""What a sender holds on the background loop: connections, headers and the bounds on concurrency.

Imports httpx: see :mod:`.transport`.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from .._api.requests import Request
from . import loop
from .deadline import Deadlines
from .failures import Failures
from .key import Key
from .limits.account import Account
from .limits.external import ExternalLimiter
from .limits.lanes import Capacity
from .transport import CONNECT_SEC, AiohttpTransport, RawResponse, request_by
from .wire import LARGE_BODY, RequestWriter, seconds_to_send, watch

if TYPE_CHECKING:
    from .settings import SenderSettings

# A request with media is held in memory (base64 adds a third), so few of them are in flight at a time.
MEDIA_IN_FLIGHT = 8
# Requests that queries may have in flight beside those of a batch, which may be slow ones: one for four of the batch's.
INTERACTIVE_SLOTS = 4


class Session:
    """Connections to one account. Made and closed on the background loop; not usable after a fork.

    Attributes:
        account: its limiters and its circuit; shared with other sessions of it.
        slots: bounds the requests in flight.
        media: bounds those of them that hold media.
        external: the framework's limiter, if there is one.
    """

    def __init__(self, settings: SenderSettings) -> None:
        self.account = Account.of(settings.base_url, settings.api_key, settings.limits)
        spare = min(INTERACTIVE_SLOTS, settings.max_concurrency // 4)
        self.slots = Capacity(settings.max_concurrency, spare=spare)
        self.media = Capacity(min(MEDIA_IN_FLIGHT, settings.max_concurrency), spare=spare)
        self.external = ExternalLimiter.of(settings.rate_limiter)
        self._base_url = settings.base_url
        self._timeout, self._total_timeout = settings.timeout, settings.total_timeout
        self._deadlines = Deadlines(settings.total_timeout)
        self._key = Key(settings.api_key)
        self._failures = Failures(settings.base_url, self._key, settings.timeout, settings.total_timeout)
        timeout = httpx.Timeout(settings.timeout, connect=min(CONNECT_SEC, settings.timeout), pool=None)
        self._writer = RequestWriter(settings.base_url, self._key, timeout)
        self._transport = settings.transport
        self._own: AiohttpTransport | None = None
        if settings.transport is None:
            self._own = AiohttpTransport(settings.base_url, settings.timeout)
        loop.close_at_exit(self.aclose)

    async def send(self, request: Request) -> RawResponse:
        """Send once. The response does not contain the API key, even if the server repeats it.

        Raises:
            ConnectionFailedError: no complete response; ``code="unreachable"`` if no connection was made.
            InvalidInputError: no connection could carry the request.
            MalformedResponseError: the response is larger than any answer to the request
                (``code="response_too_large"``, not to be retried), or encoded in a way that was not asked for.
        """
        try:
            return self._without_key(await self._send(request), request)
        except Exception as error:
            failure = self._failures.translated(error, request)
        raise failure  # not inside the handler: the original, which holds the key, would be its context

    async def _send(self, request: Request) -> RawResponse:
        limit = request.largest_answer
        if self._own is not None and request.json is not None and len(request.json) <= LARGE_BODY:
            url = f"{self._base_url}/{request.path}"
            with self._deadlines.of(self._total_timeout):
                return await self._own.request("POST", url, self._writer.json_headers, request.json, limit=limit)
        with contextlib.ExitStack() as files:
            written = self._writer.write(request, files)
            size = len(request.json) if request.json is not None else int(written.headers.get("content-length", 0))
            seconds = self._total_timeout + seconds_to_send(size)
            with self._deadlines.of(seconds) as deadline:
                watch(written, deadline, self._timeout)
                if self._transport is not None:
                    return await request_by(self._transport, written, limit)
                assert self._own is not None
                headers, body = self._writer.for_aiohttp(written)
                return await self._own.request(written.method, str(written.url), headers, body, limit=limit)

    def _without_key(self, response: RawResponse, request: Request) -> RawResponse:
        if response.status < 300 and request.reads == "json":  # of its headers, only numbers are read
            body = self._key.mask_answer(response.body)
            return response if body is response.body else replace(response, body=body)
        body = self._key.mask_bytes(response.body)
        headers = [(name, self._key.mask_bytes(value)) for name, value in response.headers]
        return replace(response, headers=headers, body=body)

    async def aclose(self) -> None:
        """Close the connections, unless the transport is the caller's."""
        loop.forget(self.aclose)
        if self._own is not None:
            with contextlib.suppress(Exception):
                await self._own.aclose()
