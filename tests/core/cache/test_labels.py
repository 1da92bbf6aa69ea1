"""Labels that were written beside vectors: in a store, else in memory."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import pytest

from twelvelabs_core import CacheError
from twelvelabs_core._cache.entries import Entries
from twelvelabs_core._cache.labels import KeptLabels


class Store:
    """Bytes by key, and what was written when."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.writes: list[int] = []

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        self.values.update(key_value_pairs)
        self.writes.append(len(key_value_pairs))


async def test_in_memory_without_a_store() -> None:
    labels = KeptLabels()
    await labels.keep(["one", "two", "one"], None)
    assert await labels.known(["two", "three", "One"], None) == {"two"}
    assert await copy.copy(copy.deepcopy(labels)).known(["one"], None) == {"one"}
    assert await pickle.loads(pickle.dumps(labels)).known(["one"], None) == set()
    labels.clear()
    assert await labels.known(["one"], None) == set()


async def test_in_the_store_if_there_is_one() -> None:
    store, labels = Store(), KeptLabels()
    many = [f"film.mp4 part {n} text" for n in range(1001)]
    await labels.keep(many, Entries(store))
    await labels.keep(many, Entries(store))  # written once
    assert sum(store.writes) == len(store.values) == len(many)
    assert await labels.known(many, None) == set()
    assert await KeptLabels().known([*many, "other"], Entries(store)) == set(many)


async def test_damaged_entries_are_none(caplog: pytest.LogCaptureFixture) -> None:
    store, labels = Store(), KeptLabels()
    await labels.keep(["one", "two"], Entries(store))
    store.values = dict.fromkeys(store.values, b"other")
    assert await labels.known(["one", "two"], Entries(store)) == set()
    assert "2 of 2 entries read from the cache are damaged" in caplog.text


async def test_nothing_is_asked_for_nothing() -> None:
    class Gone(Store):
        def mget(self, keys: Sequence[str]) -> list[bytes | None]:
            raise AssertionError

    await KeptLabels().keep([], Entries(Gone()))
    assert await KeptLabels().known([], Entries(Gone())) == set()


async def test_a_store_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Full(Store):
        def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            raise OSError("disk full")

    class Gone(Store):
        def mget(self, keys: Sequence[str]) -> list[bytes | None]:
            raise OSError("no disk")

    labels = KeptLabels()
    await labels.keep(["one"], Entries(Full()))  # the vectors, which are paid for, are still to be written
    assert "1 labels stay in memory." in caplog.text
    with pytest.raises(CacheError):
        await labels.known(["one", "two"], Entries(Gone()))
    assert await labels.known(["one", "two"], Entries(Gone(), "ignore")) == {"one"}
