"""Three sources of a rate limit: declared windows, the count the server reports, and what bare 429 responses show.

Pure arithmetic on a clock that is passed in. Each has ``wait`` (seconds until a request may start), ``reserve`` (it
starts) and, where it matters, ``release`` (it has ended).
"""

from __future__ import annotations

import math
from collections import deque

from ..._api.rate_headers import RateLimitInfo

EPSILON = 1e-6  # sums of fractions of minutes are not exact; what is in flight is a sum over the whole run


class SlidingWindow:
    """At most ``limit`` within any ``seconds``: what is in flight, and what was answered within the last ``seconds``.

    A slot is held until ``seconds`` after the *response*. The server counts a request at some time between sending and
    response; counting from sending could let a request into a window that is still full by the server's clock.
    """

    __slots__ = ("_answered", "_used", "in_flight", "limit", "seconds")

    def __init__(self, limit: float, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self.in_flight = 0.0
        self._used = 0.0  # the sum of what is in _answered
        self._answered: deque[tuple[float, float]] = deque()

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Seconds until ``amount`` fits; 0 = now, inf = not before something in flight is answered."""
        while self._answered and self._answered[0][0] + self.seconds <= now:
            self._used -= self._answered.popleft()[1]
        excess = self.in_flight + self._used + amount - self.limit
        if excess <= EPSILON:
            return 0.0
        for answered_at, freed in self._answered:
            excess -= freed
            if excess <= EPSILON:
                return answered_at + self.seconds - now
        return math.inf

    def reserve(self, amount: float = 1.0) -> None:
        """A request starts."""
        self.in_flight += amount

    def release(self, now: float, amount: float = 1.0, *, counted: bool) -> None:
        """A request has ended; ``counted`` unless the server cannot have counted it."""
        self.in_flight -= amount
        if counted and amount:
            self._answered.append((now, amount))
            self._used += amount


class ReportedLimit:
    """The requests left by the server's own count (``X-Ratelimit-*``)."""

    __slots__ = ("_remaining", "_resets_at")

    def __init__(self) -> None:
        self._remaining: int | None = None
        self._resets_at = 0.0

    def update(self, now: float, info: RateLimitInfo, in_flight: int) -> None:
        """Take over the headers of a response. The server may not have counted what is in flight: it is subtracted."""
        if info.remaining is not None:
            self._remaining = info.remaining - in_flight
        if info.reset_in is not None:
            self._resets_at = now + info.reset_in

    def wait(self, now: float, in_flight: int) -> float:
        """As :meth:`SlidingWindow.wait`. With nothing left, a response in flight brings a newer count; without one, the
        reset is waited for, and then one request may try.
        """
        if self._remaining is None or self._remaining >= 1:
            return 0.0
        return math.inf if in_flight else max(0.0, self._resets_at - now)

    def reserve(self) -> None:
        """A request starts."""
        if self._remaining is not None:
            self._remaining -= 1


class LearnedLimit:
    """The limit of a server that reports nothing but "429, retry in n seconds": as many requests as it accepted, in as
    long as that took.

    Without it, each time the server accepts requests again, as many as may be in flight would be rejected.
    """

    QUIET_PERIODS = 5  # a learned limit may be too low: after so many periods without a rejection it is raised
    GROWTH = 1.1
    FULL_SPEED = 64

    __slots__ = ("_accepted", "_blocked_until", "_opened_at", "_quiet_since", "_ramp", "_rejected", "window")

    def __init__(self) -> None:
        self.window: SlidingWindow | None = None
        self._opened_at: float | None = None
        self._accepted = 0
        self._rejected = False
        self._blocked_until = 0.0
        self._quiet_since = 0.0
        self._ramp: int | None = None  # most requests in flight while nothing about the limit is known

    def wait(self, now: float, in_flight: int) -> float:
        """As :meth:`SlidingWindow.wait`; only asked while the limiter is not blocked."""
        if self._rejected:
            self._reopen(now, in_flight)
        if self._ramp is not None and in_flight >= self._ramp:
            return math.inf
        if self.window is None:
            return 0.0
        if now - self._quiet_since > self.QUIET_PERIODS * self.window.seconds:
            self.window.limit = math.ceil(self.window.limit * self.GROWTH)
            self._quiet_since = now
        return self.window.wait(now)

    def reserve(self, now: float) -> None:
        """A request starts."""
        if self._opened_at is None:
            self._opened_at, self._accepted = now, 0
        if self.window is not None:
            self.window.reserve()

    def release(self, now: float, *, counted: bool) -> None:
        """A request has ended."""
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

    def _reopen(self, now: float, in_flight: int) -> None:
        """Learn from the period that ended with the rejection."""
        self._rejected = False
        self._quiet_since = now
        opened_at, self._opened_at = self._opened_at, None
        if opened_at is None:
            return
        period = max(self._blocked_until - opened_at, 0.001)
        if self._accepted == 0:
            # Opened too early: the window is longer than assumed. If it is not known at all, start with one request.
            if self.window is not None:
                self.window.seconds += period
            else:
                self._ramp = 1
            return
        self._ramp = None
        if self.window is None or self._accepted / period < self.window.limit / self.window.seconds:
            self.window = SlidingWindow(self._accepted, period)
            self.window.in_flight = float(in_flight)
