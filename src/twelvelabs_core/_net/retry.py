"""Retry policy as data: which failures, how often, how long to wait. Pure; the engine does the waiting."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .._errors import (
    ConnectionFailedError,
    MalformedResponseError,
    RateLimitError,
    ServerError,
    TwelveLabsError,
)

__all__ = ["RetryPolicy"]


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed request is sent again.

    Retried: 408, 429, 5xx, connection and read errors, answers that are not JSON. Never: any other 4xx. An embedding
    request is safe to repeat but for its price, which the server's answer would have told.

    Attributes:
        max_retries: tries after the first.
        max_connect_retries: tries after the first when nothing answers at the address at all.
        max_elapsed: seconds from the first try after which no new try starts.
        base, cap: seconds; the wait doubles from ``base`` up to ``cap``.
        jitter: share of the wait that is random, so that many callers do not come back at once.
    """

    max_retries: int = 5
    max_connect_retries: int = 2
    max_elapsed: float = 300.0
    base: float = 0.5
    cap: float = 20.0
    jitter: float = 0.5

    def wait(
        self, error: TwelveLabsError, tries: int, elapsed: float, *, rng: random.Random | None = None
    ) -> float | None:
        """Seconds until the next try, or None to give up.

        Args:
            error: what the last try ended with; a ``retry_after`` of the server's goes before any backoff.
            tries: tries made so far, 1 or more.
            elapsed: seconds since the first try.
        """
        if not isinstance(error, (RateLimitError, ServerError, ConnectionFailedError, MalformedResponseError)):
            return None
        unreachable = isinstance(error, ConnectionFailedError) and error.code == "unreachable"
        if tries > (min(self.max_connect_retries, self.max_retries) if unreachable else self.max_retries):
            return None
        backoff = min(self.cap, self.base * 2.0 ** (tries - 1))
        wait = backoff * (1 - self.jitter * (rng or random).random())
        told = getattr(error, "retry_after", None)
        if told is not None:
            wait = float(told) + wait * 0.1  # a little later than told: clocks differ, and a herd is spread
        return wait if elapsed + wait <= self.max_elapsed else None
