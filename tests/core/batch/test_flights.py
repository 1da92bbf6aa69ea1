"""Items under way: sent once for all calls, threads, clients and processes that want them at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Counter, Service, refusal, right_answer, text_of, vector, words
from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    Composed,
    EmbeddingClient,
    Image,
    InvalidInputError,
    QuotaExceededError,
    RateLimits,
    RetryPolicy,
    SegmentOptions,
    ServerError,
    UnexpectedError,
    Window,
)
from twelvelabs_core._batch.flights import _flights
from twelvelabs_core._net import pace


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in another thread."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


class Gate:
    """Answers only once it is open, and says when the first request has come."""

    def __init__(self, answer: Callable[[httpx.Request], Any] = right_answer) -> None:
        self.arrived, self._open = threading.Event(), threading.Event()
        self._answer = answer

    async def __call__(self, request: httpx.Request) -> Any:
        self.arrived.set()
        await until(self._open.is_set)
        return self._answer(request)

    def open(self) -> None:
        self._open.set()


async def joined(count: int) -> None:
    """Wait until so many calls wait for items under way, or a moment if they do not."""
    for _ in range(50):
        flights = [flight for table in list(_flights.get().values()) for flight in list(table.values())]
        landings = [flight._landing for flight in flights if flight._landing is not None]
        if sum(len(landing._callbacks or ()) for landing in landings) >= count:
            return
        await asyncio.sleep(0.002)


async def both(first: Any, gate: Gate, second: Any, *, waiting: int = 1) -> list[Any]:
    """Start one call, another when the first has sent its request, and let the service answer when ``waiting`` calls
    wait for the first.
    """
    tasks = [asyncio.ensure_future(first)]
    await asyncio.to_thread(gate.arrived.wait, 5)
    tasks.append(asyncio.ensure_future(second))
    await joined(waiting)
    gate.open()
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("cached", [False, True])
def test_equal_texts_of_a_stream_are_sent_once(cached: bool, tmp_path: Path) -> None:
    service = Service(Counter(0.01))
    client = service.client(cache=tmp_path / "c.sqlite" if cached else None)
    found = list(client.stream(["the same"] * 128))
    assert service.texts == ["the same"]
    assert [result.embedding.vector for result in found if result.embedding] == [vector("the same")] * 128
    stats = client.last_run
    assert (stats.done, stats.deduplicated + stats.cached, stats.failed) == (128, 127, 0)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_threads_with_the_same_texts_send_each_once(shared: bool, cached: bool, tmp_path: Path) -> None:
    service = Service(Counter(0.01))
    options: dict[str, Any] = {
        "max_concurrency": 8 if cached else 64,
        "cache": tmp_path / "c.sqlite" if cached else None,
    }
    one = service.client(**options)
    texts = [f"text {i}" for i in range(50)]
    barrier = threading.Barrier(8)

    def embed(number: int) -> list[list[float]]:
        client = one if shared else service.client(**options)
        barrier.wait()
        found = client.embed_many(texts[number:] + texts[:number])
        return [embedding.vector for embedding in found[50 - number :]]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(embed, range(8)))
    assert found == [[vector(text) for text in texts[:number]] for number in range(8)]
    assert sorted(service.texts) == sorted(texts)


def test_a_whole_file_is_sent_once_whoever_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(media.png())
    gate = Gate()
    service = Service(gate)
    one, other = service.client(), service.client()
    calls = [one.aembed(Image(tmp_path / "a.png")), other.aembed_many([Image(media.png())])]

    async def main() -> list[Any]:
        segments = other.aembed_segments(Image(media.png()), SegmentOptions())
        return await both(asyncio.gather(*calls), gate, segments, waiting=2)

    (embedding, (again,)), (segment,) = asyncio.run(main())
    assert len(service.requests) == 1
    assert embedding.vector == again.vector == segment.vector == vector("image")


async def test_each_caller_has_vectors_of_its_own() -> None:
    gate = Gate()
    client = Service(gate).client()
    one, other = await both(client.aembed("a"), gate, client.aembed("a"))
    one.vector.clear()
    assert other.vector == vector("a")


@pytest.mark.parametrize("size", [1, 20])
def test_callers_in_opposite_order_do_not_wait_for_each_other(size: int) -> None:
    service = Service(Counter(0.002))
    texts = [f"text {i}" for i in range(2 * size)]

    async def main() -> None:
        clients = [service.client(max_concurrency=1) for _ in range(2)]
        await asyncio.wait_for(
            asyncio.gather(clients[0].aembed_many(texts), clients[1].aembed_many(texts[::-1])), timeout=10
        )

    asyncio.run(main())
    assert len(texts) <= len(service.texts) <= len(texts) + 2  # the end of one call may come before the other asks
    assert set(service.texts) == set(texts)


async def test_a_slow_item_elsewhere_does_not_stop_the_others() -> None:
    slow = Gate()
    service = Service(lambda request: slow(request) if text_of(request) == "slow" else right_answer(request))
    client = service.client()
    first = asyncio.ensure_future(client.aembed("slow"))
    await asyncio.to_thread(slow.arrived.wait, 5)
    second = asyncio.ensure_future(service.client(max_concurrency=1).aembed_many(["slow", "a", "b"]))
    await until(lambda: len(service.requests) == 3)
    slow.open()
    assert [e.vector for e in await second] == [vector(text) for text in ("slow", "a", "b")]
    assert (await first).vector == vector("slow")
    assert service.texts == ["slow", "a", "b"]


# -- what is not inherited -------------------------------------------------------------------------------------------


async def test_a_cancelled_call_is_taken_over() -> None:
    gate = Gate()
    service = Service(gate)
    first = asyncio.ensure_future(service.client().aembed("a"))
    await asyncio.to_thread(gate.arrived.wait, 5)
    waiting = [asyncio.ensure_future(service.client().aembed("a")) for _ in range(5)]
    await joined(1)
    assert len(service.requests) == 1
    first.cancel()
    await until(lambda: len(service.requests) == 2)
    gate.open()
    assert {tuple(found.vector) for found in await asyncio.gather(*waiting)} == {tuple(vector("a"))}
    assert len(service.requests) == 2


async def test_a_waiting_call_can_be_cancelled() -> None:
    gate = Gate()
    service = Service(gate)
    first = asyncio.ensure_future(service.client().aembed("a"))
    await asyncio.to_thread(gate.arrived.wait, 5)
    waiting = [asyncio.ensure_future(service.client().aembed("a")) for _ in range(3)]
    await joined(1)
    waiting[1].cancel()
    await asyncio.sleep(0)
    gate.open()
    assert (await first).vector == (await waiting[0]).vector == (await waiting[2]).vector
    assert len(service.requests) == 1


async def test_a_batch_that_has_to_end_does_not_wait_for_another_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._batch.batch.STEP_SEC", 0.01)
    slow = Gate()
    failing, service = Gate(lambda _: refusal(401)), Service()
    service._answer = lambda request: (slow if text_of(request) == "slow" else failing)(request)
    calls = [asyncio.ensure_future(service.client().aembed(text)) for text in ("slow", "other")]
    await until(lambda: len(service.requests) == 2)
    batch = asyncio.ensure_future(service.client().aembed_many(["slow", "other"]))
    await joined(2)
    failing.open()
    with pytest.raises(AuthenticationError):
        await asyncio.wait_for(batch, timeout=5)
    slow.open()
    assert (await calls[0]).vector == vector("slow")
    assert isinstance((await asyncio.gather(calls[1], return_exceptions=True))[0], AuthenticationError)


class Refusing:
    """A rate limiter that waits, and then raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.arrived, self.go = threading.Event(), threading.Event()

    async def aacquire(self) -> None:
        self.arrived.set()
        await until(self.go.is_set)
        raise self.error


