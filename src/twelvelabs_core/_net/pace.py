"""A switch for tests: with it, nothing waits for a retry or a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_waiting", "pause", "waiting"]

_waiting = True


def waiting() -> bool:
    """Whether retries and limits really wait."""
    return _waiting


@contextmanager
def no_waiting() -> Iterator[None]:
    """Within it, retries and limits of every client in this process do not wait: for the tests of programs that use
    this package.

    Everything else stays: the number of tries, ``QuotaExceededError`` for waits over ``max_wait``, the order.
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
