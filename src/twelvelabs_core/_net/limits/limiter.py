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
from ..._lanes import LANES, Lane
from ..._limits import HOUR, Window
from ..._stats import Run
from ..pace import monotonic, waiting
from .lanes import Turns, is_promoted, may_be_promoted
from .shared.lease import Lease
from .windows import DEFAULT_SHARE, LearnedLimit, ReportedLimit, Share, SlidingWindow, Source

# Seconds to wait after a 429 that gives no time; doubled with each further one, up to the longest.
DEFAULT_BLOCK, LONGEST_DEFAULT_BLOCK = 1.0, 60.0
FAR_OFF = 1e9  # seconds; a declared window may be of any length, a date may not
# Interactive requests are expected for so many windows after one. For fewer windows bulk ones are spread, after one
# that came while they were under way, or after several in that time. Both have bounds, in seconds.
EXPECTED, LEAST_EXPECTED_SEC, MOST_EXPECTED_SEC = 5, 10.0, 600.0
BUSY, LEAST_BUSY_SEC, MOST_BUSY_SEC, SEVERAL = 2, 5.0, 60.0, 3
RATE_SEC, MOST_ASKED = 10.0, 256  # what the rate of interactive requests is told from
LEAST_OF_BULK = 0.1  # of what is free, however many interactive requests come
LATE_SEC = 0.05  # a bulk request that starts so late is made up for: timers and the loop are not exact
LOOK_SEC = 1.0  # those who wait look again so often, should an answer that they wait for never come


