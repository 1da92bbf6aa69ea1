"""Vectors by id, for texts that are references to vectors: in the cache's store if there is one, else in memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from .._net.loop import in_thread
from .encoding import decode_kept, encode_kept, made_together
from .entries import Entries
from .kept import Kept, written

MANY_VECTORS = 50  # take longer to copy than other requests should wait


class KeptVectors(Kept):
    """Vectors by id. In memory a vector takes 8 bytes a number (4 kB on marengo3.0) and stays until :meth:`clear`."""

    def __init__(self) -> None:
        self._vectors: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._vectors)

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
        if entries is not None:
            by_key = {prefix + id: vector for id, vector in vectors.items()}
            if await written(by_key, encode_kept, entries, "vectors"):
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
        empty: Callable[[], list[float]] = made_together(len(missing), list).__next__
        stored = await entries.read([prefix + id for id in missing], partial(decode_kept, dimensions, empty))
        return found | {id: vector for id, vector in zip(missing, stored, strict=True) if vector is not None}
