"""Who goes next: a user's query never stands behind a batch, and no batch behind another.

Every queue of the package has these two lanes: those of the limiters, and those for what may be in flight.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from ..._lanes import Lane

W = TypeVar("W")


# Tasks of bulk requests for which an interactive call waits too, and what has those that wait look again.
_promoted: set[asyncio.Task[Any]] = set()
_may_be_promoted: dict[asyncio.Task[Any], Callable[[], None]] = {}


def promote(task: asyncio.Task[Any]) -> None:
    """Have the bulk request that a task is sending go on as an interactive one, until :func:`demote`."""
    _promoted.add(task)
    look_again = _may_be_promoted.get(task)
    if look_again is not None:
        look_again()


def demote(task: asyncio.Task[Any]) -> None:
    """End :func:`promote`."""
    _promoted.discard(task)


def is_promoted() -> bool:
    """Whether an interactive call waits for what the running task is sending."""
    return bool(_promoted) and asyncio.current_task() in _promoted


@contextmanager
def may_be_promoted(look_again: Callable[[], None]) -> Iterator[None]:
    """The running task waits in the bulk lane; ``look_again`` is called when it is promoted."""
    task = asyncio.current_task()
    assert task is not None
    _may_be_promoted[task] = look_again
    try:
        yield
    finally:
        del _may_be_promoted[task]


class Turns(Generic[W]):
    """Those who wait: interactive ones in the order in which they came, then bulk ones, one of each caller in turn."""

    __slots__ = ("_bulk", "_interactive")

    def __init__(self) -> None:
        self._interactive: deque[W] = deque()
        self._bulk: OrderedDict[Hashable, deque[W]] = OrderedDict()  # by caller; the first is next

    def __bool__(self) -> bool:
        return bool(self._interactive or self._bulk)

    @property
    def callers(self) -> int:
        """How many callers wait in the bulk lane."""
        return len(self._bulk)

    def add(self, waiter: W, lane: Lane, caller: Hashable) -> None:
        """Put one at the end of its caller's line, and a new caller at the end of the callers."""
        if lane == "interactive":
            self._interactive.append(waiter)
            return
        line = self._bulk.get(caller)
        if line is None:
            line = self._bulk[caller] = deque()
        line.append(waiter)

    def promote(self, waiter: W, caller: Hashable) -> None:
        """Move one that waits from the bulk lane to the end of the interactive one."""
        line = self._bulk.get(caller)
        if line is not None and waiter in line:
            line.remove(waiter)
            if not line:
                del self._bulk[caller]
            self._interactive.append(waiter)

    def count(self, lane: Lane) -> int:
        """How many wait in a lane."""
        return len(self._interactive) if lane == "interactive" else sum(map(len, self._bulk.values()))

    def next(self, lane: Lane) -> W | None:
        """Who is next in a lane; None if nobody waits there."""
        if lane == "interactive":
            return self._interactive[0] if self._interactive else None
        return next(iter(self._bulk.values()))[0] if self._bulk else None

    def take(self, lane: Lane) -> W:
        """Take the next one of a lane out; its caller goes to the end of the callers.

        Raises:
            IndexError, KeyError: nobody waits there.
        """
        if lane == "interactive":
            return self._interactive.popleft()
        caller, line = next(iter(self._bulk.items()))
        waiter = line.popleft()
        if line:
            self._bulk.move_to_end(caller)
        else:
            del self._bulk[caller]
        return waiter


class Capacity:
    """Bounds what is in flight at a time: requests, or bytes. On one loop.

    Args:
        total: what the bulk lane may have in flight. Something larger goes alone.
        spare: what interactive ones may have beyond that, so that they need not wait for a slow bulk request to end.

    Attributes:
        in_use: at this moment.
    """

    __slots__ = ("_spare", "_total", "_turns", "in_use")

    def __init__(self, total: int, *, spare: int = 0) -> None:
        self._total, self._spare = total, spare
        self.in_use = 0
        self._turns: Turns[_Waiter] = Turns()

    def try_acquire(self, lane: Lane, amount: int = 1) -> bool:
        """Acquire without waiting; False if there is no room, or others go first."""
        if (self._turns and self._waits(lane)) or not self._has_room(lane, amount):
            return False
        self.in_use += amount
        return True

    async def acquire(self, lane: Lane, caller: Hashable, amount: int = 1) -> None:
        """Wait until there is room. Each acquire needs one :meth:`release` of the same amount."""
        if is_promoted():
            lane = "interactive"
        if self.try_acquire(lane, amount):
            return
        waiter = _Waiter(asyncio.get_running_loop().create_future(), amount)
        self._turns.add(waiter, lane, caller)

        def look_again() -> None:
            self._turns.promote(waiter, caller)
            self._wake()

        try:
            with may_be_promoted(look_again):
                await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():  # cancelled between its turn and running
                self.release(amount)
            else:
                self._wake()
            raise

    def release(self, amount: int = 1) -> None:
        """Give back what was acquired."""
        self.in_use -= amount
        if self._turns:
            self._wake()

    def _waits(self, lane: Lane) -> bool:
        """Whether somebody waits who goes before a newcomer of a lane."""
        return self._turns.next("interactive") is not None or (lane == "bulk" and self._turns.next("bulk") is not None)

    def _has_room(self, lane: Lane, amount: int) -> bool:
        total = self._total + (self._spare if lane == "interactive" else 0)
        return self.in_use + amount <= total or self.in_use == 0

    def _wake(self) -> None:
        lanes: tuple[Lane, Lane] = ("interactive", "bulk")
        for lane in lanes:
            while (waiter := self._turns.next(lane)) is not None:
                if waiter.future.done():
                    self._turns.take(lane)
                elif self._has_room(lane, waiter.amount):
                    self._turns.take(lane)
                    self.in_use += waiter.amount
                    waiter.future.set_result(None)
                else:
                    return


class _Waiter:
    __slots__ = ("amount", "future")

    def __init__(self, future: asyncio.Future[None], amount: int) -> None:
        self.future, self.amount = future, amount
