"""Stores of bytes by key: a SQLite file, or any object with LangChain's ``mget`` and ``mset``.

Several processes may share a file (WAL).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from .._errors import InvalidInputError
from .._net import loop

# Keys asked for in one call of ``mget``.
READ_AT_ONCE = 500
# Three vectors of 512 doubles (4 kB) fit into a page. With mapped reads, a row takes a third less time (measured).
PAGE_BYTES = 16_384
MAPPED_BYTES = 1 << 28
BUSY_TIMEOUT_SEC = 30.0


class Store(Protocol):
    """A store of bytes by key. Blocking; called in a thread."""

    def mget(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The values of some keys in order, None for a missing one."""

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep some values durably."""


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
    except sqlite3.Error:  # for example not a database; the file must not stay open
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
    if callable(getattr(cache, "mget", None)) and callable(getattr(cache, "mset", None)):
        store: Store = cache
        return store
    raise InvalidInputError(f"cache= takes a path or an object with mget and mset, got {type(cache).__name__}.")
