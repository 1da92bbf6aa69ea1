"""A framework's own rate limiter, asked before every request. It serves in its own order; lanes are put before it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from ..._errors import TwelveLabsError, unexpected
from ..._stats import Run
from ..forks import PerLoop
from .lanes import is_promoted, may_be_promoted


class ExternalLimiter:
    """Acquires a limiter object.

    LangChain's has ``aacquire``, LlamaIndex's ``async_acquire``; of any other, ``acquire`` is called in a thread.

    Such limiters let in whoever asks at the right moment. So bulk requests stop asking while an interactive one does,
    and ask again after it. (A call in a thread cannot be stopped.)
    """

    def __init__(self, limiter: Any) -> None:
        self._limiter = limiter
        self._acquire: Callable[[], Awaitable[Any]] | None = getattr(limiter, "aacquire", None) or getattr(
            limiter, "async_acquire", None
        )
        self._interactive = 0  # that ask
        self._asking: set[asyncio.Task[Any]] = set()  # bulk ones
        self._changed = asyncio.Event()

    @classmethod
    def of(cls, limiter: Any) -> ExternalLimiter | None:
        """That of a limiter object on the current loop, whoever uses it; None without one."""
        if limiter is None:
            return None
        known = _known.get()
        found = known.get(id(limiter))
        if found is None:
            found = known[id(limiter)] = cls(limiter)
        return found

    async def acquire(self, run: Run) -> None:
        """Acquire it once.

        Raises:
            UnexpectedError: the limiter raised.
        """
        try:
            if self._acquire is None:
                await asyncio.to_thread(self._limiter.acquire)
            elif run.lane == "interactive":
                await self._first(self._acquire)
            else:
                await self._in_turn(self._acquire)
        except TwelveLabsError:
            raise
        except Exception as error:
            raise unexpected(error, raised_by=f"The rate limiter {type(self._limiter).__name__}") from error

    async def _first(self, acquire: Callable[[], Awaitable[Any]]) -> None:
        self._interactive += 1
        self._stop()
        try:
            await acquire()
        finally:
            self._interactive -= 1
            self._wake()

    async def _in_turn(self, acquire: Callable[[], Awaitable[Any]]) -> None:
        with may_be_promoted(self._stop):
            while not is_promoted():
                if self._interactive:
                    await self._changed.wait()
                    continue
                asking = asyncio.ensure_future(acquire())
                self._asking.add(asking)
                try:
                    await asyncio.wait([asking])
                finally:
                    self._asking.discard(asking)
                    asking.cancel()  # it has ended, or we are cancelled
                if not asking.cancelled():
                    asking.result()
                    return
        await self._first(acquire)

    def _stop(self) -> None:
        """Have all bulk requests look again whether they may ask."""
        for task in self._asking:
            task.cancel()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed.clear()


_known: PerLoop[weakref.WeakValueDictionary[int, ExternalLimiter]] = PerLoop(weakref.WeakValueDictionary)
