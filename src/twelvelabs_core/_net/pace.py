"""A switch for tests: with it, no retry and no rate limit waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_waiting = True


def waiting() -> bool:
    """Whether retries and rate limits really wait."""
    return _waiting


@contextmanager
def no_waiting() -> Iterator[None]:
    """While it is open, retries and rate limits of every client in this process do not wait. For the tests of programs
    that use this package.

    Everything else stays: the number of attempts, ``QuotaExceededError`` for waits over ``max_wait``, the order.
    """
    global _waiting
    before, _waiting = _waiting, False
    try:
        yield
    finally:
        _waiting = before


async def pause(seconds: float) -> None:
    """Sleep, unless waiting is off."""
    await asyncio.sleep(seconds if _waiting else 0)