class Limiter:
    """Lets requests of one category start: interactive ones first, then those of each bulk run in turn.

    Queries that come are known only when they are there, and a window that a batch has used up opens for nobody. So
    bulk requests leave something of each window (of up to an hour):

    - Nothing asked yet, or not for long: what the batch can leave without taking any longer.
    - Interactive requests within the last windows, or a share that the user has set: the share. The end of a batch, if
      it fits, may use one that is not set.
    - Interactive requests while bulk ones are under way, or several within two windows: the share, and only half of the
      window is used at once. The rest is spread over the window, so that slots come back at all times.

    Args:
        windows: the declared ones.
        share: of each window that bulk requests leave, 0 to 0.5; None = the default, while interactive requests come.
        reserve: requests of each window of a day or longer that bulk requests leave.
        clock: seconds; for tests.
        lease: makes the lease of slots that processes share, of what it is to call when a slot may be free, and when
            there can be none; None = this process keeps the limits alone.
        warn: called when the server rejects a request although each declared window has room.

    Attributes:
        opens_at: wall clock (epoch seconds) at which the next request may start; None while none waits for a time.
    """

    def __init__(
        self,
        windows: Sequence[Window] = (),
        *,
        share: float | None = None,
        reserve: int = 0,
        clock: Callable[[], float] = monotonic,
        lease: Callable[[Callable[[], None], Callable[[TwelveLabsError], None]], Lease] | None = None,
        warn: Callable[[], None] = lambda: None,
    ) -> None:
        self.opens_at: float | None = None
        self._clock = clock
        self._share_is_set = share is not None
        left = Share(DEFAULT_SHARE if share is None else share, reserve)
        self._reported = ReportedLimit(left)
        self._learned = LearnedLimit(left)
        self._declared = [SlidingWindow(w.limit, w.seconds, left) for w in windows if w.unit == "requests"]
        self._requests: list[Source] = [self._reported, self._learned, *self._declared]
        self._minutes = [SlidingWindow(w.limit, w.seconds, left) for w in windows if w.unit == "minutes"]
        self._demand = Demand()
        self._lead = Lead()
        self._bulk_in_flight = 0
        self._turn_at = -math.inf  # when the last bulk request was due, while they are spread
        self._blocked_until = 0.0
        self._blocks = 0  # without an accepted request in between
        self._accepted_at = -math.inf  # the last request that was accepted while not blocked
        self._turns: Turns[_Waiter] = Turns()
        self._timer: asyncio.TimerHandle | None = None
        self._warn = warn
        self._lease = lease(self._wake, self._fail) if lease is not None else None

    def try_acquire(self, run: Run, minutes: float = 0.0) -> bool:
        """Acquire without waiting; False if the window is full or others go first."""
        bulk = run.lane == "bulk"
        if self._turns and (bulk or self._turns.next("interactive") is not None):
            return False
        now = self._clock()
        if self._wait(now, run.lane, run, minutes) > 0:
            return False
        if not bulk:
            self._asked(now)
        self._reserve(now, run, minutes)
        return True

    async def acquire(
        self, run: Run, minutes: float = 0.0, *, max_wait: float, rejected_at: float | None = None
    ) -> None:
        """Wait until a request may start. Each acquire needs one :meth:`release`, however the request ends.

        Args:
            run: the call that sends it: its lane, and whose turn it is in the bulk lane.
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
        if self.try_acquire(run, minutes):
            return
        if run.lane == "interactive":
            self._asked(self._clock())
        waiter = _Waiter(asyncio.get_running_loop().create_future(), run, minutes, max_wait, rejected_at)
        self._turns.add(waiter, "interactive" if is_promoted() else run.lane, run)
        self._wake()

        def look_again() -> None:
            self._turns.promote(waiter, run)
            self._wake()

        try:
            with may_be_promoted(look_again):
                await waiter.future
        except asyncio.CancelledError:
            if waiter.acquired:  # cancelled between being let through and running
                self.release(run, minutes, counted=False)
            else:
                self._wake()  # the next in the queue may have to wait for less
            raise

    def release(
        self,
        run: Run,
        minutes: float = 0.0,
        *,
        counted: bool,
        info: RateLimitInfo | None = None,
        took: float | None = None,
    ) -> None:
        """A request has ended.

        Args:
            run: as for :meth:`acquire`.
            counted: the server may have counted it: not after a 429 or a connection that was never made.
            info: the response's rate limit headers.
            took: seconds from sending a small request to its response; None = it was large, or had no response.
        """
        now = self._clock()
        if run.lane == "bulk":
            self._bulk_in_flight -= 1
        if took is not None and self._lead.took(now, took):
            self._set_lead()
        for source in self._requests:
            source.release(now, counted=counted)
        for window in self._minutes:
            window.release(now, minutes, counted=counted)
        if counted and now >= self._blocked_until:
            self._blocks = 0
            self._accepted_at = now
        if info is not None:
            self._update(now, info)
        if self._lease is not None:
            self._lease.release(now, minutes, counted=counted)
        if self._turns:
            self._wake()

    def block_for(self, seconds: float | None) -> None:
        """The server answered 429: let nothing start for so many seconds; None = it gave no time."""
        now = self._clock()
        self._lead.end()
        self._set_lead()
        if self._lease is not None:
            self._lease.reject(seconds)
        elif self._declared and all(window.free(now) > 0 for window in self._declared):
            self._warn()
        if now >= self._blocked_until:  # requests sent together are rejected together: that is one block
            self._blocks += 1
        if seconds is None:
            seconds = min(LONGEST_DEFAULT_BLOCK, DEFAULT_BLOCK * 2.0 ** (self._blocks - 1))
        self._blocked_until = max(self._blocked_until, now + seconds)
        self._learned.reject(self._blocked_until)

    def _set_lead(self) -> None:
        for window in self._declared:
            window.lead = min(self._lead.seconds, Lead.MOST_OF_WINDOW * window.seconds)

    def _update(self, now: float, info: RateLimitInfo) -> None:
        self._reported.update(now, info)
        if info.remaining is not None:
            self._learned.forget()  # the server reports its count: nothing to learn
        if info.minutes_remaining is not None and info.minutes_remaining <= 0 and info.reset_in:
            self._blocked_until = max(self._blocked_until, now + info.reset_in)
        if self._lease is not None:
            self._lease.update(now, info, max(0.0, self._blocked_until - now))

    def _wait(self, now: float, lane: Lane, run: Run, minutes: float) -> float:
        """Seconds until the next request may start; 0 = now, inf = not before a response arrives."""
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._lease is not None:
            wait = self._lease.wait(now, lane, minutes)
            if self._lease.is_down:  # then it knows the declared windows alone
                wait = max(wait, self._reported.wait(now), self._learned.wait(now))
            return wait
        bulk = lane == "bulk"
        busy = bulk and self._demand.is_busy(now)
        held = busy or (bulk and self._holds(now, run))
        wait = 0.0
        alone = bulk and not held and self._turns.callers <= 1
        for source in self._requests:
            kept = 0.0 if not bulk else source.spare(run.requests) if alone else source.kept(held)
            wait = max(wait, source.wait(now, 1.0, kept))
        for window in self._minutes:
            wait = max(wait, window.wait(now, minutes, window.kept(held) if bulk else 0.0))
        if busy and wait <= 0:
            interval = self._interval(now)
            if interval:
                wait = max(0.0, self._turn_at + interval - now)
        return wait

    def _holds(self, now: float, run: Run) -> bool:
        """Whether bulk requests leave the share, though interactive ones are not frequent."""
        if self._share_is_set:
            return True
        return self._demand.is_expected(now) and not self._fits(now, run.left)

    def _fits(self, now: float, count: float) -> bool:
        """Whether so many requests may start now: the rest of a batch."""
        return count < math.inf and all(source.wait(now, count, source.kept(False)) <= 0 for source in self._requests)

    def _asked(self, now: float) -> None:
        """An interactive request asks to start."""
        window = max(source.seconds if source.seconds <= HOUR else 0.0 for source in self._requests)
        self._demand.asked(now, window, bulk=self._bulk_in_flight > 0 or bool(self._turns))

    def _interval(self, now: float) -> float:
        """Seconds between two bulk requests while interactive ones come; 0 = they need not be spread."""
        interval = max(source.interval(now) for source in self._requests)
        return interval / max(LEAST_OF_BULK, 1.0 - interval * self._demand.rate(now)) if interval else 0.0

    def _reserve(self, now: float, run: Run, minutes: float) -> None:
        if run.lane == "bulk":
            self._bulk_in_flight += 1
            run.left -= 1
            if self._demand.is_busy(now):
                self._turn_at = max(self._turn_at + self._interval(now), now - LATE_SEC)
        if self._lease is not None:
            self._lease.reserve(run.lane, minutes)
        for source in self._requests:
            source.reserve(now)
        for window in self._minutes:
            window.reserve(now, minutes)

    def _last_accepted(self) -> float:
        return self._accepted_at if self._lease is None else max(self._accepted_at, self._lease.accepted_at)

    def _fail(self, error: TwelveLabsError) -> None:
        """Nobody in the queue can start."""
        for lane in LANES:
            while self._turns.next(lane) is not None:
                waiter = self._turns.take(lane)
                if not waiter.future.done():
                    waiter.future.set_exception(copied(error))

    def _wake(self) -> None:
        """Let those in the queue start that may, in order, and set a timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.opens_at = None
        wait = min(self._wake_lane("interactive"), LOOK_SEC)
        if self._turns.next("interactive") is None:
            wait = min(self._wake_lane("bulk"), LOOK_SEC)
        if self._turns:
            self._timer = asyncio.get_running_loop().call_later(wait, self._wake)
        if self._lease is not None:
            for lane in LANES:
                waiter = self._turns.next(lane)
                self._lease.need(lane, self._turns.count(lane), 0.0 if waiter is None else waiter.minutes)

    def _wake_lane(self, lane: Lane) -> float:
        """Let those of a lane start that may; returns seconds until the next one may, inf if none waits for a time."""
        while (waiter := self._turns.next(lane)) is not None:
            if waiter.future.done():
                self._turns.take(lane)
                continue
            now = self._clock()
            wait = self._wait(now, lane, waiter.run, waiter.minutes)
            if wait > 0 and lane == "bulk" and self._learned.grow(now, known=self._demand.is_busy(now)):
                wait = self._wait(now, lane, waiter.run, waiter.minutes)
            if waiter.max_wait - waiter.waited(now, self._last_accepted()) < wait < math.inf:
                self._turns.take(lane)
                waiter.future.set_exception(quota_exceeded(wait))
            elif wait <= 0 or (wait < math.inf and not waiting()):
                self._turns.take(lane)
                if lane == "interactive":
                    self._asked(now)  # what it waited for may be long ago, and a window may be known by now
                self._reserve(now, waiter.run, waiter.minutes)
                waiter.acquired = True
                waiter.future.set_result(None)
            else:
                if wait < math.inf:
                    self.opens_at = time.time() + wait
                return wait
        return math.inf


