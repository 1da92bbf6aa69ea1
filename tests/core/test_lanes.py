"""Which lane a call is in: by its method, by ``lane=``, and inside ``client.bulk()`` and ``client.interactive()``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import media
from tests.support.service import Service
from twelvelabs_core import Audio, Image, InvalidInputError, RateLimits
from twelvelabs_core._net.limits.limiter import Limiter
from twelvelabs_core._stats import Run


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lane of each request that is sent."""
    seen: list[str] = []
    real = Limiter.try_acquire

    def acquire(self: Limiter, run: Run, minutes: float = 0.0) -> bool:
        seen.append(run.lane)
        return real(self, run, minutes)

    monkeypatch.setattr(Limiter, "try_acquire", acquire)
    return seen


def taken(lanes: list[str]) -> set[str]:
    found = set(lanes)
    lanes.clear()
    return found


def test_the_methods_of_the_client(lanes: list[str]) -> None:
    client = Service().client()
    client.embed("a")
    client.embed_many(["b"])
    client.embed(Image(media.png("red")))
    assert taken(lanes) == {"interactive"}
    client.embed_many(["a", "b"])
    list(client.stream(["c"]))
    assert taken(lanes) == {"bulk"}
    client.embed("d", lane="bulk")
    assert taken(lanes) == {"bulk"}
    client.embed_many(["e", "f"], lane="interactive")
    assert taken(lanes) == {"interactive"}
    with pytest.raises(InvalidInputError, match="lane"):
        client.embed("g", lane="fast")  # type: ignore[arg-type]


def test_langchain(lanes: list[str]) -> None:
    model = TwelveLabsEmbeddings(api_key="k", transport=Service().transport)
    model.embed_query("a")
    model.embed_image([media.png("red")])
    assert taken(lanes) == {"interactive"}
    model.embed_documents(["b"])
    model.embed_documents(["c", "d"])
    model.embed_image([media.png("blue"), media.png("green")])
    assert taken(lanes) == {"bulk"}
    with model.client.interactive():
        model.embed_documents(["e", "f"])
    assert taken(lanes) == {"interactive"}


async def test_llama_index(lanes: list[str]) -> None:
    model = TwelveLabsEmbedding(api_key="k", transport=Service().transport)
    model.get_query_embedding("a")
    await model.aget_query_embedding("b")
    model.get_agg_embedding_from_queries(["c", "d"])
    await model.aquery_bundle("e")
    assert taken(lanes) == {"interactive"}
    model.get_text_embedding("f")
    await model.aget_text_embedding("g")
    model.get_text_embedding_batch(["h"])
    await model.aget_text_embedding_batch(["i", "j"])
    assert taken(lanes) == {"bulk"}
    with model.client.bulk():
        await asyncio.gather(model.aget_query_embedding("k"), model.aget_query_embedding("l"))
    assert taken(lanes) == {"bulk"}


def test_a_thread_has_a_lane_of_its_own(lanes: list[str]) -> None:
    client = Service().client()
    with client.bulk():
        other = threading.Thread(target=lambda: client.embed("a"))
        other.start()
        other.join()
        assert taken(lanes) == {"interactive"}
        with client.interactive():
            client.embed_many(["b", "c"])
        assert taken(lanes) == {"interactive"}
        client.embed("d")
        assert taken(lanes) == {"bulk"}
    client.embed("e")
    assert taken(lanes) == {"interactive"}


async def test_a_stream_keeps_the_lane_it_was_made_in(lanes: list[str]) -> None:
    client = Service().client()
    with client.interactive():
        made, made_async = client.stream(["a", "b"]), client.astream(["c", "d"])
    assert [result.item for result in made] == ["a", "b"]
    assert [result.item async for result in made_async] == ["c", "d"]
    assert taken(lanes) == {"interactive"}


async def test_a_generator_that_is_left_inside_can_be_closed_elsewhere() -> None:
    client = Service().client()

    def inside() -> Generator[int, None, None]:
        with client.bulk():
            yield 1

    async def inside_async() -> AsyncGenerator[int, None]:
        with client.bulk():
            yield 1

    generator, generator_async = inside(), inside_async()
    assert next(generator) == 1
    thread = threading.Thread(target=generator.close)  # an exception there fails the test
    thread.start()
    thread.join()

    async def begin() -> int:
        return await generator_async.__anext__()

    assert await asyncio.create_task(begin()) == 1
    await generator_async.aclose()  # in another context than it began in


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan"), "much"])
def test_a_share_out_of_range_is_refused(share: Any) -> None:
    with pytest.raises(InvalidInputError, match="interactive_share"):
        RateLimits(interactive_share=share)


@pytest.mark.parametrize("reserve", [-1, 1.5, None])
def test_a_reserve_out_of_range_is_refused(reserve: Any) -> None:
    with pytest.raises(InvalidInputError, match="reserve"):
        RateLimits.free(reserve=reserve)


def test_one_audio_file_is_a_query(lanes: list[str]) -> None:
    Service().client().embed(Audio(media.wav(200, 6)))
    assert taken(lanes) == {"interactive"}
