"""What is kept by key beside the results: in the cache's store if there is one, else in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .._errors import CacheError
from .encoding import seal
from .entries import Entries

logger = logging.getLogger("twelvelabs_embeddings")

K = TypeVar("K", bound="Kept")
V = TypeVar("V")


class Kept:
    """What is in memory: copies and deep copies share it; pickling leaves it out."""

    def __deepcopy__(self: K, memo: dict[int, Any]) -> K:
        return self

    def __copy__(self: K) -> K:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


async def written(found: Mapping[str, V], encode: Callable[[V], bytes], entries: Entries, what: str) -> bool:
    """Write values by key; False if the store failed: what was paid for must not be lost.

    Args:
        encode: makes the content of a value; runs in a thread.
        what: what they are, in the plural, for the log.
    """

    def write(stored: Sequence[bytes | None]) -> bool:
        contents = ((key, encode(value)) for key, value in found.items())
        new = [pair for pair, known in zip(contents, stored, strict=True) if known != seal(*pair)]
        return not new or all(entries.write(new))

    try:
        # In a second run most are stored already, and reading is cheaper than writing.
        return await asyncio.to_thread(write, await entries.read(list(found), bytes))
    except CacheError as error:
        logger.error("%d %s stay in memory. %s", len(found), what, error)
        return False
