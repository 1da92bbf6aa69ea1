"""What a run is told before, during and after: plans, budgets, streams, stats, bars, the frameworks' own limiters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from langchain_core.rate_limiters import BaseRateLimiter
from llama_index.core.rate_limiter import BaseRateLimiter as LlamaIndexLimiter

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import media
from tests.support.service import Service, right_answer, vector
from twelvelabs_core import (
    Audio,
    BatchError,
    Budget,
    Image,
    InvalidInputError,
    QuotaExceededError,
    RateLimits,
    StreamResult,
)

FREE = RateLimits.free()


def failing_on(word: bytes, status: int = 400) -> Service:
    return Service(lambda r: httpx.Response(status, json={"message": "no"}) if word in r.content else right_answer(r))


# -- plans -----------------------------------------------------------------------------------------------


def test_a_plan_counts_and_sends_nothing() -> None:
    service = Service()
    texts = [f"text {i}" for i in range(7000)]
    plan = service.client(rate_limits=FREE).plan([*texts, "text 0", Audio(media.wav(440, 30, 0.5))])
    assert service.requests == []
    assert (plan.items, plan.deduplicated, plan.cached, plan.total_requests) == (7002, 1, 0, 7001)
    assert dict(plan.requests) == {"text": 7000, "audio": 1}
    assert plan.minutes["audio"] == pytest.approx(0.5)
    assert (plan.seconds, plan.days) == (2 * 86_400, 3)  # 3,000 a day: the third day's burst begins after two
    assert "7001 requests" in str(plan)
    assert "3 days of quota" in str(plan)


def test_a_plan_knows_the_cache_and_the_pieces(tmp_path: Any) -> None:
    service = Service()
    client = service.client(cache=tmp_path / "c.sqlite", truncate="average")
    client.embed("known")
    plan = client.plan(["known", "word " * 1200])
    assert (plan.cached, plan.total_requests) == (1, 3)
    assert plan.seconds is None
    assert plan.days is None


def test_a_plan_says_what_it_cannot_know() -> None:
    plan = Service().client().plan([Audio("https://h.example/a.mp3")])
    assert plan.unknown_minutes == 1
    with pytest.raises(InvalidInputError, match=r"items\[1\]"):
        Service().client().plan(["a", ""])


# -- budgets ---------------------------------------------------------------------------------------------


def test_a_budget_is_a_hard_cap_with_everything_in_hand() -> None:
    service = Service()
    client = service.client(budget=5, max_concurrency=2)
    with pytest.raises(QuotaExceededError, match="budget") as caught:
        client.embed_many([f"{i}" for i in range(20)])
    assert len(service.requests) == 5
    assert sum(found is not None for found in caught.value.results) == 5
    assert caught.value.reopens_at is None


def test_a_budget_counts_retries_and_minutes() -> None:
    service = Service(lambda _: httpx.Response(503))
    with pytest.raises(QuotaExceededError):
        service.client(budget=Budget(requests=2)).embed("a")
    assert len(service.requests) == 2
    heard = Service()
    with pytest.raises(QuotaExceededError, match="minutes"):
        heard.client(budget=Budget(minutes=0.6), max_concurrency=1).embed_many(
            [Audio(media.wav(440, 30, 0.5)), Audio(media.wav(220, 30, 0.5))]
        )
    assert len(heard.requests) == 1
    with pytest.raises(InvalidInputError):
        Budget(requests=-1)


# -- streams ---------------------------------------------------------------------------------------------


def test_a_stream_is_lazy_and_in_order() -> None:
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for i in range(500):
            taken += 1
            yield f"text {i}"

    found = Service().client(max_concurrency=8).stream(texts())
    first = next(found)
    assert (first.index, first.item, first.error) == (0, "text 0", None)
    assert taken <= 64
    rest = list(found)
    assert [r.index for r in rest] == list(range(1, 500))
    assert all(r.embedding is not None and r.embedding.vector == vector(str(r.item)) for r in rest)


def test_a_stream_as_they_come_leaves_none_out() -> None:
    found = list(Service().client().stream((f"{i}" for i in range(100)), ordered=False))
    assert sorted(r.index for r in found) == list(range(100))


async def test_an_async_stream_takes_async_items() -> None:
    async def texts() -> AsyncIterator[str]:
        for i in range(100):
            await asyncio.sleep(0)
            yield f"text {i}"

    client = Service().client()
    assert [r.index async for r in client.astream(texts())] == list(range(100))
    assert [r.index async for r in client.astream([f"{i}" for i in range(20)], ordered=False)]
    assert client.last_run.done == 20


def test_a_failed_item_ends_a_stream_after_what_is_under_way() -> None:
    found: list[StreamResult] = []
    with pytest.raises(BatchError) as caught:
        for result in failing_on(b"bad").client().stream(["a", "bad", "", "b"]):
            found.append(result)
    assert [r.index for r in found] == [0, 3]
    assert sorted(caught.value.errors) == [1, 2]


def test_or_it_is_a_result() -> None:
    found = list(failing_on(b"bad").client().stream(["a", "bad", "b"], errors="yield"))
    assert [(r.index, r.embedding is None, r.error is None) for r in found] == [
        (0, False, True),
        (1, True, False),
        (2, False, True),
    ]
    with pytest.raises(InvalidInputError, match="raise, yield"):
        list(Service().client().stream(["a"], errors="ignore"))


def test_a_stream_that_meets_the_end_of_a_budget_yields_what_was_paid() -> None:
    service = Service()
    found = []
    with pytest.raises(QuotaExceededError):
        for result in service.client(budget=40).stream(f"{i}" for i in range(200)):
            found.append(result.index)
    assert len(found) == len(service.requests) == 40


def test_a_stream_that_is_left_cancels_what_is_under_way() -> None:
    client = Service().client()
    for result in client.stream(f"{i}" for i in range(1000)):
        if result.index == 3:
            break
    assert client.embed("later").vector


# -- stats and bars --------------------------------------------------------------------------------------


def test_stats_of_a_run_and_of_all() -> None:
    answers = iter([503, 429, 200, 200])

    def answer(request: httpx.Request) -> Any:
        status = next(answers)
        headers = {"retry-after": "0"}
        return right_answer(request) if status == 200 else httpx.Response(status, headers=headers)

    client = Service(answer).client(max_concurrency=1)
    client.embed_many(["a", "b", "a"])
    run = client.last_run
    assert (run.items, run.done, run.failed, run.requests, run.retries, run.limited) == (3, 3, 0, 4, 2, 1)
    assert run.deduplicated == 1
    assert client.stats == run


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_a_bar_tells_what_is_done(framework: str, capsys: pytest.CaptureFixture[str]) -> None:
    service = Service()
    texts = ["a", "b", "c", "a"]
    if framework == "langchain":
        TwelveLabsEmbeddings(api_key="k", transport=service.transport, show_progress_bar=True).embed_documents(texts)
    else:
        model = TwelveLabsEmbedding(api_key="k", transport=service.transport)
        model.get_text_embedding_batch(texts)
        assert capsys.readouterr().err == ""
        model.get_text_embedding_batch(texts, show_progress=True)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "100%" in shown


# -- the frameworks' own limiters ------------------------------------------------------------------------


class LangChainLimiter(BaseRateLimiter):
    asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        raise AssertionError("the asynchronous one is asked")

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.asked += 1
        return True


class IndexLimiter(LlamaIndexLimiter):
    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1


def test_langchain_s_limiter_is_asked_before_every_request() -> None:
    limiter, service = LangChainLimiter(), Service()
    model = TwelveLabsEmbeddings(api_key="k", transport=service.transport, rate_limiter=limiter)
    model.embed_documents(["a", "b", "a"])
    model.embed_image([media.png("red"), media.png("blue")])
    model.embed_query("q")
    assert limiter.asked == len(service.requests) == 5


async def test_llamaindex_s_limiter_is_asked_once_a_request_for_pictures_too() -> None:
    """LlamaIndex asks it once before each batch of texts, and never for pictures; we ask for the others."""
    limiter, service = IndexLimiter(), Service()
    model = TwelveLabsEmbedding(api_key="k", transport=service.transport, rate_limiter=limiter)
    model.get_query_embedding("q")
    model.get_text_embedding_batch(["a", "b", "c"])
    await model.aget_text_embedding_batch(["d", "e"])
    model.get_image_embedding_batch([media_file(media.png("red")), media_file(media.png("blue"))])
    assert limiter.asked == len(service.requests) == 8


def media_file(content: bytes) -> Any:
    import io

    return io.BytesIO(content)


def test_a_limiter_of_another_kind_is_asked_in_a_thread() -> None:
    class Plain:
        asked = 0

        def acquire(self) -> None:
            self.asked += 1

    limiter = Plain()
    Service().client(rate_limiter=limiter).embed_many(["a", "b", Image(media.png("red"))])
    assert limiter.asked == 3
