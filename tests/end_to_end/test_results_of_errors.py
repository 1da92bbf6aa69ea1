"""What is finished is in the error, whatever stops a call; and what a cancelled call had is kept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.stores import InMemoryByteStore
from llama_index.core.schema import ImageNode, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder
from tests.support import media
from tests.support.adapters import Model
from tests.support.service import Service, right_answer, text_of, vector
from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    CacheError,
    QuotaExceededError,
    TwelveLabsError,
    UnexpectedError,
)

TEXTS = [f"text {n}" for n in range(8)]
BAD = 5


class Limiter:
    """A framework's rate limiter that fails at one of the requests."""

    def __init__(self, fails_at: int) -> None:
        self.calls, self.fails_at = 0, fails_at

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.calls += 1
        if self.calls == self.fails_at:
            raise ZeroDivisionError("a limiter of the caller")
        return True

    def acquire(self, *, blocking: bool = True) -> bool:
        return True

    async def async_acquire(self) -> None:
        await self.aacquire()


class FullStore(InMemoryByteStore):
    """A cache whose disk is full after some writes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def mset(self, key_value_pairs: Any) -> None:
        self.room -= len(key_value_pairs)
        if self.room < 0:
            raise OSError("disk full")
        super().mset(key_value_pairs)


def answering(bad: Callable[[], httpx.Response]) -> Service:
    """A service that answers one text as ``bad`` says."""

    def answer(request: httpx.Request) -> Any:
        return bad() if text_of(request) == TEXTS[BAD] else right_answer(request)

    return Service(answer)


def refusal(status: int, **headers: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json={"code": "c", "message": "m"}, headers=headers)


CAUSES: dict[str, tuple[Callable[[], Service], dict[str, Any], type[TwelveLabsError]]] = {
    "bad text": (lambda: answering(refusal(400)), {}, BatchError),
    "key": (lambda: answering(refusal(401)), {}, AuthenticationError),
    "quota": (lambda: answering(refusal(429, **{"retry-after": "9999"})), {"max_wait": 1}, QuotaExceededError),
    "limit": (lambda: answering(refusal(429)), {}, BatchError),
    "server": (lambda: answering(refusal(500)), {}, BatchError),
    "not JSON": (lambda: answering(lambda: httpx.Response(200, text="<html>")), {}, BatchError),
    "limiter": (Service, {"rate_limiter": "fails"}, BatchError),
    "cache": (Service, {"cache": "full"}, CacheError),
}


def make(framework: str, cause: str, **settings: Any) -> tuple[Model, Service, type[TwelveLabsError]]:
    service, changes, error = CAUSES[cause]
    server = service()
    changes = dict(changes)
    if "rate_limiter" in changes:
        changes["rate_limiter"] = Limiter(BAD + 1)
    if "cache" in changes:
        changes["cache"] = FullStore(BAD)
    common = {"api_key": server.key, "transport": server.transport, "max_retries": 0, "max_concurrency": 1}
    return Model.make(framework, **{**common, **changes, **settings}), server, error


async def called(model: Model, texts: list[str], asynchronous: bool) -> Any:
    return await model.atexts(texts) if asynchronous else model.texts(texts)


def check(error: TwelveLabsError, known: dict[int, list[float]] | None = None, last: int = len(TEXTS)) -> None:
    """Every result stands at its text's place, and what came before the failure is there."""
    assert len(error.results) == last
    expected = {i: vector(text) for i, text in enumerate(TEXTS)} | (known or {})
    assert {i: found for i, found in enumerate(error.results) if found is not None}.items() <= expected.items()
    assert all(error.results[i] is not None for i in range(BAD - 1))
    if isinstance(error, BatchError):
        assert sum(found is None for found in error.results) == len(error.errors) == 1
        (index,) = error.errors
        assert error.results[index] is None
        assert error.errors[index].item in (None, f"texts[{index}]")


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_every_error_has_the_results(framework: str, cause: str, asynchronous: bool) -> None:
    model, _, kind = make(framework, cause)
    with pytest.raises(kind) as caught:
        await called(model, TEXTS, asynchronous)
    check(caught.value)


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("cause", [cause for cause in CAUSES if cause != "cache"])
async def test_beside_references_too(cause: str, asynchronous: bool) -> None:
    model, _, kind = make("langchain", cause)
    with model.adapter.query_reference([0.5] * 512) as reference:
        texts = [reference, *TEXTS[:3], reference, *TEXTS[3:]]
        known = {0: [0.5] * 512, 4: [0.5] * 512}
        with pytest.raises(kind) as caught:
            await called(model, texts, asynchronous)
    error = caught.value
    expected = {i: vector(text) for i, text in enumerate(texts)} | known
    assert len(error.results) == len(texts)
    assert error.results[:6] == [expected[i] for i in range(6)]
    assert {i: found for i, found in enumerate(error.results) if found is not None}.items() <= expected.items()
    if isinstance(error, BatchError):
        (index,) = error.errors
        assert texts[index] == TEXTS[BAD]
        assert error.errors[index].item in (None, f"texts[{index}]")


