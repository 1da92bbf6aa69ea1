"""Sends requests: within the rate limits, with bounded concurrency, retried."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .._api.errors import error_from_status
from .._api.rate_headers import read_rate_limits, read_retry_delay
from .._api.requests import Request
from .._api.responses import parse_json
from .._errors import ConnectionFailedError, RateLimitError, TwelveLabsError
from .._stats import Run
from . import loop
from .forks import PerLoop, uncut
from .limiter import Limiter
from .pool import attempt_each
from .retry import is_unreachable, retry
from .settings import SenderSettings

if TYPE_CHECKING:
    from .session import Session
    from .transport import RawResponse

J = TypeVar("J")

_UNBOUNDED = contextlib.nullcontext()


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
        return session.limiters.opens_at() if session is not None else None

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
        """Send until there is a usable response, or the retry policy gives up. On the background loop only.

        Args:
            has_media: the request holds media in its body.
            minutes: minutes of media in it, for limits that count them.
            prepaid: the framework's rate limiter has already been acquired for the first attempt.
            repeat: False = sent again only if the server cannot have acted on it, because what it creates would be
                created, and charged, twice.

        Returns:
            The JSON object of the response, or its headers if ``request.reads`` says so.

        Raises:
            QuotaExceededError: a limit reopens in more than ``max_wait`` seconds, or the budget is used up.
            TwelveLabsError: the server refused, or the retries are used up.
        """
        session = self._session.get()
        limiters = session.limiters.for_request(request)
        return await retry(
            partial(self._attempt, session, limiters, request, run, has_media, minutes, prepaid),
            self.settings.retry,
            run,
            repeatable=None if repeat else not_received,
            limited=bool(limiters),
        )

    async def _attempt(
        self,
        session: Session,
        limiters: Sequence[Limiter],
        request: Request,
        run: Run,
        has_media: bool,
        minutes: float,
        prepaid: bool,
        attempts_before: int,
    ) -> dict[str, Any]:
        """Acquire the limiters, send once, release them with what the response reports."""
        if self.settings.rate_limiter is not None and limiters and not (prepaid and attempts_before == 0):
            await _acquire_external(self.settings.rate_limiter)
        acquired: list[Limiter] = []
        counted, info = False, None
        try:
            for limiter in limiters:
                if not limiter.try_acquire(minutes):
                    asked = time.monotonic()
                    await limiter.acquire(minutes, max_wait=self.settings.max_wait)
                    run.stats.waited_sec += time.monotonic() - asked
                acquired.append(limiter)
            if self.settings.budget is not None:
                self.settings.budget.spend(minutes)
            async with session.media_slots if has_media else _UNBOUNDED, session.slots:
                run.stats.requests += 1
                run.stats.minutes += minutes
                counted = True
                response = await session.send(request)
            info = read_rate_limits(response.headers, time.time())
            if 200 <= response.status < 300:
                return parse_json(response.body) if request.reads == "json" else _headers(response)
            error = self._error(response)
            if isinstance(error, RateLimitError):
                counted = False
                run.stats.limited += 1
                for limiter in limiters:
                    limiter.block_for(error.retry_after)
            raise error
        except ConnectionFailedError as error:
            counted = counted and not is_unreachable(error)
            raise
        finally:
            for limiter in acquired:
                limiter.release(minutes, counted=counted, info=info)

    def _error(self, response: RawResponse) -> TwelveLabsError:
        trace_id = (response.header(b"x-trace-id") or "").replace(self.settings.api_key, "***") or None
        error = error_from_status(response.status, response.body, trace_id=trace_id)
        if isinstance(error, RateLimitError):
            retry_after = response.header(b"retry-after")
            error.retry_after = read_retry_delay(retry_after, response.headers, response.body, time.time())
        return error

    async def attempt_each(
        self, jobs: Sequence[J], do: Callable[[int, J], Awaitable[None]], run: Run
    ) -> dict[int, TwelveLabsError]:
        """:func:`~.pool.attempt_each`, at most ``max_concurrency`` jobs at a time."""
        return await attempt_each(jobs, do, run, workers=min(len(jobs), self.settings.max_concurrency))


def not_received(error: TwelveLabsError) -> bool:
    """Whether the server cannot have acted on the request: it was not reached, or it rejected the request by rate
    limit.
    """
    return is_unreachable(error) or isinstance(error, RateLimitError)


def _headers(response: RawResponse) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


async def _acquire_external(limiter: Any) -> None:
    """Acquire a framework's rate limiter.

    LangChain's has ``aacquire``, LlamaIndex's ``async_acquire``; of any other, ``acquire`` is called in a thread.
    """
    acquire = getattr(limiter, "aacquire", None) or getattr(limiter, "async_acquire", None)
    if acquire is not None:
        await acquire()
    else:
        await asyncio.to_thread(limiter.acquire)


def _open_session(settings: SenderSettings) -> Session:
    with uncut():
        from .session import Session  # imports httpx and aiohttp, which takes 0.3 s

    return Session(settings)


def _close(session: PerLoop[Session]) -> None:
    """Close the connections of a sender that no longer exists, on their loop, unless that has ended too."""
    made = session.made()
    if made is not None:
        loop.start(made.aclose)