@pytest.mark.parametrize("error", [QuotaExceededError("The budget is used up."), KeyError("x")], ids=["quota", "odd"])
async def test_another_callers_own_error_is_not_inherited(error: Exception) -> None:
    service = Service()
    limiter = Refusing(error)
    first = asyncio.ensure_future(service.client(rate_limiter=limiter).aembed("a"))
    await asyncio.to_thread(limiter.arrived.wait, 5)
    second = asyncio.ensure_future(service.client().aembed("a"))
    await joined(1)
    limiter.go.set()
    assert (await second).vector == vector("a")
    with pytest.raises((QuotaExceededError, UnexpectedError)):
        await first


async def test_a_refusal_by_the_server_is_shared_under_each_callers_label() -> None:
    gate = Gate(lambda _: refusal(400))
    service = Service(gate)
    one, other = await both(
        service.client().aembed_many(["a"], name="mine"), gate, service.client().aembed_many(["b", "a"], name="yours")
    )
    assert sorted(service.texts) == ["a", "b"]
    assert isinstance(one, InvalidInputError)
    assert one.item == "mine[0]"
    assert isinstance(other, BatchError)
    assert [error.item for error in other.errors.values()] == ["yours[0]", "yours[1]"]


async def test_a_failing_server_fails_all_that_are_as_patient() -> None:
    gate = Gate(lambda _: refusal(500))
    service = Service(gate)
    calls = asyncio.gather(*(service.client().aembed("a") for _ in range(5)), return_exceptions=True)
    found = await both(calls, gate, service.client(retry=RetryPolicy(max_retries=1)).aembed("a"))
    assert all(isinstance(error, ServerError) for error in [*found[0], found[1]])
    assert len(service.requests) == 6 + 2


async def test_texts_that_may_be_cut_otherwise_are_not_shared() -> None:
    gate = Gate()
    service = Service(gate)
    await both(service.client(truncate="end").aembed("a"), gate, service.client(truncate="start").aembed("a"))
    assert len(service.requests) == 2


