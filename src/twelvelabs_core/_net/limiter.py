"""One gate per category, through which every request of an account goes: declared windows, and the server's own word.

Lives on the background loop alone, so that it needs no lock. pyrate-limiter was looked at first (4.5.1, MIT, well
kept). It stamps an item when it is let through, while the server counts it when it arrives, so that a full burst one
window later is refused for the milliseconds between; it stores a weight of n as n items (a day of media minutes is
thousands); and it takes no word from the server, nor tells when it will open.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

from .._api.rate_headers import RateLimitInfo
from .._errors import InvalidInputError, QuotaExceededError
from .._limits import Window
from .pace import waiting
from .windows import Learned, ServerBudget, SlidingWindow

__all__ = ["Limiter"]

UNTOLD_WAIT = 1.0  # seconds the gate closes after a 429 without any hint, doubled while they go on
MAX_UNTOLD_WAIT = 60.0


class Limiter:
    """Lets requests of one category through, in order of asking.

    Attributes:
        opens_at: wall clock (epoch seconds) at which the gate lets the next one through, None while nobody waits for a
            time.
    """

    def __init__(self, windows: Sequence[Window] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        self.opens_at: float | None = None
        self._clock = clock
        self._requests = [SlidingWindow(w.limit, w.seconds) for w in windows if w.unit == "requests"]
        self._minutes = [SlidingWindow(w.limit, w.seconds) for w in windows if w.unit == "minutes"]
        self._server = ServerBudget()
        self._learned = Learned()
        self._under_way = 0
        self._closed_until = 0.0
        self._strikes = 0
        self._queue: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def try_enter(self, minutes: float = 0.0) -> bool:
        """Through at once, if nobody waits and there is room."""
        if self._queue or self._wait(minutes) > 0:
            return False
        self._take(minutes)
        return True

    async def enter(self, minutes: float = 0.0, *, max_wait: float) -> None:
        """Wait for a place, and take it. Followed by :meth:`leave`, whatever happens.

        Raises:
            QuotaExceededError: the gate opens in more than ``max_wait`` seconds.
            InvalidInputError: the one request is more than a whole window holds.
        """
        for window in self._minutes:
            if minutes > window.limit:
                raise InvalidInputError(f"has {minutes:.1f} minutes of media; the limit is {window.limit:g}.")
        if self.try_enter(minutes):
            return
        waiter = _Waiter(asyncio.get_running_loop().create_future(), minutes, max_wait)
        self._queue.append(waiter)
        self._pump()
        try:
            await waiter.future
        except asyncio.CancelledError:
            if waiter.let_through:  # in the very moment of giving up
                self.leave(minutes, counted=False)
            raise

    def leave(self, minutes: float = 0.0, *, counted: bool, word: RateLimitInfo | None = None) -> None:
        """The request was answered, or given up.

        Args:
            counted: the server may have counted it: anything but a refusal by limit or a connection that never stood.
            word: the answer's limit headers.
        """
        now = self._clock()
        self._under_way -= 1
        for window in self._requests:
            window.settle(now, counted=counted)
        for window in self._minutes:
            window.settle(now, minutes, counted=counted)
        self._learned.settle(now, counted=counted)
        if counted and now >= self._closed_until:
            self._strikes = 0
        if word is not None:
            self._hear(now, word)
        if self._queue:
            self._pump()

    def close(self, seconds: float | None) -> None:
        """The server refused by limit: nobody goes through for so long (None = it gave no hint)."""
        now = self._clock()
        if now >= self._closed_until:  # requests sent together are refused together: one closing
            self._strikes += 1
        if seconds is None:
            seconds = min(MAX_UNTOLD_WAIT, UNTOLD_WAIT * 2.0 ** (self._strikes - 1))
        self._closed_until = max(self._closed_until, now + seconds)
        self._learned.refuse(self._closed_until)

    def _hear(self, now: float, word: RateLimitInfo) -> None:
        self._server.hear(now, word, self._under_way)
        if word.remaining is not None:
            self._learned.forget()
        if word.minutes_remaining is not None and word.minutes_remaining <= 0 and word.reset_in:
            self._closed_until = max(self._closed_until, now + word.reset_in)

    def _wait(self, minutes: float) -> float:
        """Seconds until the next request may go; 0 = now, inf = when an answer arrives."""
        now = self._clock()
        if now < self._closed_until:
            return self._closed_until - now
        wait = max(self._server.wait(now, self._under_way), self._learned.wait(now, self._under_way))
        for window in self._requests:
            wait = max(wait, window.wait(now))
        for window in self._minutes:
            wait = max(wait, window.wait(now, minutes))
        return wait

    def _take(self, minutes: float) -> None:
        self._under_way += 1
        self._server.take()
        self._learned.take(self._clock())
        for window in self._requests:
            window.take()
        for window in self._minutes:
            window.take(minutes)

    def _pump(self) -> None:
        """Let through whoever may, in order, and come back when the next one may."""
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
            if waiter.max_wait < wait < math.inf:
                self._queue.popleft()
                waiter.future.set_exception(_quota(wait))
            elif wait <= 0 or (wait < math.inf and not waiting()):
                self._queue.popleft()
                self._take(waiter.minutes)
                waiter.let_through = True
                waiter.future.set_result(None)
            else:
                if wait < math.inf:
                    self._timer = asyncio.get_running_loop().call_later(wait, self._pump)
                    self.opens_at = time.time() + wait
                return


class _Waiter:
    __slots__ = ("future", "let_through", "max_wait", "minutes")

    def __init__(self, future: asyncio.Future[None], minutes: float, max_wait: float) -> None:
        self.future, self.minutes, self.max_wait = future, minutes, max_wait
        self.let_through = False


def _quota(wait: float) -> QuotaExceededError:
    reopens_at = datetime.now(timezone.utc) + timedelta(seconds=wait)
    return QuotaExceededError(
        f"The limit is used up and reopens at {reopens_at:%Y-%m-%d %H:%M:%S} UTC, in {wait:.0f} s: over max_wait. "
        "What is done is in .results; with cache= the next run goes on from there.",
        reopens_at=reopens_at,
        retry_after=wait,
    )
