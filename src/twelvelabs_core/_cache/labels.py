"""Which labels were written beside vectors kept by id, so that a label that has lost its vector is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .entries import Entries
from .kept import Kept, written

_PREFIX = "reference-labels/"
_CONTENT = b"label"


class KeptLabels(Kept):
    """Digests of labels: in the cache's store if there is one, else in memory (about 90 bytes a label)."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

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
        contents = dict.fromkeys(sorted(map(_key, digests)), _CONTENT)
        if contents and (entries is None or not await written(contents, bytes, entries, "labels")):
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
        stored = await entries.read([_key(digest) for digest in missing.values()], bytes)
        return found | {label for label, entry in zip(missing, stored, strict=True) if entry is not None}


def _digest(label: str) -> bytes:
    return hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _key(digest: bytes) -> str:
    return _PREFIX + digest.hex()