async def test_a_text_that_looks_like_a_key_is_itself() -> None:
    gate = Gate()
    service = Service(gate)
    client = service.client()
    item = Composed("a", [Image("https://h.example/a.png")])
    (job,) = await client._embedder.checker.check_all([item], ["item"])
    key = client._embedder.key(job)
    _, text = await both(client.aembed(item), gate, client.aembed(key))
    assert text.vector == vector(key)
    assert len(service.requests) == 2


async def test_another_account_is_not_waited_for() -> None:
    gate = Gate()
    service = Service(gate)
    await both(service.client().aembed("a"), gate, service.client(api_key="another").aembed("a"))
    assert len(service.requests) == 2


def test_each_of_some_equal_items_gets_an_error_of_its_own_label() -> None:
    service = Service(lambda request: refusal(400) if text_of(request) == "bad" else right_answer(request))
    client = service.client()
    with pytest.raises(BatchError) as caught:
        client.embed_many(["bad", "a", "bad", "bad"], name="texts")
    assert [(i, error.item) for i, error in caught.value.errors.items()] == [
        (0, "texts[0]"),
        (2, "texts[2]"),
        (3, "texts[3]"),
    ]
    assert [found is None for found in caught.value.results] == [True, False, True, True]
    assert (client.last_run.failed, client.last_run.done) == (3, 1)


# -- with a cache ----------------------------------------------------------------------------------------------------


async def test_clients_that_share_only_a_cache_send_each_text_once(tmp_path: Path) -> None:
    """Two accounts, so that nothing but the claims in the file says what is under way."""
    services = [Service(Counter(0.005)), Service(Counter(0.005))]
    clients = [service.client(cache=tmp_path / "c.sqlite", max_concurrency=4) for service in services]
    texts = [f"text {i}" for i in range(40)]
    found = await asyncio.gather(clients[0].aembed_many(texts), clients[1].aembed_many(texts[::-1]))
    assert [[e.vector for e in found[0]], [e.vector for e in found[1]][::-1]] == [[vector(t) for t in texts]] * 2
    assert sorted([*services[0].texts, *services[1].texts]) == sorted(texts)


async def test_a_failed_or_cancelled_call_gives_its_claims_back(tmp_path: Path) -> None:
    gate = Gate()
    first, second = Service(gate), Service()
    failing = Service(lambda _: refusal(400))
    cache = tmp_path / "c.sqlite"
    with pytest.raises(InvalidInputError):
        await failing.client(cache=cache).aembed("b")
    call = asyncio.ensure_future(first.client(cache=cache).aembed("a"))
    await asyncio.to_thread(gate.arrived.wait, 5)
    call.cancel()
    found = await asyncio.wait_for(second.client(cache=cache).aembed_many(["a", "b"]), timeout=5)
    assert [e.vector for e in found] == [vector("a"), vector("b")]


async def test_a_result_taken_from_another_call_is_cached(tmp_path: Path) -> None:
    gate = Gate()
    service = Service(gate)
    cached = service.client(cache=tmp_path / "c.sqlite")
    assert (await cached.aplan(["a"])).cached == 0  # opens the file, which may take longer than the first call
    await both(service.client().aembed("a"), gate, cached.aembed("a"))
    assert (await cached.aembed("a")).cached
    assert len(service.requests) == 1


async def test_a_text_cut_after_a_refusal_is_cached_as_it_was_cut(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> Any:
        too_long = len(text_of(request).split()) > 100
        return httpx.Response(400, json={"message": "The text is too long."}) if too_long else right_answer(request)

    gate = Gate(answer)
    service = Service(gate)
    cached = service.client(cache=tmp_path / "c.sqlite")
    one, other = await both(service.client().aembed(words(130)), gate, cached.aembed(words(130)))
    assert one == other
    assert one.vector == vector(words(91))
    sent = len(service.requests)
    again = await cached.aembed(words(130))
    assert again.cached
    assert service.texts[sent:] == [words(130)]  # refused, which is free
    assert not (await service.client(cache=tmp_path / "c.sqlite").aembed(words(91))).truncated


def test_a_client_is_collected_after_use() -> None:
    """The table of what is under way must not keep clients."""
    import gc
    import weakref

    client: EmbeddingClient | None = Service().client()
    assert client is not None
    client.embed("a")
    found = weakref.ref(client)
    del client
    gc.collect()
    assert found() is None


async def test_a_query_lifts_a_text_that_a_batch_has_not_sent_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither waits behind the batch nor is paid for twice."""
    monkeypatch.setattr(pace, "_waiting", True)
    limits = RateLimits(text=(Window(4, 0.6),), interactive_share=0)
    service = Service()
    client = service.client(rate_limits=limits, max_concurrency=12)
    texts = [f"text {i}" for i in range(12)]
    batch = asyncio.ensure_future(client.aembed_many(texts))
    await until(lambda: len(service.texts) == 4)
    found = await asyncio.wait_for(client.aembed("text 11"), 5)
    assert found.vector == vector("text 11")
    assert service.texts.index("text 11") == 4  # the first of the next window
    assert [e.vector for e in await batch] == [vector(t) for t in texts]
    assert sorted(service.texts) == sorted(texts)
