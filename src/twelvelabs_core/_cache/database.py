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
from pathlib import Path
from typing import TypeVar

from .._errors import CacheError
from .._net import loop
from .._net.forks import PerLoop, before_fork, uncut
from .._sqlite import identity, in_transaction, make_private, set_up

T = TypeVar("T")

# Rows written together stand together: with this, those of one read are fetched with few reads of the file. Not mapped
# into memory, where reading a file that somebody has truncated ends the process.
CACHED_KB = 16_384
BUSY_TIMEOUT_SEC = 30.0
# SQLite itself waits this long for a lock; between the tries no lock of ours is held.
BUSY_TRY_SEC = 0.1

_TABLES = (
    "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, value BLOB NOT NULL, created REAL)",
    "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, expires REAL NOT NULL)"
    " WITHOUT ROWID",
)


class Database:
    """A SQLite file, opened with the first use. Any thread may use it, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []  # at most one; a finalizer holds the list
        self._opened: tuple[int, int] | None = None
        self._read_only = False
        weakref.finalize(self, _close, self._connections).atexit = False  # see _close_all

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let ``work`` read; a file that may not be written is opened for reading alone.

        Raises:
            CacheError: the file cannot be opened or read.
        """
        return self._do(lambda: work(self._connection()), "read")

    def write(self, work: Callable[[sqlite3.Connection], T], *, wait: bool = True) -> T:
        """Let ``work`` read and write in one transaction.

        Args:
            wait: False = try once where another process has locked the file.

        Raises:
            CacheError: the file cannot be opened or written.
        """
        return self._do(lambda: in_transaction(work, self._connection(writable=True)), "written", wait=wait)

    def close(self) -> None:
        """Close the file unless it is in use; the next use opens it again."""
        if self._lock.acquire(blocking=False):
            _close(self._connections)
            self._lock.release()

    def _do(self, step: Callable[[], T], what: str, *, wait: bool = True) -> T:
        give_up_at = time.monotonic() + (BUSY_TIMEOUT_SEC if wait else 0.0)
        while True:
            try:
                with uncut(), self._lock:
                    return step()
            except (sqlite3.Error, OSError) as error:
                if "locked" not in str(error) or time.monotonic() > give_up_at:
                    raise CacheError(_explained(self._path, error, what)) from error
            time.sleep(random.uniform(0.001, 0.02))

    def _connection(self, *, writable: bool = False) -> sqlite3.Connection:
        stale = identity(self._path) != self._opened  # deleted, or another file has taken its place
        if stale or (writable and self._read_only):
            _close(self._connections)
        if not self._connections:
            connection, self._read_only = _open(self._path, writable)
            self._connections.append(connection)
            self._opened = identity(self._path)
        return self._connections[0]


def _explained(path: Path, error: Exception, what: str) -> str:
    """What is wrong with a file, and what to do."""
    said = str(error)
    if "not a database" in said:
        return f"The cache {str(path)!r} cannot be opened: {said}. Give the path of a cache, or of a new file."
    if "malformed" in said or "corrupt" in said:
        return (
            f"The cache {str(path)!r} is damaged: {said}. Move it away, with {path.name}-wal and {path.name}-shm; the "
            "next call starts a new one. The command sqlite3 (.recover) may save entries of the old one."
        )
    if "locked" in said:
        return f"The cache {str(path)!r} cannot be {what}: another process has locked it for {BUSY_TIMEOUT_SEC:.0f} s."
    if "unable to open" in said or isinstance(error, OSError):
        return f"The cache {str(path)!r} cannot be opened: {said}. The folder must exist and be writable."
    return f"The cache {str(path)!r} cannot be {what}: {said}."


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        with uncut(), contextlib.suppress(sqlite3.Error):
            connections.pop().close()


def _open(path: Path, writable: bool) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it can only read."""
    try:
        return _connect(path), False
    except (sqlite3.Error, OSError) as error:
        refused = isinstance(error, OSError) or any(word in str(error) for word in ("readonly", "unable to open"))
        if writable or not refused or not path.is_file():
            raise
    try:
        return _connect(path, "mode=ro"), True
    except sqlite3.Error:
        # SQLite needs a file beside it to share it with writers; in a folder that is not writable there are none.
        return _connect(path, "immutable=1"), True


def _connect(path: Path, read_only: str = "") -> sqlite3.Connection:
    """Open a file.

    Args:
        read_only: a parameter of SQLite's that allows reading alone; empty = create and change it where needed.
    """
    if not read_only:
        make_private(path)
    name = f"{path.as_uri()}?{read_only}" if read_only else path
    connection = sqlite3.connect(
        name, timeout=BUSY_TRY_SEC, check_same_thread=False, isolation_level=None, uri=bool(read_only)
    )
    try:
        connection.text_factory = bytes  # a damaged text is no error
        connection.execute(f"PRAGMA cache_size=-{CACHED_KB}")
        connection.execute("PRAGMA mmap_size=0")
        if read_only:
            connection.execute("SELECT key FROM vectors LIMIT 1").fetchall()
        else:
            set_up(connection, *_TABLES)
            _check_writable(connection)
    except sqlite3.Error:  # for example not a database; the file must not stay open
        connection.close()
        raise
    return connection


def _check_writable(connection: sqlite3.Connection) -> None:
    """SQLite opens a file that it cannot write all the same, and says so at the first write."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):  # then another process writes it at the moment
            raise


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
    with uncut(), databases.lock:
        found = databases.by_path.get(real)
        if found is None:
            found = databases.by_path[real] = Database(path)
        return found


def _close_all() -> None:
    """Before a fork too: a child may neither use nor close its parent's connections."""
    for database in list(_databases.get().by_path.values()):
        database.close()


before_fork(_close_all)
loop.at_exit(_close_all)
