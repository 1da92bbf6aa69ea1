"""The circuit: when it opens, who tries the server, and when everybody goes on or gives up."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import httpx
import pytest

from tests.support.service import Service, refusal, right_answer, vector
from twelvelabs_core import (
    BatchError,
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    TwelveLabsError,
)
from twelvelabs_core._lanes import Lane
from twelvelabs_core._net import pace
from twelvelabs_core._net.limits.circuit import (
    CIRCUIT_OPEN,
    FAILURES,
    FAILURES_UNREACHED,
    LONGEST_PROBE_SEC,
    Circuit,
    Gate,
    Visit,
    is_failure,
)
from twelvelabs_core._net.retry import retry
from twelvelabs_core._stats import Run

# -- the decisions -----------------------------------------------------------------------------------------------------


def opened(circuit: Circuit, now: float = 0.0, retry_after: float | None = None) -> Circuit:
    circuit.reached = True
    for _ in range(FAILURES):
        circuit.fail(now, probe=False, unreachable=False, retry_after=retry_after)
    return circuit


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    circuit = Circuit()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            circuit.fail(0.0, probe=False, unreachable=False)
        assert not circuit.is_open
        circuit.succeed()
    assert opened(circuit).is_open


def test_an_address_that_never_answered_needs_fewer() -> None:
    circuit = Circuit()
    for _ in range(FAILURES_UNREACHED):
        assert not circuit.is_open
        circuit.fail(0.0, probe=False, unreachable=True)
    assert circuit.is_open
    assert not circuit.reached


def test_probes_come_one_at_a_time_and_ever_more_slowly() -> None:
    circuit, now = opened(Circuit()), 0.0
    waits = []
    for _ in range(8):
        wait = circuit.wait(now)
        waits.append(wait)
        now += wait
        assert circuit.wait(now) == 0
        circuit.probe()
        assert circuit.wait(now) == math.inf
        circuit.fail(now, probe=False, unreachable=False)  # sent before: changes nothing
        assert circuit.wait(now) == math.inf
        circuit.fail(now, probe=True, unreachable=False)
    assert waits == [0.5, 1, 2, 4, 8, LONGEST_PROBE_SEC, LONGEST_PROBE_SEC, LONGEST_PROBE_SEC]


def test_any_success_closes_it_and_the_next_time_starts_anew() -> None:
    circuit = opened(Circuit())
    circuit.probe()
    circuit.fail(1.0, probe=True, unreachable=False)
    circuit.succeed()
    assert not circuit.is_open
    assert opened(circuit, 10.0).wait(10.0) == 0.5


def test_a_probe_that_shows_nothing_is_followed_by_another_at_once() -> None:
    circuit = opened(Circuit())
    circuit.probe()
    circuit.abandon()
    assert circuit.wait(0.5) == 0


def test_the_server_s_own_time_is_kept() -> None:
    circuit = opened(Circuit(), 0.0, retry_after=30.0)
    assert circuit.wait(0.0) == 30.0
    circuit.probe()
    circuit.fail(30.0, probe=True, unreachable=False, retry_after=0.0)
    assert circuit.wait(30.0) == 1.0  # not at once, again and again


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_random_faults_do_not_open_it(rate: float) -> None:
    rng, circuit = random.Random(1), Circuit()
    for _ in range(200_000):
        if rng.random() < rate:
            circuit.fail(0.0, probe=False, unreachable=rng.random() < 0.3)
        else:
            circuit.succeed()
        assert not circuit.is_open


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ServerError("m", status=503), True),
        (ConnectionFailedError("m"), True),
        (ConnectionFailedError("m", code="unreachable"), True),
        (MalformedResponseError("m"), True),
        (RateLimitError("m", status=429), False),
        (InvalidInputError("m", status=400), False),
        (asyncio.CancelledError(), False),
        (ValueError(), False),
    ],
)
def test_what_is_the_server_s_fault(error: BaseException, failure: bool) -> None:
    assert is_failure(error) is failure


# -- the gate ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits really take place."""
    monkeypatch.setattr(pace, "_waiting", True)


def open_gate(error: TwelveLabsError | None = None) -> Gate:
    gate = Gate()
    gate.succeeded()
    for _ in range(FAILURES):
        gate.failed(error or ServerError("down", status=503), probe=False)
    gate.circuit._probe_at = gate._clock() + 0.02
    return gate


POLICY = RetryPolicy(base=1, jitter=0)


async def test_one_of_those_who_wait_tries_and_all_go_on_after_its_success(waits: None) -> None:
    gate = open_gate()
    sent: list[int] = []

    async def request(number: int) -> int:
        async def attempt(_: int) -> int:
            assert sent == [] or not gate.circuit.is_open
            sent.append(number)
            await asyncio.sleep(0.01)
            return number

        return await retry(attempt, POLICY, Run(1), gate=gate)

    assert await asyncio.wait_for(asyncio.gather(*(request(n) for n in range(20))), 5) == list(range(20))
    assert sent == list(range(20))


