"""A SQLite file of results and claims, for the processes of one machine."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from .._net.forks import PerLoop
from .._places import expanded
from .database import Database, database_of
from .owners import is_dead
from .store import ClaimingStore, portions


class SqliteStore(ClaimingStore):
    """A SQLite file; opened with the first use, once for all stores of its path in a process."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = expanded(path).absolute()
        self._database: PerLoop[Database] = PerLoop(partial(database_of, self.path))

    def __reduce__(self) -> tuple[Any, ...]:
        return SqliteStore, (str(self.path),)

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """See :class:`Store`."""
        found: list[bytes | None] = []
        for part in portions(keys):
            found += self._database.get().read(partial(_values, keys=part))
        return found

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """See :class:`Store`. Ends the claims of the keys."""
        now = time.time()

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO vectors (key, value, created) VALUES (?, ?, ?)",
                [(key, value, now) for key, value in key_value_pairs],
            )
            for part in portions([key for key, _ in key_value_pairs]):
                connection.execute(f"DELETE FROM claims WHERE key IN ({','.join('?' * len(part))})", part)

        self._database.get().write(write)

    def claim(
        self,
        keys: Sequence[str],
        owner: str,
        lease_sec: float,
        usable: Callable[[str, bytes], bool] = lambda _key, value: bool(value),
        *,
        wait: bool = True,
    ) -> list[bytes | bool]:
        """See :class:`ClaimingStore`."""
        found: list[bytes | bool] = []
        for part in portions(keys):
            found += self._database.get().write(partial(_claim, part, owner, lease_sec, usable), wait=wait)
        return found

    def renew(self, keys: Iterable[str], owner: str, lease_sec: float) -> None:
        """See :class:`ClaimingStore`."""
        rows = [(time.time() + lease_sec, key, owner) for key in keys]
        self._database.get().write(
            lambda connection: connection.executemany("UPDATE claims SET expires = ? WHERE key = ? AND owner = ?", rows)
        )

    def release(self, keys: Iterable[str], owner: str) -> None:
        """See :class:`ClaimingStore`."""
        rows = [(key, owner) for key in keys]
        self._database.get().write(
            lambda connection: connection.executemany("DELETE FROM claims WHERE key = ? AND owner = ?", rows)
        )


def _values(connection: sqlite3.Connection, keys: Sequence[str]) -> list[bytes | None]:
    # SQLite goes through the left side of a LEFT JOIN in order: so the values come in the order of their keys, without
    # these, which takes two thirds of the time of a search among the keys (IN).
    wanted = ",".join(["(?)"] * len(keys))
    query = f"SELECT value FROM (VALUES {wanted}) LEFT JOIN vectors ON key = column1"
    return [value for (value,) in connection.execute(query, keys)]


def _claim(
    keys: Sequence[str],
    owner: str,
    lease_sec: float,
    usable: Callable[[str, bytes], bool],
    connection: sqlite3.Connection,
) -> list[bytes | bool]:
    now = time.time()
    values = _values(connection, keys)
    marks = ",".join("?" * len(keys))
    # A claim that ends later than any can was made before the clock was set back: nobody knows when it ends.
    held = connection.execute(
        f"SELECT key, owner FROM claims WHERE key IN ({marks}) AND owner <> ? AND expires BETWEEN ? AND ?",
        [*keys, owner, now, now + 2 * lease_sec],
    ).fetchall()
    dead = {name: is_dead(name.decode()) for _, name in held}
    taken = {key for key, name in held if not dead[name]}
    found: list[bytes | bool] = []
    for key, value in zip(keys, values, strict=True):
        has_value = isinstance(value, bytes) and usable(key, value)
        found.append(value if has_value and value is not None else key.encode() not in taken)
    connection.executemany(
        "INSERT OR REPLACE INTO claims (key, owner, expires) VALUES (?, ?, ?)",
        [(key, owner, now + lease_sec) for key, outcome in zip(keys, found, strict=True) if outcome is True],
    )
    return found
