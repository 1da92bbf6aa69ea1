"""The stores that this process uses: one for each address, opened on the background loop, closed at its end."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from ...._limits import Category
from ... import loop
from ...forks import PerLoop, before_fork
from .sqlite import SqliteStore
from .store import Store

EXIT_SEC = 2.0  # what is given back at the end may take so long


class OpenStore:
    """A store and the leases that have something to give back to it.

    Attributes:
        closers: of leases that hold slots.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.closers: set[Callable[[], Awaitable[None]]] = set()
        loop.close_at_exit(self.aclose)

    async def aclose(self) -> None:
        """Give back what is leased, and close the store."""
        given_back = asyncio.gather(*(closer() for closer in list(self.closers)), return_exceptions=True)
        await asyncio.wait([given_back], timeout=EXIT_SEC)
        await self.store.aclose()


def open_store(shared: str | SecretStr) -> OpenStore:
    """The store of an address on the current loop.

    Raises:
        StoreError: the package for it is missing.
    """
    stores = _stores.get()
    found = stores.get(shared)
    if found is None:
        found = stores[shared] = OpenStore(_make(shared))
    return found


def limit_name(base_url: str, api_key: SecretStr, category: Category) -> str:
    """The name of an account's limit in a store: a keyed digest, from which nobody learns the key."""
    said = f"{base_url}\n{category}".encode()
    return hmac.new(api_key.get_secret_value().encode(), said, hashlib.sha256).hexdigest()[:32]


def _make(shared: str | SecretStr) -> Store:
    if isinstance(shared, SecretStr):
        from .redis import RedisStore  # an optional package

        return RedisStore(shared)
    return SqliteStore(shared)


def _close_before_fork() -> None:
    for found in list(_stores.get().values()):
        found.store.close()


_stores: PerLoop[dict[str | SecretStr, OpenStore]] = PerLoop(dict)
before_fork(_close_before_fork)