class Demand:
    """Whether interactive requests are to be expected. Arithmetic on a clock that is passed in."""

    __slots__ = ("_asked", "_busy_until", "_expected_until")

    def __init__(self) -> None:
        self._asked: deque[float] = deque(maxlen=MOST_ASKED)
        self._busy_until = self._expected_until = -math.inf

    def asked(self, now: float, window: float, *, bulk: bool) -> None:
        """An interactive request asks to start.

        Args:
            window: seconds of the longest window, of those up to an hour.
            bulk: bulk requests are under way or wait.
        """
        self._asked.append(now)
        self._expected_until = now + min(MOST_EXPECTED_SEC, max(LEAST_EXPECTED_SEC, EXPECTED * window))
        busy = min(MOST_BUSY_SEC, max(LEAST_BUSY_SEC, BUSY * window))
        if bulk or (len(self._asked) >= SEVERAL and now - self._asked[-SEVERAL] <= busy):
            self._busy_until = now + busy

    def is_busy(self, now: float) -> bool:
        """Whether interactive requests come while bulk ones are under way, or often."""
        return now < self._busy_until

    def is_expected(self, now: float) -> bool:
        """Whether there were any lately."""
        return now < self._expected_until

    def rate(self, now: float) -> float:
        """Interactive requests a second, of late."""
        asked = self._asked
        while asked and asked[0] <= now - RATE_SEC:
            asked.popleft()
        return len(asked) / RATE_SEC


