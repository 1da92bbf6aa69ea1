"""Claims: which results this client is about to obtain, so that no other process pays for them too."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any

from .._errors import CacheError
from .batched import Batched
from .owners import new_owner
from .store import ClaimingStore

logger = logging.getLogger("twelvelabs_embeddings")

# A killed process's claims hold others up for this long, where they cannot tell that it is dead.
LEASE_SEC = 30.0
RENEWALS = 3  # in that time


class Claims:
    """The claims of one client on one loop; renewed in the background as long as they are held.

    Args:
        store: where they stand.
        usable: whether a value of a key counts as one.
        read: reads the results of some keys, in order, None for a missing one. Blocking.

    Attributes:
        held: the keys of its claims.
    """

    def __init__(
        self,
        store: ClaimingStore,
        usable: Callable[[str, bytes], bool],
        read: Callable[[Sequence[str]], Sequence[Any]],
    ) -> None:
        self._store = store
        self._owner = new_owner()
        self.held: set[str] = set()
        self._renewal: asyncio.Task[None] | None = None
        claim = partial(store.claim, owner=self._owner, lease_sec=LEASE_SEC, usable=usable)
        self._taken = Batched(claim)
        self._looked_for: Batched[str, Any] = Batched(partial(_look_for, read, claim))
        self._released = Batched(partial(_release, store, self._owner))
        # The store works in threads, so that a claim may be made before, and be heard of after, it has ended.
        self._ended: list[set[str]] = []  # for each take under way, what has ended meanwhile
        self._releasing: dict[str, asyncio.Future[Any]] = {}

    async def take(self, keys: Sequence[str]) -> Sequence[bytes | bool]:
        """As :meth:`ClaimingStore.claim`; those of one turn of the loop in one transaction."""
        return await self._settled(keys, lambda: self._taken.call(keys))

    async def take_missing(self, keys: Sequence[str]) -> Sequence[Any]:
        """Read some keys and :meth:`take` those that are missing, in one step of a thread, which calls of one turn of
        the loop share.

        Results that are there are not held up: where the file cannot be written at once, missing keys are not claimed.

        Returns:
            For each key, in order: its result; or as :meth:`take`; or None = missing, and not claimed.
        """
        return await self._settled(keys, lambda: self._looked_for.call(keys))

    async def _settled(self, keys: Sequence[str], claim: Callable[[], Awaitable[Sequence[Any]]]) -> Sequence[Any]:
        """Claim keys, and again those whose claims have ended meanwhile."""
        while not self._releasing.keys().isdisjoint(keys):
            await asyncio.wait({self._releasing[key] for key in keys if key in self._releasing})
        ended: set[str] = set()
        self._ended.append(ended)
        try:
            found = await claim()
        finally:
            self._ended = [other for other in self._ended if other is not ended]
        taken = {key for key, outcome in zip(keys, found, strict=True) if outcome is True}
        self.held |= taken - ended
        if self.held and self._renewal is None:
            self._renewal = asyncio.ensure_future(_renew(weakref.ref(self)))
        again = list(taken & ended)
        if not again:
            return found
        outcomes = dict(zip(again, await self.take(again), strict=True))
        return [outcomes.get(key, outcome) for key, outcome in zip(keys, found, strict=True)]

    def end(self, keys: Collection[str]) -> None:
        """Note that the claims have ended with their values."""
        self.held.difference_update(keys)
        for ended in self._ended:
            ended.update(keys)

    async def release(self, keys: Sequence[str]) -> None:
        """End claims without values; those not held are left out."""
        await self._release([key for key in dict.fromkeys(keys) if key in self.held])

    async def _release(self, keys: Sequence[str]) -> None:
        self.end(keys)
        if keys:
            released = asyncio.ensure_future(self._released.call(keys))
            self._releasing.update(dict.fromkeys(keys, released))
            released.add_done_callback(lambda _: [self._releasing.pop(key, None) for key in keys])
            await asyncio.shield(released)

    async def renew_once(self) -> bool:
        """Renew what is held; False if nothing is."""
        if not self.held:
            self._renewal = None
            return False
        keys = list(self.held)
        try:
            await asyncio.to_thread(self._store.renew, keys, self._owner, LEASE_SEC)
            await self._release([key for key in keys if key not in self.held])  # ended meanwhile, and made again
        except Exception as error:  # whatever it is: the next time may do, and without one they would all end
            logger.debug("claims could not be renewed: %r", error)
        return True


async def _renew(claims: weakref.ref[Claims]) -> None:
    """Renew claims until none is held or their client is gone."""
    renewed = True
    while renewed:
        await asyncio.sleep(LEASE_SEC / RENEWALS)
        found = claims()
        renewed = found is not None and await found.renew_once()
        del found


def _look_for(
    read: Callable[[Sequence[str]], Sequence[Any]],
    claim: Callable[..., Sequence[bytes | bool]],
    keys: Sequence[str],
) -> Sequence[Any]:
    found = read(keys)
    missing = [key for key, result in zip(keys, found, strict=True) if result is None]
    if not missing:
        return found
    try:
        outcomes = iter(claim(missing, wait=False))
    except CacheError as error:
        logger.debug("%d keys are not claimed yet: %s", len(missing), error)
        return found
    return [next(outcomes) if result is None else result for result in found]


def _release(store: ClaimingStore, owner: str, keys: Sequence[str]) -> Sequence[None]:
    try:
        store.release(keys, owner)
    except CacheError as error:  # they end by themselves
        logger.debug("%d claims could not be released: %s", len(keys), error)
    return [None] * len(keys)
