"""Rate limits: declared windows, the server's count, what bare 429 responses show, and the limiter."""

from __future__ import annotations

import asyncio
import math
from collections import deque

import pytest

from twelvelabs_core import InvalidInputError, QuotaExceededError, RateLimits, Window, advance_clock
from twelvelabs_core._api.rate_headers import RateLimitInfo
from twelvelabs_core._net import pace
from twelvelabs_core._net.limits.limiter import Limiter, quota_exceeded
from twelvelabs_core._net.limits.windows import LearnedLimit, ReportedLimit, SlidingWindow
from twelvelabs_core._stats import Run

RUN = Run(1)


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the waiting is what is tested."""
    monkeypatch.setattr(pace, "_waiting", True)


# -- windows ---------------------------------------------------------------------------------------


def test_a_slot_is_held_until_a_window_after_the_answer() -> None:
    window = SlidingWindow(2, 10.0)
    assert window.wait(0.0) == 0
    window.reserve(0.0)
    window.reserve(0.0)
    assert window.wait(0.0) == math.inf  # both in flight: unknown until a response arrives
    window.release(3.0, counted=True)
    assert window.wait(3.0) == 10.0  # not 7: the server may have counted it as late as 3.0
    window.release(4.0, counted=True)
    assert window.wait(5.0) == 8.0
    assert window.wait(13.0) == 0
    assert window.wait(13.0, 2.0) == 1.0


def test_a_request_the_server_cannot_have_counted_frees_its_slot_at_once() -> None:
    window = SlidingWindow(1, 10.0)
    window.reserve(0.0)
    window.release(1.0, counted=False)
    assert window.wait(1.0) == 0


def test_a_full_burst_is_allowed_and_minutes_are_weighed() -> None:
    window = SlidingWindow(600, 3600.0)
    window.reserve(0.0, 599.5)
    assert window.wait(0.0, 0.5) == 0
    assert window.wait(0.0, 0.6) == math.inf


def test_requests_in_flight_are_subtracted_from_the_server_s_count() -> None:
    limit = ReportedLimit()
    assert limit.wait(0.0) == 0
    for _ in range(5):
        limit.reserve(0.0)
    limit.release(0.0, counted=True)
    limit.update(0.0, RateLimitInfo(remaining=5, reset_in=30.0))
    assert limit.wait(0.0) == 0
    limit.reserve(0.0)
    assert limit.wait(0.0) == math.inf
    for _ in range(5):
        limit.release(1.0, counted=True)
    limit.update(1.0, RateLimitInfo(remaining=0, reset_in=29.0))
    assert limit.wait(1.0) == 29.0
    assert limit.wait(30.0) == 0  # reset: one request may try
    limit.reserve(30.0)
    assert limit.wait(30.0) == math.inf


def test_a_request_that_hangs_stops_nobody_after_the_reset() -> None:
    limit = ReportedLimit()
    limit.reserve(0.0)  # never answered
    limit.reserve(0.0)
    limit.release(0.1, counted=True)
    limit.update(0.1, RateLimitInfo(remaining=1, reset_in=10.0))
    assert limit.wait(9.0) == math.inf
    assert limit.wait(10.1) == 0
    limit.reserve(10.1)  # finds out the count
    assert limit.wait(10.2) == math.inf
    assert limit.wait(11.2) == 0  # nor that one


def learned_of(count: int, seconds: float) -> LearnedLimit:
    """What is learned of ``count`` requests that were accepted at once, and a rejection for ``seconds``."""
    learned = LearnedLimit()
    for _ in range(count):
        assert learned.wait(0.0) == 0
        learned.reserve(0.0)
    for _ in range(count):
        learned.release(0.0, counted=True)
    learned.reject(until=seconds)
    return learned


def test_bare_rejections_show_the_limit() -> None:
    learned = learned_of(100, 2.1)
    assert learned.wait(2.1) == 0
    assert learned.window is not None
    assert learned.window.limit == 100
    assert learned.window.seconds == pytest.approx(2.1)


def test_what_was_accepted_before_a_pause_says_nothing() -> None:
    learned = LearnedLimit()
    for second in range(1000):
        learned.reserve(second)
        learned.release(second + 0.05, counted=True)
    for _ in range(50):
        learned.reserve(2000.0)
    for _ in range(50):
        learned.release(2000.1, counted=True)
    learned.reject(until=2002.0)
    learned.wait(2002.0)
    assert learned.window is not None
    assert (learned.window.limit, learned.window.seconds) == (50, 2.0)


def test_a_learned_limit_is_raised_in_growing_steps_and_a_step_too_far_is_taken_back() -> None:
    learned = learned_of(40, 1.0)
    assert learned.wait(1.0) == 0
    assert learned.window is not None
    limits, now = [], 1.0
    for _ in range(12):
        now += 1.01
        learned.grow(now)
        limits.append(learned.window.limit)
    assert limits[:3] == [40, 40, 42]
    assert limits[2:7] == [42, 47, 57, 80, 112]
    learned.reject(until=now + 1)  # the last step was too much
    learned.wait(now + 1)
    assert learned.window.limit == limits[-2]
    assert not learned.grow(now + 3)
    assert learned.grow(now + 4.5)


def test_the_first_step_taken_back_says_that_this_is_the_limit() -> None:
    learned = learned_of(40, 1.0)
    learned.wait(1.0)
    now, steps = 1.0, []
    while now < 120:
        now += 1
        if learned.grow(now):
            steps.append(now)
            learned.reject(until=now + 1)
            learned.wait(now + 1)
            now += 1
    assert learned.window is not None
    assert learned.window.limit == 40
    assert len(steps) <= 5


def test_with_nothing_known_requests_start_one_by_one() -> None:
    learned = LearnedLimit()
    learned.reserve(0.0)
    learned.release(0.0, counted=False)
    learned.reject(until=5.0)
    assert learned.wait(5.0) == 0
    learned.reserve(5.0)
    assert learned.wait(5.0) == math.inf


# -- the limiter -----------------------------------------------------------------------------------


class Server:
    """A server that counts on arrival, within a sliding window, and answers a little later."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self.accepted: deque[float] = deque()
        self.refused = self.seen = 0

    async def send(self, limiter: Limiter, reports: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await limiter.acquire(RUN, max_wait=60)
            self.seen += 1
            await asyncio.sleep(0.005)
            now = loop.time()
            while self.accepted and self.accepted[0] <= now - self.seconds:
                self.accepted.popleft()
            good = len(self.accepted) < self.limit
            if good:
                self.accepted.append(now)
            reset = self.accepted[0] + self.seconds - now
            info = RateLimitInfo(self.limit - len(self.accepted), reset) if reports == "headers" else None
            await asyncio.sleep(0.005)
            if not good:
                self.refused += 1
                limiter.block_for(reset)
            limiter.release(RUN, counted=good, info=info)
            if good:
                return


@pytest.mark.parametrize(("source", "share"), [("declared", 0.0), ("headers", 0.02), ("nothing", 0.3)])
async def test_a_burst_keeps_to_the_server_s_window(source: str, share: float) -> None:
    """60 requests through 20 in 0.3 s, 16 at a time: with the limit declared, reported in headers, or learned."""
    limiter = Limiter([Window(20, 0.3)] if source == "declared" else [])
    server = Server(20, 0.3)
    todo = iter(range(60))

    async def worker() -> None:
        for _ in todo:
            await server.send(limiter, source)

    await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(16))), 10)
    assert server.refused <= share * server.seen


