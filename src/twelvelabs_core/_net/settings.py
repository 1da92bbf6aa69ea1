"""The settings of a sender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from .._limits import RateLimits
from .._stats import Budget
from .retry import RetryPolicy

if TYPE_CHECKING:
    import httpx

DEFAULT_TOTAL_TIMEOUT = 600.0
DEFAULT_MEDIA_BYTES = 256_000_000


@dataclass(frozen=True)
class SenderSettings:
    """The settings of a sender. Nothing in it belongs to a loop, a thread or a process.

    Attributes:
        max_concurrency: most requests in flight.
        max_media_bytes: most bytes of media held for requests in flight; a request that holds more is sent alone.
        max_wait: longest wait for a rate limit, in seconds.
        timeout: seconds without a byte from the server after which a request has failed.
        total_timeout: seconds after which an attempt has failed, whatever the server has sent; a large body is given
            more, see :data:`~.streaming.LOWEST_RATE`.
        limits: declared windows; empty = only what the server reports.
        rate_limiter: a rate limiter of LangChain's or LlamaIndex's kind, asked before every request.
        transport: replaces the default one.
    """

    base_url: str
    api_key: SecretStr
    max_concurrency: int
    max_wait: float
    timeout: float
    retry: RetryPolicy
    limits: RateLimits
    budget: Budget | None = None
    rate_limiter: Any = None
    transport: httpx.AsyncBaseTransport | None = None
    total_timeout: float = DEFAULT_TOTAL_TIMEOUT
    max_media_bytes: int = DEFAULT_MEDIA_BYTES

    def __repr__(self) -> str:
        return f"SenderSettings({self.base_url!r})"
