"""Two switches for tests: no retry and no rate limit waits; the clock of rate limits is ahead."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .._errors import InvalidInputError

_waiting = True
_ahead = 0.0  # seconds


def waiting() -> bool:
    """Whether retries and rate limits really wait."""
    return _waiting


@contextmanager
def no_waiting() -> Iterator[None]:
    """Inside this context, retries and rate limits of all clients in this process do not wait. For tests.

    Unchanged are the number of attempts, their order, and ``QuotaExceededError`` for waits over ``max_wait``.
    """
    global _waiting
    before, _waiting = _waiting, False
    try:
        yield
    finally:
        _waiting = before


def advance_clock(seconds: float) -> None:
    """To the rate limits of all clients in this process, so many seconds have passed. For tests.

    Declared windows empty, and what a 429 has closed opens. Requests that wait for a limit start within a second. Never
    put back: what the limits remember would lie in the future. Limits that processes share by a file or by Redis have
    the clock of that store, which stays as it is.

    Raises:
        InvalidInputError: ``seconds`` is negative or not finite.
    """
    global _ahead
    if not 0 <= seconds < math.inf:
        raise InvalidInputError(f"The clock can be moved ahead by a number of seconds, not by {seconds!r}.")
    _ahead += seconds


def monotonic() -> float:
    """The clock of rate limits: ``time.monotonic()``, and what :func:`advance_clock` has added."""
    return time.monotonic() + _ahead


async def pause(seconds: float) -> None:
    """Sleep, unless waiting is off."""
    await asyncio.sleep(seconds if _waiting else 0)
