"""What all clients of an account share in the process: its rate limiters, one per category, and its circuit."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, get_args

from pydantic import SecretStr

from ..._api.requests import Request
from ..._limits import Category, RateLimits
from ..._models import Kind
from ..forks import PerLoop
from .circuit import Gate
from .limiter import Limiter
from .shared.stores import leased

logger = logging.getLogger("twelvelabs_embeddings")


class Account:
    """Rate limits count for an account, so clients with the same address, key and declared limits share this.

    Attributes:
        gate: the account's circuit, whatever limits are declared.
    """

    def __init__(self, limits: RateLimits, gate: Gate, base_url: str, api_key: SecretStr) -> None:
        self.gate = gate
        self._limits = limits
        lease = partial(leased, base_url, api_key, limits) if limits.shared is not None else None
        self._has_warned = False
        self._by_category: dict[Category, Limiter] = {
            category: Limiter(
                limits.windows(category),
                share=limits.interactive_share,
                reserve=limits.reserve,
                lease=lease and partial(lease, category),
                warn=self._warn,
            )
            for category in get_args(Category)
        }
        self._by_kinds: dict[frozenset[Kind], Sequence[Limiter]] = {}

    @classmethod
    def of(cls, base_url: str, api_key: SecretStr, limits: RateLimits) -> Account:
        """The account on the current loop.

        Raises:
            SharedLimitsError: the package for shared limits is missing.
        """
        accounts, gates, account = _accounts.get(), _gates.get(), (base_url, api_key)
        gate = gates.get(account)
        if gate is None:
            gate = gates[account] = Gate()
        found = accounts.get((account, limits))
        if found is None:
            found = accounts[account, limits] = cls(limits, gate, base_url, api_key)
        return found

    def limiters(self, request: Request) -> Sequence[Limiter]:
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

    def _warn(self) -> None:
        """Requests are rejected although the declared limits have room."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The server rejects requests although the declared limits have room: another process or machine uses "
                "this account (see RateLimits(shared=...)), or has used it shortly before, or its limits are lower."
            )

    def _in(self, categories: Iterable[Category]) -> Sequence[Limiter]:
        return [self._by_category[category] for category in categories]


_gates: PerLoop[weakref.WeakValueDictionary[Any, Gate]] = PerLoop(weakref.WeakValueDictionary)
_accounts: PerLoop[weakref.WeakValueDictionary[Any, Account]] = PerLoop(weakref.WeakValueDictionary)
