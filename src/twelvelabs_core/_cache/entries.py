"""A store's entries, each with a checksum; what a store raises or returns wrongly does not get past this."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import SecretStr

from .._errors import CacheError, InvalidInputError
from .._redis import as_secret, redis_url
from .backend import SqliteStore
from .encoding import is_whole, seal
from .redis import RedisStore
from .store import Store, portions

logger = logging.getLogger("twelvelabs_embeddings")

T = TypeVar("T")
CacheErrors: TypeAlias = Literal["raise", "ignore"]

# After a failed write that is ignored, no other is tried for so long: each may wait for a locked file.
PAUSE_SEC = 60.0
# Entries of a file that are read before they are decoded: vectors of 400 kB stay in the processor's cache until then,
# which takes a tenth less time than five times as many (measured).
DECODED_AT_ONCE = 100


class Entries:
    """The entries of a store.

    Args:
        store: holds them.
        errors: ``raise`` = a store that fails raises :class:`CacheError`; ``ignore`` = what cannot be read is missing,
            what cannot be written is not kept, and a warning says so once.
    """

    def __init__(self, store: Store, errors: CacheErrors = "raise") -> None:
        self.store, self.errors = store, errors
        self._failing = False
        self._silent_until = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        return Entries, (self.store, self.errors)

    async def read(self, keys: Sequence[str], decode: Callable[[bytes], T | None]) -> Sequence[T | None]:
        """The entries of some keys, in order, None for a missing one.

        A damaged one counts as missing; one warning gives the number of them.

        Args:
            decode: makes something of a whole entry; None = it is not what it should be.

        Raises:
            CacheError: the store cannot be read.
        """
        found: list[T | None] = []
        with self._reading(keys, found) as damaged:
            for part in portions(keys):
                found += await asyncio.to_thread(self._read, part, decode, damaged)
        return found

    def read_now(self, keys: Sequence[str], decode: Callable[[bytes], T | None]) -> list[T | None]:
        """:meth:`read` of few keys, blocking."""
        found: list[T | None] = []
        with self._reading(keys, found) as damaged:
            found += self._read(keys, decode, damaged)
        return found

    @contextmanager
    def _reading(self, keys: Sequence[str], found: list[Any]) -> Iterator[list[str]]:
        """Takes the keys of damaged entries, for the warning; what an ignored error has left unread is missing."""
        damaged: list[str] = []
        try:
            yield damaged
        except CacheError as error:
            self.failed(error)
            found += [None] * (len(keys) - len(found))
        if damaged:
            logger.warning(
                "%d of %d entries read from the cache are damaged, or of an earlier version, and count as missing "
                "(the first: %s).",
                len(damaged),
                len(keys),
                damaged[0],
            )

    def write(self, pairs: Sequence[tuple[str, bytes]]) -> Sequence[bool]:
        """Keep the contents of some keys, an empty one as good as deleted. Blocking.

        Returns:
            For each whether it is kept; False only where errors are ignored.

        Raises:
            CacheError: the store cannot be written.
        """
        if time.monotonic() < self._silent_until:
            return [False] * len(pairs)
        try:
            sealed = [(key, seal(key, content) if content else b"") for key, content in pairs]
            self._attempt("written", lambda: self.store.mset(sealed))
        except CacheError as error:
            self.failed(error)
            self._silent_until = time.monotonic() + PAUSE_SEC
            return [False] * len(pairs)
        self._failing = False
        return [True] * len(pairs)

    def _read(self, keys: Sequence[str], decode: Callable[[bytes], T | None], damaged: list[str]) -> list[T | None]:
        found: list[T | None] = []
        at_once = DECODED_AT_ONCE if isinstance(self.store, SqliteStore) else len(keys)
        for part in portions(keys, at_once):
            for key, value in zip(part, self._values(part), strict=True):
                entry = decode(value) if is_whole(key, value) else None
                if entry is None and value is not None and value != b"":  # an empty value stands for a deleted one
                    damaged.append(key)
                found.append(entry)
        return found

    def _values(self, keys: Sequence[str]) -> list[Any]:
        values = self._attempt("read", lambda: list(self.store.mget(keys)))
        if len(values) != len(keys):
            raise CacheError(
                f"{type(self.store).__name__}.mget returned {len(values)} values for {len(keys)} keys: it must return "
                "one for each, in order, None for a missing one."
            )
        return values

    def _attempt(self, what: str, step: Callable[[], T]) -> T:
        try:
            return step()
        except CacheError:
            raise
        except Exception as error:  # a user's store may raise anything
            said = f"{type(error).__name__}: {_printed(error)}"
            raise CacheError(f"The cache ({type(self.store).__name__}) cannot be {what}: {said}") from error

    def failed(self, error: CacheError) -> None:
        """Raise an error of the store, or warn of the first in a row if errors are ignored."""
        if self.errors == "raise":
            raise error
        if not self._failing:
            logger.warning("%s cache_errors='ignore': the run goes on, and what it pays for may not be kept.", error)
        self._failing = True


def _printed(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # of a user's class, which may raise anything too
        return ""


def open_cache(cache: Any, errors: CacheErrors = "raise") -> Entries | None:
    """The entries for a ``cache=`` argument: a path, a URL of Redis, or an object with ``mget`` and ``mset``.

    Raises:
        InvalidInputError: it is none of them, the package redis is missing, or ``errors`` is not one of ``raise`` and
            ``ignore``.
    """
    cache = as_secret(cache)  # first: error trackers show the locals of frames
    if errors not in get_args(CacheErrors):
        raise InvalidInputError(f"cache_errors={errors!r} is not one of {', '.join(get_args(CacheErrors))}.")
    if cache is None:
        return None
    return Entries(_store(cache), errors)


def _store(cache: Any) -> Store:
    if isinstance(cache, SecretStr):
        if redis_url(cache, "cache"):
            return RedisStore(cache)
        cache = cache.get_secret_value()
    if isinstance(cache, (str, os.PathLike)):
        if os.fspath(cache) == ":memory:":
            raise InvalidInputError(
                "A cache in memory ends with the process: give a path, or an object like LangChain's InMemoryByteStore."
            )
        return SqliteStore(cache)
    if callable(getattr(cache, "mget", None)) and callable(getattr(cache, "mset", None)):
        store: Store = cache
        return store
    raise InvalidInputError(
        "cache= takes a path, a URL of Redis (redis://host:6379/0) or an object with mget and mset, got "
        f"{type(cache).__name__}."
    )
