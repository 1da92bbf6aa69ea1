"""The cache of finished results.

A result is in the cache before its item counts as done, so that a killed process loses no more than what was in
flight. Writes that come together share one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from .._results import Embedding, Segment
from .backend import READ_AT_ONCE, Store
from .encoding import decode, encode

logger = logging.getLogger("twelvelabs_embeddings")


class Cache:
    """Results by key, for use on the background loop."""

    def __init__(self, store: Store, space: str) -> None:
        self._store = store
        self._space = space
        self._pending: list[tuple[str, bytes]] = []
        self._next_write: asyncio.Task[None] | None = None
        self._last_write: asyncio.Task[None] | None = None

    async def get_many(self, keys: Sequence[str]) -> dict[str, Embedding | list[Segment]]:
        """The entries for ``keys``, without those that are missing or cannot be decoded."""
        found: dict[str, Embedding | list[Segment]] = {}
        for start in range(0, len(keys), READ_AT_ONCE):
            part = keys[start : start + READ_AT_ONCE]
            values = await asyncio.to_thread(self._read, part)
            found.update((key, value) for key, value in zip(part, values, strict=True) if value is not None)
        return found

    async def put(self, key: str, result: Embedding | Sequence[Segment]) -> None:
        """Write one result; returns when it is written. A failed write is logged, not raised."""
        self._pending.append((f"{self._space}/{key}", encode(result)))
        if self._next_write is None:
            self._next_write = self._last_write = asyncio.ensure_future(self._write(self._last_write))
        await asyncio.shield(self._next_write)

    def _read(self, keys: Sequence[str]) -> list[Embedding | list[Segment] | None]:
        values = self._store.mget([f"{self._space}/{key}" for key in keys])
        return [None if value is None else decode(value, self._space) for value in values]

    async def _write(self, before: asyncio.Task[None] | None) -> None:
        """Write all results that have come until ``before``, the previous write, has ended, in one transaction."""
        if before is not None:
            await asyncio.wait([before])
        else:
            await asyncio.sleep(0)  # results that arrive in the same turn of the loop share the transaction
        pairs, self._pending = self._pending, []
        self._next_write = None
        try:
            await asyncio.to_thread(self._store.mset, pairs)
        except Exception as error:  # a user's store may raise anything
            logger.error("%d vectors could not be written to the cache: %s", len(pairs), error)
