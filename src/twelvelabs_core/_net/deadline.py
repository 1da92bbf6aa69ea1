"""Deadlines for blocks of code, as ``asyncio.timeout`` of Python 3.11 sets them, but many by one timer."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType

TICKS = 20  # looks at the clock in the shortest deadline
LONGEST_TICK = 1.0  # seconds


class Deadlines:
    """Deadlines on one loop.

    A timer of its own for each request takes a twentieth of the CPU time of a text (measured), though hardly any
    expires. So one timer looks at all of them, and a block ends up to a second late, or a twentieth of its time.

    Args:
        seconds: the shortest that will be asked for.
    """

    def __init__(self, seconds: float) -> None:
        self.open: set[Deadline] = set()
        self._tick = min(LONGEST_TICK, seconds / TICKS)
        self._timer: asyncio.TimerHandle | None = None

    def of(self, seconds: float) -> Deadline:
        """A context manager whose block ends after so many seconds by ``asyncio.TimeoutError``."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)
        return Deadline(self.open, seconds)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for deadline in [found for found in self.open if found.at <= now]:
            deadline.expire()
        self._timer = loop.call_later(self._tick, self._look) if self.open else None


class Deadline:
    """One of :class:`Deadlines`; used once."""

    __slots__ = ("_cancelled_before", "_expired", "_open", "_task", "at")

    def __init__(self, others: set[Deadline], seconds: float) -> None:
        self._open = others
        self._expired = False
        self.at = asyncio.get_running_loop().time() + seconds

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        if sys.version_info >= (3, 11):
            self._cancelled_before = task.cancelling()
        self._open.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.discard(self)
        if not self._expired:
            return
        if sys.version_info >= (3, 11) and self._task.uncancel() > self._cancelled_before:
            return  # cancelled from outside too: that goes on
        if kind is asyncio.CancelledError:
            raise asyncio.TimeoutError from None

    def expire(self) -> None:
        """End the block now."""
        self._open.discard(self)
        self._expired = True
        self._task.cancel()