async def test_waiting_at_the_gate_takes_no_attempts(waits: None) -> None:
    gate, run = open_gate(), Run(1)
    ends = iter([ServerError("m", status=503), "found"])

    async def attempt(_: int) -> Any:
        end = next(ends)
        if isinstance(end, Exception):
            raise end
        return end

    policy = RetryPolicy(max_retries=2, base=1, jitter=0)
    assert await asyncio.wait_for(retry(attempt, policy, run, gate=gate), 5) == "found"
    assert run.stats.retries == 1


@pytest.mark.parametrize("end", ["cancel", "raise", "quota", "refused"])
async def test_a_probe_that_ends_in_any_way_leaves_the_gate_to_the_next(waits: None, end: str) -> None:
    gate, begun = open_gate(), asyncio.Event()

    async def first(_: int) -> None:
        begun.set()
        if end == "cancel":
            await asyncio.Event().wait()
        raise {
            "raise": ValueError("odd"),
            "quota": QuotaExceededError("m", retry_after=5),
            "refused": InvalidInputError("m", status=400),
        }[end]

    async def second(_: int) -> str:
        return "found"

    probe = asyncio.ensure_future(retry(first, POLICY, Run(1), gate=gate))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(retry(second, POLICY, Run(1), gate=gate))
    await begun.wait()
    probe.cancel() if end == "cancel" else None
    assert await asyncio.wait_for(waiting, 5) == "found"
    await asyncio.wait([probe])
    assert isinstance(probe.exception() if not probe.cancelled() else None, (type(None), ValueError, TwelveLabsError))


