"""Rate limits: windows over requests and over minutes of media, shared by v1 and v2.

A window refuses when it is used up; refused requests do not count. So the request that uses up the last
minutes of media is still served, as on the real service.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextvars import ContextVar
from email.utils import formatdate
from typing import get_args

from .errors import ApiError
from .plans import DAY, MINUTES, REQUESTS, Category, Windows
from .settings import Settings

# Requests that no client sends, and the seconds of their window.
_PLENTY: Windows = ((1_000_000, 60.0),)
_UNITS = {1.0: "second", 60.0: "minute", 3600.0: "hour", DAY: "day"}


class Window:
    """Counts up to ``limit`` (requests, or seconds of media) in ``seconds``.

    A sliding window forgets each entry as it grows old; a fixed one starts with its first entry and forgets
    all entries at its end. Times are seconds since the epoch.
    """

    def __init__(self, limit: float, seconds: float, sliding: bool, unit: str = "req") -> None:
        self.limit = limit
        self.seconds = seconds
        self._sliding = sliding
        self._unit = unit
        self._entries: deque[tuple[float, float]] = deque()
        self._used = 0.0

    def used(self, now: float) -> float:
        """Return the amount that counts at this time."""
        entries = self._entries
        if self._sliding:
            while entries and entries[0][0] + self.seconds <= now:
                self._used -= entries.popleft()[1]
        elif entries and entries[0][0] + self.seconds <= now:
            entries.clear()
        if not entries:
            self._used = 0.0  # Exactly zero: sums of fractions leave a remainder.
        return self._used

    def add(self, now: float, amount: float) -> None:
        """Count an amount, even beyond the limit."""
        self.used(now)
        if not self._sliding and self._entries:
            start, before = self._entries[0]
            self._entries[0] = (start, before + amount)
        else:
            self._entries.append((now, amount))
        self._used += amount

    def full(self, now: float) -> bool:
        """Return whether the next request is refused."""
        return self.used(now) >= self.limit

    def remaining(self, now: float) -> float:
        """Return what is left of the limit, at least 0."""
        return max(0.0, self.limit - self.used(now))

    def reset(self, now: float) -> float:
        """Return when a full window admits a request again; of any other, when its oldest entry expires."""
        left = self.used(now)
        for at, amount in self._entries:
            left -= amount
            if left < self.limit:
                return at + self.seconds
        return now

    def brief(self) -> str:
        """Format the limit as in the service's message: ``100req/1day``."""
        amount = self.limit if self._unit == "req" else self.limit / 60
        unit = _UNITS.get(self.seconds)
        return f"{amount:g}{self._unit}/" + (f"1{unit}" if unit else f"{self.seconds:g}seconds")

    def sentence(self) -> str:
        """Format the limit as in the specification's example: ``100 requests per minute``."""
        amount = f"{self.limit:g} requests" if self._unit == "req" else f"{self.limit / 60:g} minutes of media"
        return f"{amount} per {_UNITS.get(self.seconds) or f'{self.seconds:g} seconds'}"


class Limiter:
    """All windows of one emulator. Thread-safe."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # `admit` holds it when it asks its ticket for headers.
        self._made_for: Settings | None = None
        self._key: tuple[object, ...] = ()
        self._clear()

    def _clear(self) -> None:
        self._requests: dict[str, list[Window]] = {}
        self._minutes: dict[str, list[Window]] = {}
        self._quota: Window | None = None

    def reset(self) -> None:
        """Forget every request."""
        with self.lock:
            self._made_for = None
            self._key = ()
            self._clear()

    def admit(self, categories: Iterable[str], settings: Settings) -> Ticket:
        """Count a request of these categories. Raises the API's 429 and counts nothing if a window is full."""
        now = settings.now()
        with self.lock:
            if settings is not self._made_for:
                self._make(settings)
            counters = {self._counter(category, settings) for category in categories}
            requests = [window for counter in counters for window in self._requests.get(counter, ())]
            minutes = [window for counter in counters for window in self._minutes.get(counter, ())]
            if self._quota is not None and counters != {"upload"}:
                requests.append(self._quota)
            ticket = Ticket(self, settings, requests, minutes)
            checked = [*requests, *minutes]
            if self._quota is not None:  # Uploads do not count, but are refused too.
                checked.append(self._quota)
            full = [window for window in checked if window.full(now)]
            if full:
                late = max(full, key=lambda window: window.reset(now))
                refusal = too_many_requests(settings, now, late.reset(now) - now, late.brief(), late.sentence())
                refusal.headers.update(ticket.headers())
                raise refusal
            for window in requests:
                window.add(now, 1)
        return ticket

    def charge(self, category: str, seconds: float, settings: Settings) -> None:
        """Count the duration of media."""
        now = settings.now()
        with self.lock:
            for window in self._minutes.get(self._counter(category, settings), ()):
                window.add(now, seconds)

    @staticmethod
    def _counter(category: str, settings: Settings) -> str:
        return "text" if category == "image" and settings.text_image_share else category

    def _make(self, settings: Settings) -> None:
        """Create the windows again if a setting that defines them has changed."""
        key = (
            id(settings.limits),
            id(settings.limit_minutes),
            settings.plan,
            settings.window,
            settings.text_image_share,
            settings.quota_after,
            settings.unlimited_headers,
        )
        self._made_for = settings  # Also keeps the mappings alive whose identity is in the key.
        if key == self._key:
            return
        self._key = key
        self._clear()
        sliding = settings.window == "sliding"
        requests: dict[str, Windows] = {**REQUESTS.get(settings.plan or "", {}), **settings.limits}
        minutes: dict[str, Windows] = {**MINUTES.get(settings.plan or "", {}), **settings.limit_minutes}
        if settings.text_image_share and "text" not in settings.limits and "image" in settings.limits:
            requests["text"] = requests["image"]
        if settings.unlimited_headers == "plenty":
            requests = dict.fromkeys(get_args(Category), _PLENTY) | requests
        for name, windows in requests.items():
            self._requests[name] = [Window(count, seconds, sliding) for count, seconds in windows]
        for name, windows in minutes.items():
            self._minutes[name] = [Window(count * 60, seconds, sliding, "min") for count, seconds in windows]
        if settings.quota_after is not None:
            self._quota = Window(settings.quota_after, DAY, sliding=False)


