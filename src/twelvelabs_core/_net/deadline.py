"""Deadlines for blocks of code, as ``asyncio.timeout`` of Python 3.11 sets them, but many by one timer."""

from __future__ import annotations

import asyncio
import math
import sys
from types import TracebackType

TICKS = 20  # looks at the clock in the shortest deadline
LONGEST_TICK = 1.0  # seconds


class Stalled(asyncio.TimeoutError):
    """Nothing has come for the time that :meth:`Deadline.within` gave."""


class NotTaken(Stalled):
    """Nothing of the request's body has been taken for that time."""


class Deadlines:
    """Deadlines on one loop.

    A timer of its own for each request takes a twentieth of the CPU time of a text (measured), and one that starts
    anew with each read another, though hardly any expires. So one timer looks at all of them, and a block ends up to a
    second late, or a twentieth of its time.

    Args:
        seconds: the shortest that will be asked for.
    """

    def __init__(self, seconds: float) -> None:
        self.open: set[Deadline] = set()
        self._tick = min(LONGEST_TICK, seconds / TICKS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def of(self, seconds: float, within: float = math.inf) -> Deadline:
        """A context manager whose block ends after so many seconds by ``asyncio.TimeoutError``.

        Args:
            within: the first :meth:`Deadline.within`.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(self._tick, self._look)
        return Deadline(self.open, loop.time(), seconds, within)

    def current(self) -> Deadline | None:
        """The deadline that the running task is in. Looks at all of them: for rare moments."""
        task = asyncio.current_task()
        return next((found for found in self.open if found.task is task), None)

    def _look(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        for deadline in [found for found in self.open if found.at <= now]:
            deadline.expire()
        self._timer = self._loop.call_later(self._tick, self._look) if self.open else None


class Deadline:
    """One of :class:`Deadlines`; used once.

    Attributes:
        at: the loop's time at which the block ends.
        task: the task that the block runs in.
    """

    __slots__ = ("_cancelled_before", "_end", "_expired", "_open", "_stalled", "at", "task")

    task: asyncio.Task[object]

    def __init__(self, others: set[Deadline], now: float, seconds: float, within: float = math.inf) -> None:
        self._open = others
        self._expired = False
        self._stalled = Stalled
        self._end = now + seconds
        self.at = now + min(seconds, within)

    def within(self, seconds: float, stalled: type[Stalled] = Stalled) -> None:
        """End the block by ``stalled`` if this is not called again within so many seconds; inf = it need not."""
        self.at = min(self._end, asyncio.get_running_loop().time() + seconds)
        self._stalled = stalled

    def __enter__(self) -> Deadline:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        if sys.version_info >= (3, 11):
            self._cancelled_before = task.cancelling()
        self._open.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.discard(self)
        if not self._expired:
            return
        if sys.version_info >= (3, 11) and self.task.uncancel() > self._cancelled_before:
            return  # cancelled from outside too: that goes on
        if kind is asyncio.CancelledError:
            raise self._stalled if self.at < self._end else asyncio.TimeoutError from None

    def expire(self) -> None:
        """End the block now."""
        self._open.discard(self)
        self._expired = True
        self.task.cancel()
