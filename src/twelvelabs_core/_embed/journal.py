"""Ids of what was begun on the server (uploads, assets, tasks), so that another process can go on with it.

Kept in the cache's store if there is one, else in memory. The server keeps tasks 7 days (API page).
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from .cache import Store

__all__ = ["Journal"]

KEPT_SEC = 7 * 86_400.0


class Journal:
    """Entries by name: small dictionaries of ids."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._memory: dict[str, bytes] = {}

    @property
    def lasting(self) -> bool:
        """Whether another process can read it."""
        return self._store is not None

    async def find(self, name: str) -> dict[str, Any] | None:
        """An entry that is not too old, or None."""
        if self._store is None:
            value = self._memory.get(name)
        else:
            (value,) = await asyncio.to_thread(self._store.mget, [f"journal/{name}"])
        if not value:
            return None
        entry: dict[str, Any] = json.loads(value)
        return entry if time.time() - entry["written"] < KEPT_SEC else None

    async def write(self, name: str, **entry: Any) -> None:
        """Keep an entry; returns when it is safe."""
        await self._set(name, json.dumps({**entry, "written": time.time()}).encode())

    async def delete(self, name: str) -> None:
        """It is over: forget the entry. Stores need no delete, so an empty one takes its place."""
        await self._set(name, b"")

    async def _set(self, name: str, value: bytes) -> None:
        if self._store is None:
            if value:
                self._memory[name] = value
            else:
                self._memory.pop(name, None)
        else:
            await asyncio.to_thread(self._store.mset, [(f"journal/{name}", value)])
