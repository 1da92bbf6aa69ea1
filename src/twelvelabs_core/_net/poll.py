"""Polling at growing intervals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from .pace import pause

T = TypeVar("T")

GROWTH = 1.5


async def poll(check: Callable[[], Awaitable[T | None]], *, first: float, slowest: float, timeout: float) -> T | None:
    """The first result of ``check`` that is not None, or None when the time is up.

    Args:
        first: seconds between the first two checks; each later wait is half as long again.
        slowest: longest wait between two checks, in seconds.
        timeout: seconds after which no new check starts. There is always one.
    """
    started, wait = monotonic(), first
    while True:
        found = await check()
        if found is not None:
            return found
        if monotonic() - started > timeout:
            return None
        await pause(wait)
        wait = min(slowest, wait * GROWTH)
