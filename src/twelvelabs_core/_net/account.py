"""The rate limiters of an account, one per category, shared by all its clients in the process."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from .._api.requests import Request
from .._limits import Category, RateLimits
from .._models import Kind
from .forks import PerLoop
from .limiter import Limiter


class AccountLimiters:
    """Rate limits count for an account, so clients with the same address, key and declared limits share these."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._by_category: dict[Category, Limiter] = {
            category: Limiter(limits.windows(category)) for category in get_args(Category)
        }
        self._by_kinds: dict[frozenset[Kind], Sequence[Limiter]] = {}

    @classmethod
    def of(cls, base_url: str, api_key: str, limits: RateLimits) -> AccountLimiters:
        """The limiters of an account on the current loop."""
        accounts, account = _accounts.get(), (base_url, api_key, limits)
        found = accounts.get(account)
        if found is None:
            found = accounts[account] = cls(limits)
        return found

    def for_request(self, request: Request) -> Sequence[Limiter]:
        """The limiters a request must acquire, in the same order for all requests, so that none can deadlock."""
        if request.categories is not None:
            return self._in(request.categories)
        found = self._by_kinds.get(request.kinds)
        if found is None:
            found = self._by_kinds[request.kinds] = self._in(self._limits.categories(request.kinds))
        return found

    def opens_at(self) -> float | None:
        """Wall clock at which the last blocked limiter lets a request start; None while none waits for a time."""
        times = [limiter.opens_at for limiter in self._by_category.values() if limiter.opens_at is not None]
        return max(times, default=None)

    def _in(self, categories: Iterable[Category]) -> Sequence[Limiter]:
        return [self._by_category[category] for category in categories]


_accounts: PerLoop[weakref.WeakValueDictionary[Any, AccountLimiters]] = PerLoop(weakref.WeakValueDictionary)
