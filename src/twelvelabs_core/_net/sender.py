"""Sends requests: within the rate limits, with bounded concurrency, retried."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._api.errors import error_from_status
from .._api.large_json import LARGE_ANSWER
from .._api.rate_headers import read_rate_limits, read_retry_after, read_retry_delay
from .._api.requests import Request
from .._api.responses import parse_json, read_with
from .._errors import (
    ConnectionFailedError,
    RateLimitError,
    ServerError,
    TwelveLabsError,
)
from .._stats import Run
from . import loop
from .forks import PerLoop, uncut
from .limits.lanes import Capacity
from .limits.limiter import Limiter
from .pace import monotonic
from .pool import attempt_each
from .retry import not_received as not_received
from .retry import retry
from .settings import SenderSettings

if TYPE_CHECKING:
    from .session import Session
    from .transport import RawResponse

J = TypeVar("J")
T = TypeVar("T")

MAX_TRACE_ID = 200  # characters
SMALL_BODY = 16_384  # bytes that take no longer to the server than the response back


class Sender:
    """Sends requests to one account at one address.

    Its session is made on the background loop with the first request, and again after a fork.
    """

    def __init__(self, settings: SenderSettings) -> None:
        self.settings = settings
        self._session: PerLoop[Session] = PerLoop(partial(_open_session, settings))
        weakref.finalize(self, _close, self._session)

    def opens_at(self) -> float | None:
        """Wall clock at which a rate limit lets the next request start; None while none waits for a time."""
        session = self._session.made()
        return session.account.opens_at() if session is not None else None

    @overload
    def send(
        self,
        request: Request,
        run: Run,
        *,
        minutes: float = 0.0,
        prepaid: bool = False,
        repeat: bool = True,
    ) -> Coroutine[Any, Any, dict[str, Any]]: ...

    @overload
    def send(
        self,
        request: Request,
        run: Run,
        *,
        read: Callable[[Any], T],
        minutes: float = 0.0,
        prepaid: bool = False,
        repeat: bool = True,
    ) -> Coroutine[Any, Any, T]: ...

    def send(
        self,
        request: Request,
        run: Run,
        *,
        read: Callable[[Any], Any] | None = None,
        minutes: float = 0.0,
        prepaid: bool = False,
        repeat: bool = True,
    ) -> Coroutine[Any, Any, Any]:
        """Send until there is a usable response, or the retry policy gives up. On the background loop only.

        Args:
            read: makes the result of what ``request.reads``; None = that is the result. It is part of the
                attempt: a MalformedResponseError it raises is retried.
            minutes: minutes of media in it, for limits that count them.
            prepaid: the framework's rate limiter has already been acquired for the first attempt.
            repeat: False = sent again only if the server cannot have acted on it, because what it creates would be
                created, and charged, twice.

        Returns:
            What ``read`` makes of the JSON object of the response, or of its headers or its body if ``request.reads``
            says so.

        Raises:
            QuotaExceededError: a limit reopens in more than ``max_wait`` seconds, or the budget is used up.
            TwelveLabsError: the server refused, or the retries are used up.
        """
        if not 0 <= minutes < math.inf:  # of a file whose header is wrong; nothing may spoil the limiters' sums
            minutes = 0.0
        session = self._session.get()
        exchange = _Exchange(self.settings, session, request, run, read, minutes, prepaid)
        return retry(
            exchange.attempt,
            self.settings.retry,
            run,
            repeatable=None if repeat else not_received,
            gate=None if request.is_absolute else session.account.gate,
            limited=bool(exchange.limiters),
            max_wait=self.settings.max_wait,
            queued=exchange.seconds_queued,
            paid=bool(request.kinds),
        )

    async def attempt_each(
        self, jobs: Sequence[J], do: Callable[[int, J], Awaitable[None]], run: Run
    ) -> dict[int, TwelveLabsError]:
        """:func:`~.pool.attempt_each`, at most ``max_concurrency`` jobs at a time."""
        return await attempt_each(jobs, do, run, workers=min(len(jobs), self.settings.max_concurrency))


class _Exchange:
    """One request and the attempts to have it answered."""

    __slots__ = (
        "_minutes",
        "_prepaid",
        "_queued",
        "_read",
        "_rejected_at",
        "_request",
        "_run",
        "_session",
        "_settings",
        "limiters",
    )

    def __init__(
        self,
        settings: SenderSettings,
        session: Session,
        request: Request,
        run: Run,
        read: Callable[[Any], Any] | None,
        minutes: float,
        prepaid: bool,
    ) -> None:
        self.limiters = session.account.limiters(request)
        self._settings, self._session, self._request, self._run = settings, session, request, run
        self._read, self._minutes, self._prepaid = read, minutes, prepaid
        self._rejected_at: float | None = None  # first
        self._queued = 0.0

    def seconds_queued(self) -> float:
        """How long the first attempt waited for its turn."""
        return self._queued

    async def attempt(self, attempts_before: int) -> Any:
        """Acquire the limiters, send once, release them with what the response reports."""
        settings, session, run, minutes = self._settings, self._session, self._run, self._minutes
        if session.external is not None and self.limiters and not (self._prepaid and attempts_before == 0):
            await session.external.acquire(run)
        acquired: list[Limiter] = []
        held: list[tuple[Capacity, int]] = []
        counted, info, took = False, None, None
        try:
            for limiter in self.limiters:
                if not limiter.try_acquire(run, minutes):
                    asked = time.monotonic()
                    await limiter.acquire(run, minutes, max_wait=settings.max_wait, rejected_at=self._rejected_at)
                    waited = time.monotonic() - asked
                    run.stats.waited_sec += waited
                    if attempts_before == 0:
                        self._queued += waited
                acquired.append(limiter)
            if settings.budget is not None:
                settings.budget.spend(minutes)
            memory = self._request.memory
            for capacity, amount in ((session.media, memory), (session.slots, 1)) if memory else ((session.slots, 1),):
                if not capacity.try_acquire(run.lane, amount):
                    await capacity.acquire(run.lane, run, amount)
                held.append((capacity, amount))
            run.stats.requests += 1
            run.stats.minutes += minutes
            counted = True
            sent_at = time.monotonic()
            response = await session.send(self._request)
            if not memory and self._request.json is not None and len(self._request.json) <= SMALL_BODY:
                took = time.monotonic() - sent_at
            for capacity, amount in held:
                capacity.release(amount)
            held.clear()
            info = read_rate_limits(response.headers, time.time())
            if 200 <= response.status < 300:
                if len(response.body) > LARGE_ANSWER:
                    return await loop.in_thread(True, self._result, response)
                return self._result(response)
            error = _error(response)
            if isinstance(error, RateLimitError):
                counted = False
                self._rejected(error)
            raise error
        except ConnectionFailedError as error:
            counted = counted and not not_received(error)
            raise
        finally:
            for capacity, amount in held:
                capacity.release(amount)
            for limiter in acquired:
                limiter.release(run, minutes, counted=counted, info=info, took=took)

    def _result(self, response: RawResponse) -> Any:
        """What the reader makes of a response.

        Raises:
            MalformedResponseError: the response is not usable.
        """
        reads = self._request.reads
        found: Any = response.body
        if reads != "body":
            found = parse_json(response.body) if reads == "json" else _headers(response)
        return found if self._read is None else read_with(self._read, found)

    def _rejected(self, error: RateLimitError) -> None:
        self._run.stats.limited += 1
        if self._rejected_at is None:
            self._rejected_at = monotonic()  # by the limiters' clock
        for limiter in self.limiters:
            limiter.block_for(error.retry_after)


def _error(response: RawResponse) -> TwelveLabsError:
    """The error for a response that is not 2xx, with the time that the server asks to wait."""
    trace_id = (response.header(b"x-trace-id") or "")[:MAX_TRACE_ID] or None
    error = error_from_status(response.status, response.body, trace_id=trace_id)
    if isinstance(error, RateLimitError):
        error.retry_after = read_retry_delay(response.headers, response.body, time.time())
    elif isinstance(error, ServerError):
        error.retry_after = read_retry_after(response.headers, time.time())
    return error


def _headers(response: RawResponse) -> dict[str, Any]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _open_session(settings: SenderSettings) -> Session:
    with uncut():
        from .session import Session  # imports httpx and aiohttp, which takes 0.3 s

    return Session(settings)


def _close(session: PerLoop[Session]) -> None:
    """Close the connections of a sender that no longer exists, on their loop, unless that has ended too."""
    made = session.made()
    if made is not None:
        loop.start(made.aclose)
