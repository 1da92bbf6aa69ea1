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
from .._net.loop import in_thread
from .._results import Embedding, Segment
from .batched import Batched
from .claims import Claims
from .encoding import decode, encode, is_whole, made_together
from .entries import Entries
from .store import ClaimingStore

Result: TypeAlias = "Embedding | list[Segment]"
Decode: TypeAlias = Callable[[bytes], "Result | None"]

# More segments, or bytes of an entry, are encoded and decoded in a thread.
MANY_SEGMENTS, LARGE_ENTRY = 50, 256 * 1024


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
        empty = partial(_empty, space)
        self._decode: Decode = partial(decode, dimensions, empty)
        self._decode_all: Callable[[int], Decode] = partial(_decode_all, dimensions, empty)
        self._writes: PerLoop[Batched[tuple[str, bytes], bool]] = PerLoop(partial(Batched, entries.write))
        self._claims: PerLoop[Claims] | None = None
        if isinstance(entries.store, ClaimingStore):
            usable, read = partial(_usable, self._decode), partial(_read_now, entries, self._decode_all)
            self._claims = PerLoop(partial(Claims, entries.store, usable, read))

    async def get_many(self, keys: Sequence[str]) -> dict[str, Result]:
        """The results for ``keys``, without those that are missing or damaged.

        Raises:
            CacheError: the store cannot be read.
        """
        found: Sequence[Result | None] = await self._entries.read(self._full(keys), self._decode_all(len(keys)))
        return {key: result for key, result in zip(keys, found, strict=True) if result is not None}

    async def get_or_claim(self, keys: Sequence[str]) -> Claimed:
        """:meth:`get_many` of few keys, and :meth:`claim` of those that are missing, in one step of a thread.

        Where that would have to wait for the file, missing keys are in neither set and have to be claimed later.

        Raises:
            CacheError: the store cannot be read.
        """
        if self._claims is None:
            found = await self.get_many(keys)
            return Claimed(found, ours={key for key in keys if key not in found}, written=False)
        return await self._claimed(keys, await self._claims.get().take_missing(self._full(keys)))

    async def put(self, key: str, result: Embedding | Sequence[Segment]) -> None:
        """Write one result, and end its claim; returns when it is written.

        Raises:
            CacheError: the store cannot be written.
        """
        full = self._prefix + key
        content = await in_thread(is_large(result), encode, result)
        (kept,) = await self._writes.get().call([(full, content)])
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
            return await self._claimed(keys, await self._claims.get().take(self._full(keys)))
        except CacheError as error:
            self._entries.failed(error)
            return Claimed(ours=set(keys), written=False)

    def holds(self, key: str) -> bool:
        """Whether a key is claimed by this client and not yet put."""
        return self._claims is not None and self._prefix + key in self._claims.get().held

    async def release(self, keys: Sequence[str]) -> None:
        """End the claims of some keys that will not be :meth:`put`; others are left out."""
        if self._claims is not None:
            await self._claims.get().release(self._full(keys))

    async def _claimed(self, keys: Sequence[str], outcomes: Sequence[Result | bytes | bool | None]) -> Claimed:
        claimed = Claimed()
        for key, outcome in zip(keys, outcomes, strict=True):
            if isinstance(outcome, bool):
                (claimed.ours if outcome else claimed.theirs).add(key)
                continue
            result = (
                await in_thread(len(outcome) > LARGE_ENTRY, self._decode, outcome)
                if isinstance(outcome, bytes)
                else outcome
            )
            if result is not None:
                claimed.found[key] = result
        return claimed

    def _full(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]


def _read_now(entries: Entries, decode_all: Callable[[int], Decode], keys: Sequence[str]) -> Sequence[Result | None]:
    return entries.read_now(keys, decode_all(len(keys)))


def _decode_all(dimensions: int, empty: Callable[[], Embedding], count: int) -> Decode:
    """:func:`decode` for so many entries that are read together."""
    return partial(decode, dimensions, made_together(count, empty).__next__)


def _empty(space: str) -> Embedding:
    return Embedding([], space, cached=True)


def is_large(result: Embedding | Sequence[Segment]) -> bool:
    """Whether a result takes longer to encode than other requests should wait."""
    return not isinstance(result, Embedding) and len(result) > MANY_SEGMENTS


def _usable(decode: Decode, key: str, value: bytes) -> bool:
    return is_whole(key, value) and decode(value) is not None
