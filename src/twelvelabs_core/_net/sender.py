"""The one place that does network I/O: sends requests, limited, bounded and retried, and works through batches of them.

An engine holds a transport, a bound on concurrency and its account's gates, all made on the background loop with the
first request and made anew after a fork.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .._api.errors import error_from_status
from .._api.rate_headers import read_rate_limits, read_retry_delay
from .._api.requests import FileRange, Request
from .._api.responses import parse_json
from .._errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidInputError,
    QuotaExceededError,
    RateLimitError,
    TwelveLabsError,
)
from .._limits import Category, RateLimits
from .._stats import Budget, Run
from .._version import __version__
from . import loop
from .limiter import Limiter
from .pace import pause
from .retry import RetryPolicy
from .transport import RawResponse, default_transport, pieces

if TYPE_CHECKING:
    import httpx

__all__ = ["Sender", "SenderSettings"]

J = TypeVar("J")

# Requests with media inside are held in memory whole (base64 adds a third), so few of them are under way at a time.
MEDIA_IN_FLIGHT = 8
# A larger body is written in pieces: in one piece it would hold up every other request on the loop.
LARGE_BODY = 256 * 1024
CONNECT_TIMEOUT = 10.0
# Items that could not be sent at all, and none that could, after which a batch ends.
GIVE_UP_AFTER = 3


@dataclass(frozen=True)
class SenderSettings:
    """What an engine is made from; nothing in it is tied to a loop, a thread or a process.

    Attributes:
        api_key: plain text; lives in memory only, never in a repr.
        max_concurrency: requests under way at a time.
        max_wait: longest wait for a limit, in seconds.
        timeout: seconds without a byte from the server before a request counts as lost.
        limits: declared windows; none = only what the server says.
        rate_limiter: a limiter object of LangChain's or LlamaIndex's kind, asked before every request.
        transport: instead of the default one.
    """

    base_url: str
    api_key: str
    max_concurrency: int
    max_wait: float
    timeout: float
    retry: RetryPolicy
    limits: RateLimits
    budget: Budget | None = None
    rate_limiter: Any = None
    transport: httpx.AsyncBaseTransport | None = None

    def __repr__(self) -> str:
        return f"SenderSettings({self.base_url!r})"


class Sender:
    """Sends requests to one account at one address."""

    def __init__(self, settings: SenderSettings) -> None:
        self.settings = settings
        self._live: _Live | None = None

    def opens_at(self) -> float | None:
        """Wall clock at which a closed limit lets the next request through, None while none is waited for."""
        gates = self._live.gates.values() if self._live is not None else ()
        return max((gate.opens_at for gate in gates if gate.opens_at is not None), default=None)

    async def send(
        self,
        request: Request,
        run: Run,
        *,
        has_media: bool = False,
        minutes: float = 0.0,
        prepaid: bool = False,
        repeat: bool = True,
    ) -> dict[str, Any]:
        """Send until answered: within the limits, bounded, retried by the policy.

        Args:
            has_media: the request holds media in its body.
            minutes: minutes of media in it, for limits that count them.
            prepaid: the framework's limiter has been asked already.
            repeat: False = not sent again where the server may have acted on it: what it makes would be made, and paid,
                twice.

        Raises:
            QuotaExceededError: a limit reopens in more than ``max_wait`` seconds, or the budget is used up.
            TwelveLabsError: refused, or the retries are used up.
        """
        live = self._alive()
        gates = (
            live.gates_of(request.kinds) if request.categories is None else [live.gates[c] for c in request.categories]
        )
        started = time.monotonic()
        tries = limited = 0
        while True:
            if run.stopping:
                raise ConnectionFailedError("Not sent: the batch was stopped.")
            asks = self.settings.rate_limiter is not None and bool(gates)
            if asks and not (prepaid and tries + limited == 0):
                await _ask(self.settings.rate_limiter)
            try:
                return await self._pass(live, gates, request, run, has_media=has_media, minutes=minutes)
            except QuotaExceededError:
                raise
            except RateLimitError:
                # The gate is closed and waits for everybody; there is no waiting of one's own.
                limited += 1
                run.stats.limited += 1
                if limited > 4 * self.settings.retry.max_retries:
                    raise
            except TwelveLabsError as error:
                if not repeat and not (isinstance(error, ConnectionFailedError) and error.code == "unreachable"):
                    raise
                tries += 1
                wait = self.settings.retry.wait(error, tries, time.monotonic() - started)
                if wait is None or run.stopping:
                    raise
                await pause(wait)
            run.stats.retries += 1

    async def _pass(
        self, live: _Live, gates: list[Limiter], request: Request, run: Run, *, has_media: bool, minutes: float
    ) -> dict[str, Any]:
        """Through the gates, send once, tell the gates what came of it."""
        entered: list[Limiter] = []
        counted, word = False, None
        try:
            for gate in gates:
                if not gate.try_enter(minutes):
                    asked = time.monotonic()
                    await gate.enter(minutes, max_wait=self.settings.max_wait)
                    run.stats.waited_sec += time.monotonic() - asked
                entered.append(gate)
            if self.settings.budget is not None:
                self.settings.budget.spend(minutes)
            async with live.media_slots if has_media else _NO_SLOT, live.slots:
                run.stats.requests += 1
                run.stats.minutes += minutes
                counted = True
                answer = await self._exchange(live, request)
            if live.key in answer.body:  # a server that echoes the key must not get it into an error or a log
                answer = replace(answer, body=answer.body.replace(live.key, b"***"))
            word = read_rate_limits(answer.headers, time.time())
            if 200 <= answer.status < 300:
                return parse_json(answer.body) if request.reads == "json" else _headers(answer)
            refusal = self._refusal(answer)
            if isinstance(refusal, RateLimitError):
                counted = False
                for gate in gates:
                    gate.close(refusal.retry_after)
            raise refusal
        except ConnectionFailedError as error:
            counted = counted and error.code != "unreachable"
            raise
        finally:
            for gate in entered:
                gate.leave(minutes, counted=counted, word=word)

    async def _exchange(self, live: _Live, request: Request) -> RawResponse:
        with contextlib.ExitStack() as files:
            try:
                if live.post is not None and request.json is not None and len(request.json) <= LARGE_BODY:
                    address = f"{self.settings.base_url}/{request.path}"
                    return await live.post(address, live.post_headers, request.json, live.timeout)
                response = await live.transport.handle_async_request(self._http_request(live, request, files))
                try:
                    return RawResponse(response.status_code, response.headers.raw, await response.aread())
                finally:
                    await response.aclose()
            except live.network_errors as error:
                raise self._connection_error(error) from error

    def _refusal(self, answer: RawResponse) -> TwelveLabsError:
        trace_id = (answer.header(b"x-trace-id") or "").replace(self.settings.api_key, "***") or None
        refusal = error_from_status(answer.status, answer.body, trace_id=trace_id)
        if isinstance(refusal, RateLimitError):
            told = answer.header(b"retry-after")
            refusal.retry_after = read_retry_delay(told, answer.headers, answer.body, time.time())
        return refusal

    def _http_request(self, live: _Live, request: Request, files: contextlib.ExitStack) -> httpx.Request:
        """Written anew for every try, as a streamed body is read to its end. ``files`` closes what it opens."""
        url, extensions = live.url(request.path), live.extensions
        if request.form:
            form = [(name, _form_value(value, files)) for name, value in request.form]
            built = live.new_request("POST", url, headers=live.headers, files=form, extensions=extensions)
            if not any(isinstance(value, tuple) for _, value in request.form):
                built.read()
            return built
        body: bytes | FileRange
        if request.json is not None:
            headers, body = live.json_headers, request.json
        else:
            headers, body = live.headers_for(request), request.content or b""
        if isinstance(body, bytes) and len(body) <= LARGE_BODY:
            return live.new_request(request.method, url, headers=headers, content=body, extensions=extensions)
        headers = headers.copy()
        headers["content-length"] = str(len(body) if isinstance(body, bytes) else body.length)
        return live.new_request(
            request.method, url, headers=headers, stream=live.new_stream(body), extensions=extensions
        )

    def _connection_error(self, error: BaseException) -> TwelveLabsError:
        import httpx

        where = self.settings.base_url
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            return InvalidInputError(f"The request cannot be sent to {where}: {error}.")
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, ConnectionRefusedError)):
            return ConnectionFailedError(f"Cannot reach {where}: {error}.", code="unreachable")
        if isinstance(error, (httpx.TimeoutException, asyncio.TimeoutError)):
            return ConnectionFailedError(f"No answer from {where} within {self.settings.timeout:g} s.")
        return ConnectionFailedError(f"The connection broke to {where}: {str(error) or type(error).__name__}.")

    async def work(
        self, jobs: Iterable[tuple[int, J]], do: Callable[[int, J], Awaitable[None]], run: Run, *, at_most: int
    ) -> dict[int, TwelveLabsError]:
        """Do all jobs, at most ``max_concurrency`` at a time, whatever some of them end with.

        Args:
            jobs: index and job; taken lazily.
            at_most: how many there can be.

        Returns:
            the errors by index.

        Raises:
            ConnectionFailedError: nothing answers at the address.
            AuthenticationError, QuotaExceededError: about the account: no other job would fare better, so no new one is
            begun. What is
                under way is finished first, as it may have been paid for.
        """
        errors: dict[int, TwelveLabsError] = {}
        fatal: list[TwelveLabsError] = []
        todo = iter(jobs)

        async def worker() -> None:
            for index, job in todo:
                if run.stopping:
                    return
                try:
                    await do(index, job)
                except (AuthenticationError, QuotaExceededError) as error:
                    run.stopping = True
                    fatal.append(error)
                except TwelveLabsError as error:
                    errors[index] = error
                    run.stats.failed += 1
                    if error.code == "unreachable" and run.stats.done == 0 and len(errors) >= GIVE_UP_AFTER:
                        run.stopping = True  # nobody is there: ten thousand items need not find it out each
                        fatal.append(error)

        workers = [asyncio.ensure_future(worker()) for _ in range(min(at_most, self.settings.max_concurrency))]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if fatal:
            raise fatal[0]
        return errors

    def _alive(self) -> _Live:
        """On the loop only."""
        if self._live is None or self._live.generation != loop.generation():
            self._live = _Live(self.settings)
            weakref.finalize(self, _close_later, self._live)
        return self._live


class _Live:
    """What belongs to the loop: made on it, closed on it."""

    def __init__(self, settings: SenderSettings) -> None:
        import httpx

        self.generation = loop.generation()
        self.limits = settings.limits
        self.key = settings.api_key.encode()
        self.gates = _gates(settings)
        self.own_transport = settings.transport is None
        own = default_transport(settings.base_url) if settings.transport is None else None
        self.transport: Any = settings.transport or own
        self.post = own.post if own is not None else None
        self.slots = asyncio.Semaphore(settings.max_concurrency)
        self.media_slots = asyncio.Semaphore(min(MEDIA_IN_FLIGHT, settings.max_concurrency))
        self.network_errors = (httpx.TransportError, OSError, asyncio.TimeoutError)
        self.new_request = httpx.Request
        self._base_url = settings.base_url
        self._new_url = httpx.URL
        self._new_headers = httpx.Headers
        self.new_stream = pieces
        self._urls: dict[str, httpx.URL] = {}
        self.headers = httpx.Headers(
            {
                "x-api-key": settings.api_key,
                "user-agent": f"twelvelabs-embeddings/{__version__}",
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
            }
        )
        self.post_headers = {**self.headers, "content-type": "application/json"}
        self.json_headers = httpx.Headers(self.post_headers)
        timeout = httpx.Timeout(settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout), pool=None)
        self.timeout = timeout.as_dict()
        self.extensions = {"timeout": self.timeout}
        self._gates_of: dict[Any, list[Limiter]] = {}
        loop.close_at_exit(self.aclose)

    def headers_for(self, request: Request) -> httpx.Headers:
        """Headers of a request without JSON or form. An upload's part goes to another service, which gets no key."""
        own = {} if "://" in request.path else self.headers
        return self._new_headers({**own, **request.headers})

    def url(self, path: str) -> httpx.URL:
        """The address of a path below the base address."""
        if path not in self._urls:
            if len(self._urls) > 1000:  # paths with ids in them
                self._urls.clear()
            self._urls[path] = self._new_url(path if "://" in path else f"{self._base_url}/{path}")
        return self._urls[path]

    def gates_of(self, kinds: Iterable[Any]) -> list[Limiter]:
        """The gates a request goes through; in one order for all, so that no two wait for each other."""
        kinds = frozenset(kinds)
        if kinds not in self._gates_of:
            self._gates_of[kinds] = [self.gates[category] for category in self.limits.categories(kinds)]
        return self._gates_of[kinds]

    async def aclose(self) -> None:
        """Close the connections."""
        loop.forget(self.aclose)
        if self.own_transport:
            with contextlib.suppress(Exception):
                await self.transport.aclose()


