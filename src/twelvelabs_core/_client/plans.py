"""What items would take, without sending them."""

from __future__ import annotations

from collections.abc import Iterable

from .._batch.plan import Plan, make_plan
from .._embed.jobs import numbered
from .._inputs import Item, as_items
from .._net import loop
from .base import ClientBase


class Plans(ClientBase):
    """``plan``."""

    def plan(self, items: Iterable[Item], *, name: str = "items") -> Plan:
        """Count the requests, minutes and time that embedding ``items`` would take; sends nothing.

        Raises:
            InvalidInputError: an item cannot be sent; ``item`` names it.
        """
        return loop.run(self._make_plan(items, name))

    async def aplan(self, items: Iterable[Item], *, name: str = "items") -> Plan:
        """Async :meth:`plan`."""
        return await loop.arun(self._make_plan(items, name))

    async def _make_plan(self, items: Iterable[Item], name: str) -> Plan:
        jobs = await self._embedder.checker.check_all(as_items(items), numbered(name))
        return await make_plan(self._embedder, jobs, self._cache)
