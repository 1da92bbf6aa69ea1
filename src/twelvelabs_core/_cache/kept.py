"""What is kept by key beside the results: in the cache's store if there is one, else in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from .._errors import CacheError
from .encoding import seal
from .entries import Entries

logger = logging.getLogger("twelvelabs_embeddings")

K = TypeVar("K", bound="Kept")


class Kept:
    """What is in memory: copies and deep copies share it; pickling leaves it out."""

    def __deepcopy__(self: K, memo: dict[int, Any]) -> K:
        return self

    def __copy__(self: K) -> K:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


async def written(contents: Mapping[str, bytes], entries: Entries, what: str) -> bool:
    """Write contents by key; False if the store failed: what was paid for must not be lost.

    Args:
        what: what they are, in the plural, for the log.
    """
    try:
        # In a second run most are stored already, and reading is cheaper than writing.
        stored = await entries.read(list(contents), bytes)
        new = [pair for pair, value in zip(contents.items(), stored, strict=True) if value != seal(*pair)]
        return not new or all(await asyncio.to_thread(entries.write, new))
    except CacheError as error:
        logger.error("%d %s stay in memory. %s", len(contents), what, error)
        return False
