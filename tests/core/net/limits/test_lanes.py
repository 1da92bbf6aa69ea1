"""Lanes: who goes next, and what may be in flight."""

from __future__ import annotations

import asyncio

import pytest

from twelvelabs_core._lanes import Lane
from twelvelabs_core._net.limits.lanes import Capacity, Turns


def test_interactive_first_then_callers_in_turn() -> None:
    turns: Turns[str] = Turns()
    for waiter, caller in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("b2", "b")):
        turns.add(waiter, "bulk", caller)
    turns.add("q1", "interactive", "a")
    turns.add("q2", "interactive", "q")
    order = []
    while turns:
        lane: Lane = "interactive" if turns.next("interactive") else "bulk"
        waiting = turns.next(lane)
        assert turns.take(lane) == waiting
        order.append(waiting)
    assert order == ["q1", "q2", "a1", "b1", "c1", "a2", "b2", "a3"]
    assert turns.next("bulk") is None


async def test_interactive_ones_have_spare_room_and_go_first() -> None:
    capacity = Capacity(2, spare=1)
    assert capacity.try_acquire("bulk")
    assert capacity.try_acquire("bulk")
    assert not capacity.try_acquire("bulk")
    assert capacity.try_acquire("interactive")
    assert not capacity.try_acquire("interactive")
    order = []

    async def one(name: str, lane: Lane) -> None:
        await capacity.acquire(lane, name)
        order.append(name)

    tasks = [asyncio.ensure_future(one(name, "bulk")) for name in ("first", "second")]
    await asyncio.sleep(0)
    tasks.append(asyncio.ensure_future(one("query", "interactive")))
    await asyncio.sleep(0)
    for _ in range(4):  # the query fills the spare room again, which is not for batches
        capacity.release()
        await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert order == ["query", "first", "second"]
    assert capacity.in_use == 2


async def test_something_larger_than_everything_goes_alone() -> None:
    capacity = Capacity(10)
    await capacity.acquire("bulk", None, 25)
    assert not capacity.try_acquire("bulk", 1)
    capacity.release(25)
    assert capacity.try_acquire("bulk", 10)


@pytest.mark.parametrize("after_its_turn", [False, True])
async def test_who_is_cancelled_takes_nothing(after_its_turn: bool) -> None:
    capacity = Capacity(1)
    assert capacity.try_acquire("bulk")
    first = asyncio.ensure_future(capacity.acquire("bulk", 1))
    second = asyncio.ensure_future(capacity.acquire("bulk", 2))
    await asyncio.sleep(0)
    if after_its_turn:
        capacity.release()
        first.cancel()
    else:
        first.cancel()
        await asyncio.sleep(0)
        capacity.release()
    await second
    assert first.cancelled()
    assert capacity.in_use == 1
    capacity.release()
    assert capacity.in_use == 0
