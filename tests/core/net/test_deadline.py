"""A block ends at its deadline, and a cancellation from outside stays one."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from twelvelabs_core._net.deadline import Deadline, Deadlines


def within(seconds: float) -> Deadline:
    return Deadlines(seconds).of(seconds)


async def test_a_block_in_time_is_left_alone() -> None:
    with within(0.05):
        await asyncio.sleep(0)
    await asyncio.sleep(0.07)


async def test_a_block_out_of_time_ends_by_a_timeout() -> None:
    with pytest.raises(asyncio.TimeoutError), within(0.01):
        await asyncio.sleep(10)
    await asyncio.sleep(0)  # no cancellation is left behind


async def test_the_inner_of_two_deadlines_is_the_one_that_ends_it() -> None:
    with within(10):
        with pytest.raises(asyncio.TimeoutError), within(0.01):
            await asyncio.sleep(10)
        await asyncio.sleep(0)


async def test_an_exception_of_the_block_is_its_own() -> None:
    with pytest.raises(KeyError), within(10):
        raise KeyError


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def work() -> None:
        with within(10):
            await asyncio.sleep(10)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_block_that_ends_in_the_moment_of_its_deadline_leaves_no_cancellation() -> None:
    done = asyncio.get_running_loop().create_future()
    deadline = within(10)

    async def work() -> str:
        try:
            with deadline:
                await done
        except asyncio.TimeoutError:
            pass
        await asyncio.sleep(0)
        return "went on"

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    done.set_result(None)
    deadline.expire()
    assert await task == "went on"


async def test_many_deadlines_have_one_timer_and_end_each_in_its_time() -> None:
    deadlines = Deadlines(0.02)
    ended: list[float] = []

    async def work(seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError), deadlines.of(seconds):
            await asyncio.sleep(10)
        ended.append(seconds)

    await asyncio.gather(*(work(seconds) for seconds in (0.06, 0.02, 0.04)))
    assert ended == [0.02, 0.04, 0.06]
    assert not deadlines.open
    await asyncio.sleep(0.005)
    assert deadlines._timer is None, "nothing is left to look at"