class Lead:
    """How long before its response a request was counted.

    A server counts a request when it arrives, some time before the response: the time that even the fastest request
    took, but for the way there. What the next request takes on that way makes up for it, so a slot is free again when a
    window and that time have passed since the response; a quarter is kept as a margin. It matters where a window is
    short: a slot of two seconds that is held 50 ms too long is 2.5 %.

    A machine that was busy for a moment makes all requests of that moment slow on their way, and the next ones are not.
    So a lead is of many requests, and a small part of a window at most.

    Attributes:
        seconds: that lead; 0 as long as nothing is known, and for good after a rejection: this server may count later.
    """

    MARGIN, LONGEST, LEAST_KNOWN, MOST_OF_WINDOW = 0.25, 0.1, 32, 0.02

    __slots__ = ("_ended", "_fastest", "_first_at", "_known", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._first_at = math.inf  # the first response: those sent before it also waited for their connections
        self._fastest = 2 * self.LONGEST
        self._known = 0  # requests that it is told from, up to the least
        self._ended = False

    def took(self, now: float, seconds: float) -> bool:
        """A small request had its response now, so many seconds after it was sent. Returns whether the lead changed."""
        if now - seconds < self._first_at:
            self._first_at = min(self._first_at, now)
            return False
        if self._ended or (seconds >= self._fastest and self.seconds):
            return False
        self._fastest = min(self._fastest, seconds)
        if self._known < self.LEAST_KNOWN:
            self._known += 1
            return False
        self.seconds = min(self.LONGEST, self._fastest * (1 - self.MARGIN))
        return True

    def end(self) -> None:
        """The server rejected a request."""
        self._ended, self.seconds = True, 0.0


class _Waiter:
    __slots__ = ("acquired", "future", "max_wait", "minutes", "rejected_at", "run")

    def __init__(
        self, future: asyncio.Future[None], run: Run, minutes: float, max_wait: float, rejected_at: float | None
    ) -> None:
        self.future, self.run, self.minutes = future, run, minutes
        self.max_wait, self.rejected_at = max_wait, rejected_at
        self.acquired = False

    def waited(self, now: float, accepted_at: float) -> float:
        """Seconds since its first rejection; 0 if another request was accepted since: then there is progress."""
        return 0.0 if self.rejected_at is None or accepted_at > self.rejected_at else now - self.rejected_at


def quota_exceeded(wait: float) -> QuotaExceededError:
    """The error for a rate limit that reopens in ``wait`` seconds, which is longer than ``max_wait`` allows."""
    reopens_at = datetime.now(timezone.utc) + timedelta(seconds=min(wait, FAR_OFF))
    return QuotaExceededError(
        f"The rate limit is used up until {reopens_at:%Y-%m-%d %H:%M:%S} UTC, for {wait:.0f} s: longer than max_wait. "
        "What is finished is in .results, or was yielded; with cache= the next run continues from there.",
        reopens_at=reopens_at,
        retry_after=wait,
    )
