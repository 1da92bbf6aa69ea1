"""Workers that share a limit: real limiters and leases on a virtual clock, a store in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from tests.support.virtual_time import run_virtually
from tests.support.workers import MemoryStore, Service, Worker
from twelvelabs_core import QuotaExceededError, SharedLimitsError, Window
from twelvelabs_core._net import pace
from twelvelabs_core._net.limits.shared.decision import LEASE_SEC
from twelvelabs_core._net.limits.shared.lease import RENEW_SEC, START_SEC
from twelvelabs_core._net.limits.shared.store import StoreError
from twelvelabs_core._stats import Run

LIMIT, SECONDS, LATENCY = 100, 2.0, 0.05
WINDOWS = [Window(LIMIT, SECONDS)]


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the waiting is what is tested."""
    monkeypatch.setattr(pace, "_waiting", True)


def now() -> float:
    return asyncio.get_running_loop().time()


async def embed_all(workers: Sequence[Worker], service: Service, each: int) -> float:
    """The seconds it takes."""
    started = now()
    await asyncio.gather(*(worker.embed(service, each) for worker in workers))
    return now() - started


def ideal(count: int) -> float:
    return (count / LIMIT - 1) * SECONDS


def test_four_workers_keep_a_declared_limit_as_fast_as_one() -> None:
    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS)]), MemoryStore()
        workers = [Worker(store, WINDOWS) for _ in range(4)]
        assert await embed_all(workers, service, 250) <= 1.05 * ideal(1_000)
        assert (service.requests, service.rejected) == (1_000, 0)
        ends = [worker.done[-1] for worker in workers]
        assert max(ends) - min(ends) < SECONDS
        await asyncio.sleep(1)
        assert all(worker.lease.holds == 0 for worker in workers)  # an idle worker holds nothing, and reports nothing
        reports = store.reports
        await asyncio.sleep(60)
        assert store.reports == reports

    run_virtually(scenario())


@pytest.mark.parametrize("latency", [(0.02, 0.3), (0.2, 1.5)])
def test_answers_of_any_latency_break_no_limit(latency: tuple[float, float]) -> None:
    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS), (250, 11.0)], latency=latency), MemoryStore()
        workers = [Worker(store, [*WINDOWS, Window(250, 11.0)]) for _ in range(3)]
        await embed_all(workers, service, 200)
        assert (service.requests, service.rejected) == (600, 0)

    run_virtually(scenario())


def test_a_limit_in_headers_is_kept_together() -> None:
    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS)], headers=True), MemoryStore()
        # This service counts in no order, so that the newest response is not the newest count.
        assert await embed_all([Worker(store, []) for _ in range(4)], service, 250) <= 1.07 * ideal(1_000) + SECONDS
        assert service.rejected <= 0.06 * service.requests

    run_virtually(scenario())


@pytest.mark.parametrize(("retry_after", "longest", "share"), [(True, 1.15, 0.12), (False, 1.8, 0.2)])
def test_a_limit_is_learned_together_from_429s_alone(retry_after: bool, longest: float, share: float) -> None:
    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS)], retry_after=retry_after), MemoryStore()
        workers = [Worker(store, []) for _ in range(4)]
        assert await embed_all(workers, service, 250) <= longest * ideal(1_000)
        assert service.rejected <= share * service.requests
        ends = [worker.done[-1] for worker in workers]
        assert max(ends) - min(ends) <= 2 * SECONDS + 1

    run_virtually(scenario())


def test_where_the_rate_is_high_slots_are_leased_many_at_a_time() -> None:
    async def scenario() -> None:
        service, store = Service([]), MemoryStore()
        windows = [Window(100_000, SECONDS)]
        took = await embed_all([Worker(store, windows)], service, 6_400)
        assert took <= 1.03 * 6_400 / 64 * LATENCY
        assert store.reports <= 25 * took

    run_virtually(scenario())