class Ticket:
    """One counted request: its windows, and the headers of its response."""

    def __init__(self, limiter: Limiter, settings: Settings, requests: list[Window], minutes: list[Window]) -> None:
        self._limiter = limiter
        self._settings = settings
        self._requests = requests
        self._minutes = minutes

    def charge(self, category: str, seconds: float) -> None:
        """Count the duration of media in seconds, once it is known."""
        self._limiter.charge(category, seconds, self._settings)

    def headers(self) -> dict[str, str]:
        """Return the current rate-limit headers: of several windows, the one with the least remaining."""
        style = self._settings.limit_headers
        if style == "none" or not (self._requests or self._minutes):
            return {}
        now = self._settings.now()
        with self._limiter.lock:
            if style == "old":
                return self._described("X-Ratelimit", self._requests, now) if self._requests else {}
            found: dict[str, str] = {}
            dimensions = []
            for name, windows in (("Duration", self._minutes), ("Request", self._requests)):
                if windows:
                    dimensions.append(name)
                    found |= self._described(f"X-Ratelimit-{name}", windows, now)
        return {"X-Ratelimit-Dimensions": ",".join(dimensions), **found}

    def _described(self, prefix: str, windows: list[Window], now: float) -> dict[str, str]:
        window = min(windows, key=lambda window: (window.remaining(now), -window.reset(now)))
        reset = window.reset(now)
        return {
            f"{prefix}-Limit": str(math.floor(window.limit)),
            f"{prefix}-Remaining": str(math.floor(window.remaining(now))),
            f"{prefix}-Used": str(math.ceil(window.used(now))),
            f"{prefix}-Reset": f"{reset:.3f}" if self._settings.reset_fraction else str(math.ceil(reset)),
        }


def too_many_requests(settings: Settings, now: float, wait: float, brief: str, sentence: str) -> ApiError:
    """Return the API's 429 in the form that the settings define.

    Args:
        settings: which form.
        now: the emulator's clock, in seconds since the epoch.
        wait: seconds until the next request is admitted.
        brief: the limit as in the service's message: ``100req/1day``.
        sentence: the limit as in the specification's example: ``100 requests per minute``.
    """
    style = settings.retry_after
    if not isinstance(style, str):
        wait = style
    seconds = str(max(0, math.ceil(wait)))
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(now + wait)))
    nested = settings.limit_body == "nested"
    error = ApiError(
        429,
        "RATE_LIMIT_EXCEEDED" if nested else "too_many_requests",
        f"You have exceeded the rate limit ({brief}). Please try again later after {until}.",
        details={"retryAfter": seconds, "currentLimit": sentence},
        shape=settings.limit_body,
    )
    if style == "date":
        error.headers["Retry-After"] = formatdate(math.ceil(now + wait), usegmt=True)
    elif style != "none":
        error.headers["Retry-After"] = seconds
    return error


#: The request being served. Media are decoded far below the endpoint, where the request is not at hand.
current_ticket: ContextVar[Ticket | None] = ContextVar("twelvelabs_emulator_ticket", default=None)


def charge(category: str, seconds: float) -> None:
    """Count seconds of audio or video for the request being served."""
    ticket = current_ticket.get()
    if ticket is not None:
        ticket.charge(category, seconds)