async def test_a_blocked_limiter_serves_in_order_of_asking() -> None:
    limiter = Limiter()
    limiter.block_for(0.05)
    order: list[int] = []

    async def ask(number: int) -> None:
        await limiter.acquire(RUN, max_wait=10)
        order.append(number)
        limiter.release(RUN, counted=True)

    await asyncio.gather(*(ask(n) for n in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_a_wait_over_max_wait_is_a_quota_error() -> None:
    limiter = Limiter()
    limiter.block_for(11_382.0)
    with pytest.raises(QuotaExceededError) as caught:
        await limiter.acquire(RUN, max_wait=120)
    assert caught.value.reopens_at is not None
    assert caught.value.retry_after == pytest.approx(11_382, abs=1)
    assert limiter.opens_at is None


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_wait_counts_from_the_first_rejection_while_nothing_is_accepted(accepted: bool) -> None:
    now = 0.0
    limiter = Limiter(clock=lambda: now)
    assert limiter.try_acquire(RUN)
    limiter.block_for(1.0)
    limiter.release(RUN, counted=False)
    now = 50.0
    if accepted:
        assert limiter.try_acquire(RUN)
        limiter.release(RUN, counted=True)
    limiter.block_for(0.01)
    waiting = asyncio.ensure_future(limiter.acquire(RUN, max_wait=45, rejected_at=0.0))
    await asyncio.sleep(0)
    now = 51.0
    if accepted:
        await asyncio.wait_for(waiting, 5)
    else:
        with pytest.raises(QuotaExceededError):
            await waiting


async def test_who_waits_behind_a_cancelled_request_starts_at_once_if_it_may() -> None:
    limiter = Limiter([Window(10, 3600, "minutes")])
    await limiter.acquire(RUN, 8, max_wait=math.inf)
    limiter.release(RUN, 8, counted=True)
    large = asyncio.ensure_future(limiter.acquire(RUN, 9, max_wait=math.inf))
    small = asyncio.ensure_future(limiter.acquire(RUN, 1, max_wait=math.inf))
    await asyncio.sleep(0)
    assert limiter.opens_at is not None
    large.cancel()
    await asyncio.wait_for(small, 1)
    assert limiter.opens_at is None


def test_a_window_longer_than_a_calendar_has_a_date() -> None:
    assert quota_exceeded(1e300).reopens_at is not None


async def test_a_cancelled_wait_leaves_the_queue_and_loses_no_slot() -> None:
    limiter = Limiter([Window(1, 0.05)])
    await limiter.acquire(RUN, max_wait=1)
    waiting = asyncio.ensure_future(limiter.acquire(RUN, max_wait=1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    limiter.release(RUN, counted=True)
    await asyncio.wait_for(limiter.acquire(RUN, max_wait=1), 1)


async def test_more_minutes_than_a_window_holds_are_refused() -> None:
    limiter = Limiter([Window(600, 3600, "minutes")])
    with pytest.raises(InvalidInputError, match="601"):
        await limiter.acquire(RUN, 601.0, max_wait=1)


def test_a_reported_count_replaces_what_was_learned() -> None:
    now = 0.0
    limiter = Limiter(clock=lambda: now)
    assert limiter.try_acquire(RUN)
    limiter.release(RUN, counted=True)
    limiter.block_for(10.0)
    assert not limiter.try_acquire(RUN)
    now = 10.0
    assert limiter.try_acquire(RUN)  # learned: one request in 10 s
    assert not limiter.try_acquire(RUN)
    limiter.release(RUN, counted=True, info=RateLimitInfo(remaining=5, reset_in=10.0))
    assert limiter.try_acquire(RUN)


@pytest.mark.parametrize(("minutes_left", "blocked"), [(0.0, True), (0.1, False)])
def test_no_minutes_left_block_until_the_reset(minutes_left: float, blocked: bool) -> None:
    now = 0.0
    limiter = Limiter(clock=lambda: now)
    assert limiter.try_acquire(RUN)
    limiter.release(RUN, counted=True, info=RateLimitInfo(reset_in=30.0, minutes_remaining=minutes_left))
    now = 29.0
    assert limiter.try_acquire(RUN) is not blocked
    now = 30.0
    assert limiter.try_acquire(RUN)


@pytest.mark.parametrize("accepted_between", [False, True])
def test_a_rejection_without_a_time_blocks_twice_as_long_as_the_one_before(accepted_between: bool) -> None:
    now = 0.0
    limiter = Limiter(clock=lambda: now)
    for expected in (1.0, 1.0) if accepted_between else (1.0, 2.0, 4.0):
        assert limiter.try_acquire(RUN)
        limiter.block_for(None)
        limiter.block_for(None)  # sent together, rejected together
        limiter.release(RUN, counted=False)
        now += expected - 0.01
        assert not limiter.try_acquire(RUN)
        now += 0.01
        if accepted_between:
            assert limiter.try_acquire(RUN)
            limiter.release(RUN, counted=True)
            now += 1000.0


# -- the plans -------------------------------------------------------------------------------------


def test_the_published_plans() -> None:
    assert RateLimits.free() == RateLimits.developer(tier=1)
    assert RateLimits.free().text == (Window(600, 60), Window(3000, 86_400))
    assert RateLimits.developer(tier=3).video[2] == Window(2400, 3600, "minutes")
    assert RateLimits.own(per_minute=10).windows("image") == (Window(10, 60),)
    with pytest.raises(InvalidInputError):
        RateLimits.developer(tier=4)  # type: ignore[arg-type]
    for limit, seconds in [(0, 60), (1, 0), (math.nan, 60), (1, math.nan), (math.inf, 60), (1, math.inf)]:
        with pytest.raises(InvalidInputError):
            Window(limit, seconds)


def test_images_share_the_texts_counter_unless_declared_otherwise() -> None:
    assert RateLimits.free().categories({"text", "image"}) == ("text",)
    apart = RateLimits(text=(Window(1, 1),), image=(Window(2, 1),))
    assert apart.categories({"text", "image", "video"}) == ("image", "text", "video")


# -- the clock, for tests of users -----------------------------------------------------------------


def test_a_window_is_empty_when_the_clock_has_been_moved_ahead() -> None:
    limiter = Limiter([Window(1, 86_400.0)])
    assert limiter.try_acquire(RUN)
    limiter.release(RUN, counted=True)
    advance_clock(86_399.0)
    assert not limiter.try_acquire(RUN)
    advance_clock(1.0)
    assert limiter.try_acquire(RUN)


def test_what_a_rejection_has_closed_opens_too() -> None:
    limiter = Limiter()
    limiter.block_for(3_600.0)
    assert not limiter.try_acquire(RUN)
    advance_clock(3_601.0)
    assert limiter.try_acquire(RUN)


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan])
def test_the_clock_goes_forwards_only(seconds: float) -> None:
    with pytest.raises(InvalidInputError, match="ahead"):
        advance_clock(seconds)
