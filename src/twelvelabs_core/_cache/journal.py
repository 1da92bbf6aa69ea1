"""Ids of what was created on the server (uploads, assets, tasks), so that another process can continue with it.

Stored in the cache's store if there is one, else in memory. The server keeps tasks for 7 days (API page).
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from .backend import Store

MAX_AGE_SEC = 7 * 86_400.0


class Journal:
    """Entries by name: small dictionaries of ids."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._memory: dict[str, bytes] = {}

    @property
    def lasting(self) -> bool:
        """Whether entries outlive the process, so that another one can read them."""
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
        return entry if time.time() - entry["written"] < MAX_AGE_SEC else None

    async def write(self, name: str, **entry: Any) -> None:
        """Store an entry, replacing an earlier one of that name; returns when it is stored."""
        await self._set(name, json.dumps({**entry, "written": time.time()}).encode())

    async def delete(self, name: str) -> None:
        """Remove an entry. Stores need not support deletion, so an empty value takes its place."""
        await self._set(name, b"")

    async def _set(self, name: str, value: bytes) -> None:
        if self._store is not None:
            await asyncio.to_thread(self._store.mset, [(f"journal/{name}", value)])
        elif value:
            self._memory[name] = value
        else:
            self._memory.pop(name, None)
