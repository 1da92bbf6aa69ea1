"""Vectors kept by id: in a store, else in memory."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from twelvelabs_core._cache.entries import Entries
from twelvelabs_core._cache.keys import reference_prefix
from twelvelabs_core._cache.vectors import KeptVectors
from twelvelabs_core._config import PUBLIC_BASE_URL

PREFIX = "marengo3.0/4/reference/"
VECTORS = {"one": [0.5, -0.25, 1e-300, 3.0], "two": [1.0, 2.0, 3.0, 4.0]}


class Store:
    """Bytes by key, and what was written when."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.writes: list[list[str]] = []

    def mget(self, keys: Sequence[str]) -> list[Any]:
        return [self.values.get(key) for key in keys]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        self.values.update(key_value_pairs)
        self.writes.append([key for key, _ in key_value_pairs])


async def find(vectors: KeptVectors, store: Store | None, *ids: str) -> dict[str, list[float]]:
    return await vectors.find(ids, None if store is None else Entries(store), PREFIX, dimensions=4)


async def test_in_memory_without_a_store() -> None:
    vectors = KeptVectors()
    await vectors.keep(VECTORS, None, PREFIX)
    assert await find(vectors, None, "two", "one", "three", "two") == VECTORS
    vectors.drop("one")
    vectors.drop("never there")
    assert len(vectors) == 1
    vectors.clear()
    assert await find(vectors, None, "two") == {}


async def test_in_the_store_if_there_is_one() -> None:
    store, vectors = Store(), KeptVectors()
    await vectors.keep(VECTORS, Entries(store), PREFIX)
    assert len(vectors) == 0
    assert await find(KeptVectors(), store, "one", "two", "three") == VECTORS
    # The form in which they are kept: what is in users' caches stays readable.
    assert store.values[f"{PREFIX}two"] == b"TLE1" + bytes.fromhex(
        "80bc7cd552000000000000f03f000000000000004000000000000008400000000000001040"
    )


async def test_what_is_there_is_not_written_again() -> None:
    store, vectors = Store(), KeptVectors()
    await vectors.keep({"one": VECTORS["one"]}, Entries(store), PREFIX)
    await vectors.keep(VECTORS, Entries(store), PREFIX)
    await vectors.keep(VECTORS, Entries(store), PREFIX)
    assert store.writes == [[f"{PREFIX}one"], [f"{PREFIX}two"]]
    await vectors.keep({"one": [9.0] * 4}, Entries(store), PREFIX)
    assert (await find(vectors, store, "one")) == {"one": [9.0] * 4}


async def test_more_than_are_read_at_once() -> None:
    store, vectors = Store(), KeptVectors()
    many = {f"id{i}": [i + 1.0] * 4 for i in range(1201)}
    await vectors.keep(many, Entries(store), PREFIX)
    assert await find(vectors, store, *many) == many


async def test_a_store_that_cannot_be_written_leaves_them_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    class Full(Store):
        def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
            raise OSError("disk full")

    caplog.set_level(logging.ERROR)
    vectors = KeptVectors()
    await vectors.keep(VECTORS, Entries(Full()), PREFIX)
    assert "2 vectors stay in memory. The cache (Full) cannot be written: OSError: disk full" in caplog.text
    assert await find(vectors, Full(), "one", "two") == VECTORS


@pytest.mark.parametrize("junk", [b"", b"TLE1", b"TLR1" + bytes(32), b"TLE1" + bytes(36), "text", 7])
async def test_an_entry_that_cannot_be_decoded_is_missing(junk: Any) -> None:
    store, vectors = Store(), KeptVectors()
    await vectors.keep(VECTORS, Entries(store), PREFIX)
    store.values[f"{PREFIX}one"] = junk
    assert await find(vectors, store, "one", "two") == {"two": VECTORS["two"]}


async def test_copies_share_the_memory_and_pickles_leave_it_out() -> None:
    vectors = KeptVectors()
    await vectors.keep(VECTORS, None, PREFIX)
    for clone in (copy.copy(copy.deepcopy(vectors)), copy.deepcopy({"a": vectors})["a"]):
        clone.hold("three", [0.0] * 4)
    assert len(copy.deepcopy(vectors)) == 3
    assert len(pickle.loads(pickle.dumps(vectors))) == 0


def test_another_service_has_other_keys() -> None:
    assert reference_prefix("marengo3.0/512", PUBLIC_BASE_URL) == "marengo3.0/512/reference/"
    assert reference_prefix("marengo3.0/512", "http://localhost/v1.3") == "marengo3.0/512/reference/aad7d838ec13/"
    assert reference_prefix("marengo3.5/512", PUBLIC_BASE_URL) == "marengo3.5/512/reference/"