def test_minutes_are_shared_too() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        workers = [Worker(store, [Window(100, 60.0), Window(10.0, 3600.0, "minutes")]) for _ in range(2)]
        started = now()
        for worker in workers * 2:
            await worker.limiter.acquire(Run(1), 2.5, max_wait=1)
            worker.limiter.release(Run(1), 2.5, counted=True)
        with pytest.raises(QuotaExceededError) as caught:
            await workers[0].limiter.acquire(Run(1), 2.5, max_wait=60)
        assert caught.value.retry_after == pytest.approx(3600, abs=2)
        await workers[1].limiter.acquire(Run(1), 2.5, max_wait=4000)
        assert now() - started >= 3600

    run_virtually(scenario())


def test_a_used_up_day_is_known_to_every_worker_at_once() -> None:
    async def scenario() -> None:
        store, service = MemoryStore(), Service([])
        workers = [Worker(store, [Window(30, 86_400.0)]) for _ in range(2)]
        await workers[0].embed(service, 30)
        with pytest.raises(QuotaExceededError):
            await workers[1].embed(service, 1, max_wait=60)
        assert service.requests == 30

    run_virtually(scenario())


def test_a_killed_worker_holds_up_the_others_for_its_lease_at_most() -> None:
    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS)]), MemoryStore()
        workers = [Worker(store, WINDOWS) for _ in range(4)]
        started = now()
        tasks = [asyncio.ensure_future(worker.embed(service, 250)) for worker in workers]
        await asyncio.sleep(3 * SECONDS + LATENCY + 0.12)  # with requests in flight
        workers[0].kill()
        await asyncio.gather(*tasks[1:])
        done = sum(len(worker.done) for worker in workers)
        assert now() - started <= 1.05 * ideal(done) + LEASE_SEC + SECONDS
        assert service.rejected == 0
        tasks[0].cancel()

    run_virtually(scenario())


@pytest.mark.parametrize("loses", [False, True])
@pytest.mark.parametrize("gone_sec", [0.2, 3.0])
def test_without_the_store_each_keeps_its_part(loses: bool, gone_sec: float, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS)]), MemoryStore()
        workers = [Worker(store, WINDOWS) for _ in range(4)]
        started = now()
        tasks = [asyncio.ensure_future(worker.embed(service, 250)) for worker in workers]
        await asyncio.sleep(5)
        store.is_gone = True
        if loses:
            store.lose()
        await asyncio.sleep(gone_sec)
        store.is_gone = False
        await asyncio.gather(*tasks)
        assert (service.requests, service.rejected) == (1_000, 0)
        assert now() - started <= ideal(1_000) + gone_sec + 2 * SECONDS
        assert not any(worker.lease.is_down for worker in workers)

    run_virtually(scenario())
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 4  # one for each worker
    assert all("each of 4 workers keeps its part" in warning for warning in warnings)
    assert sum("are back." in record.getMessage() and record.levelno == logging.INFO for record in caplog.records) == 4


def test_a_store_that_lost_its_state_is_believed_when_all_have_told_it_theirs() -> None:
    async def scenario() -> None:
        windows = [Window(LIMIT, 20.0)]
        service, store = Service([(LIMIT, 20.0)]), MemoryStore()
        first, late = Worker(store, windows), Worker(store, windows)
        await embed_all([first, late], service, LIMIT // 2)
        more = [asyncio.ensure_future(worker.embed(service, 10)) for worker in (first, late)]
        await asyncio.sleep(0.5)
        late.cut(True)
        store.lose()
        await asyncio.sleep(2.5)  # the first has been answered for more than a second
        late.cut(False)
        await asyncio.gather(*more)
        assert (service.requests, service.rejected) == (LIMIT + 20, 0)

    run_virtually(scenario())


def test_a_store_that_was_never_reached_is_an_error_after_some_seconds() -> None:
    async def scenario() -> None:
        store, service = MemoryStore(), Service([])
        store.is_gone = True
        worker = Worker(store, WINDOWS)
        started = now()
        with pytest.raises(SharedLimitsError, match="The store is gone"):
            await worker.embed(service, 5)
        assert START_SEC <= now() - started <= START_SEC + 1
        with pytest.raises(SharedLimitsError):  # the next call finds out at once
            await worker.embed(service, 5)
        assert now() - started <= START_SEC + 2
        store.is_gone = False
        await worker.embed(service, 5)
        assert service.requests == 5

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("The file cannot be written."), "cannot be written"),
        (RuntimeError("can't start new thread"), "cannot be used: RuntimeError"),
    ],
)
def test_a_store_that_refuses_is_an_error_at_once(error: Exception, said: str) -> None:
    async def scenario() -> None:
        store, service = MemoryStore(), Service([])
        worker = Worker(store, WINDOWS)

        async def refuse(*_: object) -> None:
            raise error

        store.report = refuse  # type: ignore[method-assign, assignment]
        started = now()
        with pytest.raises(SharedLimitsError, match=said):
            await worker.embed(service, 500)
        assert (service.requests, now()) == (0, started)

    run_virtually(scenario())


