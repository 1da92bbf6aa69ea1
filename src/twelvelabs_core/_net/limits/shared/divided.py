"""What a worker may send while the shared state cannot be reached: its part of the declared windows. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...._lanes import Lane
from ...._limits import Window
from ..windows import EPSILON, SlidingWindow


class Divided:
    """This worker's own record of the declared windows, and its part of them.

    For one window's length after the last report, all workers together may use what was free then; after that, each
    may use its part of the whole window. So the windows hold as long as no worker joins.
    """

    def __init__(self, windows: Sequence[Window], kept: Sequence[float]) -> None:
        self._windows = [(SlidingWindow(w.limit, w.seconds), w.unit == "minutes") for w in windows]
        self._kept = kept
        self._free: list[float] = []  # this worker's part of what was free
        self._since = 0.0
        self._workers = 1

    def begin(self, now: float, free: Sequence[float], workers: int) -> None:
        """The store is gone: so much was left of each window, so many workers were seen, both at its last answer."""
        self._since, self._workers = now, max(1, workers)
        self._free = [max(0.0, part / self._workers) for part in free]

    def wait(self, now: float, lane: Lane, minutes: float) -> float:
        """Seconds until a request may start; 0 = now, inf = not before a response arrives."""
        longest = 0.0
        for (window, in_minutes), kept, free in zip(self._windows, self._kept, self._free, strict=True):
            amount = minutes if in_minutes else 1.0
            part = window.limit / self._workers
            if not in_minutes:
                part = max(1.0, math.floor(part + EPSILON))
            amount = min(amount, part)  # a video longer than the part may be sent, alone
            for_others = min(kept / self._workers, part - amount) if lane == "bulk" else 0.0
            opens_in = self._since + window.seconds - now
            if opens_in > 0 and free + EPSILON < amount + for_others:
                longest = max(longest, opens_in)
            elif opens_in <= 0:
                # As if the others used the rest of the window.
                longest = max(longest, window.wait(now, amount + for_others + window.limit - part))
        return longest

    def reserve(self, minutes: float) -> None:
        """A request starts."""
        for index, (window, in_minutes) in enumerate(self._windows):
            amount = minutes if in_minutes else 1.0
            window.reserve(0.0, amount)
            if self._free:
                self._free[index] -= amount

    def release(self, now: float, minutes: float, *, counted: bool) -> None:
        """A request has ended."""
        for window, in_minutes in self._windows:
            window.release(now, minutes if in_minutes else 1.0, counted=counted)
