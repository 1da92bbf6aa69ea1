"""Files of equal content in one load are embedded once: the rows of the first serve the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from twelvelabs_core import IdFrom, Row
from twelvelabs_core.adapter import Adapter, rows_of_copy

from .sources import Found


class Copies:
    """The rows of one load's files, without their vectors. Used on the background loop only.

    With a cache nothing is kept here: the cache has the vectors of the first file when its copies are embedded.

    Args:
        adapter: keeps the vectors by id.
        id_from: as the loader's.
    """

    def __init__(self, adapter: Adapter, id_from: IdFrom) -> None:
        self._adapter = adapter
        self._id_from = id_from
        self._rows: dict[int, asyncio.Future[list[Row]]] = {}

    async def rows(self, found: Found, embed: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        """The rows of a file: those of an earlier one with the same content, else embedded.

        Args:
            found: the file. Those that are copies of it come later.
            embed: embeds it. Not called for a copy, unless the vectors of the first file are not held any more.
        """
        if found.copy_of is not None:
            copied = await self._of_copy(found, found.copy_of)
            return copied or await embed()
        # Copies are known by the object, which the search for equal files holds until the load ends.
        done = self._rows[id(found)] = asyncio.get_running_loop().create_future()
        kept: list[Row] = []
        try:
            rows = await embed()
            if self._adapter.cache is None:
                kept = [replace(row, vector=[]) for row in rows]
            return rows
        finally:
            done.set_result(kept)

    async def _of_copy(self, found: Found, first: Found) -> list[Row]:
        """Empty if the first file failed or has changed, or its vectors are kept in a cache or not any more."""
        assert found.media is not None
        rows = await asyncio.shield(self._rows[id(first)])
        if any(row.metadata["content_digest"] != found.digest for row in rows):
            return []
        vectors = await self._adapter._kept_vectors(row.id for row in rows)
        if len(vectors) < len(rows):
            return []
        whole = [replace(row, vector=vectors[row.id]) for row in rows]
        return rows_of_copy(whole, found.media, found.metadata, self._id_from)