def test_the_error_of_foreign_code_keeps_its_cause(framework: str) -> None:
    model, _, _ = make(framework, "limiter")
    with pytest.raises(BatchError) as caught:
        model.texts(TEXTS)
    (error,) = caught.value.errors.values()
    assert isinstance(error, UnexpectedError)
    assert isinstance(error.__cause__, ZeroDivisionError)


# -- LlamaIndex's own batches and cache -------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("cause", ["bad text", "key", "cache"])
@pytest.mark.parametrize("settings", [{"embed_batch_size": 2}, {"embed_batch_size": 3, "num_workers": 2}])
async def test_batches_of_llama_index(cause: str, settings: dict[str, Any], asynchronous: bool) -> None:
    model, service, kind = make("llama-index", cause, **settings)
    with pytest.raises(kind) as caught:
        await called(model, TEXTS, asynchronous)
    check(caught.value)
    sent = len(service.requests)
    await asyncio.sleep(0.05)
    assert len(service.requests) == sent  # no other batch of the call goes on


async def test_images_in_batches_of_llama_index() -> None:
    service = Service()
    model = Model.make("llama-index", embed_batch_size=2, api_key=service.key, transport=service.transport)
    images = [media.png("red"), media.png("green"), b"no image"]
    for asynchronous in (True, False):
        with pytest.raises(TwelveLabsError, match=r"images\[2\]"):
            await model.aimages(images) if asynchronous else model.images(images)
    assert await model.aimages(images[:2]) == model.images(images[:2]) == [vector("image")] * 2


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_the_cache_of_llama_index(asynchronous: bool) -> None:
    model, service, _ = make("llama-index", "bad text", embeddings_cache=SimpleKVStore())
    assert model.texts([TEXTS[0], TEXTS[6]]) == [vector(TEXTS[0]), vector(TEXTS[6])]
    with pytest.raises(BatchError) as caught:
        await called(model, TEXTS, asynchronous)
    check(caught.value)
    assert list(caught.value.errors) == [BAD]
    assert caught.value.errors[BAD].item == f"texts[{BAD}]"
    assert len(service.requests) == len(TEXTS)
    rest = [text for text in TEXTS if text != TEXTS[BAD]]
    assert model.texts(rest) == await model.atexts(rest) == [vector(text) for text in rest]
    assert len(service.requests) == len(TEXTS)


# -- cancelled --------------------------------------------------------------------------------------------------------


class Holding(Service):
    """Answers some requests, and never the others; counts those that are under way.

    Args:
        answers: how many are answered; or the file whose requests are.
    """

    def __init__(self, answers: int | bytes) -> None:
        super().__init__(self._hold)
        self.answers = answers
        self.under_way = 0

    async def _hold(self, request: httpx.Request) -> Any:
        if isinstance(self.answers, bytes):
            answered = base64.b64encode(self.answers) in request.content
        else:
            answered = len(self.requests) <= self.answers
        if answered:
            return right_answer(request)
        self.under_way += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.under_way -= 1


async def until(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():  # noqa: ASYNC110  # it watches another thread
            await asyncio.sleep(0.002)

    await asyncio.wait_for(wait(), 10)


async def cancelled(work: Any, service: Holding) -> None:
    """Cancel work when requests of it are held; nothing of it may go on."""
    task = asyncio.ensure_future(work)
    await until(lambda: service.under_way > 0)
    await asyncio.sleep(0.05)  # what was answered is written meanwhile
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: service.under_way == 0)
    sent = len(service.requests)
    await asyncio.sleep(0.05)
    assert len(service.requests) == sent


@pytest.mark.parametrize("method", ["atexts", "batches", "with a reference"])
async def test_a_cancelled_batch_is_over_and_keeps_what_it_had(framework: str, method: str) -> None:
    if (framework == "llama-index") != (method == "batches") and method != "atexts":
        return
    cache, service = InMemoryByteStore(), Holding(answers=4)
    settings: dict[str, Any] = {"embed_batch_size": 3} if method == "batches" else {}
    model = Model.make(
        framework,
        **settings,
        api_key=service.key,
        transport=service.transport,
        cache=cache,
        max_concurrency=2,
    )
    texts = list(TEXTS)
    if method == "with a reference":
        with model.adapter.query_reference([0.5] * 512) as reference:
            await cancelled(model.atexts([reference, *texts]), service)
    else:
        await cancelled(model.atexts(texts), service)
    again = Service()
    model = Model.make(framework, api_key=again.key, transport=again.transport, cache=cache)
    assert await model.atexts(texts) == [vector(text) for text in texts]
    assert len(again.requests) == len(texts) - 4


