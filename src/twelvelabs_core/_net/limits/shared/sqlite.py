"""A shared limit in a SQLite file, for the processes of one machine.

A report is one transaction over one row. The clock is the machine's monotonic one, which all its processes share; after
a restart of the machine, or in a container with a clock of its own, the wall clock tells what has passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
import time
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from ...._sqlite import identity, in_transaction, make_private, set_up
from ... import loop
from ...forks import uncut
from .decision import Grant, Report, decide, new_state
from .store import StoreError

BUSY_TIMEOUT_SEC = 2.0  # a report takes a millisecond
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError)  # what a state raises that is no state
_TABLE = "CREATE TABLE IF NOT EXISTS limits (name TEXT PRIMARY KEY, state TEXT NOT NULL, clock TEXT NOT NULL)"


class Clock(NamedTuple):
    """A reading: the monotonic clock, the wall clock, and what the monotonic one counts from."""

    monotonic: float
    wall: float
    origin: str


class SqliteStore:
    """A file of shared limits. Used on the background loop; its transactions run in a thread of their own."""

    def __init__(self, path: str) -> None:
        self.shown = path
        self._path = Path(path)
        self._thread = loop.Threads(max_workers=1, thread_name_prefix="twelvelabs-limits")
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    async def report(self, name: str, report: Report) -> Grant:
        """Take a report into the state of the limit ``name``.

        Raises:
            StoreError: the file cannot be opened or written.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._report, name, report)

    async def aclose(self) -> None:
        """Close the file."""
        self.close()
        self._thread.shutdown(wait=False)

    def close(self) -> None:
        """Close the file, before a fork too; the next report opens it again."""
        with uncut(), self._lock:
            self._close()

    def _report(self, name: str, report: Report) -> Grant:
        try:
            with uncut(), self._lock:
                return self._transact(name, report)
        except (sqlite3.Error, OSError, *_DAMAGED) as error:
            self.close()
            raise StoreError(_explained(self._path, error), passing="locked" in str(error)) from error

    def _transact(self, name: str, report: Report) -> Grant:
        if self._connection is None or identity(self._path) != self._opened:  # deleted, or another is in its place
            self._close()
            self._connection = _open(self._path)
            self._opened = identity(self._path)
        return in_transaction(partial(_decide, name, report), self._connection)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _decide(name: str, report: Report, connection: sqlite3.Connection) -> Grant:
    row = connection.execute("SELECT state, clock FROM limits WHERE name = ?", (name,)).fetchone()
    clock = read_clock()
    state = json.loads(row[0]) if row else new_state(clock.wall)
    grant = decide(state, report, elapsed(Clock(*json.loads(row[1])), clock) if row else 0.0)
    connection.execute(
        "INSERT OR REPLACE INTO limits VALUES (?, ?, ?)",
        (name, json.dumps(state, separators=(",", ":")), json.dumps(clock)),
    )
    return grant


def elapsed(before: Clock, now: Clock) -> float:
    """Seconds between two readings by any processes of a machine, in the order of the readings; 0 if a clock that was
    put back hides them.
    """
    if before.origin == now.origin and before.monotonic <= now.monotonic:
        return now.monotonic - before.monotonic
    return max(0.0, now.wall - before.wall)


def read_clock() -> Clock:
    """The clock now. The monotonic one counts from the start of the machine, on Linux, macOS and Windows alike."""
    return Clock(time.monotonic(), time.time(), _origin())


@cache
def _origin() -> str:
    """This start of this machine, and the namespace of its clock; empty where there is no telling (not Linux)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/time').readlink()}"
    except OSError:
        return ""


def _open(path: Path) -> sqlite3.Connection:
    make_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SEC, check_same_thread=False, isolation_level=None)
    try:
        set_up(connection, _TABLE)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _explained(path: Path, error: Exception) -> str:
    """What is wrong with a file, and what to do."""
    said = str(error)
    if "not a database" in said:
        remedy = "Give the path of such a file, or of a new one."
    elif "locked" in said:
        remedy = "Another process has locked it."
    elif "malformed" in said or isinstance(error, _DAMAGED):
        remedy = "It is damaged: delete it while no process uses it."
    else:
        remedy = "The file and its folder must be writable."
    return f"The shared limits in {str(path)!r} cannot be read or written: {said}. {remedy}"
