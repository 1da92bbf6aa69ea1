"""Retries: the policy, which is data, and the only retry loop."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from .._errors import (
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TwelveLabsError,
)
from .._stats import Run
from .limits.circuit import CIRCUIT_OPEN, Circuit, Gate, Visit
from .limits.limiter import quota_exceeded
from .pace import pause

T = TypeVar("T")

# The limiter waits after a 429, and several 429s in a row are normal: a request fails after this many times
# ``max_retries`` of them.
REJECTIONS_PER_RETRY = 4
DOUBLINGS = 64  # of a wait; it is at its cap long before
#: ``code`` of the error for a request that was not sent, because its batch was stopped.
NOT_SENT = "not_sent"
#: ``code`` of the error for a request that was not written to the end, because its connection was closed.
NOT_WRITTEN = "not_written"


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed request is sent again.

    Retried: 408, 425, 429, 5xx, connection and read errors, unusable responses (not JSON, no vector, a vector of the
    wrong length). Never: any other 4xx, a response that is larger than any answer. Repeating an embedding request is
    safe, but it may be charged twice if the first response was lost or unusable (``stats.paid_again``).

    When a server fails every request of an account, the others wait for one that tries it at growing intervals, for as
    long as their own waits would have been in all (15.5 s by default), or until the time the server gives
    (``Retry-After``). Then a batch ends with what is finished in ``.results``.

    The longest time for one request that fails: ``max_elapsed``, then one attempt. For one that is rejected (429): the
    client's ``max_wait``, if the server accepts nothing else of the account meanwhile; else the longer of ``max_wait``
    and ``max_elapsed`` after the first rejection, then one wait of at most ``max_wait``. By default that is 5, 2 and
    7 minutes, after a wait of at most ``max_wait`` for its turn.

    Attributes:
        max_retries: attempts after the first, of any kind; 0 = none, whatever the failure.
        max_malformed_retries: attempts after an unusable response: each may have been charged.
        max_connect_retries: attempts after the first while the host has never been reached.
        max_elapsed: seconds from the first attempt after which no new attempt starts.
        base, cap: seconds; the wait doubles from ``base`` up to ``cap``. A ``Retry-After`` of the server takes
            precedence.
        jitter: share of the wait that is random, so that many callers do not retry at the same moment.

    Raises:
        InvalidInputError: a number is negative or not a number.
    """

    max_retries: int = 5
    max_malformed_retries: int = 2
    max_connect_retries: int = 2
    max_elapsed: float = 300.0
    base: float = 0.5
    cap: float = 20.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0 or (name == "jitter" and value > 1):
                raise InvalidInputError(
                    f"RetryPolicy: {name}={value!r} must be 0 or more" + " and 1 at most." * (name == "jitter")
                )

    def wait(
        self,
        error: TwelveLabsError,
        tries: int,
        elapsed: float,
        *,
        reached: bool = False,
        rng: random.Random | None = None,
    ) -> float | None:
        """Seconds until the next attempt, or None to give up.

        Args:
            error: of the last attempt. Its ``retry_after`` takes precedence over the backoff.
            tries: attempts made so far, 1 or more.
            elapsed: seconds since the first attempt.
            reached: the host has been reached before, so it will be back.
        """
        if error.code == CIRCUIT_OPEN or not isinstance(
            error, (RateLimitError, ServerError, ConnectionFailedError, MalformedResponseError)
        ):
            return None
        if isinstance(error, MalformedResponseError) and error.code == "response_too_large":
            return None  # the next one would be as large, and may be charged
        if tries > self.most_retries(reached=reached or not is_unreachable(error)):
            return None
        wait = self.backoff(tries, rng=rng)
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            wait = float(retry_after) + wait * 0.1  # a little later than asked: clocks differ, and callers spread out
        return wait if elapsed + wait <= self.max_elapsed else None

    def backoff(self, tries: int, *, rng: random.Random | None = None) -> float:
        """Seconds to wait after ``tries`` failed attempts when the server gave no time."""
        return self._longest(tries) * (1 - self.jitter * (rng or random).random())

    def most_retries(self, *, reached: bool) -> int:
        """Attempts after the first, if the host has been reached, and if it never was."""
        return self.max_retries if reached else min(self.max_connect_retries, self.max_retries)

    def visit(self, circuit: Circuit, now: float) -> Visit:
        """How long a request waits at an open circuit."""
        retries = self.most_retries(reached=circuit.reached)
        seconds = sum(map(self._longest, range(1, min(retries, DOUBLINGS) + 1)))
        return Visit(now + seconds + max(0, retries - DOUBLINGS) * self.cap, now + self.max_elapsed)

    def gives_up(self, circuit: Circuit) -> bool:
        """Whether the server counts as down, after a probe."""
        return circuit.is_open and circuit.failed_probes >= self.most_retries(reached=circuit.reached)

    def _longest(self, tries: int) -> float:
        return min(self.cap, self.base * 2.0 ** min(tries - 1, DOUBLINGS))


def is_unreachable(error: TwelveLabsError) -> bool:
    """Whether no connection was made, so that the server cannot have received the request."""
    return isinstance(error, ConnectionFailedError) and error.code == "unreachable"


def not_received(error: TwelveLabsError) -> bool:
    """Whether the server cannot have acted on the request: it was not sent whole, or was rejected by a rate limit."""
    return isinstance(error, RateLimitError) or error.code in ("unreachable", NOT_SENT, NOT_WRITTEN, CIRCUIT_OPEN)


