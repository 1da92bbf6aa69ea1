"""Three sources of a rate limit: declared windows, the count the server reports, and what bare 429 responses show.

Pure arithmetic on a clock that is passed in. All have the methods of :class:`Source`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from ..._api.rate_headers import RateLimitInfo
from ..._limits import DAY, HOUR, MINUTE

TINY = 1e-9  # seconds; a wait that is not over
EPSILON = 1e-6  # sums of fractions of minutes are not exact; what is in flight is a sum over the whole run

#: Share of a window that bulk requests leave to interactive ones unless it is set, and the least it is in requests.
DEFAULT_SHARE, LEAST_SHARE = 0.05, 2


@dataclass(frozen=True, slots=True)
class Share:
    """What bulk requests leave of a window.

    Attributes:
        part: of windows of up to an hour, 0 to 0.5; at least two requests unless it is 0, never more than half.
        reserve: requests, of windows of a day or longer.
    """

    part: float = DEFAULT_SHARE
    reserve: int = 0

    def of(self, limit: float, seconds: float) -> float:
        """Slots of a window that are left while the share is held."""
        if seconds > HOUR:
            return self.always(limit, seconds)
        return min(math.floor(limit / 2), max(LEAST_SHARE, math.ceil(self.part * limit))) if self.part else 0.0

    def always(self, limit: float, seconds: float) -> float:
        """Slots of a window that are left at all times."""
        return min(float(self.reserve), limit) if seconds >= DAY else 0.0

    def spare(self, requests: float, limit: float, seconds: float) -> float:
        """As :meth:`Source.spare`."""
        always = self.always(limit, seconds)
        if not limit < requests < math.inf:
            return always
        return max(always, min(self.of(limit, seconds), math.floor(limit - requests / math.ceil(requests / limit))))


NO_SHARE = Share(0.0)


class Source(Protocol):
    """A limit: it says when a request may start, and is told when one starts and ends.

    Attributes:
        in_flight: what has started and not ended.
        seconds: of its window; 0 = unknown.
    """

    in_flight: float

    @property
    def seconds(self) -> float: ...

    def wait(self, now: float, amount: float = 1.0, kept: float = 0.0) -> float:
        """Seconds until ``amount`` may start and leave ``kept`` free; 0 = now, inf = not before a response arrives."""

    def kept(self, held: bool) -> float:
        """What a bulk request leaves free: the share if it is ``held``, and what is left at all times."""

    def spare(self, requests: float) -> float:
        """What of the share a batch of so many requests can leave free without taking any longer."""

    def interval(self, now: float) -> float:
        """Seconds between bulk requests, while they are to be spread over the window; 0 = no need to."""

    def reserve(self, now: float, amount: float = 1.0) -> None:
        """A request starts."""

    def release(self, now: float, amount: float = 1.0, *, counted: bool) -> None:
        """A request has ended; ``counted`` unless the server cannot have counted it."""


class SlidingWindow:
    """At most ``limit`` within any ``seconds``: what is in flight, and what was answered within the last ``seconds``.

    A slot is held until ``seconds`` after the *response*. The server counts a request at some time between sending and
    response; counting from sending could let a request into a window that is still full by the server's clock.

    Args:
        share: what bulk requests leave of it.

    Attributes:
        lead: seconds before the response at which the server has counted a request at the latest.
    """

    __slots__ = (
        "_always",
        "_answered",
        "_interval",
        "_share",
        "_spread_until",
        "_used",
        "in_flight",
        "lead",
        "limit",
        "seconds",
        "share",
    )

    def __init__(self, limit: float, seconds: float, share: Share = NO_SHARE) -> None:
        self.share = share
        self.lead = 0.0
        self.in_flight = 0.0
        self._used = 0.0  # the sum of what is in _answered
        self._answered: deque[tuple[float, float]] = deque()
        self._interval, self._spread_until = 0.0, -math.inf
        self.resize(limit, seconds)

    def resize(self, limit: float, seconds: float) -> None:
        """Change the limit."""
        self.limit, self.seconds = limit, seconds
        self._share, self._always = self.share.of(limit, seconds), self.share.always(limit, seconds)

    def _expire(self, now: float) -> None:
        until = now + self.lead - self.seconds
        while self._answered and self._answered[0][0] <= until:
            self._used -= self._answered.popleft()[1]

    def free(self, now: float) -> float:
        """What may start now."""
        self._expire(now)
        return self.limit - self.in_flight - self._used

    def wait(self, now: float, amount: float = 1.0, kept: float = 0.0) -> float:
        """As :meth:`Source.wait`. Something larger than what may be used beside ``kept`` leaves less."""
        self._expire(now)
        excess = self.in_flight + self._used + amount + kept - self.limit
        if excess <= EPSILON:
            return 0.0
        if kept and amount + kept > self.limit and amount <= self.limit - self._always:
            excess = self.in_flight + self._used  # it goes alone
        for answered_at, freed in self._answered:
            excess -= freed
            if excess <= EPSILON:
                return max(TINY, answered_at + self.seconds - self.lead - now)
        return math.inf

    def clear(self) -> None:
        """Forget what was answered."""
        self._answered.clear()
        self._used = 0.0

    def kept(self, held: bool) -> float:
        """As :meth:`Source.kept`."""
        return self._share if held else self._always

    def spare(self, requests: float) -> float:
        """As :meth:`Source.spare`."""
        return self.share.spare(requests, self.limit, self.seconds)

    def interval(self, now: float) -> float:
        """As :meth:`Source.interval`: half a window may be used at once. The rest is spread, so that it lasts until
        slots come back, whenever they do.
        """
        if self.seconds > HOUR or self.free(now) > self.limit / 2:
            return 0.0
        if now >= self._spread_until:
            self._spread_until = now + self.seconds / 64
            self._interval = self._evenly(now)
        return self._interval

    def _evenly(self, now: float) -> float:
        """Seconds between requests of which none has to wait for a slot, with the share left free."""
        found, usable = 0.0, max(1.0, self.free(now) - self._share)
        for answered_at, freed in self._answered:
            found = max(found, (answered_at + self.seconds - now) / usable)
            usable += freed
        return max(found, self.seconds / usable)

    def reserve(self, now: float, amount: float = 1.0) -> None:
        """As :meth:`Source.reserve`."""
        self.in_flight += amount

    def release(self, now: float, amount: float = 1.0, *, counted: bool) -> None:
        """As :meth:`Source.release`."""
        self.in_flight -= amount
        if counted and amount:
            self._answered.append((now, amount))
            self._used += amount


class ReportedLimit:
    """The requests left by the server's own count (``X-Ratelimit-*``).

    Responses come in another order than they were counted in, so the count may seem to rise. Nor does it say when slots
    come back one by one. So requests also keep to a window of ours, as far as the server's has shown itself: its limit,
    and the longest time until a reset. If the limit is not told but only seen in what was left, others may have used
    the rest: then only bulk requests that leave the share keep to it.
    """

    #: Seconds without an answer after which a request finds out the count after a reset, should none come.
    TRY_SEC = 1.0
    #: Seconds of the longest window that is kept too. A server's may end at once; in a longer one that would be missed
    #: for too long.
    LONGEST_KEPT = 2 * MINUTE

    __slots__ = (
        "_changed_at",
        "_limit",
        "_longest",
        "_remaining",
        "_resets_at",
        "_share",
        "_told",
        "_window",
        "in_flight",
    )

    def __init__(self, share: Share = NO_SHARE) -> None:
        self._share = share
        self.in_flight = 0.0
        self._remaining: float | None = None
        self._resets_at = 0.0
        self._changed_at = -math.inf  # a request started, or an answer came
        self._told: int | None = None
        self._limit, self._longest = 0, 0.0  # of the server's window, as far as it has shown itself
        self._window: SlidingWindow | None = None

    def update(self, now: float, info: RateLimitInfo) -> None:
        """Take over the headers of a response. The server may not have counted what is in flight: it is subtracted."""
        self._changed_at = now
        if info.reset_in is not None:
            self._resets_at = now + info.reset_in
        if info.remaining is None:
            return
        self._remaining = info.remaining - self.in_flight
        if info.limit != self._told:  # of several windows, the tightest is told
            self._told, self._limit, self._longest, self._window = info.limit, 0, 0.0, None
        self._limit = max(self._limit, info.limit or 0, info.remaining + 1)
        self._longest = max(self._longest, info.reset_in or 0.0)
        if not 0 < self._longest <= self.LONGEST_KEPT:
            self._window = None
        elif self._window is None:
            self._window = SlidingWindow(self._limit, self._longest, self._share)
            self._window.in_flight = self.in_flight
        else:
            if (self._limit, self._longest) != (self._window.limit, self._window.seconds):
                self._window.resize(self._limit, self._longest)
            if not self.in_flight and info.remaining >= self._limit - 1:
                self._window.clear()  # the server's ended at once

    def wait(self, now: float, amount: float = 1.0, kept: float = 0.0) -> float:
        """As :meth:`Source.wait`. With nothing left, a response in flight brings a newer count. Without one, or if none
        comes, one request may try after the reset.
        """
        if self._remaining is None:
            return 0.0
        if self._remaining < amount + kept:
            if now < self._resets_at:
                return math.inf if self.in_flight and self._remaining < amount else self._resets_at - now
            if self.in_flight and now < self._changed_at + self.TRY_SEC:
                return math.inf
        if self._window is None or (self._told is None and not kept):
            return 0.0
        return self._window.wait(now, amount, kept)

    @property
    def seconds(self) -> float:
        """As :attr:`Source.seconds`."""
        return self._longest

    def kept(self, held: bool) -> float:
        """As :meth:`Source.kept`."""
        if self._longest > HOUR:  # a day's; what is left of it was longer
            return self._share.always(self._limit, DAY)
        return self._share.of(self._limit, self._longest) if held and self._remaining is not None else 0.0

    def spare(self, requests: float) -> float:
        """As :meth:`Source.spare`."""
        if self._remaining is None or self._longest > HOUR:
            return self.kept(False)
        return self._share.spare(requests, self._limit, self._longest)

    def interval(self, now: float) -> float:
        """As :meth:`SlidingWindow.interval`."""
        return 0.0 if self._window is None else self._window.interval(now)

    def reserve(self, now: float, amount: float = 1.0) -> None:
        """As :meth:`Source.reserve`."""
        self.in_flight += 1
        self._changed_at = now
        if self._remaining is not None:
            self._remaining -= 1
        if self._window is not None:
            self._window.reserve(now)

    def release(self, now: float, amount: float = 1.0, *, counted: bool) -> None:
        """As :meth:`Source.release`."""
        self.in_flight -= 1
        if self._window is not None:
            self._window.release(now, counted=counted)


class LearnedLimit:
    """The limit of a server that reports nothing but "429, retry in n seconds": as many requests as it accepted, in as
    long as that took.

    Without it, each time the server accepts requests again, as many as may be in flight would be rejected.
    """

    #: A learned limit may be too low. After so many periods in which it was used up without a rejection it is raised,
    #: by steps that double while they succeed. A step that is rejected is taken back, and the next comes later.
    PATIENCE, LONGEST_PATIENCE = 3, 48
    FIRST_STEP, LARGEST_STEP = 0.05, 0.4
    FULL_SPEED = 64
    #: Periods in a row that may be parts of one window, before few accepted requests mean a low limit.
    MOST_MERGED = 2
    #: A pause of so many seconds ends what is learned from: an hour with a request now and then says nothing.
    PAUSE_SEC = 0.25

    __slots__ = (
        "_accepted",
        "_best",
        "_blocked_until",
        "_calm",
        "_ended_at",
        "_grown_at",
        "_merged",
        "_opened_at",
        "_patience",
        "_proven",
        "_quiet_since",
        "_ramp",
        "_rejected",
        "_share",
        "_step",
        "in_flight",
        "window",
    )

    def __init__(self, share: Share = NO_SHARE) -> None:
        self._share = share
        self.in_flight = 0.0
        self.forget()

    def forget(self) -> None:
        """Begin anew, as with a server that reports its count."""
        self.window: SlidingWindow | None = None
        self._opened_at: float | None = None
        self._ended_at = -math.inf
        self._accepted = 0
        self._rejected = False
        self._blocked_until = 0.0
        self._quiet_since = 0.0
        self._grown_at = -math.inf
        self._proven = 0.0  # the limit before it was raised
        self._best = 0.0  # requests a second, of what was learned
        self._merged = 0  # periods, without a quiet one in between
        self._step = self.FIRST_STEP
        self._patience = self._calm = (
            self.PATIENCE
        )  # periods until the next step, and until the first after a rejection
        self._ramp: int | None = None  # most requests in flight while nothing about the limit is known

    def wait(self, now: float, amount: float = 1.0, kept: float = 0.0) -> float:
        """As :meth:`Source.wait`; only asked while the limiter is not blocked."""
        if self._rejected:
            self._reopen(now)
        if self._ramp is not None and self.in_flight >= self._ramp:
            return math.inf
        return 0.0 if self.window is None else self.window.wait(now, amount, kept)

    @property
    def seconds(self) -> float:
        """As :attr:`Source.seconds`."""
        return 0.0 if self.window is None else self.window.seconds

    def kept(self, held: bool) -> float:
        """As :meth:`Source.kept`."""
        return 0.0 if self.window is None else self.window.kept(held)

    def spare(self, requests: float) -> float:
        """As :meth:`Source.spare`."""
        return 0.0 if self.window is None else self.window.spare(requests)

    def interval(self, now: float) -> float:
        """As :meth:`SlidingWindow.interval`."""
        return 0.0 if self.window is None else self.window.interval(now)

    def reserve(self, now: float, amount: float = 1.0) -> None:
        """As :meth:`Source.reserve`."""
        if self._opened_at is None or (not self.in_flight and now - self._ended_at > self.PAUSE_SEC):
            self._opened_at, self._accepted = now, 0
        self.in_flight += 1
        if self.window is not None:
            self.window.reserve(now)

    def release(self, now: float, amount: float = 1.0, *, counted: bool) -> None:
        """As :meth:`Source.release`."""
        self.in_flight -= 1
        self._ended_at = now
        if self.window is not None:
            self.window.release(now, counted=counted)
        if counted:
            self._accepted += 1
            if self._ramp is not None:
                self._ramp = self._ramp + 1 if self._ramp < self.FULL_SPEED else None

    def reject(self, until: float) -> None:
        """The server rejected a request; nothing is sent before ``until``."""
        self._rejected = True
        self._blocked_until = max(self._blocked_until, until)

    def grow(self, now: float, *, known: bool = False) -> bool:
        """A bulk request has to wait: raise the limit, if it was used up without a rejection for long enough.

        Args:
            known: only to a rate that was learned before. A step too far closes the limit for queries too.
        """
        window = self.window
        if window is None or self._rejected or now - self._quiet_since <= self._patience * window.seconds:
            return False
        limit = math.ceil(window.limit * (1 + self._step))
        if known and limit / window.seconds > self._best:
            return False
        self._proven, self._grown_at, self._quiet_since, self._merged = window.limit, now, now, 0
        window.resize(limit, window.seconds)
        self._step, self._patience = min(2 * self._step, self.LARGEST_STEP), 1
        return True

    def _reopen(self, now: float) -> None:
        """Learn from the period that ended with the rejection."""
        self._rejected = False
        self._quiet_since = now
        opened_at, self._opened_at = self._opened_at, None
        step, self._step = self._step, self.FIRST_STEP
        window = self.window
        if window is not None and self._blocked_until - self._grown_at <= 3 * window.seconds:
            window.resize(self._proven, window.seconds)
            self._grown_at = -math.inf
            if step <= 2 * self.FIRST_STEP:  # the first step was too much already: this is the limit
                self._calm = min(4 * self._calm, self.LONGEST_PATIENCE)
            self._patience = self._calm
            return
        self._patience = self._calm = self.PATIENCE
        if opened_at is None:
            return
        period = max(self._blocked_until - opened_at, 0.001)
        if self._accepted == 0:
            # Opened too early: the window is longer than assumed. If it is not known at all, start with one request.
            if window is not None:
                window.resize(window.limit, window.seconds + period)
            else:
                self._ramp = 1
            return
        self._ramp = None
        if window is not None and self._accepted < window.limit / 2 and self._merged < self.MOST_MERGED:
            # It opened when the first of its slots came back: a window is longer than until then.
            self._merged += 1
            window.resize(window.limit + self._accepted, window.seconds + period)
            self._best = window.limit / window.seconds
            return
        if window is None or self._accepted / period < window.limit / window.seconds:
            self.window = SlidingWindow(self._accepted, period, self._share)
            self.window.in_flight = self.in_flight
            self._best = max(self._best, self._accepted / period)
