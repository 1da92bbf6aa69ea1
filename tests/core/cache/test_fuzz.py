"""Damaged entries of a cache are missing, never wrong: the vector is the right one, whatever the store returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support import media
from tests.support.fuzz import Mutator, ours_alone
from tests.support.service import Service, vector
from twelvelabs_core import Image

PNG = media.png(size=(128, 128))


class MemoryStore:
    """As much of a store as the interface asks for, with entries that tests change."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def mget(self, keys: Sequence[str]) -> list[Any]:
        return [self.entries.get(key) for key in keys]

    def mset(self, key_value_pairs: Sequence[tuple[str, Any]]) -> None:
        self.entries.update(key_value_pairs)


ODD_ENTRIES = [b"", b"\0", b"null", b"{}", b"[]", b"x" * 4096, b"\0" * 4096, b"\xff" * 4096, "text", 5, object()]


@given(st.integers(0, 2**32), st.booleans())
def test_damaged_entries_are_missing(seed: int, odd: bool) -> None:
    mutator = Mutator(seed)
    store = MemoryStore()
    texts = [f"text {i}" for i in range(6)]
    service = Service()
    assert [found.vector for found in service.client(cache=store).embed_many(texts)] == [vector(t) for t in texts]
    for key, value in store.entries.items():
        if mutator.random.random() < 0.7:
            store.entries[key] = mutator.random.choice(ODD_ENTRIES) if odd else mutator.damaged(value)
    with ours_alone():
        found = service.client(cache=store).embed_many(texts)
        for text, one in zip(texts, found, strict=True):
            assert max(abs(a - b) for a, b in zip(one.vector, vector(text), strict=True)) < 1e-6


@given(st.integers(0, 2**32))
def test_entries_that_change_places_are_missing(seed: int) -> None:
    """A store that returns another key's value."""
    mutator = Mutator(seed)
    store = MemoryStore()
    texts = [f"text {i}" for i in range(6)]
    service = Service()
    service.client(cache=store).embed_many(texts)
    values = list(store.entries.values())
    mutator.random.shuffle(values)
    store.entries = dict(zip(store.entries, values, strict=True))
    with ours_alone():
        for text, one in zip(texts, service.client(cache=store).embed_many(texts), strict=True):
            assert max(abs(a - b) for a, b in zip(one.vector, vector(text), strict=True)) < 1e-6


@given(st.integers(0, 2**32))
def test_damaged_entries_of_images_and_segments(seed: int) -> None:
    mutator = Mutator(seed)
    store = MemoryStore()
    service = Service()
    client = service.client("marengo3.5", cache=store)
    right = client.embed(Image(PNG)).vector
    for key, value in list(store.entries.items()):
        store.entries[key] = mutator.damaged(value)
    with ours_alone():
        found = service.client("marengo3.5", cache=store).embed(Image(PNG)).vector
        assert max(abs(a - b) for a, b in zip(found, right, strict=True)) < 1e-6
