"""Claims made ahead: few transactions, and none that outlives its batch."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.stores import InMemoryByteStore

from tests.support.service import Service, refusal, right_answer, text_of
from twelvelabs_core import AuthenticationError, Embedding
from twelvelabs_core._batch.ahead import ClaimsAhead
from twelvelabs_core._cache.backend import SqliteStore
from twelvelabs_core._cache.cache import Cache, Claimed
from twelvelabs_core._cache.entries import Entries
from twelvelabs_core._net import loop

RESULT = Embedding([1.0, 2.0], "space")
KEYS = ["a", "b", "c", "d"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


def on_the_loop(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Claims are made and given back on the background loop."""

    @wraps(test)
    def run(path: Path) -> None:
        loop.run(test(path))

    return run


def client(path: Path) -> Cache:
    return Cache(Entries(SqliteStore(path)), "space", 2)


def ahead_of(cache: Cache, count: int) -> ClaimsAhead:
    ahead = ClaimsAhead(cache, count)
    ahead.keys = KEYS
    return ahead


def claimed(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM claims ORDER BY key")]


async def until_claimed(path: Path, keys: list[str]) -> None:
    for _ in range(200):
        if claimed(path) == keys:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"claimed: {claimed(path)}, expected {keys}")


@on_the_loop
async def test_the_next_ones_are_claimed_with_the_first(path: Path) -> None:
    ahead = ahead_of(client(path), 3)
    assert await ahead.claim(0) is True
    assert claimed(path) == ["space/a", "space/b", "space/c"]
    assert [await ahead.claim(order) for order in (1, 2, 3)] == [True, True, True]
    assert claimed(path) == ["space/a", "space/b", "space/c", "space/d"]


@on_the_loop
async def test_those_that_have_not_started_are_given_back(path: Path) -> None:
    cache = client(path)
    ahead = ahead_of(cache, 4)
    assert await ahead.claim(0) is True
    ahead.end(lambda key: key == "c")  # another call of the client is embedding it
    await until_claimed(path, ["space/a", "space/c"])
    assert cache.holds("a") and cache.holds("c") and not cache.holds("b")


@on_the_loop
async def test_those_that_are_being_claimed_while_the_batch_ends_are_given_back(path: Path) -> None:
    ahead = ahead_of(client(path), 4)
    first = asyncio.ensure_future(ahead.claim(0))
    await asyncio.sleep(0)
    ahead.end(lambda key: False)
    assert await first is True
    await until_claimed(path, ["space/a"])


@on_the_loop
async def test_one_that_another_client_is_embedding_is_left_to_it(path: Path) -> None:
    ahead = ahead_of(client(path), 4)
    assert await ahead.claim(0) is True
    ahead.give_up("b")
    await until_claimed(path, ["space/a", "space/c", "space/d"])
    assert (await client(path).claim(["b"])).ours == {"b"}


@on_the_loop
async def test_a_claim_that_has_ended_is_made_again_and_finds_the_result(path: Path) -> None:
    cache = client(path)
    ahead = ahead_of(cache, 4)
    assert await ahead.claim(0) is True
    await cache.put("b", RESULT)  # by another call of the client
    await cache.release(["c"])
    found = await ahead.claim(1)
    assert isinstance(found, Embedding) and found.vector == RESULT.vector
    assert await ahead.claim(2) is True
    assert cache.holds("c")


@on_the_loop
async def test_what_another_process_has_claimed_is_its_own(path: Path) -> None:
    other = client(path)
    await other.claim(["b"])
    ahead = ahead_of(client(path), 4)
    assert [await ahead.claim(order) for order in range(3)] == [True, False, True]


# -- few items: read and claimed in one step -----------------------------------------------------------------------


@on_the_loop
async def test_few_are_read_and_claimed_together(path: Path) -> None:
    cache, other = client(path), client(path)
    await cache.put("a", RESULT)
    await other.claim(["c"])
    ahead = ClaimsAhead(cache, 4)
    found = await ahead.read(KEYS)
    assert found == {"a": Embedding([1.0, 2.0], "space", cached=True)}
    assert [cache.holds(key) for key in KEYS] == [False, True, False, True]
    ahead.keys = ["b", "c", "d"]
    assert [await ahead.claim(order) for order in range(3)] == [True, False, True]
    assert await other.claim(KEYS[1:]) == Claimed(ours={"c"}, theirs={"b", "d"})


@on_the_loop
async def test_of_many_none_is_claimed_when_they_are_read(path: Path) -> None:
    cache = client(path)
    await cache.put("a", RESULT)
    assert list(await ClaimsAhead(cache, 3).read(KEYS)) == ["a"]
    assert claimed(path) == []


@on_the_loop
async def test_what_is_there_is_read_from_a_locked_file_and_the_rest_claimed_later(path: Path) -> None:
    cache = client(path)
    await cache.put("a", RESULT)
    ahead = ClaimsAhead(cache, 4)
    with closing(sqlite3.connect(path, isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        assert list(await ahead.read(["a", "b"])) == ["a"]
        locking.execute("ROLLBACK")
    assert not cache.holds("b")
    ahead.keys = ["b"]
    assert await ahead.claim(0) is True
    assert claimed(path) == ["space/b"]


@on_the_loop
async def test_those_that_a_cancelled_batch_was_reading_are_given_back(path: Path) -> None:
    cache = client(path)
    await cache.put("a", RESULT)
    ahead = ClaimsAhead(cache, 4)
    reading = asyncio.ensure_future(ahead.read(KEYS))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    ahead.end(lambda key: False)
    for _ in range(200):
        if cache.holds("b"):
            break
        await asyncio.sleep(0)
    await until_claimed(path, [])
    assert not cache.holds("b")


async def test_nothing_is_claimed_in_a_store_of_the_users() -> None:
    store = InMemoryByteStore()
    cache = Cache(Entries(store), "space", 2)
    await cache.put("a", RESULT)
    ahead = ClaimsAhead(cache, 4)
    assert list(await ahead.read(KEYS)) == ["a"]
    ahead.keys = KEYS[1:]
    assert [await ahead.claim(order) for order in range(3)] == [True, True, True]
    assert list(store.yield_keys()) == ["space/a"]


def test_a_batch_takes_few_transactions_for_its_claims(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    claim = SqliteStore.claim

    def counted(self: SqliteStore, keys: list[str], *args: object, **named: object) -> object:
        taken.append(len(keys))
        return claim(self, keys, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteStore, "claim", counted)
    texts = [f"text {i}" for i in range(100)]
    Service().client(cache=path, max_concurrency=10).embed_many(texts)
    assert taken == [10] * 10
    assert claimed(path) == []


def test_a_batch_that_ends_early_leaves_no_claims(path: Path) -> None:
    def answer(request: httpx.Request) -> object:
        return refusal(401) if text_of(request) == "text 12" else right_answer(request)

    texts = [f"text {i}" for i in range(40)]
    with pytest.raises(AuthenticationError):
        Service(answer).client(cache=path, max_concurrency=5).embed_many(texts)
    asyncio.run(until_claimed(path, []))
