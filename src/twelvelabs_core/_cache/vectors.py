"""Vectors by id, for texts that are references to vectors: in the cache's store if there is one, else in memory."""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .backend import READ_AT_ONCE, Store
from .encoding import decode_floats, encode_floats

logger = logging.getLogger("twelvelabs_embeddings")

_MAGIC = b"TLR1"


class KeptVectors:
    """Vectors by id.

    In memory a vector takes 8 bytes a number (4 kB on marengo3.0) and stays until :meth:`clear`. Copies and deep copies
    share the memory; pickling leaves it out.
    """

    def __init__(self) -> None:
        self._vectors: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._vectors)

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptVectors:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptVectors, ()

    def clear(self) -> None:
        """Drop the vectors in memory. Those in a store stay."""
        self._vectors.clear()

    def hold(self, id: str, vector: Sequence[float]) -> None:
        """Keep one vector in memory."""
        self._vectors[id] = array("d", vector)

    def drop(self, id: str) -> None:
        """Drop one vector from memory; an unknown id is ignored."""
        self._vectors.pop(id, None)

    async def keep(self, vectors: Mapping[str, Sequence[float]], store: Store | None, prefix: str) -> None:
        """Keep vectors; returns when :meth:`find` finds them. If a write fails, it is logged and memory is used.

        Args:
            vectors: by id.
            store: the cache's store; None = keep them in memory.
            prefix: of the store's keys, see :func:`~.keys.reference_prefix`.
        """
        if store is not None and await _written({prefix + id: v for id, v in vectors.items()}, store):
            return
        for id, vector in vectors.items():
            self.hold(id, vector)

    async def find(
        self, ids: Iterable[str], store: Store | None, prefix: str, *, dimensions: int
    ) -> dict[str, list[float]]:
        """The vectors of some ids, by id, without those that are missing or cannot be decoded.

        Args:
            ids: what to look for.
            store, prefix: as for :meth:`keep`.
            dimensions: length of every vector.
        """
        wanted = list(dict.fromkeys(ids))
        held = ((id, self._vectors.get(id)) for id in wanted)
        found = {id: vector.tolist() for id, vector in held if vector is not None and len(vector) == dimensions}
        missing = [id for id in wanted if id not in found]
        if store is None or not missing:
            return found
        stored = await asyncio.to_thread(_read, store, [prefix + id for id in missing])
        length = len(_MAGIC) + 8 * dimensions
        for id in missing:
            value = stored.get(prefix + id)
            if value is not None and value.startswith(_MAGIC) and len(value) == length:
                found[id] = decode_floats(value[len(_MAGIC) :])
        return found


async def _written(vectors: Mapping[str, Sequence[float]], store: Store) -> bool:
    """Write vectors by key; False if the store failed."""
    pairs = {key: _MAGIC + encode_floats(vector) for key, vector in vectors.items()}
    try:
        # In a second run most are stored already, and reading is cheaper than writing.
        stored = await asyncio.to_thread(_read, store, list(pairs))
        new = [(key, value) for key, value in pairs.items() if stored.get(key) != value]
        if new:
            await asyncio.to_thread(store.mset, new)
    except Exception as error:  # a user's store may raise anything; the vectors are paid for and must not be lost
        logger.error("%d vectors could not be written to the cache and stay in memory: %s", len(pairs), error)
        return False
    return True


def _read(store: Store, keys: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), READ_AT_ONCE):
        part = keys[start : start + READ_AT_ONCE]
        pairs = zip(part, store.mget(part), strict=True)
        found.update((key, value) for key, value in pairs if isinstance(value, bytes))
    return found
