"""Files of equal content in one load are embedded once: the rows of the first serve the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from twelvelabs_core import Row
from twelvelabs_core.adapter import Adapter, always, rows_of_copy

from .references import one_line
from .sources import Found


class Copies:
    """The rows of one load's files, without their vectors. Used on the background loop only.

    With a cache nothing is kept here: the cache has the vectors of the first file when its copies are embedded.

    Args:
        adapter: keeps the vectors by id.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._rows: dict[int, asyncio.Future[list[Row]]] = {}

    async def rows(self, found: Found, embed: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        """The rows of a file: those of an earlier one with the same content, else embedded. Their vectors are kept.

        Args:
            found: the file. Those that are copies of it come later.
            embed: embeds it. Not called for a copy, unless the vectors of the first file are not held any more.
        """
        if found.copy_of is not None:
            rows = await self._of_copy(found, found.copy_of) or await embed()
            await self._keep(rows)
            return rows
        done = self._rows[found.number] = asyncio.get_running_loop().create_future()
        light: list[Row] = []
        try:
            rows = await embed()
            await self._keep(rows)
            if self._adapter.cache is None:
                light = [replace(row, vector=[]) for row in rows]
            return rows
        finally:
            done.set_result(light)

    async def _of_copy(self, found: Found, first: int) -> list[Row]:
        """Empty if the first file failed or has changed, or its vectors are kept in a cache or not any more."""
        assert found.media is not None
        rows = await asyncio.shield(self._rows[first])
        if any(row.metadata["content_digest"] != found.digest for row in rows):
            return []
        vectors = await self._adapter._kept_vectors(row.id for row in rows)
        if len(vectors) < len(rows):
            return []
        whole = [replace(row, vector=vectors[row.id]) for row in rows]
        return await asyncio.to_thread(rows_of_copy, whole, found.media, found.metadata, always(found.id_name))

    async def _keep(self, rows: list[Row]) -> None:
        await self._adapter._keep_vectors({row.id: row.vector for row in rows}, [one_line(row.text) for row in rows])
