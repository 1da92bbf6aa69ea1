"""The stores that this process uses: one for each address, opened on the background loop, closed at its end."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
from collections.abc import Callable

from pydantic import SecretStr

from ...._errors import SharedLimitsError
from ...._limits import DAY, Category, RateLimits, Window
from ...forks import PerLoop, before_fork
from .decision import PLENTY
from .lease import Lease
from .sqlite import SqliteStore
from .store import OpenStore, Store, StoreError

DEFAULT_SHARE, QUERIES_SEC = 0.05, 60.0


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
    share = limits.interactive_share if limits.interactive_share is not None else DEFAULT_SHARE
    return Lease(
        limit_name(base_url, api_key, category),
        opened,
        windows,
        kept=[_kept(window, share, limits.reserve) for window in windows],
        share=share,
        kept_sec=QUERIES_SEC if limits.interactive_share is None else PLENTY,
        wake=wake,
        fail=fail,
    )


def _kept(window: Window, share: float, reserve: int) -> float:
    """What bulk leaves of a window."""
    if window.unit == "minutes":
        return window.limit * share
    kept = min(max(2.0, math.floor(window.limit * share)), window.limit / 2) if share else 0.0
    return max(kept, reserve) if window.seconds >= DAY else kept


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
