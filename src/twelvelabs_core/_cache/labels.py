"""Which labels were written beside vectors kept by id, so that a label that has lost its vector is recognised."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from typing import Any

from .backend import READ_AT_ONCE, Store

logger = logging.getLogger("twelvelabs_embeddings")

_PREFIX = "reference-labels/"
_VALUE = b"TLL1"


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

    async def keep(self, labels: Iterable[str], store: Store | None) -> None:
        """Keep labels; returns when :meth:`known` finds them. If a write fails, it is logged and memory is used."""
        digests = {_digest(label) for label in labels}
        if not digests:
            return
        if store is not None:
            try:
                await asyncio.to_thread(_write, store, digests)
                return
            except Exception as error:  # a user's store may raise anything
                logger.error("%d labels could not be written to the cache and stay in memory: %s", len(digests), error)
        self._digests |= digests

    async def known(self, labels: Iterable[str], store: Store | None) -> set[str]:
        """Those of ``labels`` that were kept. A store that cannot be read knows none, which is logged."""
        digests = {label: _digest(label) for label in labels}
        found = {label for label, digest in digests.items() if digest in self._digests}
        missing = [label for label in digests if label not in found]
        if store is None or not missing:
            return found
        try:
            stored = await asyncio.to_thread(_read, store, [digests[label] for label in missing])
        except Exception as error:
            logger.error("The cache could not be read for labels of media: %s", error)
            return found
        return found | {label for label in missing if digests[label] in stored}


def _digest(label: str) -> bytes:
    return hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _write(store: Store, digests: set[bytes]) -> None:
    new = digests - _read(store, list(digests))  # in a second run most are stored already
    if new:
        store.mset([(_PREFIX + digest.hex(), _VALUE) for digest in sorted(new)])


def _read(store: Store, digests: list[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for start in range(0, len(digests), READ_AT_ONCE):
        part = digests[start : start + READ_AT_ONCE]
        values = store.mget([_PREFIX + digest.hex() for digest in part])
        found.update(digest for digest, value in zip(part, values, strict=True) if value == _VALUE)
    return found