async def test_a_cancelled_loader_is_over_and_keeps_what_it_had(tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / f"{n}.png").write_bytes(media.png("red", (200 + n, 200)))
    cache, service = InMemoryByteStore(), Holding(answers=3)
    model = TwelveLabsEmbeddings(api_key=service.key, transport=service.transport, cache=cache, max_concurrency=2)
    found: list[Any] = []

    async def load() -> None:
        async for document in TwelveLabsMediaLoader(tmp_path, model).alazy_load():
            found.append(document)  # must be there when the loop is cancelled

    await cancelled(load(), service)
    assert len(found) <= 3
    again = Service()
    model = TwelveLabsEmbeddings(api_key=again.key, transport=again.transport, cache=cache)
    documents = [document async for document in TwelveLabsMediaLoader(tmp_path, model).alazy_load()]
    assert len(documents) == 8
    assert len(again.requests) == 5
    assert await model.aembed_documents([d.page_content for d in documents]) == [vector("image")] * 8


async def test_a_loader_that_is_left_early_is_over(tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / f"{n}.png").write_bytes(media.png("red", (200 + n, 200)))
    service = Holding(answers=(tmp_path / "0.png").read_bytes())
    # As many as there are files: the first may be read last, and the others are held.
    model = TwelveLabsEmbeddings(api_key=service.key, transport=service.transport, max_concurrency=8)
    documents = TwelveLabsMediaLoader(tmp_path, model).alazy_load()
    await asyncio.wait_for(anext(documents), 60)
    await until(lambda: service.under_way > 0)
    await documents.aclose()  # type: ignore[attr-defined]  # it is a generator
    await until(lambda: service.under_way == 0)


# -- nodes of several kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("status", [400, 401])
async def test_a_media_embedder_that_fails_has_the_nodes_it_made(status: int, asynchronous: bool) -> None:
    bad, good = media.png("red", (201, 201)), media.png("blue")

    def answer(request: httpx.Request) -> Any:
        if base64.b64encode(bad) in request.content:
            return httpx.Response(status, json={"code": "c", "message": "m"})
        return right_answer(request)

    service = Service(answer)
    model = TwelveLabsEmbedding(
        api_key=service.key, transport=service.transport, max_retries=0, embeddings_cache=SimpleKVStore()
    )
    nodes = [
        TextNode(text="red", id_="a"),
        ImageNode(image=base64.b64encode(good).decode(), id_="b"),
        TextNode(text="kept", id_="c", embedding=[0.5] * 512),
        ImageNode(image=base64.b64encode(bad).decode(), id_="d"),
        TextNode(text="blue", id_="e"),
    ]
    embedder = TwelveLabsMediaEmbedder(embed_model=model)
    with pytest.raises(BatchError if status == 400 else AuthenticationError) as caught:
        await embedder.acall(nodes) if asynchronous else embedder(nodes)
    a, b, c, d, e = caught.value.results
    assert [n.embedding for n in c] == [[0.5] * 512]
    assert d is None
    if isinstance(caught.value, BatchError):
        assert [n.embedding for n in (*a, *b, *e)] == [vector("red"), vector("image"), vector("blue")]
        assert list(caught.value.errors) == [3]
    else:  # the files go first: of the texts, none was sent
        assert (a, e) == (None, None)
        assert len(service.requests) <= 2
    del nodes[3]
    made = await embedder.acall(nodes) if asynchronous else embedder(nodes)
    assert [n.embedding for n in made] == [vector("red"), vector("image"), [0.5] * 512, vector("blue")]


def test_a_missing_file_loses_no_text_as_none_is_sent() -> None:
    service = Service()
    model = TwelveLabsEmbedding(api_key=service.key, transport=service.transport)
    nodes = [TextNode(text="red"), ImageNode(image_path="/nonexistent/a.png")]
    with pytest.raises(TwelveLabsError, match="no such file") as caught:
        TwelveLabsMediaEmbedder(embed_model=model)(nodes)
    assert caught.value.results == [None, None]
    assert service.requests == []


async def test_a_full_cache_stops_a_loader_that_skips_errors(tmp_path: Path) -> None:
    for n in range(40):
        (tmp_path / f"{n}.png").write_bytes(media.png("red", (200 + n, 200)))
    service = Service()
    model = TwelveLabsEmbeddings(
        api_key=service.key, transport=service.transport, cache=FullStore(2), max_concurrency=1
    )
    with pytest.raises(CacheError):
        TwelveLabsMediaLoader(tmp_path, model, on_error="skip", files_ahead=1).load()
    assert len(service.requests) < 25
