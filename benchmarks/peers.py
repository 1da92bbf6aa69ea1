"""Every way of embedding texts that is compared, each as ``texts -> vectors``, opened, used and closed.

All use their own defaults but for the number of connections, and the interpreter's own event loop.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from .server import answer_index

__all__ = ["CONNECTIONS", "MANY_CONNECTIONS", "PEERS", "Embed", "Peer", "check", "new_key", "texts"]

CONNECTIONS, MANY_CONNECTIONS = 64, 256
MODEL = "marengo3.0"

T = TypeVar("T")
Vectors = list[list[float]]
Embed = Callable[[list[str]], Vectors]
Peer = Callable[[str], Any]  # base address -> context manager of an Embed


def texts(count: int, *, first: int = 0) -> list[str]:
    """Different texts of about a hundred letters."""
    story = "a man in a yellow coat walks his dog along the sea wall while the tide comes in"
    return [f"{i}: {story}" for i in range(first, first + count)]


def new_key() -> str:
    """An account of its own, so that what was learned about another's limits does not count."""
    return f"tlk_{uuid.uuid4().hex}"


def check(given: Sequence[str], vectors: Vectors) -> None:
    """Every text has its own answer, whole."""
    assert len(vectors) == len(given)
    for text, vector in zip(given, vectors, strict=True):
        assert len(vector) == 512 and vector[0] == answer_index(text) / 1000, text


def _body(text: str) -> dict[str, Any]:
    return {"input_type": "text", "model_name": MODEL, "text": {"input_text": text}}


class _Loop:
    """An event loop for a peer that needs one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _by_workers(
    given: list[str], one: Callable[[str], Awaitable[list[float]]], connections: int = CONNECTIONS
) -> Vectors:
    """As many tasks as connections, each taking the next text: the usual way, and the cheapest."""
    vectors: list[Any] = [None] * len(given)
    todo = iter(enumerate(given))

    async def worker() -> None:
        for index, text in todo:
            vectors[index] = await one(text)

    await asyncio.gather(*(worker() for _ in range(connections)))
    return vectors


@contextmanager
def aiohttp_raw(base_url: str, connections: int = CONNECTIONS) -> Iterator[Embed]:
    """The yardstick: aiohttp and orjson, no checks, no retries, no limits."""
    import aiohttp
    import orjson

    loop, url = _Loop(), f"{base_url}/embed-v2"

    async def start() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections)
        headers = {"x-api-key": new_key(), "content-type": "application/json"}
        return aiohttp.ClientSession(connector=connector, headers=headers)

    session = loop.run(start())

    async def one(text: str) -> list[float]:
        async with session.post(url, data=orjson.dumps(_body(text))) as answer:
            vector: list[float] = orjson.loads(await answer.read())["data"][0]["embedding"]
            return vector

    yield lambda given: loop.run(_by_workers(given, one, connections))
    loop.run(session.close())
    loop.close()


@contextmanager
def httpx_async(base_url: str) -> Iterator[Embed]:
    """httpx.AsyncClient as it comes."""
    import httpx

    loop, url = _Loop(), f"{base_url}/embed-v2"
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    client = httpx.AsyncClient(limits=limits, headers={"x-api-key": new_key()}, timeout=60)

    async def one(text: str) -> list[float]:
        answer = await client.post(url, json=_body(text))
        vector: list[float] = answer.json()["data"][0]["embedding"]
        return vector

    yield lambda given: loop.run(_by_workers(given, one))
    loop.run(client.aclose())
    loop.close()


@contextmanager
def httpx_sync(base_url: str) -> Iterator[Embed]:
    """One httpx.Client, one text after another."""
    import httpx

    url = f"{base_url}/embed-v2"
    with httpx.Client(headers={"x-api-key": new_key()}, timeout=60) as client:
        yield lambda given: [client.post(url, json=_body(text)).json()["data"][0]["embedding"] for text in given]


@contextmanager
def sdk_threads(base_url: str) -> Iterator[Embed]:
    """The official SDK in as many threads as connections.

    It sends nothing again by itself, and with so many threads on one client a connection is now and then closed under
    a request ("Bad file descriptor"): such a text is asked for once more, so that one does not end the run.
    """
    import httpx
    from twelvelabs import TextInputRequest, TwelveLabs

    client = TwelveLabs(api_key=new_key(), base_url=base_url)

    def one(text: str) -> list[float]:
        given: dict[str, Any] = {"input_type": "text", "model_name": MODEL, "text": TextInputRequest(input_text=text)}
        try:
            answer = client.embed.v_2.create(**given)
        except httpx.TransportError:
            answer = client.embed.v_2.create(**given)
        return list(answer.data[0].embedding)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        yield lambda given: list(pool.map(one, given))


@contextmanager
def sdk_async(base_url: str) -> Iterator[Embed]:
    """The official SDK's async client."""
    from twelvelabs import AsyncTwelveLabs, TextInputRequest

    loop = _Loop()
    client = AsyncTwelveLabs(api_key=new_key(), base_url=base_url)

    async def one(text: str) -> list[float]:
        answer = await client.embed.v_2.create(
            input_type="text", model_name=MODEL, text=TextInputRequest(input_text=text)
        )
        return list(answer.data[0].embedding)

    yield lambda given: loop.run(_by_workers(given, one))
    loop.close()


