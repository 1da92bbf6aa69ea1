"""Ids of what was created on the server (uploads, assets, tasks), so that another process can continue with it.

Stored in the cache's store if there is one, else in memory. The server keeps tasks for 7 days (API page).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any
from weakref import WeakValueDictionary

from .._errors import CacheError
from .._net.forks import PerLoop
from .encoding import decode_json, encode_json
from .entries import Entries

logger = logging.getLogger("twelvelabs_embeddings")

MAX_AGE_SEC = 7 * 86_400.0


class Journal:
    """Entries by name: small dictionaries of ids."""

    def __init__(self, entries: Entries | None) -> None:
        self._entries = entries
        self._memory: dict[str, str] = {}  # as JSON, so that an entry found is as it would be from a store
        self._locks: PerLoop[WeakValueDictionary[str, asyncio.Lock]] = PerLoop(WeakValueDictionary)

    @property
    def lasting(self) -> bool:
        """Whether entries outlive the process, so that another one can read them."""
        return self._entries is not None

    def alone(self, name: str) -> asyncio.Lock:
        """To be held by those who create something under a name, one at a time: two would create it twice, or take each
        other's for their own.
        """
        return self._locks.get().setdefault(name, asyncio.Lock())

    async def find(self, name: str) -> dict[str, Any] | None:
        """An entry that is not too old, or None.

        Raises:
            CacheError: the store cannot be read.
        """
        entry: dict[str, Any] | None = None
        if name in self._memory:
            entry = json.loads(self._memory[name])
        elif self._entries is not None:
            (entry,) = await self._entries.read([f"journal/{name}"], decode_json)
        if entry is None or not isinstance(entry.get("written"), (int, float)):
            return None
        return entry if time.time() - entry["written"] < MAX_AGE_SEC else None

    async def write(self, name: str, **entry: Any) -> None:
        """Store an entry, replacing an earlier one of that name; returns when it is stored.

        Raises:
            CacheError: the store cannot be written; the entry is kept in memory.
        """
        await self._set(name, {**entry, "written": time.time()})

    async def delete(self, name: str) -> None:
        """Remove an entry. Stores need not support deletion, so an empty value takes its place.

        A failure is logged, not raised: what the entry was about is finished, and may be in hand.
        """
        try:
            await self._set(name, {})
        except CacheError as error:
            logger.warning("The journal's entry %s could not be removed: %s", name, error)

    async def _set(self, name: str, entry: dict[str, Any]) -> None:
        # In memory until the store has it, and for good where there is no store or it fails.
        self._memory[name] = json.dumps(entry)
        if self._entries is None:
            kept = not entry
        else:
            content = encode_json(entry) if entry else b""
            (kept,) = await asyncio.to_thread(self._entries.write, [(f"journal/{name}", content)])
        if kept:
            self._memory.pop(name, None)
