"""Ids of what was created on the server (uploads, assets, tasks), so that another process can continue with it.

Stored in the cache's store if there is one, else in memory. The server keeps tasks for 7 days (API page).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from .encoding import decode_json, encode_json
from .entries import Entries

MAX_AGE_SEC = 7 * 86_400.0


class Journal:
    """Entries by name: small dictionaries of ids."""

    def __init__(self, entries: Entries | None) -> None:
        self._entries = entries
        self._memory: dict[str, bytes] = {}

    @property
    def lasting(self) -> bool:
        """Whether entries outlive the process, so that another one can read them."""
        return self._entries is not None

    async def find(self, name: str) -> dict[str, Any] | None:
        """An entry that is not too old, or None.

        Raises:
            CacheError: the store cannot be read.
        """
        key = f"journal/{name}"
        if name in self._memory:
            entry = decode_json(self._memory[name])
        else:
            entry = (await self._entries.read([key], decode_json)).get(key) if self._entries is not None else None
        if entry is None or not isinstance(entry.get("written"), (int, float)):
            return None
        return entry if time.time() - entry["written"] < MAX_AGE_SEC else None

    async def write(self, name: str, **entry: Any) -> None:
        """Store an entry, replacing an earlier one of that name; returns when it is stored.

        Raises:
            CacheError: the store cannot be written; the entry is kept in memory.
        """
        await self._set(name, encode_json({**entry, "written": time.time()}))

    async def delete(self, name: str) -> None:
        """Remove an entry. Stores need not support deletion, so an empty value takes its place.

        Raises:
            CacheError: the store cannot be written.
        """
        await self._set(name, b"")

    async def _set(self, name: str, content: bytes) -> None:
        # In memory until the store has it, and for good where there is no store or it fails.
        self._memory[name] = content
        if self._entries is None:
            kept = not content
        else:
            (kept,) = await asyncio.to_thread(self._entries.write, [(f"journal/{name}", content)])
        if kept:
            self._memory.pop(name, None)