def maybe_performed(error: TwelveLabsError) -> bool:
    """Whether the server may have performed, and charged, a request that failed: its response was lost or unusable.

    500 and 503 are documented as failures and 425 as a refusal; any other 5xx and 408 may come from a proxy that gave
    up waiting.
    """
    if isinstance(error, ServerError):
        return error.status not in (None, 425, 500, 503)
    return isinstance(error, (ConnectionFailedError, MalformedResponseError)) and not not_received(error)


async def retry(
    attempt: Callable[[int], Awaitable[T]],
    policy: RetryPolicy,
    run: Run,
    *,
    repeatable: Callable[[TwelveLabsError], bool] | None = None,
    gate: Gate | None = None,
    limited: bool = False,
    max_wait: float = math.inf,
    queued: Callable[[], float] = lambda: 0.0,
    paid: bool = False,
    recover: Callable[[], Awaitable[T | None]] | None = None,
) -> T:
    """Make attempts until one succeeds or the policy gives up. The only retry loop of the package.

    Args:
        attempt: called with the number of attempts made before it.
        repeatable: which errors may be followed by another attempt, of those the policy would retry; None = all.
        gate: the circuit of the account that the attempts are sent to.
        limited: the attempt passes a rate limiter, which waits after a 429; then the loop itself does not.
        max_wait: longest wait for a rate limit, in seconds.
        queued: seconds that the first attempt waited for its turn before it was sent.
        paid: an attempt is charged, so that another after one that may have been performed counts as paid again.
        recover: looks for the result of a failed attempt before the next one; None = there is none.

    Raises:
        TwelveLabsError: of the last attempt. ``QuotaExceededError`` is never retried.
        ConnectionFailedError: also if the batch was stopped before the first attempt (code ``not_sent``), or if the
            server is down (code ``circuit_open``; ServerError likewise).
    """
    started = monotonic()
    tries: _Tries | None = None  # made by the first failure: most requests have none
    probe = False
    visit: Visit | None = None
    while True:
        if gate is not None and gate.circuit.is_open and not run.stopping:
            visit = visit or policy.visit(gate.circuit, monotonic())
            probe = await gate.enter(visit, run.lane)
        else:
            visit = None
        if run.stopping:
            if gate is not None and probe:
                gate.abandoned()
            raise ConnectionFailedError("Not sent: the batch was stopped.", code=NOT_SENT)
        if tries is not None:
            run.stats.retries += 1
            run.stats.paid_again += paid and tries.maybe_performed
        try:
            found = await attempt(tries.attempts if tries is not None else 0)
        except BaseException as error:
            if gate is not None:
                gate.failed(error, probe=probe)
            if not isinstance(error, TwelveLabsError) or (repeatable is not None and not repeatable(error)):
                raise
            if gate is not None and probe and policy.gives_up(gate.circuit):
                raise gate.refusal() from error
            if tries is None:
                tries = _Tries(policy, limited=limited, max_wait=max_wait, started=started + queued())
            is_open = gate is not None and gate.circuit.is_open
            # What was sent while the circuit opened failed with the server, not by itself.
            wait = tries.wait_after(
                error,
                monotonic(),
                counts=probe or not is_open,
                reached=gate is not None and gate.circuit.reached,
            )
            if wait is None or run.stopping:
                raise
            probe = False
            if wait and not is_open:
                await pause(wait)
        else:
            if gate is not None:
                gate.succeeded()
            return found
        if recover is not None:
            recovered = await recover()
            if recovered is not None:
                return recovered


class _Tries:
    """The attempts of one request so far, and whether another follows.

    Attributes:
        attempts: made.
        maybe_performed: the server may have performed the last one.
    """

    __slots__ = (
        "_failures",
        "_limited",
        "_malformed",
        "_max_wait",
        "_policy",
        "_rejected_at",
        "_rejections",
        "_started",
        "attempts",
        "maybe_performed",
    )

    def __init__(self, policy: RetryPolicy, *, limited: bool, max_wait: float, started: float) -> None:
        self._policy, self._limited, self._max_wait, self._started = policy, limited, max_wait, started
        self.attempts = self._failures = self._rejections = self._malformed = 0
        self._rejected_at: float | None = None  # first
        self.maybe_performed = False

    def wait_after(self, error: TwelveLabsError, now: float, *, counts: bool, reached: bool) -> float | None:
        """Seconds until the next attempt; 0 if the rate limiter waits, None to give up.

        Args:
            counts: the failure counts as one of the request.
            reached: as in :meth:`RetryPolicy.wait`.

        Raises:
            QuotaExceededError: the server asks to wait longer than ``max_wait``.
        """
        policy = self._policy
        self.attempts += 1
        self.maybe_performed = maybe_performed(error)
        self._malformed += isinstance(error, MalformedResponseError)
        if isinstance(error, QuotaExceededError) or self._malformed > policy.max_malformed_retries:
            return None
        if isinstance(error, RateLimitError):
            if self._limited:
                return self._wait_of_limiter(now)
            if policy.max_retries and error.retry_after is not None and error.retry_after > self._max_wait:
                raise quota_exceeded(error.retry_after) from error
        self._failures += counts
        return policy.wait(error, max(1, self._failures), now - self._started, reached=reached)

    def _wait_of_limiter(self, now: float) -> float | None:
        self._rejections += 1
        if self._rejected_at is None:
            self._rejected_at = now
        too_many = self._rejections > REJECTIONS_PER_RETRY * self._policy.max_retries
        too_long = now - self._rejected_at > max(self._policy.max_elapsed, self._max_wait)
        return None if too_many or too_long else 0.0
