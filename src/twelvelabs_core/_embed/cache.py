"""Finished vectors, kept: a SQLite file of ours, or any object with LangChain's ``mget``/``mset``.

A vector is in the cache before its item counts as done, so that a killed process loses no more than what was under
way. Calls that come together are written in one transaction. Several processes may share a file (WAL).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from .._errors import InvalidInputError
from .._net import loop
from .._results import Embedding, Segment

__all__ = ["Cache", "open_cache"]

READ_AT_ONCE = 500
# A vector of 512 doubles is 4 kB: three to a page; read without copying. Measured: a third less time a row.
PAGE_BYTES = 16_384
MAPPED_BYTES = 1 << 28
BUSY_TIMEOUT_SEC = 30.0
logger = logging.getLogger("twelvelabs_embeddings")

_MAGIC = b"TL1"
_TRUNCATED = 1


class Store(Protocol):
    """Where values are kept. Blocking; called in a thread."""

    def mget(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The values of some keys, None where there is none."""

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep some values, durably."""


class Cache:
    """Embeddings by key, on the background loop."""

    def __init__(self, store: Store, space: str) -> None:
        self.store = store
        self._space = space
        self._puts: list[tuple[str, bytes]] = []
        self._next: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None

    async def get_many(self, keys: Sequence[str]) -> dict[str, Embedding]:
        """What is there of ``keys``. An entry that cannot be read counts as not there."""
        found: dict[str, Embedding] = {}
        for start in range(0, len(keys), READ_AT_ONCE):
            part = [f"{self._space}/{key}" for key in keys[start : start + READ_AT_ONCE]]
            values = await asyncio.to_thread(self._read, part)
            found.update(zip(keys[start : start + READ_AT_ONCE], values, strict=True))  # type: ignore[arg-type]
        return {key: value for key, value in found.items() if value is not None}

    async def put(self, key: str, embedding: Embedding) -> None:
        """Keep one; returns when it is safe. A cache that cannot be written is told of, and costs nobody the vector."""
        await self._put(key, _encode(embedding))

    async def _put(self, key: str, value: bytes) -> None:
        self._puts.append((f"{self._space}/{key}", value))
        if self._next is None:
            self._next = self._last = asyncio.ensure_future(self._write(self._last))
        await asyncio.shield(self._next)

    async def get_segments(self, key: str) -> list[Segment] | None:
        """A file's vectors, if they are there."""
        (value,) = await asyncio.to_thread(self.store.mget, [f"{self._space}/{key}"])
        return None if value is None else _decode_segments(value)

    async def put_segments(self, key: str, segments: Sequence[Segment]) -> None:
        """Keep a file's vectors; returns when they are safe."""
        await self._put(key, _encode_segments(segments))

    def _read(self, keys: Sequence[str]) -> list[Embedding | None]:
        return [None if value is None else _decode(value, self._space) for value in self.store.mget(keys)]

    async def _write(self, before: asyncio.Task[None] | None) -> None:
        """One transaction for all that came while the one before was written."""
        if before is not None:
            await asyncio.wait([before])
        else:
            await asyncio.sleep(0)
        pairs, self._puts = self._puts, []
        self._next = None
        try:
            await asyncio.to_thread(self.store.mset, pairs)
        except Exception as error:  # whatever a user's store raises
            logger.error("%d vectors could not be written to the cache: %s", len(pairs), error)


class SqliteStore:
    """A SQLite file; opened with the first use, in each process anew."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._generation = -1

    def __reduce__(self) -> tuple[Any, ...]:
        return SqliteStore, (str(self.path),)

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """See :class:`Store`."""
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, value FROM vectors WHERE key IN ({marks})"
        with self._lock:
            found = dict(self._open().execute(query, list(keys)).fetchall())
        return [found.get(key) for key in keys]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """See :class:`Store`."""
        now = time.time()
        with self._lock, self._open() as transaction:
            transaction.executemany(
                "INSERT OR REPLACE INTO vectors (key, value, created) VALUES (?, ?, ?)",
                [(key, value, now) for key, value in key_value_pairs],
            )

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._generation != loop.generation():
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SEC, check_same_thread=False)
                # WAL: readers and a writer do not stop each other. NORMAL: safe against a killed process, and no disk
                # flush a vector.
                connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
                connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}")
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, value BLOB NOT NULL, created REAL)"
                )
            except (sqlite3.Error, OSError) as error:
                raise InvalidInputError(f"The cache {str(self.path)!r} cannot be opened: {error}.") from error
            self._connection, self._generation = connection, loop.generation()
            loop.close_at_exit(self.aclose)
        return self._connection

    async def aclose(self) -> None:
        """Close the file."""
        loop.forget(self.aclose)
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def open_cache(cache: Any) -> Store | None:
    """The store for a ``cache=`` argument: a path, or an object with ``mget`` and ``mset``.

    Raises:
        InvalidInputError: it is neither.
    """
    if cache is None:
        return None
    if isinstance(cache, (str, os.PathLike)):
        return SqliteStore(cache)
    if _callable(cache, "mget") and _callable(cache, "mset"):
        store: Store = cache
        return store
    raise InvalidInputError(f"cache= takes a path or an object with mget and mset, got {type(cache).__name__}.")


def _callable(thing: Any, name: str) -> bool:
    found: Callable[..., Any] | None = getattr(thing, name, None)
    return callable(found)


def _encode(embedding: Embedding) -> bytes:
    flags = _TRUNCATED if embedding.truncated else 0
    return _MAGIC + bytes([flags]) + embedding.pooled.to_bytes(4, "little") + _doubles(embedding.vector)


def _decode(value: bytes, space: str) -> Embedding | None:
    if not isinstance(value, bytes) or value[:3] != _MAGIC or len(value) % 8:
        return None
    pooled = int.from_bytes(value[4:8], "little")
    return Embedding(_floats(value[8:]), space, bool(value[3] & _TRUNCATED), pooled, cached=True)


def _encode_segments(segments: Sequence[Segment]) -> bytes:
    """A line of JSON with everything but the numbers, then the numbers."""
    heads = [
        {name: getattr(s, name) for name in _SEGMENT_FIELDS}
        | {"floats": len(s.vector), "uncertainty": s.uncertainty is not None}
        for s in segments
    ]
    numbers = [_doubles(s.vector) + (_doubles(s.uncertainty) if s.uncertainty else b"") for s in segments]
    return _MAGIC + b"S" + json.dumps(heads).encode() + b"\n" + b"".join(numbers)


def _decode_segments(value: bytes) -> list[Segment] | None:
    if not isinstance(value, bytes) or value[:4] != _MAGIC + b"S":
        return None
    line, _, numbers = value[4:].partition(b"\n")
    segments, at = [], 0
    for head in json.loads(line):
        length = 8 * head["floats"]
        vector, uncertainty = _floats(numbers[at : at + length]), None
        at += length
        if head["uncertainty"]:
            uncertainty = _floats(numbers[at : at + length])
            at += length
        known = {name: head.get(name) for name in _SEGMENT_FIELDS}
        segments.append(Segment(vector, **known, uncertainty=uncertainty))
    return segments


_SEGMENT_FIELDS = ("start_sec", "end_sec", "option", "scope", "page", "quadrant", "chunk")


def _doubles(numbers: Sequence[float]) -> bytes:
    """Doubles, so that a cached vector is the very one the server sent."""
    found = array("d", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def _floats(data: bytes) -> list[float]:
    found = array("d")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tolist()
