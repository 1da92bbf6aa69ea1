"""What a sender holds on the background loop: connections, headers and the bounds on concurrency.

Imports httpx: see :mod:`.transport`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from .._api.large_json import LARGE_ANSWER
from .._api.requests import Request, StreamedBody
from . import loop
from .deadline import Deadlines
from .failures import Failures
from .key import Key
from .limits.account import Account
from .limits.external import ExternalLimiter
from .limits.lanes import Capacity
from .streaming import BodyReader, seconds_to_send
from .transport import CONNECT_SEC, AiohttpTransport, RawResponse, request_by
from .wire import LARGE_BODY, AiohttpHeaders, RequestWriter

if TYPE_CHECKING:
    from .settings import SenderSettings

# Requests that queries may have in flight beside those of a batch, which may be slow ones: one for four of the batch's;
# and bytes of their media.
INTERACTIVE_SLOTS, INTERACTIVE_BYTES = 4, 16_000_000


class Session:
    """Connections to one account. Made and closed on the background loop; not usable after a fork.

    Attributes:
        account: its limiters and its circuit; shared with other sessions of it.
        slots: bounds the requests in flight.
        media: bounds the bytes that they hold of media.
        external: the framework's limiter, if there is one.
    """

    def __init__(self, settings: SenderSettings) -> None:
        self.account = Account.of(settings.base_url, settings.api_key, settings.limits)
        spare = min(INTERACTIVE_SLOTS, settings.max_concurrency // 4)
        self.slots = Capacity(settings.max_concurrency, spare=spare)
        self.media = Capacity(settings.max_media_bytes, spare=INTERACTIVE_BYTES)
        self.external = ExternalLimiter.of(settings.rate_limiter)
        self._base_url = settings.base_url
        self._timeout, self._total_timeout = settings.timeout, settings.total_timeout
        self._deadlines = Deadlines(min(settings.timeout, settings.total_timeout))
        self._key = Key(settings.api_key)
        self._failures = Failures(settings.base_url, self._key, settings.timeout, settings.total_timeout)
        timeout = httpx.Timeout(settings.timeout, connect=min(CONNECT_SEC, settings.timeout), pool=None)
        self._writer = RequestWriter(settings.base_url, self._key, timeout)
        self._transport = settings.transport
        self._own: AiohttpTransport | None = None
        if settings.transport is None:
            self._own = AiohttpTransport(settings.base_url, settings.timeout, self._deadlines)
        loop.close_at_exit(self.aclose)

    async def send(self, request: Request) -> RawResponse:
        """Send once. The response does not contain the API key, even if the server repeats it.

        Raises:
            ConnectionFailedError: no complete response; ``code="unreachable"`` if no connection was made.
            InvalidInputError: no connection could carry the request.
            MalformedResponseError: the response is larger than any answer to the request
                (``code="response_too_large"``, not to be retried), or encoded in a way that was not asked for.
        """
        body = request.json
        try:
            if self._own is not None and body is not None and len(body) <= LARGE_BODY:
                url = f"{self._base_url}/{request.path}"
                with self._deadlines.of(self._total_timeout, self._timeout) as deadline:
                    response = await self._own.request(
                        "POST", url, self._writer.aiohttp_json_headers, body, deadline, limit=request.largest_answer
                    )
            else:
                response = await self._write(request)
            if len(response.body) > LARGE_ANSWER:
                return await asyncio.to_thread(self._without_key, response, request)
            return self._without_key(response, request)
        except Exception as error:
            failure = self._failures.translated(error, request)
        raise failure  # not inside the handler: the original, which holds the key, would be its context

    async def _write(self, request: Request) -> RawResponse:
        """Send any request, by any transport."""
        body, limit = self._writer.streamed(request), request.largest_answer
        if body is not None:
            return await self._send_streamed(request, body, limit)
        written = self._writer.write(request)
        if self._own is None:
            assert self._transport is not None
            with self._deadlines.of(self._total_timeout):  # it has a timer of its own for the response
                return await request_by(self._transport, written, limit)
        with self._deadlines.of(self._total_timeout, self._timeout) as deadline:
            headers, content = self._writer.for_aiohttp(written)
            return await self._own.request(written.method, str(written.url), headers, content, deadline, limit=limit)

    async def _send_streamed(self, request: Request, body: StreamedBody, limit: int) -> RawResponse:
        reader = BodyReader(body)
        try:
            await reader.open()
            headers = self._writer.head(request, body, reader.size)
            seconds = self._total_timeout + seconds_to_send(reader.size)
            if self._own is None:
                assert self._transport is not None
                with self._deadlines.of(seconds) as deadline:
                    chunks = reader.chunks(deadline, self._timeout, math.inf)  # as above
                    written = self._writer.write_streamed(request, headers, chunks)
                    return await request_by(self._transport, written, limit)
            url = str(self._writer.url(request))
            with self._deadlines.of(seconds, self._timeout) as deadline:
                chunks = reader.chunks(deadline, self._timeout, self._timeout)
                return await self._own.request(
                    request.method, url, AiohttpHeaders(headers), chunks, deadline, limit=limit
                )
        finally:
            reader.close()

    def _without_key(self, response: RawResponse, request: Request) -> RawResponse:
        if response.status < 300 and request.reads != "headers":  # of its headers, only numbers are read
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
