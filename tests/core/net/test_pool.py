"""Workers: how many at a time, what stops them, and what is finished."""

from __future__ import annotations

import asyncio

import pytest

from twelvelabs_core import (
    AuthenticationError,
    CacheError,
    ConnectionFailedError,
    InvalidInputError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TwelveLabsError,
    UnexpectedError,
)
from twelvelabs_core._net.limits.circuit import CIRCUIT_OPEN
from twelvelabs_core._net.pool import attempt_each, for_each, stops_all
from twelvelabs_core._net.retry import NOT_SENT
from twelvelabs_core._stats import Run

# -- for_each ------------------------------------------------------------------------------------------------------


async def test_each_job_is_done_once_by_so_many_workers() -> None:
    done: list[int] = []
    now = most = 0

    async def do(job: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        done.append(job)

    await for_each(range(20), do, workers=3)
    assert sorted(done) == list(range(20))
    assert most == 3


async def test_jobs_are_taken_when_a_worker_is_free() -> None:
    taken: list[int] = []
    done: list[int] = []

    async def do(job: int) -> None:
        assert len(taken) - len(done) <= 2
        await asyncio.sleep(0)
        done.append(job)

    await for_each((taken.append(i) or i for i in range(9)), do, workers=2)  # type: ignore[func-returns-value]
    assert len(done) == 9


async def test_the_first_exception_cancels_the_other_workers_and_waits_for_them() -> None:
    cancelled: list[int] = []

    async def do(job: int) -> None:
        if job == 1:
            raise ValueError("m")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cancelled.append(job)

    with pytest.raises(ValueError):
        await for_each(range(10), do, workers=3)
    assert sorted(cancelled) == [0, 2]


async def test_once_stopped_no_job_starts_and_those_in_progress_are_finished() -> None:
    started: list[int] = []
    finished: list[int] = []

    async def do(job: int) -> None:
        started.append(job)
        await asyncio.sleep(0)
        finished.append(job)

    await for_each(range(10), do, workers=3, stopped=lambda: len(started) >= 3)
    assert started == finished == [0, 1, 2]


# -- batches -------------------------------------------------------------------------------------------------------


async def test_errors_of_jobs_are_collected_by_index() -> None:
    run = Run(5)

    async def do(index: int, job: str) -> None:
        if job in "bd":
            raise InvalidInputError(job)

    errors = await attempt_each("abcde", do, run, workers=2)
    assert {index: error.message for index, error in errors.items()} == {1: "b", 3: "d"}
    assert run.stats.failed == 2
    assert not run.stopping


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("m"),
        QuotaExceededError("m"),
        CacheError("m"),
        ServerError("m", code=CIRCUIT_OPEN),
        ConnectionFailedError("m", code=CIRCUIT_OPEN),
    ],
    ids=["authentication", "quota", "cache", "server down", "host down"],
)
async def test_an_error_about_all_jobs_stops_the_batch_and_what_is_in_progress_is_finished(
    error: TwelveLabsError,
) -> None:
    run = Run(10)
    finished: list[int] = []

    async def do(index: int, job: int) -> None:
        if index == 2:
            raise error
        await asyncio.sleep(0)
        finished.append(index)

    with pytest.raises(type(error)):
        await attempt_each(range(10), do, run, workers=3)
    assert run.stopping
    assert finished == [0, 1]


@pytest.mark.parametrize(
    "error", [ServerError("m"), ConnectionFailedError("m"), ConnectionFailedError("m", code="unreachable")]
)
async def test_a_failure_of_some_jobs_does_not_stop_the_batch(error: TwelveLabsError) -> None:
    async def do(index: int, job: int) -> None:
        raise error

    assert len(await attempt_each(range(10), do, Run(10), workers=1)) == 10


async def test_what_is_not_sent_because_the_batch_was_stopped_has_no_error_of_its_own() -> None:
    run = Run(10)

    async def do(index: int, job: int) -> None:
        if index == 1:
            raise ConnectionFailedError("m", code=NOT_SENT)

    assert await attempt_each(range(3), do, run, workers=1) == {}
    assert run.stats.failed == 0


async def test_an_exception_that_is_not_ours_is_the_error_of_its_job() -> None:
    run, odd = Run(10), ValueError("odd")
    finished: list[int] = []

    async def do(index: int, job: int) -> None:
        if index == 3:
            raise odd
        await asyncio.sleep(0)
        finished.append(index)

    errors = await attempt_each(range(10), do, run, workers=4)
    assert sorted(finished) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert set(errors) == {3}
    assert isinstance(errors[3], UnexpectedError)
    assert errors[3].__cause__ is odd
    assert "raised ValueError" in errors[3].message
    assert run.stats.failed == 1
    assert not run.stopping


class Interrupt(BaseException):
    """As KeyboardInterrupt and SystemExit, which asyncio would raise out of the test's own loop."""


@pytest.mark.parametrize("end", [asyncio.CancelledError, Interrupt])
async def test_what_ends_the_program_ends_the_batch(end: type[BaseException]) -> None:
    async def do(index: int, job: int) -> None:
        raise end

    with pytest.raises(end):
        await attempt_each(range(10), do, Run(10), workers=2)


# -- what may be left out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (AuthenticationError("no"), True),
        (RateLimitError("later"), True),
        (QuotaExceededError("tomorrow"), True),
        (CacheError("full"), True),
        (ConnectionFailedError("down", code=CIRCUIT_OPEN), True),
        (ConnectionFailedError("dropped"), False),
        (ServerError("broken"), False),
        (InvalidInputError("no video"), False),
    ],
)
def test_errors_that_every_other_item_would_meet_are_never_left_out(error: TwelveLabsError, stops: bool) -> None:
    assert stops_all(error) is stops
