"""An event loop whose clock jumps to the next timer: minutes pass at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing; what it would have waited is added to ``now``."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is left that could happen: the coroutine hangs"
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` is virtual and starts at 1,000 s; threads and sockets have no place here."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self._jumping.now = 1000.0
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``, on a :class:`VirtualLoop`."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_ended(coroutine))
    finally:
        loop.close()


async def _ended(coroutine: Coroutine[Any, Any, T]) -> T:
    """Its result, when what it has left behind has ended too."""
    try:
        return await coroutine
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
