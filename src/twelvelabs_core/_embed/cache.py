"""The cache of finished results: a SQLite file, or any object with LangChain's ``mget`` and ``mset``.

A result is in the cache before its item counts as done, so that a killed process loses no more than what was in
flight. Writes that come together share one transaction. Several processes may share a file (WAL).
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

READ_AT_ONCE = 500
# A vector of 512 doubles is 4 kB: three fit into a page, read without copying. Measured: a third less time a row.
PAGE_BYTES = 16_384
MAPPED_BYTES = 1 << 28
BUSY_TIMEOUT_SEC = 30.0
logger = logging.getLogger("twelvelabs_embeddings")

_MAGIC = b"TL1"
_TRUNCATED = 1
_SEGMENTS = b"S"


class Store(Protocol):
    """A store of bytes by key. Blocking; called in a thread."""

    def mget(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The values of some keys, None where there is none."""

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep some values durably."""


class Cache:
    """Results by key, for use on the background loop."""

    def __init__(self, store: Store, space: str) -> None:
        self.store = store
        self._space = space
        self._pending: list[tuple[str, bytes]] = []
        self._next_write: asyncio.Task[None] | None = None
        self._last_write: asyncio.Task[None] | None = None

    async def get_many(self, keys: Sequence[str]) -> dict[str, Embedding | list[Segment]]:
        """The entries there are for ``keys``. An entry that cannot be decoded counts as missing."""
        found: dict[str, Embedding | list[Segment]] = {}
        for start in range(0, len(keys), READ_AT_ONCE):
            part = keys[start : start + READ_AT_ONCE]
            values = await asyncio.to_thread(self._read, part)
            found.update((key, value) for key, value in zip(part, values, strict=True) if value is not None)
        return found

    async def put(self, key: str, result: Embedding | Sequence[Segment]) -> None:
        """Keep one result; returns when it is written. A failed write is logged; the result is still returned."""
        value = _encode(result) if isinstance(result, Embedding) else _encode_segments(result)
        self._pending.append((f"{self._space}/{key}", value))
        if self._next_write is None:
            self._next_write = self._last_write = asyncio.ensure_future(self._write(self._last_write))
        await asyncio.shield(self._next_write)

    def _read(self, keys: Sequence[str]) -> list[Embedding | list[Segment] | None]:
        values = self.store.mget([f"{self._space}/{key}" for key in keys])
        return [None if value is None else _decode(value, self._space) for value in values]

    async def _write(self, before: asyncio.Task[None] | None) -> None:
        """One transaction for all results that came while the previous one was written."""
        if before is not None:
            await asyncio.wait([before])
        else:
            await asyncio.sleep(0)
        pairs, self._pending = self._pending, []
        self._next_write = None
        try:
            await asyncio.to_thread(self.store.mset, pairs)
        except Exception as error:  # a user's store may raise anything
            logger.error("%d vectors could not be written to the cache: %s", len(pairs), error)


class SqliteStore:
    """A SQLite file; opened with the first use, anew in each process."""

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
                connection = _connect(self.path)
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


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SEC, check_same_thread=False)
    try:
        # WAL: readers and a writer do not block each other. NORMAL: safe against a killed process, without a
        # disk flush for each vector.
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, value BLOB NOT NULL, created REAL)"
        )
    except sqlite3.Error:  # not a database, for one: the file must not stay open
        connection.close()
        raise
    return connection


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
    return _MAGIC + bytes([flags]) + embedding.pooled.to_bytes(4, "little") + encode_floats(embedding.vector)


def _decode(value: bytes, space: str) -> Embedding | list[Segment] | None:
    if not isinstance(value, bytes) or value[:3] != _MAGIC:
        return None
    if value[3:4] == _SEGMENTS:
        try:
            return _decode_segments(value)
        except (ValueError, TypeError, KeyError):
            return None
    if len(value) % 8 or len(value) == 8:
        return None
    pooled = int.from_bytes(value[4:8], "little")
    return Embedding(decode_floats(value[8:]), space, bool(value[3] & _TRUNCATED), pooled, cached=True)


def _encode_segments(segments: Sequence[Segment]) -> bytes:
    """One line of JSON with everything but the vectors, then the vectors."""
    heads = [
        {name: getattr(s, name) for name in _SEGMENT_FIELDS}
        | {"floats": len(s.vector), "uncertainty": s.uncertainty is not None}
        for s in segments
    ]
    numbers = [encode_floats(s.vector) + (encode_floats(s.uncertainty) if s.uncertainty else b"") for s in segments]
    return _MAGIC + _SEGMENTS + json.dumps(heads).encode() + b"\n" + b"".join(numbers)


def _decode_segments(value: bytes) -> list[Segment]:
    line, _, numbers = value[4:].partition(b"\n")
    segments, at = [], 0
    for head in json.loads(line):
        length = 8 * head["floats"]
        vector, uncertainty = decode_floats(numbers[at : at + length]), None
        at += length
        if head["uncertainty"]:
            uncertainty = decode_floats(numbers[at : at + length])
            at += length
        known = {name: head.get(name) for name in _SEGMENT_FIELDS}
        segments.append(Segment(vector, **known, uncertainty=uncertainty))
    if len(numbers) != at:
        raise ValueError("cut off, or longer than its heads say")
    return segments


_SEGMENT_FIELDS = ("start_sec", "end_sec", "option", "scope", "page", "quadrant", "chunk")


def encode_floats(numbers: Sequence[float]) -> bytes:
    """Doubles, so that a cached vector equals the one the server sent."""
    found = array("d", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def decode_floats(data: bytes) -> list[float]:
    found = array("d")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tolist()
