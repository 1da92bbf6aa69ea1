"""Which labels were written beside vectors kept by id, so that a label that has lost its vector is recognised."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from typing import Any

from .._errors import CacheError
from .entries import Entries

logger = logging.getLogger("twelvelabs_embeddings")

_PREFIX = "reference-labels/"
_CONTENT = b"label"


class KeptLabels:
    """Digests of labels: in the cache's store if there is one, else in memory (about 90 bytes a label).

    Deep copies share the memory; pickling leaves it out.
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptLabels:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptLabels, ()

    def clear(self) -> None:
        """Drop the labels in memory. Those in a store stay."""
        self._digests.clear()

    async def keep(self, labels: Iterable[str], entries: Entries | None) -> None:
        """Keep labels; returns when :meth:`known` finds them. If a write fails, it is logged and memory is used.

        Args:
            labels: what to keep.
            entries: of the cache's store; None = keep them in memory.
        """
        digests = {_digest(label) for label in labels}
        if digests and (entries is None or not await _written(digests, entries)):
            self._digests |= digests

    async def known(self, labels: Iterable[str], entries: Entries | None) -> set[str]:
        """Those of ``labels`` that were kept.

        Raises:
            CacheError: the store cannot be read.
        """
        digests = {label: _digest(label) for label in labels}
        found = {label for label, digest in digests.items() if digest in self._digests}
        missing = {label: digest for label, digest in digests.items() if label not in found}
        if entries is None or not missing:
            return found
        stored = await _stored(missing.values(), entries)
        return found | {label for label, digest in missing.items() if _key(digest) in stored}


def _digest(label: str) -> bytes:
    return hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _key(digest: bytes) -> str:
    return _PREFIX + digest.hex()


async def _stored(digests: Iterable[bytes], entries: Entries) -> set[str]:
    keys = [_key(digest) for digest in digests]
    found = await entries.read(keys, bytes)
    return {key for key, entry in zip(keys, found, strict=True) if entry is not None}


async def _written(digests: set[bytes], entries: Entries) -> bool:
    """Write labels; False if the store failed."""
    try:
        stored = await _stored(digests, entries)  # in a second run most are stored already
        new = [(key, _CONTENT) for key in sorted(map(_key, digests)) if key not in stored]
        return not new or all(await asyncio.to_thread(entries.write, new))
    except CacheError as error:
        logger.error("%d labels stay in memory. %s", len(digests), error)
        return False
