"""Retries: the policy, which is data, and the only retry loop."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from .._errors import (
    ConnectionFailedError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TwelveLabsError,
)
from .._stats import Run
from .pace import pause

T = TypeVar("T")

# The limiter waits after a 429, and several 429s in a row are normal: a request fails after this many times
# ``max_retries`` of them.
REJECTIONS_PER_RETRY = 4


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed request is sent again.

    Retried: 408, 429, 5xx, connection and read errors, unusable responses (not JSON, no vector, a vector of the wrong
    length). Never: any other 4xx. Repeating an embedding request is safe, but it may be charged twice if the first
    response was lost or unusable.

    Attributes:
        max_retries: attempts after the first, of any kind.
        max_malformed_retries: attempts after an unusable response: each may have been charged.
        max_connect_retries: attempts after the first while the host cannot be reached.
        max_elapsed: seconds from the first attempt after which no new attempt starts.
        base, cap: seconds; the wait doubles from ``base`` up to ``cap``.
        jitter: share of the wait that is random, so that many callers do not retry at the same moment.
    """

    max_retries: int = 5
    max_malformed_retries: int = 2
    max_connect_retries: int = 2
    max_elapsed: float = 300.0
    base: float = 0.5
    cap: float = 20.0
    jitter: float = 0.5

    def wait(
        self, error: TwelveLabsError, tries: int, elapsed: float, *, rng: random.Random | None = None
    ) -> float | None:
        """Seconds until the next attempt, or None to give up.

        Args:
            error: of the last attempt. Its ``retry_after`` takes precedence over the backoff.
            tries: attempts made so far, 1 or more.
            elapsed: seconds since the first attempt.
        """
        if not isinstance(error, (RateLimitError, ServerError, ConnectionFailedError, MalformedResponseError)):
            return None
        if tries > (min(self.max_connect_retries, self.max_retries) if is_unreachable(error) else self.max_retries):
            return None
        wait = self.backoff(tries, rng=rng)
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            wait = float(retry_after) + wait * 0.1  # a little later than asked: clocks differ, and callers spread out
        return wait if elapsed + wait <= self.max_elapsed else None

    def backoff(self, tries: int, *, rng: random.Random | None = None) -> float:
        """Seconds to wait after ``tries`` failed attempts when the server gave no time."""
        longest = min(self.cap, self.base * 2.0 ** (tries - 1))
        return longest * (1 - self.jitter * (rng or random).random())


def is_unreachable(error: TwelveLabsError) -> bool:
    """Whether no connection was made, so that the server cannot have received the request."""
    return isinstance(error, ConnectionFailedError) and error.code == "unreachable"


async def retry(
    attempt: Callable[[int], Awaitable[T]],
    policy: RetryPolicy,
    run: Run,
    *,
    repeatable: Callable[[TwelveLabsError], bool] | None = None,
    limited: bool = False,
    recover: Callable[[], Awaitable[T | None]] | None = None,
) -> T:
    """Make attempts until one succeeds or the policy gives up. The only retry loop of the package.

    Args:
        attempt: called with the number of attempts made before it.
        repeatable: which errors may be followed by another attempt, of those the policy would retry; None = all.
        limited: the attempt passes a rate limiter, which waits after a 429; then the loop itself does not.
        recover: looks for the result of a failed attempt before the next one; None = there is none.

    Raises:
        TwelveLabsError: of the last attempt. ``QuotaExceededError`` is never retried.
        ConnectionFailedError: also if the batch was stopped before the first attempt.
    """
    started = monotonic()
    failures = rejections = malformed = 0
    while True:
        if run.stopping:
            raise ConnectionFailedError("Not sent: the batch was stopped.")
        try:
            return await attempt(failures + rejections)
        except QuotaExceededError:
            raise
        except TwelveLabsError as error:
            malformed += isinstance(error, MalformedResponseError)
            if (repeatable is not None and not repeatable(error)) or malformed > policy.max_malformed_retries:
                raise
            if limited and isinstance(error, RateLimitError):
                rejections += 1
                if rejections > REJECTIONS_PER_RETRY * policy.max_retries:
                    raise
            else:
                failures += 1
                wait = policy.wait(error, failures, monotonic() - started)
                if wait is None or run.stopping:
                    raise
                await pause(wait)
        if recover is not None:
            found = await recover()
            if found is not None:
                return found
        run.stats.retries += 1
