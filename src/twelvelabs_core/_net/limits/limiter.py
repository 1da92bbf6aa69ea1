"""One rate limiter per category, which every request of an account passes.

It lives on the background loop alone, so it needs no lock. pyrate-limiter (4.5.1, MIT, maintained) was considered. It
stamps an item when it is let through, while the server counts it when it arrives, so a full burst one window later is
rejected for the milliseconds between; it stores a weight of n as n items (a day of media minutes is thousands); and it
can neither take a count the server reports nor tell when the next request may start.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

from ..._api.rate_headers import RateLimitInfo
from ..._errors import InvalidInputError, QuotaExceededError, TwelveLabsError, copied
from ..._limits import Window
from ..pace import waiting
from .shared.lease import Lease
from .windows import LearnedLimit, ReportedLimit, SlidingWindow

# Seconds to wait after a 429 that gives no time; doubled with each further one, up to the longest.
DEFAULT_BLOCK, LONGEST_DEFAULT_BLOCK = 1.0, 60.0
FAR_OFF = 1e9  # seconds; a declared window may be of any length, a date may not


class Limiter:
    """Lets requests of one category start, first come, first served.

    Attributes:
        opens_at: wall clock (epoch seconds) at which the next request may start; None while none waits for a time.
    """

    def __init__(
        self,
        windows: Sequence[Window] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        warn: Callable[[], None] = lambda: None,
        share: Callable[[Callable[[], None], Callable[[TwelveLabsError], None]], Lease] | None = None,
    ) -> None:
        """Make a limiter.

        Args:
            warn: called when the server rejects a request although each declared window has room.
            share: makes the lease of slots that processes share, of what it is to call when a slot may be free, and
                when there can be none; None = this process keeps the limits alone.
        """
        self.opens_at: float | None = None
        self._clock, self._warn = clock, warn
        self._requests = [SlidingWindow(w.limit, w.seconds) for w in windows if w.unit == "requests"]
        self._minutes = [SlidingWindow(w.limit, w.seconds) for w in windows if w.unit == "minutes"]
        self._reported = ReportedLimit()
        self._learned = LearnedLimit()
        self._in_flight = 0
        self._blocked_until = 0.0
        self._blocks = 0  # without an accepted request in between
        self._accepted_at = -math.inf  # the last request that was accepted while not blocked
        self._queue: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._lease = share(self._wake, self._fail) if share is not None else None

    def try_acquire(self, minutes: float = 0.0) -> bool:
        """Acquire without waiting; False if the window is full or others wait."""
        if self._queue or self._wait(minutes) > 0:
            return False
        self._reserve(minutes)
        return True

    async def acquire(self, minutes: float = 0.0, *, max_wait: float, rejected_at: float | None = None) -> None:
        """Wait until a request may start. Each acquire needs one :meth:`release`, however the request ends.

        Args:
            minutes: minutes of media in the request.
            max_wait: longest wait, in seconds.
            rejected_at: when the server first rejected the request, by this limiter's clock; None = it has not.

        Raises:
            QuotaExceededError: the request may start in more than ``max_wait`` seconds, counted from its first
                rejection if the server has accepted no other request since.
            InvalidInputError: the request alone has more minutes than a whole window.
        """
        for window in self._minutes:
            if minutes > window.limit:
                raise InvalidInputError(f"has {minutes:.1f} minutes of media; the limit is {window.limit:g}.")
        if self.try_acquire(minutes):
            return
        waiter = _Waiter(asyncio.get_running_loop().create_future(), minutes, max_wait, rejected_at)
        self._queue.append(waiter)
        self._wake()
        try:
            await waiter.future
        except asyncio.CancelledError:
            if waiter.acquired:  # cancelled between being let through and running
                self.release(minutes, counted=False)
            else:
                self._wake()  # the next in the queue may have to wait for less
            raise

    def release(self, minutes: float = 0.0, *, counted: bool, info: RateLimitInfo | None = None) -> None:
        """A request has ended.

        Args:
            counted: the server may have counted it: not after a 429 or a connection that was never made.
            info: the response's rate limit headers.
        """
        now = self._clock()
        self._in_flight -= 1
        for window in self._requests:
            window.release(now, counted=counted)
        for window in self._minutes:
            window.release(now, minutes, counted=counted)
        self._learned.release(now, counted=counted)
        if counted and now >= self._blocked_until:
            self._blocks = 0
            self._accepted_at = now
        if info is not None:
            self._update(now, info)
        if self._lease is not None:
            self._lease.release(now, minutes, counted=counted)
        if self._queue:
            self._wake()

    def block_for(self, seconds: float | None) -> None:
        """The server answered 429: let nothing start for so many seconds; None = it gave no time."""
        now = self._clock()
        if self._requests and self._lease is None and all(window.wait(now) == 0 for window in self._requests):
            self._warn()
        if now >= self._blocked_until:  # requests sent together are rejected together: that is one block
            self._blocks += 1
        given = seconds
        if seconds is None:
            seconds = min(LONGEST_DEFAULT_BLOCK, DEFAULT_BLOCK * 2.0 ** (self._blocks - 1))
        self._blocked_until = max(self._blocked_until, now + seconds)
        self._learned.reject(self._blocked_until)
        if self._lease is not None:
            self._lease.reject(given)

    def _update(self, now: float, info: RateLimitInfo) -> None:
        self._reported.update(now, info, self._in_flight)
        if info.remaining is not None:
            self._learned = LearnedLimit()  # the server reports its count: nothing to learn
        if info.minutes_remaining is not None and info.minutes_remaining <= 0 and info.reset_in:
            self._blocked_until = max(self._blocked_until, now + info.reset_in)
        if self._lease is not None:
            self._lease.update(now, info, max(0.0, self._blocked_until - now))

    def _wait(self, minutes: float) -> float:
        """Seconds until the next request may start; 0 = now, inf = not before a response arrives."""
        now = self._clock()
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._lease is not None:
            leased = self._lease.wait(now, "bulk", minutes)
            if not self._lease.is_down:
                return leased
            return max(leased, self._reported.wait(now, self._in_flight), self._learned.wait(now, self._in_flight))
        wait = max(self._reported.wait(now, self._in_flight), self._learned.wait(now, self._in_flight))
        for window in self._requests:
            wait = max(wait, window.wait(now))
        for window in self._minutes:
            wait = max(wait, window.wait(now, minutes))
        return wait

    def _reserve(self, minutes: float) -> None:
        self._in_flight += 1
        if self._lease is not None:
            self._lease.reserve("bulk", minutes)
        self._reported.reserve()
        self._learned.reserve(self._clock())
        for window in self._requests:
            window.reserve()
        for window in self._minutes:
            window.reserve(minutes)

    def _last_accepted(self) -> float:
        return self._accepted_at if self._lease is None else max(self._accepted_at, self._lease.accepted_at)

    def _fail(self, error: TwelveLabsError) -> None:
        """Nobody in the queue can start."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.future.done():
                waiter.future.set_exception(copied(error))

    def _wake(self) -> None:
        """Let those in the queue start that may, in order, and set a timer for the next."""
        self._let_through()
        if self._lease is not None:
            self._lease.need("bulk", len(self._queue), self._queue[0].minutes if self._queue else 0.0)

    def _let_through(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.opens_at = None
        while self._queue:
            waiter = self._queue[0]
            if waiter.future.done():
                self._queue.popleft()
                continue
            wait = self._wait(waiter.minutes)
            if waiter.max_wait - waiter.waited(self._clock(), self._last_accepted()) < wait < math.inf:
                self._queue.popleft()
                waiter.future.set_exception(quota_exceeded(wait))
            elif wait <= 0 or (wait < math.inf and not waiting()):
                self._queue.popleft()
                self._reserve(waiter.minutes)
                waiter.acquired = True
                waiter.future.set_result(None)
            else:
                if wait < math.inf:
                    self._timer = asyncio.get_running_loop().call_later(wait, self._wake)
                    self.opens_at = time.time() + wait
                return


class _Waiter:
    __slots__ = ("acquired", "future", "max_wait", "minutes", "rejected_at")

    def __init__(
        self, future: asyncio.Future[None], minutes: float, max_wait: float, rejected_at: float | None
    ) -> None:
        self.future, self.minutes, self.max_wait, self.rejected_at = future, minutes, max_wait, rejected_at
        self.acquired = False

    def waited(self, now: float, accepted_at: float) -> float:
        """Seconds since its first rejection; 0 if another request was accepted since: then there is progress."""
        return 0.0 if self.rejected_at is None or accepted_at > self.rejected_at else now - self.rejected_at


def quota_exceeded(wait: float) -> QuotaExceededError:
    """The error for a rate limit that reopens in ``wait`` seconds, which is longer than ``max_wait`` allows."""
    reopens_at = datetime.now(timezone.utc) + timedelta(seconds=min(wait, FAR_OFF))
    return QuotaExceededError(
        f"The rate limit is used up until {reopens_at:%Y-%m-%d %H:%M:%S} UTC, for {wait:.0f} s: longer than max_wait. "
        "Finished results are in .results; with cache= the next run continues from there.",
        reopens_at=reopens_at,
        retry_after=wait,
    )
