"""Two lanes on one limit, on a virtual clock: queries beside batches, batches beside each other, and batches alone."""

from __future__ import annotations

import asyncio
import math
import random
import statistics
from collections import deque
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.virtual_time import run_virtually
from twelvelabs_core import QuotaExceededError, RateLimits, Window
from twelvelabs_core._api.rate_headers import RateLimitInfo
from twelvelabs_core._lanes import Lane
from twelvelabs_core._net import pace
from twelvelabs_core._net.limits.account import Account
from twelvelabs_core._net.limits.circuit import Gate
from twelvelabs_core._net.limits.lanes import Capacity
from twelvelabs_core._net.limits.limiter import Demand, Lead, Limiter
from twelvelabs_core._net.limits.windows import Share, SlidingWindow
from twelvelabs_core._stats import Run

LATENCY = 0.05


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the waiting is what is tested."""
    monkeypatch.setattr(pace, "_waiting", True)


class Service:
    """A server that counts on arrival and answers 50 ms later, and a client of 64 connections for it.

    Args:
        told: how the client knows the limit: it is ``declared``, in ``headers``, by ``refusals`` alone, or there is
            ``none``.
    """

    def __init__(
        self, told: str, limit: int, seconds: float, *, share: float | None = None, sliding: bool = True
    ) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time
        self.told, self.limit, self.seconds, self.sliding = told, limit, seconds, sliding
        self.limiter = Limiter([Window(limit, seconds)] if told == "declared" else [], share=share, clock=loop.time)
        self.slots = Capacity(64, spare=4)
        self._counted: deque[float] = deque()
        self.refused = 0

    def _left(self) -> int:
        counted, oldest = self._counted, self.now() - self.seconds
        if self.sliding:
            while counted and counted[0] <= oldest:
                counted.popleft()
        elif counted and counted[0] <= oldest:
            counted.clear()
        return self.limit - len(counted)

    async def send(self, run: Run) -> None:
        """One request, until it is accepted."""
        while True:
            await self.limiter.acquire(run, max_wait=math.inf)
            await self.slots.acquire(run.lane, run)
            sent_at = self.now()
            await asyncio.sleep(0.001)
            accepted = self.told == "none" or self._left() > 0
            if accepted:
                self._counted.append(self.now())
            left = self._left()
            reset = self._counted[0] + self.seconds - self.now()
            await asyncio.sleep(LATENCY - 0.001 if accepted else 0.001)
            self.slots.release()
            if not accepted:
                self.refused += 1
                self.limiter.block_for(math.ceil(reset))
            info = RateLimitInfo(left, reset, limit=self.limit) if self.told == "headers" else None
            took = self.now() - sent_at if accepted else None
            self.limiter.release(run, counted=accepted, info=info, took=took)
            if accepted:
                return

    async def batch(self, count: int) -> float:
        """``count`` requests by 64 workers; returns the seconds they took."""
        run, todo, started = Run(count), iter(range(count)), self.now()
        run.expect(count)

        async def worker() -> None:
            for _ in todo:
                await self.send(run)

        await asyncio.gather(*(worker() for _ in range(64)))
        return self.now() - started

    async def query(self) -> float:
        """One interactive request; returns the seconds it took."""
        started = self.now()
        await self.send(Run(1, lane="interactive"))
        return self.now() - started

    async def queries(self, pause: float, *, while_: asyncio.Future[Any]) -> list[float]:
        taken = []
        while not while_.done():
            taken.append(await self.query())
            await asyncio.sleep(pause)
        return taken


async def beside(service: Service, count: int, pause: float) -> list[float]:
    """What queries take while a batch runs. Some were asked before, and the limit is known."""
    if service.told == "refusals":
        await service.batch(service.limit + 64)
    for _ in range(3):
        await service.query()
    batch = asyncio.ensure_future(service.batch(count))
    await asyncio.sleep(0.3)
    taken = await service.queries(pause, while_=batch)
    await batch
    return taken


@pytest.mark.parametrize("told", ["declared", "headers", "refusals", "none"])
@pytest.mark.parametrize(("limit", "seconds"), [(100, 2.0), (300, 20.0), (600, 60.0)])
@pytest.mark.parametrize("pause", [0.25, 3.0])
def test_a_query_never_waits_for_a_batch(told: str, limit: int, seconds: float, pause: float) -> None:
    async def main() -> None:
        service = Service(told, limit, seconds)
        taken = await beside(service, 4 * limit, pause)
        assert statistics.median(taken) <= 2 * LATENCY
        assert max(taken) <= 0.5
        if told == "declared":
            assert service.refused == 0

    run_virtually(main())


@pytest.mark.parametrize("sliding", [True, False])
@pytest.mark.parametrize("told", ["declared", "headers"])
def test_a_batch_alone_pays_nothing_for_the_lanes(told: str, sliding: bool) -> None:
    async def main() -> None:
        service = Service(told, 100, 2.0, sliding=sliding)
        assert await service.batch(1000) <= (1.04 if told == "declared" else 1.06) * 18
        assert service.refused <= (0 if told == "declared" else 10)

    run_virtually(main())


def test_after_the_queries_a_batch_has_the_full_rate_again() -> None:
    async def main() -> None:
        service = Service("declared", 100, 2.0)
        await beside(service, 300, 0.5)
        await asyncio.sleep(10)
        assert await service.batch(500) <= 1.04 * 8
        assert service.refused == 0

    run_virtually(main())


def test_one_query_before_a_batch_that_fits_costs_it_nothing() -> None:
    async def main() -> None:
        service = Service("declared", 600, 60.0)
        await service.query()
        assert await service.batch(590) < 1.0

    run_virtually(main())


def test_a_share_that_is_set_is_free_for_the_first_query() -> None:
    async def main() -> None:
        service = Service("declared", 100, 2.0, share=0.1)
        batch = asyncio.ensure_future(service.batch(500))
        await asyncio.sleep(1.0)
        assert max(await asyncio.gather(*(service.query() for _ in range(10)))) < 2 * LATENCY
        await batch

    run_virtually(main())


def test_a_batch_that_has_room_leaves_the_share_for_the_first_query() -> None:
    async def main() -> None:
        service = Service("declared", 300, 20.0)
        batch = asyncio.ensure_future(service.batch(1000))
        await asyncio.sleep(5.0)
        assert max(await asyncio.gather(*(service.query() for _ in range(15)))) < 2 * LATENCY
        await batch

    run_virtually(main())


def test_the_first_query_after_a_quiet_time_is_the_first_in_line() -> None:
    async def main() -> None:
        service = Service("declared", 100, 2.0)
        batch = asyncio.ensure_future(service.batch(500))
        await asyncio.sleep(0.5)
        assert 1.4 < await service.query() < 1.7  # the window was used up; a slot is free 2 s after it began
        await batch

    run_virtually(main())


def test_batches_and_single_texts_have_equal_turns() -> None:
    """Two batches and 64 threads that send one text after the other, all of them in the bulk lane."""

    async def main() -> None:
        service = Service("declared", 100, 2.0)
        waits: dict[str, list[float]] = {"batch": [], "single": []}

        async def one(run: Run, kind: str) -> None:
            asked = service.now()
            await service.send(run)
            waits[kind].append(service.now() - asked)

        async def batch(todo: Any) -> None:
            run = Run(1000)
            await asyncio.gather(*(worker(run, todo) for _ in range(64)))

        async def worker(run: Run, todo: Any) -> None:
            for _ in todo:
                await one(run, "batch")

        async def thread() -> list[float]:
            mine = []
            for _ in range(10):
                asked = service.now()
                await one(Run(1), "single")
                mine.append(service.now() - asked)
            return mine

        first, second = iter(range(1000)), iter(range(1000))
        batches = [asyncio.ensure_future(batch(todo)) for todo in (first, second)]
        threads = await asyncio.gather(*(thread() for _ in range(64)))
        for task in batches:
            task.cancel()
        everyone = sorted(map(sum, threads))
        assert everyone[-1] <= 3 * statistics.median(everyone)
        assert max(waits["single"]) <= 3 * statistics.median(waits["single"]) + 2 * LATENCY
        done = len(waits["batch"])
        assert done >= 2 * len(waits["single"]) / 64 * 0.5  # each batch had its turns too

    run_virtually(main())


# -- what must hold whatever comes ---------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    limit=st.integers(1, 30),
    second=st.one_of(st.none(), st.tuples(st.integers(1, 40), st.floats(0.5, 20))),
    share=st.one_of(st.none(), st.floats(0, 0.5)),
    callers=st.integers(1, 6),
)
def test_no_window_is_ever_exceeded_nobody_starves_and_nothing_leaks(
    seed: int, limit: int, second: tuple[int, float] | None, share: float | None, callers: int
) -> None:
    windows = [Window(limit, 1.0), *([Window(*second)] if second else [])]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter(windows, share=share, clock=loop.time)
        rng = random.Random(seed)
        answered: list[float] = []  # when each was answered; the server counts it at any time before
        started: list[float] = []

        async def one(run: Run) -> None:
            await limiter.acquire(run, max_wait=math.inf)
            begin, counted = loop.time(), True
            try:
                await asyncio.sleep(rng.random() * 0.2)
            except asyncio.CancelledError:
                counted = False
                raise
            finally:
                if counted:
                    started.append(begin)
                    answered.append(loop.time())
                limiter.release(run, counted=counted)

        runs = [Run(10) for _ in range(callers)]
        tasks = []
        for _ in range(40):
            lane: Lane = rng.choice(["interactive", "bulk", "bulk"])
            run = rng.choice(runs) if lane == "bulk" else Run(1, lane="interactive")
            tasks.append(asyncio.ensure_future(one(run)))
            await asyncio.sleep(rng.random() * 0.1)
            if rng.random() < 0.2:
                rng.choice(tasks).cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError}
        for window in windows:
            for n, begin in enumerate(started):
                held = sum(
                    s <= begin and begin < a + window.seconds - 1e-6 for s, a in zip(started, answered, strict=True)
                )
                assert held <= window.limit, n
        assert not limiter._turns
        assert all(source.in_flight == 0 for source in limiter._requests)

    run_virtually(main())


@given(limit=st.integers(1, 100_000), part=st.floats(0, 0.5))
def test_the_share_is_two_requests_at_least_and_half_the_window_at_most(limit: int, part: float) -> None:
    kept = Share(part).of(limit, 60.0)
    assert 0 <= kept <= limit / 2
    assert kept == 0 or part > 0
    assert kept >= min(2, limit // 2) or part == 0
    assert Share(part).of(limit, 7200.0) == 0


@given(limit=st.integers(1, 1000), requests=st.integers(1, 5000))
def test_what_a_batch_can_leave_costs_it_no_window(limit: int, requests: int) -> None:
    spare = Share().spare(requests, limit, 60.0)
    assert math.ceil(requests / (limit - spare)) == math.ceil(requests / limit)


# -- days ----------------------------------------------------------------------------------------------------------


def test_a_batch_stops_short_of_the_day_s_last_requests_and_queries_are_served() -> None:
    async def main() -> None:
        limiter = Limiter([Window(10, 86_400.0)], reserve=4, clock=asyncio.get_running_loop().time)
        bulk, query = Run(20), Run(1, lane="interactive")
        for _ in range(6):
            await limiter.acquire(bulk, max_wait=120)
            limiter.release(bulk, counted=True)
        with pytest.raises(QuotaExceededError):
            await limiter.acquire(bulk, max_wait=120)
        for _ in range(4):
            await limiter.acquire(query, max_wait=120)
            limiter.release(query, counted=True)
        with pytest.raises(QuotaExceededError):
            await limiter.acquire(query, max_wait=120)

    run_virtually(main())


def test_the_reserve_holds_for_a_day_that_headers_report() -> None:
    async def main() -> None:
        limiter = Limiter(reserve=100, clock=asyncio.get_running_loop().time)
        bulk, query = Run(20), Run(1, lane="interactive")
        assert limiter.try_acquire(bulk)
        limiter.release(bulk, counted=True, info=RateLimitInfo(101, 40_000.0, limit=3000))
        assert limiter.try_acquire(bulk)
        limiter.release(bulk, counted=True, info=RateLimitInfo(100, 39_999.0, limit=3000))
        with pytest.raises(QuotaExceededError):
            await limiter.acquire(bulk, max_wait=120)
        assert limiter.try_acquire(query)

    run_virtually(main())


async def test_an_account_s_limiters_have_its_share_and_reserve() -> None:
    limits = RateLimits.free(interactive_share=0.2, reserve=50)
    account = Account(limits, Gate(), "https://localhost/v1.3", SecretStr("k"))
    minute, day = account._by_category["text"]._declared
    assert (minute.kept(True), minute.kept(False)) == (120, 0)
    assert (day.kept(True), day.kept(False)) == (50, 50)


# -- the pieces ----------------------------------------------------------------------------------------------------


def test_spread_requests_never_wait_for_a_slot() -> None:
    window = SlidingWindow(100, 10.0, Share())
    assert window.interval(0.0) == 0  # half of it may be used at once
    for _ in range(50):
        window.reserve(0.0)
    for _ in range(50):
        window.release(0.1, counted=True)
    assert window.interval(0.1) == pytest.approx(10.0 / 45)


def test_queries_are_expected_for_some_windows_and_spread_for_two() -> None:
    demand = Demand()
    assert not demand.is_expected(0.0)
    demand.asked(0.0, 60.0, bulk=False)
    assert demand.is_expected(299.0)
    assert not demand.is_expected(301.0)
    assert not demand.is_busy(0.0)
    demand.asked(10.0, 60.0, bulk=True)
    assert demand.is_busy(69.0)
    assert not demand.is_busy(71.0)
    frequent = Demand()
    for second in range(3):
        frequent.asked(float(second), 2.0, bulk=False)
    assert frequent.is_busy(3.0)
    assert not frequent.is_busy(8.0)


def test_the_lead_is_most_of_what_the_fastest_request_took_but_of_those_that_had_their_connection() -> None:
    lead = Lead()
    assert not lead.took(1.0, 0.2)  # it opened the connection
    assert not lead.took(1.1, 0.3)  # sent before the first was answered
    assert not any(lead.took(2.0, 0.09) for _ in range(Lead.LEAST_KNOWN))
    assert lead.took(2.0, 0.08)
    assert lead.seconds == pytest.approx(0.06)
    assert not lead.took(3.0, 0.5)
    lead.end()
    assert not lead.took(4.0, 0.01)
    assert lead.seconds == 0


def test_a_busy_moment_of_the_machine_makes_no_lead_that_a_short_window_cannot_bear() -> None:
    """All of the first requests are 40 ms late at the server, the next ones are not. The server counts at once."""

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        limiter, counted = Limiter([Window(20, 0.3)], clock=clock), deque[float]()

        async def send(way: float) -> None:
            run = Run(1)
            await limiter.acquire(run, max_wait=10)
            sent_at = clock()
            await asyncio.sleep(way)
            while counted and counted[0] <= clock() - 0.3:
                counted.popleft()
            assert len(counted) < 20, "the server refuses it"
            counted.append(clock())
            await asyncio.sleep(0.01)
            limiter.release(run, counted=True, took=clock() - sent_at)

        await asyncio.gather(*(send(0.04) for _ in range(20)))
        for _ in range(3):
            await asyncio.gather(*(send(0.04) for _ in range(20)))
        await asyncio.gather(*(send(0.001) for _ in range(40)))

    run_virtually(main())


def cancelled(task: asyncio.Future[Any]) -> Coroutine[Any, Any, Any]:
    task.cancel()
    return asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 1)


def test_a_query_that_gives_up_lets_the_batch_go_on() -> None:
    async def main() -> None:
        limiter = Limiter([Window(1, 1.0)], clock=asyncio.get_running_loop().time)
        await limiter.acquire(Run(1), max_wait=10)
        query = asyncio.ensure_future(limiter.acquire(Run(1, lane="interactive"), max_wait=10))
        bulk = asyncio.ensure_future(limiter.acquire(Run(1), max_wait=10))
        await asyncio.sleep(0)
        await cancelled(query)
        limiter.release(Run(1), counted=False)
        await asyncio.wait_for(bulk, 1)

    run_virtually(main())
