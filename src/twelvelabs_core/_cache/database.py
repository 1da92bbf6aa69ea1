"""One connection to a SQLite file for each path and process, its transactions, and its errors.

Several processes may share a file (WAL).
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from .._errors import CacheError
from .._net import loop
from .._net.loop import PerLoop

T = TypeVar("T")

# Three vectors of 512 doubles (4 kB) fit into a page.
PAGE_BYTES = 16_384
# Rows written together stand together: with this, those of one read are fetched with few reads of the file. Not mapped
# into memory, where reading a file that somebody has truncated ends the process.
CACHED_KB = 16_384
BUSY_TIMEOUT_SEC = 30.0
# SQLite itself waits this long for a lock; between the tries no lock of ours is held.
BUSY_TRY_SEC = 0.1

_TABLES = (
    "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, value BLOB NOT NULL, created REAL)",
    "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, expires REAL NOT NULL)",
)


class Database:
    """A SQLite file, opened with the first use. Any thread may use it, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []  # at most one; a finalizer holds the list
        self._file: tuple[int, int] | None = None
        weakref.finalize(self, _close, self._connections).atexit = False  # see loop.at_exit
        self.read_only = False

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let ``work`` read. Raises CacheError."""
        return self._do(work, "read")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let ``work`` read and write in one transaction. Raises CacheError."""
        return self._do(partial(_in_transaction, work), "written")

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            _close(self._connections)

    def _do(self, work: Callable[[sqlite3.Connection], T], what: str) -> T:
        give_up_at = time.monotonic() + BUSY_TIMEOUT_SEC
        while True:
            try:
                with self._lock:
                    return work(self._open())
            except sqlite3.Error as error:
                if "locked" not in str(error):
                    raise self._error(error, what) from error
                if time.monotonic() > give_up_at:
                    raise self._error(error, what) from error
            time.sleep(random.uniform(0.001, 0.02))

    def _open(self) -> sqlite3.Connection:
        if self._connections and _identity(self._path) != self._file:  # deleted, or another one has taken its place
            _close(self._connections)
        if not self._connections:
            try:
                connection = _connect(self._path)
            except (sqlite3.Error, OSError) as error:
                raise CacheError(f"The cache {str(self._path)!r} cannot be opened: {error}.") from error
            self._connections.append(connection)
            self._file = _identity(self._path)
        return self._connections[0]

    def _error(self, error: Exception, what: str) -> CacheError:
        return CacheError(f"The cache {str(self._path)!r} cannot be {what}: {error}.")


def _in_transaction(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise
    return found


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        with contextlib.suppress(sqlite3.Error):
            connections.pop().close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # -wal and -shm get the same mode
    connection = sqlite3.connect(path, timeout=BUSY_TRY_SEC, check_same_thread=False, isolation_level=None)
    try:
        connection.text_factory = bytes  # a damaged text is no error
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute(f"PRAGMA cache_size=-{CACHED_KB}")
        connection.execute("PRAGMA mmap_size=0")
        # WAL: readers and a writer do not block each other. NORMAL: safe against a killed process, without a
        # disk flush for each vector.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        for table in _TABLES:
            connection.execute(table)
    except sqlite3.Error:  # for example not a database; the file must not stay open
        connection.close()
        raise
    return connection


# -- one for each path -----------------------------------------------------------------------------------------------


class _Databases:
    """The open files of this process, by path; each as long as somebody uses it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_path: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()


_databases = PerLoop(_Databases)


def database_of(path: Path) -> Database:
    """The database of a path, shared by all stores of this process."""
    databases, real = _databases.get(), os.path.realpath(path)
    with databases.lock:
        found = databases.by_path.get(real)
        if found is None:
            found = databases.by_path[real] = Database(path)
        return found


def _close_all() -> None:
    for database in list(_databases.get().by_path.values()):
        database.close()


loop.at_exit(_close_all)
