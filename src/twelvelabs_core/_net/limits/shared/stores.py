"""The stores that this process uses: one for each address, opened on the background loop, closed at its end."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

from pydantic import SecretStr

from ...._errors import SharedLimitsError
from ...._limits import Category, RateLimits
from ...forks import PerLoop, before_fork
from ..limiter import MOST_EXPECTED_SEC
from ..windows import DEFAULT_SHARE, Share
from .decision import PLENTY
from .lease import Lease
from .sqlite import SqliteStore
from .store import OpenStore, Store, StoreError


def open_store(shared: str | os.PathLike[str] | SecretStr) -> OpenStore:
    """The store of an address on the current loop.

    Raises:
        StoreError: the package for it is missing.
    """
    stores = _stores.get()
    found = stores.get(shared)
    if found is None:
        found = stores[shared] = OpenStore(_make(shared))
    return found


def leased(
    base_url: str,
    api_key: SecretStr,
    limits: RateLimits,
    category: Category,
    wake: Callable[[], None],
    fail: Callable[[SharedLimitsError], None],
) -> Lease:
    """The lease of an account's limit; for ``wake`` and ``fail`` see :class:`~.lease.Lease`.

    Raises:
        SharedLimitsError: the package for it is missing.
    """
    assert limits.shared is not None
    try:
        opened = open_store(limits.shared)
    except StoreError as error:
        raise SharedLimitsError(str(error)) from None
    windows = limits.windows(category)
    is_set = limits.interactive_share is not None
    return Lease(
        limit_name(base_url, api_key, category),
        opened,
        windows,
        share=Share(DEFAULT_SHARE if limits.interactive_share is None else limits.interactive_share, limits.reserve),
        kept_sec=PLENTY if is_set else MOST_EXPECTED_SEC,
        wake=wake,
        fail=fail,
    )


def limit_name(base_url: str, api_key: SecretStr, category: Category) -> str:
    """The name of an account's limit in a store: a keyed digest, from which nobody learns the key."""
    said = f"{base_url}\n{category}".encode()
    return hmac.new(api_key.get_secret_value().encode(), said, hashlib.sha256).hexdigest()[:32]


def _make(shared: str | os.PathLike[str] | SecretStr) -> Store:
    if isinstance(shared, SecretStr):
        from .redis import RedisStore  # an optional package

        return RedisStore(shared)
    return SqliteStore(os.fspath(shared))


def _close_before_fork() -> None:
    for found in list(_stores.get().values()):
        found.store.close()


_stores: PerLoop[dict[object, OpenStore]] = PerLoop(dict)
before_fork(_close_before_fork)
