"""LlamaIndex's own ``embeddings_cache``: vectors of texts by text, read before and written after a call."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_COLLECTION = "embeddings"  # LlamaIndex's own name, so that what it has stored is found


def cached(store: Any, texts: Sequence[str]) -> dict[int, list[float]]:
    """The vectors of those texts that the store holds, by index."""
    found = ((index, store.get(key=text, collection=_COLLECTION)) for index, text in enumerate(texts))
    return {index: _vector(entry) for index, entry in found if entry is not None}


async def acached(store: Any, texts: Sequence[str]) -> dict[int, list[float]]:
    """Async :func:`cached`."""
    found = [(index, await store.aget(key=text, collection=_COLLECTION)) for index, text in enumerate(texts)]
    return {index: _vector(entry) for index, entry in found if entry is not None}


def keep(store: Any, texts: Sequence[str], vectors: Iterable[list[float] | None]) -> None:
    """Store the vectors of texts; None = it has none."""
    for text, entry in _entries(texts, vectors):
        store.put(key=text, val=entry, collection=_COLLECTION)


async def akeep(store: Any, texts: Sequence[str], vectors: Iterable[list[float] | None]) -> None:
    """Async :func:`keep`."""
    for text, entry in _entries(texts, vectors):
        await store.aput(key=text, val=entry, collection=_COLLECTION)


def _vector(entry: dict[str, list[float]]) -> list[float]:
    return next(iter(entry.values()))


def _entries(texts: Sequence[str], vectors: Iterable[list[float] | None]) -> Iterator[tuple[str, dict[str, Any]]]:
    pairs = zip(texts, vectors, strict=False)  # an error may have no results at all
    return ((text, {str(uuid.uuid4()): vector}) for text, vector in pairs if vector is not None)
