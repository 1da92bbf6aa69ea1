"""What is in a cache is believed only where it is whole, and what a store does wrong stays in its place."""

from __future__ import annotations

import gc
import math
import os
import random
import sqlite3
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.stores import InMemoryByteStore

from tests.support.service import Service, vector
from twelvelabs_core import CacheError, Embedding
from twelvelabs_core._cache.cache import Cache
from twelvelabs_core._cache.encoding import encode, is_whole, seal
from twelvelabs_core._cache.entries import Entries
from twelvelabs_core._cache.journal import Journal
from twelvelabs_core._cache.vectors import KeptVectors

WORDS = [f"word {i}" for i in range(150)]


def filled(path: Path) -> None:
    Service().client(cache=path).embed_many(WORDS)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bits_give_no_wrong_vector(tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cache.sqlite"
    filled(path)
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(40):
        content[chance.randrange(16_384, len(content))] ^= 1 << chance.randrange(8)  # the first page names the tables
    path.write_bytes(content)
    service = Service()
    try:
        found = service.client(cache=path).embed_many(WORDS)
    except CacheError as error:
        assert "damaged" in str(error)
        return
    assert [e.vector for e in found] == [vector(word) for word in WORDS]
    assert 0 < len(service.requests) < 60
    assert len([r for r in caplog.records if "damaged" in r.message]) == 1


@pytest.mark.parametrize("place", range(8, 72))
def test_no_flipped_bit_of_an_entry_is_missed(place: int) -> None:
    value = seal("key", encode(Embedding([0.5] * 8, "space")))
    assert is_whole("key", value)
    for bit in range(8):
        changed = bytearray(value)
        changed[place % len(value)] ^= 1 << bit
        assert not is_whole("key", bytes(changed))


def test_an_entry_under_another_key_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    store, service = InMemoryByteStore(), Service()
    client = service.client(cache=store)
    client.embed_many(["a", "b"])
    one, two = store.yield_keys()
    values = store.mget([two, one])
    store.mset([(one, values[0] or b""), (two, values[1] or b"")])
    assert [e.vector for e in client.embed_many(["a", "b"])] == [vector("a"), vector("b")]
    assert "2 of 2 entries" in caplog.text


@pytest.mark.parametrize("content", [[], [1.0, 2.0, 3.0], [math.nan] * 512, [0.0] * 512, [1.0] * 511 + [math.inf]])
def test_what_is_no_vector_is_asked_for_again(content: list[float]) -> None:
    store, service = InMemoryByteStore(), Service()
    client = service.client(cache=store)
    client.embed("a")
    (key,) = store.yield_keys()
    store.mset([(key, seal(key, encode(Embedding(content, "marengo3.0/512"))))])
    assert client.embed("a").vector == vector("a")
    assert service.texts == ["a", "a"]
    assert client.embed("a").cached


def test_entries_of_an_earlier_version_are_asked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    store, service = InMemoryByteStore(), Service()
    client = service.client(cache=store)
    client.embed("a")
    (key,) = store.yield_keys()
    store.mset([(key, b"TL1\0\1\0\0\0" + array("d", vector("another")).tobytes())])
    assert client.embed("a").vector == vector("a")
    assert "of an earlier version" in caplog.text


@pytest.mark.parametrize("value", [7, "text", [], bytearray(40), b"\x00", b"TLE1", b"TLE1\0\0\0\0"])
async def test_any_value_may_stand_anywhere(value: Any) -> None:
    class Odd(InMemoryByteStore):
        def mget(self, keys: Sequence[str]) -> list[bytes | None]:
            return [value for _ in keys]

    entries = Entries(Odd())
    assert await Cache(entries, "space", 2).get_many(["a", "b"]) == {}
    assert await Journal(entries).find("a") is None
    assert await KeptVectors().find(["a"], entries, "space/", dimensions=2) == {}


async def test_a_damaged_entry_of_the_journal_counts_as_missing() -> None:
    store = InMemoryByteStore()
    journal = Journal(Entries(store))
    await journal.write("task", task_id="1")
    (key,) = store.yield_keys()
    (value,) = store.mget([key])
    assert value is not None
    for damaged in (
        value.replace(b'"1"', b'"2"'),
        value[:-1],
        value[1:],
        seal(key, b"J[]"),
        seal(key, b"J{"),
        seal(key, b"J{}"),
    ):
        store.mset([(key, damaged)])
        assert await journal.find("task") is None
    store.mset([(key, value)])
    assert await journal.find("task") is not None


# -- stores that fail ----------------------------------------------------------------------------------------------


class Silent(Exception):
    """An error that cannot even be printed."""

    def __str__(self) -> str:
        raise ValueError


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


ERRORS = [
    OSError("gone"),
    ValueError(),
    KeyError("a"),
    sqlite3.DatabaseError("database disk image is malformed"),
    Silent(),
]
LENGTHS: list[Callable[..., Any]] = [
    lambda _, keys: [],
    lambda _, keys: [None] * (len(keys) + 1),
    lambda _, keys: None,
    lambda _, keys: 7,
    lambda _, keys: iter([None]),
]


@pytest.mark.parametrize("mget", [*map(raising, ERRORS), *LENGTHS])
def test_a_store_that_cannot_be_read_raises_before_anything_is_sent(mget: Callable[..., Any]) -> None:
    store, service = type("Broken", (InMemoryByteStore,), {"mget": mget})(), Service()
    with pytest.raises(CacheError, match="Broken"):
        service.client(cache=store).embed_many(["a", "b"])
    assert service.requests == []
    found = service.client(cache=store, cache_errors="ignore").embed_many(["a", "b"])
    assert [e.vector for e in found] == [vector("a"), vector("b")]


@pytest.mark.parametrize("mset", [*map(raising, ERRORS)])
def test_a_store_that_cannot_be_written_stops_a_batch_with_everything_in_hand(mset: Callable[..., Any]) -> None:
    store, service = type("Broken", (InMemoryByteStore,), {"mset": mset})(), Service()
    with pytest.raises(CacheError, match="Broken") as failed:
        service.client(cache=store, max_concurrency=4).embed_many(WORDS)
    results = failed.value.results
    assert len(results) == len(WORDS)
    paid = [word for word, found in zip(WORDS, results, strict=True) if found is not None]
    assert 0 < len(paid) <= 8
    assert sorted(service.texts) == sorted(paid)
    assert all(found.vector == vector(word) for word, found in zip(WORDS, results, strict=True) if found is not None)


def test_a_single_item_s_vector_is_in_hand_too() -> None:
    store = type("Broken", (InMemoryByteStore,), {"mset": raising(OSError("full"))})()
    with pytest.raises(CacheError) as failed:
        Service().client(cache=store).embed("a")
    assert [e.vector for e in failed.value.results] == [vector("a")]


def test_failures_can_be_ignored_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    store = type("Broken", (InMemoryByteStore,), {"mset": raising(OSError("full"))})()
    client = Service().client(cache=store, cache_errors="ignore")
    for _ in range(2):
        assert [e.vector for e in client.embed_many(WORDS)] == [vector(word) for word in WORDS]
    assert len([r for r in caplog.records if "full" in r.message]) == 1


def test_writes_are_tried_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [True]

    class Recovering(InMemoryByteStore):
        tried = 0

        def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            Recovering.tried += 1
            if fails[0]:
                raise OSError("full")
            super().mset(key_value_pairs)

    client = Service().client(cache=Recovering(), cache_errors="ignore")
    client.embed("a")
    client.embed("b")
    assert Recovering.tried == 1
    fails[0] = False
    monkeypatch.setattr("twelvelabs_core._cache.entries.PAUSE_SEC", 0.0)
    client = Service().client(cache=Recovering(), cache_errors="ignore")
    client.embed("c")
    assert client.embed("c").cached


def test_a_stream_yields_what_it_has_before_it_stops() -> None:
    store = type("Broken", (InMemoryByteStore,), {"mset": raising(OSError("full"))})()
    service, found = Service(), []
    with pytest.raises(CacheError):
        for result in service.client(cache=store, max_concurrency=4).stream(WORDS):
            found.append(result)
    assert sorted(service.texts) == sorted(str(result.item) for result in found)
    assert all(result.embedding and result.embedding.vector == vector(str(result.item)) for result in found)


# -- files that fail -------------------------------------------------------------------------------------------------


def test_a_malformed_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    filled(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(16_384)
        file.write(os.urandom(size - 16_384))
    service = Service()
    with pytest.raises(CacheError, match=r"cache\.sqlite.*damaged.*Move it away"):
        service.client(cache=path).embed_many(WORDS)
    assert service.requests == []


def test_a_full_disk_keeps_everything_in_hand(tmp_path: Path) -> None:
    path, service = tmp_path / "cache.sqlite", Service()
    client = service.client(cache=path, max_concurrency=4)
    client.embed("first")
    assert client._store is not None
    database = client._store.store._database.get()  # type: ignore[attr-defined]
    database._connections[0].execute("PRAGMA max_page_count=12")
    with pytest.raises(CacheError, match="full") as failed:
        client.embed_many(WORDS)
    paid = [word for word, found in zip(WORDS, failed.value.results, strict=True) if found is not None]
    assert sorted(service.texts) == sorted(["first", *paid])
    assert len(paid) < 60
    database._connections[0].execute("PRAGMA max_page_count=100000")
    again = Service()
    assert [e.vector for e in again.client(cache=path).embed_many(WORDS)] == [vector(word) for word in WORDS]
    assert len(again.requests) >= len(WORDS) - len(paid)  # what was written before is still there


def test_a_file_that_is_deleted_is_made_anew(tmp_path: Path) -> None:
    path, service = tmp_path / "cache.sqlite", Service()
    client = service.client(cache=path)
    client.embed("a")
    for file in tmp_path.iterdir():
        file.unlink()
    client.embed("b")
    again = Service().client(cache=path)
    assert [again.embed(text).cached for text in ("b", "a")] == [True, False]


def test_a_locked_file_is_waited_for_and_then_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._cache.database.BUSY_TIMEOUT_SEC", 0.05)
    path = tmp_path / "cache.sqlite"
    client = Service().client(cache=path)
    client.embed("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert client.embed("a").cached
        with pytest.raises(CacheError, match="locked"):
            client.embed("b")
        assert Service().client(cache=path).embed("a").cached  # a new one may read it too
        other.execute("ROLLBACK")
    assert client.embed("b").vector == vector("b")


def test_the_files_are_the_owner_s_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Service().client(cache=tmp_path / "cache.sqlite").embed("a")
    finally:
        os.umask(before)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    assert set(modes.values()) == {"0o600"}
    assert "cache.sqlite" in modes


def test_many_clients_share_one_connection(tmp_path: Path) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    clients = [Service().client(cache=tmp_path / "cache.sqlite") for _ in range(100)]
    clients[0].embed("a")
    before = files()
    for client in clients:
        assert client.embed("a").cached
    assert files() == before
    del clients, client
    # Closed when nobody uses it: the loop's last call holds it a moment longer.
    ends = time.monotonic() + 10
    while files() > before - 2 and time.monotonic() < ends:
        gc.collect()
        time.sleep(0.01)
    assert files() <= before - 2
