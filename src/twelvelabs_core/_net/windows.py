"""What limits a gate: declared windows, the server's count, and what its bare refusals teach. Pure arithmetic on a
clock that is passed in.
"""

from __future__ import annotations

import math
from collections import deque

from .._api.rate_headers import RateLimitInfo

__all__ = ["Learned", "ServerBudget", "SlidingWindow"]

ALMOST = 1e-9


class SlidingWindow:
    """At most ``limit`` within any ``seconds``: what is under way, and what was answered within the last ``seconds``.

    A slot is held until ``seconds`` after the *answer*: the server counts a request some time between sending and
    answer, and counting from sending would let a request into a window that, by the server's clock, is still full.
    """

    __slots__ = ("answered", "limit", "seconds", "spent", "under_way")

    def __init__(self, limit: float, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self.under_way = 0.0
        self.spent = 0.0
        self.answered: deque[tuple[float, float]] = deque()

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Seconds until ``amount`` fits; 0 = now, inf = not before something under way is answered."""
        while self.answered and self.answered[0][0] + self.seconds <= now:
            self.spent -= self.answered.popleft()[1]
        over = self.under_way + self.spent + amount - self.limit
        if over <= ALMOST:
            return 0.0
        for answered_at, freed in self.answered:
            over -= freed
            if over <= ALMOST:
                return answered_at + self.seconds - now
        return math.inf

    def take(self, amount: float = 1.0) -> None:
        """Something is sent."""
        self.under_way += amount

    def settle(self, now: float, amount: float = 1.0, *, counted: bool) -> None:
        """It was answered; ``counted`` unless the server cannot have counted it."""
        self.under_way -= amount
        if counted and amount:
            self.answered.append((now, amount))
            self.spent += amount


class ServerBudget:
    """What is left by the server's own count (``X-Ratelimit-*``)."""

    __slots__ = ("left", "resets_at")

    def __init__(self) -> None:
        self.left: int | None = None
        self.resets_at = 0.0

    def hear(self, now: float, word: RateLimitInfo, under_way: int) -> None:
        """An answer's headers. What is under way the server may not have counted yet: it is taken off."""
        if word.remaining is not None:
            self.left = word.remaining - under_way
        if word.reset_in is not None:
            self.resets_at = now + word.reset_in

    def wait(self, now: float, under_way: int) -> float:
        """As :meth:`SlidingWindow.wait`. With nothing left, answers under way tell more; with none under way, the
        reset; then one may try.
        """
        if self.left is None or self.left >= 1:
            return 0.0
        return math.inf if under_way else max(0.0, self.resets_at - now)

    def take(self) -> None:
        """A request is sent."""
        if self.left is not None:
            self.left -= 1


class Learned:
    """The limit of a server that tells nothing but "429, come back in n seconds": as many as went through, in as long
    as that took.

    Without it every opening of the gate would end in a full set of refusals.
    """

    QUIET_PERIODS = (
        5  # a learned limit may be too low for good: after so many periods without a refusal it is raised a little
    )
    GROWTH = 1.1
    FULL_SPEED = 64

    __slots__ = ("_accepted", "_closed_until", "_opened_at", "_quiet_since", "_ramp", "_refused", "window")

    def __init__(self) -> None:
        self.window: SlidingWindow | None = None
        self._opened_at: float | None = None
        self._accepted = 0
        self._refused = False
        self._closed_until = 0.0
        self._quiet_since = 0.0
        self._ramp: int | None = None  # requests at a time after an opening of which nothing is known

    def wait(self, now: float, under_way: int) -> float:
        """As :meth:`SlidingWindow.wait`; to be asked only while the gate is open."""
        if self._refused:
            self._reopen(now, under_way)
        if self._ramp is not None and under_way >= self._ramp:
            return math.inf
        if self.window is None:
            return 0.0
        if now - self._quiet_since > self.QUIET_PERIODS * self.window.seconds:
            self.window.limit = math.ceil(self.window.limit * self.GROWTH)
            self._quiet_since = now
        return self.window.wait(now)

    def take(self, now: float) -> None:
        """A request is sent."""
        if self._opened_at is None:
            self._opened_at, self._accepted = now, 0
        if self.window is not None:
            self.window.take()

    def settle(self, now: float, *, counted: bool) -> None:
        """It was answered."""
        if self.window is not None:
            self.window.settle(now, counted=counted)
        if counted:
            self._accepted += 1
            if self._ramp is not None:
                self._ramp = self._ramp + 1 if self._ramp < self.FULL_SPEED else None

    def refuse(self, until: float) -> None:
        """The server refused; the gate is closed until then."""
        self._refused = True
        self._closed_until = max(self._closed_until, until)

    def forget(self) -> None:
        """The server tells its count: nothing to learn."""
        if self._opened_at is not None:
            self.__init__()  # type: ignore[misc]  # as new

    def _reopen(self, now: float, under_way: int) -> None:
        self._refused = False
        self._quiet_since = now
        opened_at, self._opened_at = self._opened_at, None
        if opened_at is None:
            return
        period = max(self._closed_until - opened_at, 0.001)
        if self._accepted == 0:
            # Opened too early: the period is longer than thought; without any idea of it, feel the way.
            if self.window is not None:
                self.window.seconds += period
            else:
                self._ramp = 1
            return
        self._ramp = None
        if self.window is None or self._accepted / period < self.window.limit / self.window.seconds:
            self.window = SlidingWindow(self._accepted, period)
            self.window.under_way = float(under_way)
