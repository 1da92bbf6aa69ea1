"""Claims: which results this client is about to obtain, so that no other process pays for them too."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .._errors import CacheError
from .backend import SqliteStore
from .batched import Batched
from .owners import new_owner

logger = logging.getLogger("twelvelabs_embeddings")

# A killed process's claims hold others up for this long, where they cannot tell that it is dead.
LEASE_SEC = 30.0
RENEWALS = 3  # in that time


class Claims:
    """The claims of one client on one loop; renewed in the background as long as they are held.

    Args:
        store: where they stand.
        usable: whether a value of a key counts as one.

    Attributes:
        held: the keys of its claims.
    """

    def __init__(self, store: SqliteStore, usable: Callable[[str, bytes], bool]) -> None:
        self._store = store
        self._owner = new_owner()
        self.held: set[str] = set()
        self._renewal: asyncio.Task[None] | None = None
        self._taken = Batched(partial(store.claim, owner=self._owner, lease_sec=LEASE_SEC, usable=usable))
        self._released = Batched(partial(_release, store, self._owner))

    async def take(self, keys: Sequence[str]) -> Sequence[bytes | bool]:
        """As :meth:`SqliteStore.claim`; those of one turn of the loop in one transaction."""
        found = await self._taken.call(keys)
        self.held.update(key for key, outcome in zip(keys, found, strict=True) if outcome is True)
        if self.held and self._renewal is None:
            self._renewal = asyncio.ensure_future(_renew(weakref.ref(self)))
        return found

    def end(self, keys: Iterable[str]) -> None:
        """Note that the claims have ended with their values."""
        self.held.difference_update(keys)

    async def release(self, keys: Sequence[str]) -> None:
        """End claims without values; those not held are left out."""
        held = [key for key in keys if key in self.held]
        self.end(held)
        if held:
            await self._released.call(held)

    async def renew_once(self) -> bool:
        """Renew what is held; False if nothing is."""
        if not self.held:
            self._renewal = None
            return False
        try:
            await asyncio.to_thread(self._store.renew, list(self.held), self._owner, LEASE_SEC)
        except CacheError as error:
            logger.debug("claims could not be renewed: %s", error)
        return True


async def _renew(claims: weakref.ref[Claims]) -> None:
    """Renew claims until none is held or their client is gone."""
    renewed = True
    while renewed:
        await asyncio.sleep(LEASE_SEC / RENEWALS)
        found = claims()
        renewed = found is not None and await found.renew_once()
        del found


def _release(store: SqliteStore, owner: str, keys: Sequence[str]) -> Sequence[None]:
    try:
        store.release(keys, owner)
    except CacheError as error:  # they end by themselves
        logger.debug("%d claims could not be released: %s", len(keys), error)
    return [None] * len(keys)
