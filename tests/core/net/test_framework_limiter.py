"""Rate limiters of LangChain and LlamaIndex, passed as ``rate_limiter=``: acquired once for every request."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from langchain_core.rate_limiters import BaseRateLimiter
from llama_index.core.rate_limiter import BaseRateLimiter as LlamaIndexLimiter

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import media
from tests.support.service import Service
from twelvelabs_core import BatchError, Image, UnexpectedError


class LangChainLimiter(BaseRateLimiter):
    acquired = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        raise AssertionError("aacquire is used instead")

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.acquired += 1
        return True


class IndexLimiter(LlamaIndexLimiter):
    def __init__(self) -> None:
        self.acquired = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.acquired += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.acquired += 1


def test_a_langchain_limiter_is_acquired_once_a_request() -> None:
    limiter, service = LangChainLimiter(), Service()
    model = TwelveLabsEmbeddings(api_key="k", transport=service.transport, rate_limiter=limiter)
    model.embed_documents(["a", "b", "a"])
    model.embed_image([media.png("red"), media.png("blue")])
    model.embed_query("q")
    assert limiter.acquired == len(service.requests) == 5


async def test_a_llama_index_limiter_is_acquired_once_a_request() -> None:
    """LlamaIndex acquires it once for each batch of texts and never for images; the client does for the rest."""
    limiter, service = IndexLimiter(), Service()
    model = TwelveLabsEmbedding(api_key="k", transport=service.transport, rate_limiter=limiter)
    model.get_query_embedding("q")
    model.get_text_embedding_batch(["a", "b", "c"])
    await model.aget_text_embedding_batch(["d", "e"])
    model.get_image_embedding_batch([file_of(media.png("red")), file_of(media.png("blue"))])
    assert limiter.acquired == len(service.requests) == 8


def file_of(content: bytes) -> Any:
    return io.BytesIO(content)


def test_a_limiter_with_only_a_blocking_acquire_is_acquired() -> None:
    class Plain:
        acquired = 0

        def acquire(self) -> None:
            self.acquired += 1

    limiter = Plain()
    Service().client(rate_limiter=limiter).embed_many(["a", "b", Image(media.png("red"))])
    assert limiter.acquired == 3


class Fragile:
    """Raises at one of its requests."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.acquired, self.at, self.error = 0, at, error

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.acquired += 1
        number = self.acquired
        await asyncio.sleep(0)
        if number == self.at:
            raise self.error
        return True


class FragileInThread:
    def __init__(self, at: int, error: BaseException) -> None:
        self.acquired, self.at, self.error = 0, at, error

    def acquire(self) -> None:
        self.acquired += 1
        if self.acquired == self.at:
            raise self.error


@pytest.mark.parametrize("kind", [Fragile, FragileInThread])
def test_a_limiter_that_raises_costs_one_item(kind: Any) -> None:
    odd = ValueError("odd")
    service = Service()
    client = service.client(rate_limiter=kind(150, odd))
    with pytest.raises(BatchError) as caught:
        client.embed_many([f"text {i}" for i in range(200)], name="texts")
    assert sum(found is not None for found in caught.value.results) == len(service.requests) == 199
    ((index, error),) = caught.value.errors.items()
    assert isinstance(error, UnexpectedError)
    assert error.__cause__ is odd
    assert str(error) == f"texts[{index}]: The rate limiter {kind.__name__} raised ValueError; see __cause__."


def test_a_limiter_that_raises_is_the_error_of_a_single_call() -> None:
    with pytest.raises(
        UnexpectedError, match=r"text: The rate limiter Fragile raised RuntimeError; see __cause__"
    ) as caught:
        Service().client(rate_limiter=Fragile(1, RuntimeError())).embed("a")
    assert isinstance(caught.value.__cause__, RuntimeError)


class PollingLimiter(BaseRateLimiter):
    """As LangChain's own in memory: whoever looks when there is a token takes it."""

    def __init__(self) -> None:
        self.tokens = 0
        self.order: list[str] = []

    def acquire(self, *, blocking: bool = True) -> bool:
        raise AssertionError("aacquire is used instead")

    async def aacquire(self, *, blocking: bool = True) -> bool:
        while self.tokens < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self.tokens -= 1
        return True


async def test_a_query_asks_alone_while_a_batch_waits() -> None:
    limiter, service = PollingLimiter(), Service()
    model = TwelveLabsEmbeddings(api_key="k", transport=service.transport, rate_limiter=limiter)
    batch = asyncio.ensure_future(model.aembed_documents([f"text {i}" for i in range(30)]))
    await asyncio.sleep(0.05)
    query = asyncio.ensure_future(model.aembed_query("q"))
    await asyncio.sleep(0.05)
    limiter.tokens = 1
    await asyncio.wait_for(query, 5)
    assert service.texts == ["q"]
    limiter.tokens = 30
    await asyncio.wait_for(batch, 5)
    assert len(service.texts) == 31
    assert limiter.tokens == 0