async def test_one_who_is_cancelled_while_waiting_holds_up_nobody(waits: None) -> None:
    gate = open_gate()

    async def attempt(_: int) -> str:
        return "found"

    tasks = [asyncio.ensure_future(retry(attempt, POLICY, Run(1), gate=gate)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await asyncio.wait_for(asyncio.gather(*tasks[1:]), 5) == ["found", "found"]


async def test_who_is_stopped_while_waiting_sends_nothing(waits: None) -> None:
    gate, run = open_gate(), Run(1)

    async def attempt(_: int) -> str:
        raise AssertionError

    waiting = asyncio.ensure_future(retry(attempt, POLICY, run, gate=gate))
    await asyncio.sleep(0)
    run.stopping = True
    with pytest.raises(ConnectionFailedError, match="the batch was stopped"):
        await asyncio.wait_for(waiting, 5)
    assert gate.circuit.wait(gate._clock()) == 0  # for others


async def test_a_wait_for_longer_than_the_retries_would_take_is_refused(waits: None) -> None:
    gate = open_gate(ServerError("down", status=503))
    gate.circuit._probe_at = gate._clock() + 8

    async def attempt(_: int) -> str:
        raise AssertionError

    with pytest.raises(
        ServerError, match=r"^down\. The server has failed .* may be made in 8 s\. \[503 circuit_open\]$"
    ) as caught:
        await retry(attempt, RetryPolicy(max_retries=3, base=1, jitter=0), Run(1), gate=gate)
    assert caught.value.code == CIRCUIT_OPEN


async def test_without_retries_nothing_is_waited_for(waits: None) -> None:
    gate = open_gate(ConnectionFailedError("gone"))

    async def attempt(_: int) -> str:
        raise AssertionError

    with pytest.raises(ConnectionFailedError, match=r"gone\. The server"):
        await retry(attempt, RetryPolicy(max_retries=0), Run(1), gate=gate)


# -- batches -----------------------------------------------------------------------------------------------------------

DOWN = [
    (lambda: refusal(503), ServerError),
    (lambda: httpx.ReadError("reset"), ConnectionFailedError),
    (lambda: httpx.ReadTimeout("slow"), ConnectionFailedError),
    (lambda: httpx.ConnectError("refused"), ConnectionFailedError),
    (lambda: {"data": []}, ServerError),
]


def answer_of(make: Any) -> Any:
    found = make()
    if isinstance(found, Exception):
        raise found
    return found


@pytest.mark.parametrize(("down", "kind"), DOWN, ids=["503", "reset", "timeout", "refused", "empty"])
def test_a_server_that_stays_broken_ends_the_batch_with_everything_finished(
    down: Any, kind: type[TwelveLabsError]
) -> None:
    service = Service(lambda request: right_answer(request) if len(service.requests) <= 100 else answer_of(down))
    texts = [f"text {i}" for i in range(2000)]
    with pytest.raises(kind) as caught:
        service.client().embed_many(texts)
    assert caught.value.code == CIRCUIT_OPEN
    assert len(service.requests) < 100 + 300
    finished = {i: found for i, found in enumerate(caught.value.results) if found is not None}
    assert len(finished) == 100
    assert all(found.vector == vector(texts[i]) for i, found in finished.items())


def test_a_stream_ends_too_and_yields_no_error_of_an_item_that_was_not_sent() -> None:
    service = Service(lambda request: right_answer(request) if len(service.requests) <= 100 else refusal(503))
    yielded: list[Any] = []
    with pytest.raises(ServerError) as caught:
        yielded.extend(service.client().stream((f"text {i}" for i in range(2000)), errors="yield"))
    assert caught.value.code == CIRCUIT_OPEN
    assert len(service.requests) < 100 + 300
    assert sum(result.embedding is not None for result in yielded) == 100
    assert all(result.error is None or result.error.code == "c" for result in yielded)


def test_an_address_without_a_server_ends_the_batch_at_once() -> None:
    service = Service(lambda _: answer_of(lambda: httpx.ConnectError("refused")))
    with pytest.raises(ConnectionFailedError, match="Cannot reach"):
        service.client(max_concurrency=2).embed_many([f"text {i}" for i in range(2000)])
    assert len(service.requests) <= 20


def test_the_next_call_finds_a_server_that_is_back() -> None:
    service = Service(lambda request: refusal(503) if len(service.requests) < 250 else right_answer(request))
    with pytest.raises(ServerError):
        service.client().embed_many([f"text {i}" for i in range(2000)])
    for _ in range(250):
        try:
            found = service.client().embed("a")
            break
        except ServerError:
            continue
    assert found.vector == vector("a")
    assert len(service.client().embed_many(["b", "c"])) == 2


@pytest.mark.parametrize("concurrency", [4, 64])
@pytest.mark.parametrize("down", [DOWN[0][0], DOWN[3][0]], ids=["503", "refused"])
async def test_a_server_that_is_away_for_some_time_costs_no_item(
    monkeypatch: pytest.MonkeyPatch, waits: None, down: Any, concurrency: int
) -> None:
    """With waits of a tenth: away for 0.5 s, while the retries of an item take 0.8 s at least."""
    monkeypatch.setattr("twelvelabs_core._net.limits.circuit.FIRST_PROBE_SEC", 0.05)
    away: list[float] = []

    async def answer(request: httpx.Request) -> Any:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(0.001)
        if len(service.requests) > 100:
            away.append(now)
            if now < away[0] + 0.5:
                return answer_of(down)
        return right_answer(request)

    service = Service(answer)
    client = service.client(max_concurrency=concurrency, retry=RetryPolicy(base=0.05))
    found = await client.aembed_many([f"text {i}" for i in range(200)])
    assert [f.vector for f in found] == [vector(f"text {i}") for i in range(200)]
    assert len(service.requests) < 400


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_random_faults_end_no_batch(rate: float) -> None:
    rng = random.Random(3)
    service = Service(
        lambda request: answer_of(rng.choice(DOWN[:4])[0]) if rng.random() < rate else right_answer(request)
    )
    found = service.client(max_retries=40).embed_many([f"text {i}" for i in range(200)])
    assert [f.vector for f in found] == [vector(f"text {i}") for i in range(200)]


def test_items_that_are_refused_do_not_open_it() -> None:
    service = Service(lambda _: refusal(400))
    with pytest.raises(BatchError) as caught:
        service.client().embed_many([f"text {i}" for i in range(200)])
    assert len(caught.value.errors) == len(service.requests) == 200


def test_a_single_call_has_its_own_retries_and_its_own_error() -> None:
    service = Service(lambda _: refusal(503))
    with pytest.raises(ServerError, match=r"m \[503 c\]"):
        service.client().embed("a")
    assert len(service.requests) == 6


async def test_a_query_is_the_first_to_try_a_server_that_was_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_waiting", True)
    now = 0.0
    gate = Gate(clock=lambda: now)
    for _ in range(FAILURES):
        gate.circuit.fail(now, probe=False, unreachable=False)
    order: list[str] = []

    async def visit(name: str, lane: Lane) -> None:
        if await gate.enter(Visit(math.inf, math.inf), lane):
            order.append(name)
            gate.succeeded()

    visits = [asyncio.ensure_future(visit("bulk", "bulk")) for _ in range(3)]
    await asyncio.sleep(0)
    visits.append(asyncio.ensure_future(visit("query", "interactive")))
    await asyncio.sleep(0)
    now = 1.0
    gate._wake()
    await asyncio.wait_for(asyncio.gather(*visits), 5)
    assert order == ["query"]
