"""The cache: entries, keys, stores, and failures."""

from __future__ import annotations

import asyncio
import gc
import math
import pickle
import sqlite3
import time
from array import array
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from langchain_core.stores import InMemoryByteStore

from tests.support import media
from tests.support.service import Service, right_answer, text_of, vector
from twelvelabs_core import (
    BatchError,
    CacheError,
    Composed,
    Embedding,
    EmbeddingClient,
    Image,
    InvalidInputError,
    Segment,
)
from twelvelabs_core._cache import encoding
from twelvelabs_core._cache.backend import SqliteStore
from twelvelabs_core._cache.cache import Cache
from twelvelabs_core._cache.encoding import fill, seal
from twelvelabs_core._cache.entries import Entries


@pytest.fixture(params=["file", "store"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A path, and a LangChain byte store."""
    return tmp_path / "vectors.sqlite" if request.param == "file" else InMemoryByteStore()


def test_cached_items_are_not_sent_again(cache: Any) -> None:
    service = Service()
    first = service.client(cache=cache)
    assert [e.cached for e in first.embed_many(["a", "b", "a"])] == [False, False, False]
    assert service.texts == ["a", "b"]
    assert (first.last_run.requests, first.last_run.deduplicated, first.last_run.cached) == (2, 1, 0)
    second = service.client(cache=cache)
    found = second.embed_many(["b", "c", "a"])
    assert [e.cached for e in found] == [True, False, True]
    assert [e.vector for e in found] == [vector("b"), vector("c"), vector("a")]  # exactly equal
    assert service.texts == ["a", "b", "c"]


def test_finished_items_are_cached_when_others_fail(cache: Any) -> None:
    refusing = [True]
    service = Service(
        lambda r: (
            httpx.Response(400, json={"message": "no"}) if refusing[0] and b"bad" in r.content else right_answer(r)
        )
    )
    with pytest.raises(BatchError):
        service.client(cache=cache).embed_many(["a", "bad", "b"])
    refusing[0] = False
    service.requests.clear()
    service.client(cache=cache).embed_many(["a", "bad", "b"])
    assert service.texts == ["bad"]


@pytest.mark.parametrize(
    "other",
    [
        {"model": "marengo3.5"},
        {"model": "marengo3.5", "dimensions": 128},
        {"api_version": "v1"},
        {"base_url": "http://127.0.0.1:8765/v1.3"},
    ],
    ids=["model", "dimensions", "endpoint", "service"],
)
def test_settings_that_change_the_vector_change_the_key(cache: Any, other: dict[str, Any]) -> None:
    """3.0 and 3.5 have equal lengths, and vectors of an emulator must not be returned for the real service."""
    service = Service()
    service.client(cache=cache).embed("a")
    service.client(**{"cache": cache, **other}).embed("a")
    assert len(service.requests) == 2


def test_truncate_is_part_of_the_key_only_for_over_long_texts(cache: Any) -> None:
    service = Service()
    long = "word " * 600
    service.client(cache=cache, truncate="end").embed_many(["short", long])
    service.client(cache=cache, truncate="start").embed_many(["short", long])
    assert service.texts.count("short") == 1
    assert len(service.requests) == 3


def test_media_are_cached_by_content(cache: Any, tmp_path: Path) -> None:
    service = Service()
    client = service.client(cache=cache)
    red = media.png("red")
    (tmp_path / "a.png").write_bytes(red)
    (tmp_path / "b.png").write_bytes(red)
    client.embed_many([Image(tmp_path / "a.png"), Image(str(tmp_path / "b.png")), Image(red)])
    assert len(service.requests) == 1
    (tmp_path / "a.png").write_bytes(media.png("blue"))
    assert not client.embed(Image(tmp_path / "a.png")).cached
    assert client.embed(Image(tmp_path / "b.png")).cached


def test_different_compositions_have_different_keys(cache: Any) -> None:
    service = Service()
    client = service.client(cache=cache)
    red = media.png("red")
    variants = [
        Composed("a", [Image(red)]),
        Composed("b", [Image(red)]),
        Composed("a <@x>", [Image(red, name="x")]),
        Composed(None, [Image(red), Image(media.png("blue"))]),
        Composed(None, [Image(media.png("blue")), Image(red)]),
    ]
    client.embed_many(variants)
    assert len(service.requests) == len(variants)
    assert all(e.cached for e in client.embed_many(variants))


def test_truncated_is_cached(cache: Any) -> None:
    service = Service()
    assert service.client(cache=cache).embed("word " * 600).truncated
    again = service.client(cache=cache).embed("word " * 600)
    assert again.cached
    assert again.truncated


def test_undecodable_entries_count_as_missing() -> None:
    store = InMemoryByteStore()
    service = Service()
    client = service.client(cache=store)
    client.embed("a")
    (key,) = store.yield_keys()
    (whole,) = store.mget([key])
    assert whole is not None
    values: list[Any] = [
        b"",
        b"invalid",
        b"TL1\x00\x01\x00\x00\x00" + bytes(8),
        whole[:-8],
        whole + bytes(8),
        whole[8:],
        "x",
        7,
    ]
    for value in values:
        store.mset([(key, value)])
        assert not client.embed("a").cached
    assert client.embed("a").cached


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look like one" * 50)
    with pytest.raises(CacheError, match=r"notes\.txt.*cannot be opened"):
        Service().client(cache=tmp_path / "notes.txt").embed("a")


@pytest.mark.parametrize("value", [5, object(), {"a": 1}])
def test_an_object_that_is_not_a_cache_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="mget and mset"):
        EmbeddingClient(api_key="k", cache=value)


def test_the_file_is_created_with_its_folder_and_contains_no_api_key(tmp_path: Path) -> None:
    service = Service()
    path = tmp_path / "new" / "folder" / "vectors.sqlite"
    client = service.client(cache=path)
    client.embed("a")
    copy = pickle.loads(pickle.dumps(SqliteStore(path)))
    with sqlite3.connect(path) as connection:
        keys = [row[0] for row in connection.execute("SELECT key FROM vectors")]
    connection.close()
    assert copy.mget(keys)[0] is not None
    assert service.key.encode() not in path.read_bytes()
    assert all(key.startswith("marengo3.0/512/") for key in keys)


# -- entries -----------------------------------------------------------------------------------------------------


async def stored(result: Embedding | list[Segment], dimensions: int) -> Embedding | list[Segment] | None:
    """A result, written to a store and read again."""
    cache = Cache(Entries(InMemoryByteStore()), "space", dimensions)
    await cache.put("key", result)
    return (await cache.get_many(["key"])).get("key")


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("pooled", [1, 300, 70_000])
async def test_an_embedding_is_kept_exactly(truncated: bool, pooled: int) -> None:
    exact = [0.1 + 0.2, -0.0, 5e-324, 1.7e308, -1 / 3]
    found = await stored(Embedding(exact, "space", truncated, pooled), len(exact))
    assert found == Embedding(exact, "space", truncated, pooled, cached=True)
    assert str(found.vector) == str(exact)  # with the sign of zero


SEGMENTS = {
    "plain": Segment([0.5, -0.25]),
    "time": Segment([1.0, 0.5], 0.0, 6.5, "visual", "clip"),
    "start only": Segment([1.0, 0.5], start_sec=1 / 3),
    "page": Segment([1.0, 0.5], option="visual", scope="page", page=3, quadrant="top_left"),
    "chunk": Segment([1.0, 0.5], option="text", scope="chunk", chunk=0),
    "uncertainty": Segment([1.0, 2.0], 0, 2, "audio", "clip", uncertainty=[0.1, 0.2]),
    "asset": Segment([1.0, 0.5], scope="asset"),
}


@pytest.mark.parametrize("segment", SEGMENTS.values(), ids=SEGMENTS)
async def test_every_field_of_a_segment_is_kept(segment: Segment) -> None:
    assert await stored([segment], 2) == [segment]


async def test_many_segments_are_kept_in_order() -> None:
    segments = [*SEGMENTS.values(), *reversed(SEGMENTS.values())]
    assert await stored(segments, 2) == segments
    assert await stored([], 2) == []


def test_every_field_of_a_segment_has_a_case() -> None:
    used = {f.name for f in fields(Segment) if any(getattr(s, f.name) is not None for s in SEGMENTS.values())}
    assert used == {f.name for f in fields(Segment)}


HEADS = b'S[{"uncertainty": %d}]\n'
NUMBERS = [array("d", numbers).tobytes() for numbers in ([1.0, 2.0], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0])]
GOOD, ZERO, NAN, INFINITE = NUMBERS
VECTOR_HEAD = b"V\x00\x01\x00\x00\x00"


@pytest.mark.parametrize(
    "content",
    [
        *(VECTOR_HEAD + numbers for numbers in (ZERO, NAN, INFINITE, b"", GOOD + bytes(8), GOOD[:8], GOOD[:9])),
        *(HEADS % 0 + numbers for numbers in (ZERO, NAN, INFINITE, b"", GOOD + bytes(8), GOOD[:8], GOOD[:9])),
        *(HEADS % 1 + GOOD + numbers for numbers in (b"", GOOD, NAN[:8])),
        b"S",
        b"Snot JSON",
        b"S[{}]\n" + GOOD,
        b"S7\n",
        b"S[7]\n",
        b"S{}\n" + GOOD,
        b"V",
        b"X" + GOOD,
        b"J{}",
        b"R" + GOOD,
    ],
)
async def test_an_entry_that_is_no_result_counts_as_missing(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store = InMemoryByteStore()
    store.mset([("space/key", seal("space/key", content))])
    assert await Cache(Entries(store), "space", 2).get_many(["key"]) == {}
    assert "1 of 1 entries read from the cache are damaged" in caplog.text


async def test_entries_of_another_space_are_not_found() -> None:
    store = InMemoryByteStore()
    await Cache(Entries(store), "one", 1).put("key", Embedding([1.0], "one"))
    assert await Cache(Entries(store), "two", 1).get_many(["key"]) == {}


async def test_results_that_come_together_share_a_transaction() -> None:
    class Counting(InMemoryByteStore):
        writes: ClassVar[list[int]] = []

        def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            self.writes.append(len(key_value_pairs))
            super().mset(key_value_pairs)

    cache = Cache(Entries(Counting()), "space", 1)
    await asyncio.gather(*(cache.put(f"{i}", Embedding([i + 1.0], "space")) for i in range(20)))
    assert Counting.writes == [20]
    found = await cache.get_many([f"{i}" for i in range(21)])
    assert {key: value.vector for key, value in found.items() if isinstance(value, Embedding)} == {
        f"{i}": [i + 1.0] for i in range(20)
    }


async def test_calls_whose_write_fails_together_have_results_of_their_own() -> None:
    """The second write takes what has come of both calls during the first, and fails."""

    class Full(InMemoryByteStore):
        writes = 0

        def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            self.writes += 1
            if self.writes > 1:
                raise OSError(28, "No space left on device")
            time.sleep(0.2)

    async def answer(request: httpx.Request) -> Any:
        await asyncio.sleep(0.05 if text_of(request) != "a 0" else 0.0)
        return right_answer(request)

    client = Service(answer).client(cache=Full())
    calls = [[f"{name} {i}" for i in range(4)] for name in "ab"]
    errors = await asyncio.gather(*(client.aembed_many(texts) for texts in calls), return_exceptions=True)
    for texts, error in zip(calls, errors, strict=True):
        assert isinstance(error, CacheError)
        assert [found and found.vector for found in error.results] == [vector(text) for text in texts]


async def test_many_keys_are_read_in_portions() -> None:
    class Counting(InMemoryByteStore):
        reads: ClassVar[list[int]] = []

        def mget(self, keys: Sequence[str]) -> list[bytes | None]:
            self.reads.append(len(keys))
            return super().mget(keys)

    await Cache(Entries(Counting()), "space", 1).get_many([f"{i}" for i in range(1001)])
    assert Counting.reads == [500, 500, 1]


@pytest.mark.parametrize("size", [1, 5, 100, 500, 1_201])
def test_values_come_in_the_order_of_their_keys(tmp_path: Path, size: int) -> None:
    store = SqliteStore(tmp_path / "cache.sqlite")
    names = [f"{i:04}" for i in range(size)]
    store.mset([(name, name.encode()) for name in names])
    asked = [*names[::-1], "missing", *names[: size // 2], "", names[0]]
    known = set(names)
    assert store.mget(asked) == [name.encode() if name in known else None for name in asked]


async def test_the_garbage_collector_does_not_go_through_vectors_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 3_000
    cache = Cache(Entries(InMemoryByteStore()), "space", 1)
    await asyncio.gather(*(cache.put(f"{i}", Embedding([i + 1.0], "space")) for i in range(count)))
    collections: list[str] = []
    seen: list[int] = []

    def collected(phase: str, _: dict[str, int]) -> None:
        collections.append(phase)

    def filled(vector: list[float], data: bytes, dimensions: int) -> bool:
        seen.append(len(collections))
        return fill(vector, data, dimensions)

    monkeypatch.setattr(encoding, "fill", filled)
    gc.callbacks.append(collected)
    try:
        found = await cache.get_many([f"{i}" for i in range(count)])
    finally:
        gc.callbacks.remove(collected)
    assert [e.vector for e in found.values() if isinstance(e, Embedding)] == [[i + 1.0] for i in range(count)]
    assert len(seen) == count
    assert seen[-1] - seen[0] <= 2  # the start and the end of one, if it was about to run; else there are about ten
