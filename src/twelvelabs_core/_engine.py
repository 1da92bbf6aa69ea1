"""The one place that does I/O: sends requests, bounded and retried, and runs batches of them.

An engine holds a transport and a bound on concurrency, both made on the background loop with the first request and made
anew after a fork.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from . import _loop
from ._errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidInputError,
    QuotaExceededError,
    RateLimitError,
    TwelveLabsError,
)
from ._retry import RetryPolicy
from ._transport import default_transport, network_errors
from ._wire.answers import parse_json
from ._wire.content import Request
from ._wire.faults import from_status

if TYPE_CHECKING:
    import httpx

__all__ = ["Engine", "EngineSettings"]

J = TypeVar("J")
R = TypeVar("R")

# Requests with media inside are held in memory whole (base64 adds a third), so few of them are under way at a time.
MEDIA_IN_FLIGHT = 8
CONNECT_TIMEOUT = 10.0
_VERSION = "0.1.0"


@dataclass(frozen=True)
class EngineSettings:
    """What an engine is made from; nothing in it is tied to a loop, a thread or a process.

    Attributes:
        api_key: plain text; lives in memory only, never in a repr.
        max_concurrency: requests under way at a time.
        timeout: seconds without a byte from the server before a request counts as lost.
        transport: instead of the default one.
    """

    base_url: str
    api_key: str
    max_concurrency: int
    timeout: float
    retry: RetryPolicy
    transport: httpx.AsyncBaseTransport | None = None

    def __repr__(self) -> str:
        return f"EngineSettings({self.base_url!r})"


class _Live:
    """What belongs to the loop: made on it, closed on it."""

    def __init__(self, settings: EngineSettings) -> None:
        import httpx

        self.generation = _loop.generation()
        self.own_transport = settings.transport is None
        self.transport = settings.transport or default_transport(settings.base_url)
        self.slots = asyncio.Semaphore(settings.max_concurrency)
        self.media_slots = asyncio.Semaphore(min(MEDIA_IN_FLIGHT, settings.max_concurrency))
        self.network_errors = network_errors()
        self.new_request = httpx.Request
        self.urls = {path: httpx.URL(f"{settings.base_url}/{path}") for path in ("embed", "embed-v2")}
        self.headers = [
            ("x-api-key", settings.api_key),
            ("user-agent", f"twelvelabs-embeddings/{_VERSION}"),
            ("accept", "application/json"),
            ("accept-encoding", "gzip, deflate"),
        ]
        timeout = httpx.Timeout(settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout), pool=None)
        self.extensions = {"timeout": timeout.as_dict()}
        _loop.close_at_exit(self.aclose)

    async def aclose(self) -> None:
        _loop.forget(self.aclose)
        if self.own_transport:
            with contextlib.suppress(Exception):
                await self.transport.aclose()


class Engine:
    """Sends requests to one account at one address."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._live: _Live | None = None

    def _alive(self) -> _Live:
        """On the loop only."""
        if self._live is None or self._live.generation != _loop.generation():
            self._live = _Live(self.settings)
            weakref.finalize(self, _close_later, self._live)
        return self._live

    async def send(self, request: Request, *, heavy: bool = False) -> dict[str, Any]:
        """Send until answered: retries by the policy, bounded concurrency.

        Args:
            heavy: the request holds media in its body.

        Raises:
            TwelveLabsError: refused, or the retries are used up.
        """
        live = self._alive()
        started = time.monotonic()
        tries = 0
        while True:
            tries += 1
            try:
                async with live.media_slots if heavy else _NO_SLOT, live.slots:
                    return await self._try(live, request)
            except TwelveLabsError as error:
                wait = self.settings.retry.wait(error, tries, time.monotonic() - started)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    async def _try(self, live: _Live, request: Request) -> dict[str, Any]:
        try:
            response = await live.transport.handle_async_request(self._http_request(live, request))
            try:
                body = await response.aread()
            finally:
                await response.aclose()
        except live.network_errors as error:
            raise self._connection_error(error) from error
        if 200 <= response.status_code < 300:
            return parse_json(body)
        refusal = from_status(response.status_code, body, trace_id=response.headers.get("x-trace-id"))
        if self.settings.api_key in refusal.message:  # a server that echoes the key must not get it into a log
            refusal.message = refusal.message.replace(self.settings.api_key, "***")
        if isinstance(refusal, RateLimitError):
            refusal.retry_after = _retry_after(response.headers)
        raise refusal

    def _http_request(self, live: _Live, request: Request) -> httpx.Request:
        url = live.urls[request.path]
        if request.json is not None:
            headers = [*live.headers, ("content-type", "application/json")]
            return live.new_request("POST", url, headers=headers, content=request.json, extensions=live.extensions)
        # Plain fields go in as file parts without a name: httpx would otherwise send a form without media url-encoded.
        files = [(name, (None, value) if isinstance(value, str) else value) for name, value in request.form]
        built = live.new_request("POST", url, headers=live.headers, files=files, extensions=live.extensions)
        built.read()
        return built

    def _connection_error(self, error: BaseException) -> TwelveLabsError:
        import httpx

        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            return InvalidInputError(f"The request cannot be sent to {self.settings.base_url}: {error}.")
        if isinstance(error, (httpx.TimeoutException, asyncio.TimeoutError)) and not isinstance(
            error, httpx.ConnectTimeout
        ):
            return ConnectionFailedError(f"No answer from {self.settings.base_url} within {self.settings.timeout:g} s.")
        unreachable = isinstance(error, (httpx.ConnectError, ConnectionRefusedError))
        what = "Cannot reach" if unreachable else "The connection broke to"
        return ConnectionFailedError(
            f"{what} {self.settings.base_url}: {error or type(error).__name__}.",
            code="unreachable" if unreachable else None,
        )

    async def gather(
        self, jobs: Sequence[J], work: Callable[[J], Awaitable[R]]
    ) -> tuple[list[R | None], dict[int, TwelveLabsError]]:
        """Work on all jobs, at most ``max_concurrency`` at a time, and keep what succeeds.

        Returns:
            results in the jobs' order, None where it failed, and the errors by index.

        Raises:
            AuthenticationError, QuotaExceededError: about the account, so no other job would fare better; ``.results``
            is inside.
        """
        results: list[R | None] = [None] * len(jobs)
        errors: dict[int, TwelveLabsError] = {}
        todo = iter(enumerate(jobs))

        async def worker() -> None:
            for index, job in todo:
                try:
                    results[index] = await work(job)
                except (AuthenticationError, QuotaExceededError):
                    raise
                except TwelveLabsError as error:
                    errors[index] = error

        workers = [asyncio.ensure_future(worker()) for _ in range(min(len(jobs), self.settings.max_concurrency))]
        try:
            await asyncio.gather(*workers)
        except (AuthenticationError, QuotaExceededError) as error:
            error.results = list(results)
            raise
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return results, errors


_NO_SLOT = contextlib.nullcontext()


def _retry_after(headers: httpx.Headers) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _close_later(live: _Live) -> None:
    """The engine is gone; close its connections on their loop, unless that is gone too."""
    if live.generation == _loop.generation():
        _loop.call_soon(_start_close, live)


def _start_close(live: _Live) -> None:
    task = asyncio.ensure_future(live.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
