"""Labels that were written beside vectors: in a store, else in memory."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Sequence

import pytest

from twelvelabs_core._cache.backend import READ_AT_ONCE
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
    assert await copy.deepcopy(labels).known(["one"], None) == {"one"}
    assert await pickle.loads(pickle.dumps(labels)).known(["one"], None) == set()
    labels.clear()
    assert await labels.known(["one"], None) == set()


async def test_in_the_store_if_there_is_one() -> None:
    store, labels = Store(), KeptLabels()
    many = [f"film.mp4 part {n} text" for n in range(READ_AT_ONCE + 1)]
    await labels.keep(many, store)
    await labels.keep(many, store)  # written once
    assert store.writes == [len(many)]
    assert set(store.values.values()) == {b"TLL1"}
    assert await labels.known(many, None) == set()
    assert await KeptLabels().known([*many, "other"], store) == set(many)
    store.values = dict.fromkeys(store.values, b"other")
    assert await KeptLabels().known(many, store) == set()


async def test_nothing_is_asked_for_nothing() -> None:
    await KeptLabels().keep([], None)
    assert await KeptLabels().known([], Store()) == set()


async def test_a_store_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Full(Store):
        def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            raise OSError("disk full")

    class Gone(Store):
        def mget(self, keys: Sequence[str]) -> list[bytes | None]:
            raise OSError("no disk")

    labels = KeptLabels()
    with caplog.at_level(logging.ERROR):
        await labels.keep(["one"], Full())
        assert await labels.known(["one", "two"], Gone()) == {"one"}
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "1 labels could not be written to the cache and stay in memory: disk full"
    assert second == "The cache could not be read for labels of media: no disk"
