"""Runs jobs with bounded concurrency."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from .._errors import (
    AuthenticationError,
    CacheError,
    QuotaExceededError,
    RateLimitError,
    SharedLimitsError,
    TwelveLabsError,
    as_error,
)
from .._stats import Run
from .limits.circuit import CIRCUIT_OPEN
from .retry import NOT_SENT

J = TypeVar("J")


def is_fatal(error: TwelveLabsError) -> bool:
    """Whether an error is about the account, the server or the cache, so that every other job would meet it too."""
    fatal = (AuthenticationError, QuotaExceededError, CacheError, SharedLimitsError)
    return isinstance(error, fatal) or error.code == CIRCUIT_OPEN


def stops_all(error: TwelveLabsError) -> bool:
    """Whether an error must be raised also where items that fail may be left out: each item after it would be lost."""
    return is_fatal(error) or isinstance(error, RateLimitError)


def is_of_job(error: TwelveLabsError) -> bool:
    """Whether an error is a job's own: neither fatal, nor that the job was not sent because another's was."""
    return not is_fatal(error) and error.code != NOT_SENT


async def for_each(
    jobs: Iterable[J],
    do: Callable[[J], Awaitable[None]],
    *,
    workers: int,
    stopped: Callable[[], bool] = lambda: False,
    failed: Callable[[J, Exception], None] | None = None,
) -> None:
    """Do all jobs, ``workers`` at a time; the first exception cancels the others and is raised.

    Args:
        jobs: taken lazily, each when a worker is free.
        stopped: asked before each job; True = no new one starts, and those in progress are finished.
        failed: takes the exception of a job, and the others go on.
    """
    remaining = iter(jobs)

    async def worker() -> None:
        for job in remaining:
            if stopped():
                return
            try:
                await do(job)
            except Exception as error:
                if failed is None:
                    raise
                failed(job, error)

    tasks = [asyncio.ensure_future(worker()) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def attempt_each(
    jobs: Iterable[J], do: Callable[[int, J], Awaitable[None]], run: Run, *, workers: int
) -> dict[int, TwelveLabsError]:
    """Do all jobs, ``workers`` at a time, and collect the errors of those that fail.

    Args:
        jobs: taken lazily.
        do: called with the index of a job and the job.

    Returns:
        The errors by index. An exception that is not ours is an UnexpectedError.

    Raises:
        AuthenticationError, QuotaExceededError: about the account, so every other job would fail too. No new job
            starts; those in progress are finished first, as they may have been charged.
        CacheError: what is charged from now on would not be kept; likewise.
        SharedLimitsError: the limits that processes share have never been reached; likewise.
        ConnectionFailedError, ServerError: the server stays broken (code ``circuit_open``); likewise.
    """
    errors: dict[int, TwelveLabsError] = {}
    fatal: list[TwelveLabsError] = []

    def failed(job: tuple[int, J], error: Exception) -> None:
        ours = as_error(error)
        if is_fatal(ours):
            run.stopping = True
            fatal.append(ours)
        elif is_of_job(ours):
            errors[job[0]] = ours
            run.stats.failed += 1

    await for_each(enumerate(jobs), lambda job: do(*job), workers=workers, stopped=lambda: run.stopping, failed=failed)
    if fatal:
        raise fatal[0]
    return errors