def test_a_long_request_keeps_its_slot_while_the_worker_lives() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        first, second = (Worker(store, [Window(1, 60.0)]) for _ in range(2))
        await first.limiter.acquire(Run(1), max_wait=1)
        waiting = asyncio.ensure_future(second.limiter.acquire(Run(1), max_wait=1e6))
        await asyncio.sleep(10 * LEASE_SEC)
        assert not waiting.done()
        first.limiter.release(Run(1), counted=True)
        answered_at = now()
        await waiting
        assert 60 <= now() - answered_at <= 61.5
        assert store.reports < 400
        second.limiter.release(Run(1), counted=True)

    assert RENEW_SEC < LEASE_SEC / 2
    run_virtually(scenario())


def test_a_cancelled_caller_gives_its_slot_back() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        first, second = (Worker(store, [Window(1, 60.0)]) for _ in range(2))
        call = asyncio.ensure_future(first.limiter.acquire(Run(1), max_wait=1))
        await asyncio.sleep(0.0005)  # its report is under way
        call.cancel()
        await asyncio.sleep(0)
        started = now()
        await second.limiter.acquire(Run(1), max_wait=10)
        assert now() - started < 1
        second.limiter.release(Run(1), counted=True)

    run_virtually(scenario())


def test_what_is_held_is_given_back_at_the_end() -> None:
    async def scenario() -> None:
        store, service = MemoryStore(), Service([])
        first, second = (Worker(store, [Window(50, 3600.0)]) for _ in range(2))
        await first.embed(service, 10)
        await first.lease.aclose()
        started = now()
        await second.embed(service, 40)
        assert now() - started < 0.5

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("declared", "headers"),
    [pytest.param(True, False, id="declared"), (False, True), pytest.param(False, False, id="429s")],
)
def test_a_query_of_one_worker_goes_before_the_batches_of_all(declared: bool, headers: bool) -> None:
    async def scenario() -> None:
        service, store = Service([(LIMIT, SECONDS)], headers=headers), MemoryStore()
        windows = WINDOWS if declared else []
        workers, asking = [Worker(store, windows) for _ in range(3)], Worker(store, windows)
        tasks = [asyncio.ensure_future(worker.embed(service, 300)) for worker in workers]
        await asyncio.sleep(1.5 * SECONDS)
        await asking.query(service)  # before it nothing is kept free
        took: list[float] = []
        while len(took) < 30:
            await asyncio.sleep(0.2)
            took.append(await asking.query(service))
        assert sorted(took)[15] <= 2 * LATENCY
        took.sort()
        assert took[-2] <= 0.5 and took[-1] <= (0.5 if declared or headers else SECONDS)  # a 429 may teach some more
        assert not any(task.done() for task in tasks)
        done = [len(worker.done) for worker in workers]
        await asyncio.sleep(3 * SECONDS)
        assert sum(len(worker.done) for worker in workers) - sum(done) >= 1.8 * LIMIT  # and the batches go on

    run_virtually(scenario())


def test_many_workers_get_equal_parts() -> None:
    async def scenario() -> None:
        service, store = Service([(30, 3.0)]), MemoryStore()
        workers = [Worker(store, [Window(30, 3.0)]) for _ in range(30)]
        tasks = [asyncio.ensure_future(worker.embed(service, 100, width=8)) for worker in workers]
        await asyncio.sleep(45)
        assert not any(task.done() for task in tasks)
        done = [len(worker.done) for worker in workers]
        assert service.rejected == 0
        assert sum(done) >= 0.95 * 450
        assert min(done) >= 14 and max(done) <= 16

    run_virtually(scenario())
