"""Vectors by id, for texts that are references to vectors: in the cache's store if there is one, else in memory."""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from .._errors import CacheError
from .._net.loop import in_thread
from .encoding import decode_kept, encode_kept, seal
from .entries import Entries

logger = logging.getLogger("twelvelabs_embeddings")

MANY_VECTORS = 50  # take longer to copy than other requests should wait


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

    async def keep(self, vectors: Mapping[str, Sequence[float]], entries: Entries | None, prefix: str) -> None:
        """Keep vectors; returns when :meth:`find` finds them. If a write fails, it is logged and memory is used.

        Args:
            vectors: by id.
            entries: of the cache's store; None = keep them in memory.
            prefix: of the store's keys, see :func:`~.keys.reference_prefix`.
        """
        if entries is not None and await _written({prefix + id: v for id, v in vectors.items()}, entries):
            return
        await in_thread(len(vectors) > MANY_VECTORS, self._hold_all, vectors)

    def _hold_all(self, vectors: Mapping[str, Sequence[float]]) -> None:
        for id, vector in vectors.items():
            self.hold(id, vector)

    async def find(
        self, ids: Iterable[str], entries: Entries | None, prefix: str, *, dimensions: int
    ) -> dict[str, list[float]]:
        """The vectors of some ids, by id, without those that are missing or damaged.

        Args:
            ids: what to look for.
            entries, prefix: as for :meth:`keep`.
            dimensions: length of every vector.

        Raises:
            CacheError: the store cannot be read.
        """
        wanted = list(dict.fromkeys(ids))
        held = ((id, self._vectors.get(id)) for id in wanted)
        found = {id: vector.tolist() for id, vector in held if vector is not None and len(vector) == dimensions}
        missing = [id for id in wanted if id not in found]
        if entries is None or not missing:
            return found
        stored = await entries.read([prefix + id for id in missing], partial(decode_kept, dimensions=dimensions))
        return found | {id: stored[prefix + id] for id in missing if prefix + id in stored}


async def _written(vectors: Mapping[str, Sequence[float]], entries: Entries) -> bool:
    """Write vectors by key; False if the store failed."""
    try:
        # In a second run most are stored already, and reading is cheaper than writing.
        stored = await entries.read(list(vectors), bytes)
        return await asyncio.to_thread(_write_new, vectors, stored, entries)
    except CacheError as error:  # the vectors are paid for and must not be lost
        logger.error("%d vectors stay in memory. %s", len(vectors), error)
        return False


def _write_new(vectors: Mapping[str, Sequence[float]], stored: Mapping[str, bytes], entries: Entries) -> bool:
    pairs = ((key, encode_kept(vector)) for key, vector in vectors.items())
    new = [(key, content) for key, content in pairs if stored.get(key) != seal(key, content)]
    return not new or all(entries.write(new))