_NO_SLOT = contextlib.nullcontext()
_CATEGORIES: tuple[Category, ...] = ("text", "image", "audio", "video", "upload")


class _Gates(dict[Category, Limiter]):
    """The gates of one account; a class, so that a weak dictionary can hold it."""


_accounts: weakref.WeakValueDictionary[Any, _Gates] = weakref.WeakValueDictionary()


def _gates(settings: SenderSettings) -> _Gates:
    """Limits count for the account: all clients of one key, address and declaration share their gates."""
    account = (settings.base_url, settings.api_key, settings.limits, loop.generation())
    gates = _accounts.get(account)
    if gates is None:
        gates = _Gates({category: Limiter(settings.limits.windows(category)) for category in _CATEGORIES})
        _accounts[account] = gates
    return gates


def _form_value(value: Any, files: contextlib.ExitStack) -> Any:
    """Plain fields go in as file parts without a name: httpx would otherwise send a form without media url-encoded."""
    if isinstance(value, str):
        return (None, value)
    filename, content, mime = value
    return filename, files.enter_context(content.open("rb")) if isinstance(content, Path) else content, mime


def _headers(answer: RawResponse) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


async def _ask(limiter: Any) -> None:
    """Ask a framework's limiter: LangChain's ``aacquire``, LlamaIndex's ``async_acquire``, or a plain ``acquire`` in a
    thread.
    """
    acquire = getattr(limiter, "aacquire", None) or getattr(limiter, "async_acquire", None)
    if acquire is not None:
        await acquire()
    else:
        await asyncio.to_thread(limiter.acquire)


def _close_later(live: _Live) -> None:
    """The engine is gone; close its connections on their loop, unless that is gone too."""
    if live.generation == loop.generation():
        loop.call_soon(_start_close, live)


def _start_close(live: _Live) -> None:
    task = asyncio.ensure_future(live.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
