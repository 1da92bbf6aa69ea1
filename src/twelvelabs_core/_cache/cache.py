"""The cache of finished results.

A result is in the cache before its item counts as done, so that a killed process loses no more than what was in
flight. Writes that come together share one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from .._errors import CacheError
from .._net.forks import PerLoop
from .._results import Embedding, Segment
from .backend import SqliteStore
from .batched import Batched
from .claims import Claims
from .encoding import decode, encode, is_whole, made_together
from .entries import Entries

Result: TypeAlias = "Embedding | list[Segment]"
Decode: TypeAlias = Callable[[bytes], "Result | None"]


@dataclass
class Claimed:
    """What became of claims.

    Attributes:
        found: results that are in the cache by now.
        ours: keys this client has to obtain.
        theirs: keys that another client or process is about to write.
        written: the claims stand in the file; False = the store has none, or cannot be written and that is ignored.
    """

    found: dict[str, Result] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)
    theirs: set[str] = field(default_factory=set)
    written: bool = True

    def outcome(self, key: str) -> Result | bool:
        """What became of one: its result; True = ours; False = another's."""
        found = self.found.get(key)
        return found if found is not None else key in self.ours


class Cache:
    """Results by key, for use on the background loop.

    Args:
        entries: of the store.
        space: the vector space of the results.
        dimensions: length of every vector of it.
    """

    def __init__(self, entries: Entries, space: str, dimensions: int) -> None:
        self._entries = entries
        self._prefix = f"{space}/"
        self._dimensions = dimensions
        self._empty = partial(_empty, space)
        self._decode: Decode = partial(decode, dimensions, self._empty)
        self._writes: PerLoop[Batched[tuple[str, bytes], bool]] = PerLoop(partial(Batched, entries.write))
        self._claims: PerLoop[Claims] | None = None
        if isinstance(entries.store, SqliteStore):
            self._claims = PerLoop(partial(Claims, entries.store, partial(_usable, self._decode)))

    async def get_many(self, keys: Sequence[str]) -> dict[str, Result]:
        """The results for ``keys``, without those that are missing or damaged.

        Raises:
            CacheError: the store cannot be read.
        """
        empty = made_together(len(keys), self._empty).__next__
        filled: Decode = partial(decode, self._dimensions, empty)
        found: Sequence[Result | None] = await self._entries.read([self._prefix + key for key in keys], filled)
        return {key: result for key, result in zip(keys, found, strict=True) if result is not None}

    async def put(self, key: str, result: Embedding | Sequence[Segment]) -> None:
        """Write one result, and end its claim; returns when it is written.

        Raises:
            CacheError: the store cannot be written.
        """
        full = self._prefix + key
        (kept,) = await self._writes.get().call([(full, encode(result))])
        if kept and self._claims is not None:
            self._claims.get().end([full])

    async def claim(self, keys: Sequence[str]) -> Claimed:
        """Claim the results of some keys, so that no other process obtains them too until they are :meth:`put`.

        With a store of the user's there are no claims: every key is ours.

        Raises:
            CacheError: the file cannot be written.
        """
        if self._claims is None or not keys:
            return Claimed(ours=set(keys), written=False)
        try:
            outcomes = await self._claims.get().take([self._prefix + key for key in keys])
        except CacheError as error:
            self._entries.failed(error)
            return Claimed(ours=set(keys), written=False)
        claimed = Claimed()
        for key, outcome in zip(keys, outcomes, strict=True):
            if isinstance(outcome, bool):
                (claimed.ours if outcome else claimed.theirs).add(key)
            elif (result := self._decode(outcome)) is not None:
                claimed.found[key] = result
        return claimed

    def holds(self, key: str) -> bool:
        """Whether a key is claimed by this client and not yet put."""
        return self._claims is not None and self._prefix + key in self._claims.get().held

    async def release(self, keys: Sequence[str]) -> None:
        """End the claims of some keys that will not be :meth:`put`; others are left out."""
        if self._claims is not None:
            await self._claims.get().release([self._prefix + key for key in keys])


def _empty(space: str) -> Embedding:
    return Embedding([], space, cached=True)


def _usable(decode: Decode, key: str, value: bytes) -> bool:
    return is_whole(key, value) and decode(value) is not None
