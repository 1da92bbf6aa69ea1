"""Claims the results of a batch a little ahead: those of the next items in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from .._cache.cache import Cache, Claimed, Result
from .._net import loop


class ClaimsAhead:
    """The claims of items that are about to start, in their order. For one batch, on the background loop.

    A transaction for each item takes longer than writing its result (measured). A claim made ahead may end before its
    item starts: then it is made again.

    Args:
        cache: of the batch.
        count: how many are claimed together; 1 = none ahead.

    Attributes:
        keys: of the items to claim, in the order in which they start.
    """

    def __init__(self, cache: Cache, count: int) -> None:
        self._cache, self._count = cache, count
        self.keys: Sequence[str] = ()
        self._made: dict[str, asyncio.Task[Claimed]] = {}  # for items that have not started

    async def read(self, keys: Sequence[str]) -> dict[str, Result]:
        """The results that are in the cache. Of few keys, those that are missing are claimed in the same step.

        Raises:
            CacheError: the store cannot be read.
        """
        if not 0 < len(keys) <= self._count:
            return await self._cache.get_many(keys)
        made = self._start(self._cache.get_or_claim(keys), keys)
        claimed = await asyncio.shield(made)
        self._made = {key: made for key in keys if key in claimed.ours or key in claimed.theirs}
        return claimed.found

    async def claim(self, order: int) -> Result | bool:
        """Claim the item at a place, if that is not done: its result if there is one by now; True = it is ours to
        obtain; False = another process is obtaining it.

        Raises:
            CacheError: the file cannot be written.
        """
        key = self.keys[order]
        made = self._made.pop(key, None)
        if made is None:
            made = self._claim_next(order)
        claimed = made.result() if made.done() else await asyncio.shield(made)
        if claimed.written and key in claimed.ours and not self._cache.holds(key):
            claimed = await self._cache.claim([key])  # another call of this client has had it meanwhile
        return claimed.outcome(key)

    def give_up(self, key: str) -> None:
        """End the claim of an item that another client is embedding: it waits for this claim."""
        made = self._made.pop(key, None)
        if made is not None:
            loop.start(partial(self._release, {key: made}, _never))

    def end(self, is_under_way: Callable[[str], bool]) -> None:
        """End the claims of the items that have not started.

        Args:
            is_under_way: whether another call of this client is embedding it, under the same claim.
        """
        rest, self._made = self._made, {}
        if rest:
            loop.start(partial(self._release, rest, is_under_way))

    def _claim_next(self, order: int) -> asyncio.Task[Claimed]:
        wanted = [key for key in self.keys[order : order + self._count] if key not in self._made]
        made = self._start(self._cache.claim(wanted), wanted)
        del self._made[wanted[0]]  # it starts now
        return made

    def _start(self, claim: Coroutine[Any, Any, Claimed], keys: Sequence[str]) -> asyncio.Task[Claimed]:
        made = asyncio.ensure_future(claim)
        made.add_done_callback(_look_at_error)
        self._made.update(dict.fromkeys(keys, made))
        return made

    async def _release(self, rest: dict[str, asyncio.Task[Claimed]], is_under_way: Callable[[str], bool]) -> None:
        await asyncio.wait(set(rest.values()))
        await self._cache.release([key for key in rest if not is_under_way(key)])


def _never(_: str) -> bool:
    return False


def _look_at_error(made: asyncio.Task[Claimed]) -> None:
    """All who wait for it may have been cancelled; then nobody else retrieves its error."""
    if not made.cancelled():
        made.exception()
