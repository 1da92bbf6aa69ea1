"""What the SQLite files of this package have in common: the cache, and shared limits."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Three vectors of 512 doubles (4 kB) fit into a page, or the state of a shared limit.
PAGE_BYTES = 16_384


def make_private(path: Path) -> None:
    """Make a file that does not exist yet, for its owner alone. SQLite gives ``-wal`` and ``-shm`` the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def set_up(connection: sqlite3.Connection, *tables: str) -> None:
    """Prepare a file for several processes.

    WAL: readers and a writer do not block each other. NORMAL: safe against a killed process, without a disk flush for
    each transaction.

    Args:
        tables: the statements that make them, if they are missing.
    """
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    for table in tables:
        connection.execute(table)


def in_transaction(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    """Let ``work`` write, all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise
    return found


def identity(path: Path) -> tuple[int, int] | None:
    """Tells a file from another one in its place; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
