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
    """Inside this context, retries and rate limits of all clients in this process do not wait. For tests.

    Unchanged are the number of attempts, their order, and ``QuotaExceededError`` for waits over ``max_wait``.
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