def _settings(base_url: str, **others: Any) -> dict[str, Any]:
    return {"api_key": new_key(), "base_url": base_url, **others}


@contextmanager
def langchain_sync(base_url: str, **others: Any) -> Iterator[Embed]:
    """``embed_documents``."""
    from langchain_twelvelabs import TwelveLabsEmbeddings

    yield TwelveLabsEmbeddings(model=MODEL, **_settings(base_url, **others)).embed_documents


@contextmanager
def langchain_async(base_url: str) -> Iterator[Embed]:
    """``aembed_documents``, awaited from a loop of the caller's."""
    from langchain_twelvelabs import TwelveLabsEmbeddings

    loop, model = _Loop(), TwelveLabsEmbeddings(model=MODEL, **_settings(base_url))
    yield lambda given: loop.run(model.aembed_documents(given))
    loop.close()


@contextmanager
def langchain_query(base_url: str) -> Iterator[Embed]:
    """``embed_query``, one text after another."""
    from langchain_twelvelabs import TwelveLabsEmbeddings

    model = TwelveLabsEmbeddings(model=MODEL, **_settings(base_url))
    yield lambda given: [model.embed_query(text) for text in given]


@contextmanager
def llama_sync(base_url: str, **others: Any) -> Iterator[Embed]:
    """``get_text_embedding_batch``."""
    from llama_index_twelvelabs import TwelveLabsEmbedding

    yield TwelveLabsEmbedding(model_name=MODEL, **_settings(base_url, **others)).get_text_embedding_batch


@contextmanager
def llama_async(base_url: str) -> Iterator[Embed]:
    """``aget_text_embedding_batch``, awaited from a loop of the caller's."""
    from llama_index_twelvelabs import TwelveLabsEmbedding

    loop, model = _Loop(), TwelveLabsEmbedding(model_name=MODEL, **_settings(base_url))
    yield lambda given: loop.run(model.aget_text_embedding_batch(given))
    loop.close()


PEERS: dict[str, Peer] = {
    "aiohttp + orjson": aiohttp_raw,
    "httpx.AsyncClient": httpx_async,
    "httpx.Client": httpx_sync,
    "official SDK, 64 threads": sdk_threads,
    "official SDK, async": sdk_async,
    "aiohttp + orjson, 256": partial(aiohttp_raw, connections=MANY_CONNECTIONS),
    "embed_documents, 256": partial(langchain_sync, max_concurrency=MANY_CONNECTIONS),
    "get_text_embedding_batch, 256": partial(llama_sync, max_concurrency=MANY_CONNECTIONS),
    "embed_documents": langchain_sync,
    "aembed_documents": langchain_async,
    "embed_query": langchain_query,
    "get_text_embedding_batch": llama_sync,
    "aget_text_embedding_batch": llama_async,
}
