"""Rate limits as the server reports them: ``Retry-After``, all known families of ``X-Ratelimit-*`` headers, and three
forms of the body of a 429.

Precedence for a wait: ``Retry-After``, a reset header, ``details.retryAfter``, a time in the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from .errors import read_error_body
from .timestamps import read_timestamp

_PREFIX = b"x-ratelimit-"


@dataclass(frozen=True, slots=True)
class RateLimitInfo:
    """The rate limit headers of a response.

    Attributes:
        remaining: requests left in the server's window; None = not reported.
        reset_in: seconds until the window restarts; None = not reported.
        minutes_remaining: media minutes left; None = not reported.
    """

    remaining: int | None = None
    reset_in: float | None = None
    minutes_remaining: float | None = None


def read_rate_limits(raw_headers: Iterable[tuple[bytes, bytes]], now: float) -> RateLimitInfo | None:
    """The rate limit headers of a response, or None if it has none.

    Args:
        raw_headers: name and value pairs, as received.
        now: wall clock, epoch seconds. Servers give a reset in epoch seconds, epoch milliseconds or seconds left.
    """
    found = {}
    for name, value in raw_headers:
        if name[:12].lower() == _PREFIX:
            found[name[12:].lower().decode("ascii", "replace")] = value.decode("ascii", "replace")
    if not found:
        return None
    # ``X-Ratelimit-Request-Remaining`` (2026), or ``X-Ratelimit-Remaining`` (before).
    remaining = _number(found.get("request-remaining") or found.get("remaining"))
    reset = _number(found.get("request-reset") or found.get("reset"))
    duration = _number(found.get("duration-remaining"))  # seconds (seen live: 36000, for 600 minutes)
    if reset is None and remaining is None and duration is not None:
        reset = _number(found.get("duration-reset"))
    return RateLimitInfo(
        None if remaining is None else int(remaining),
        None if reset is None else _seconds_until(reset, now),
        None if duration is None else duration / 60,
    )


def read_retry_delay(
    retry_after: str | None, raw_headers: Iterable[tuple[bytes, bytes]], body: bytes, now: float
) -> float | None:
    """Seconds to wait after a 429, or None if the response has no time.

    Args:
        retry_after: the header of that name: seconds, or a date.
        now: wall clock, epoch seconds.
    """
    if retry_after:
        seconds = _number(retry_after)
        if seconds is not None:
            return max(0.0, seconds)
        try:
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
        except ValueError:
            pass
    info = read_rate_limits(raw_headers, now)
    if info is not None and info.reset_in is not None:
        return info.reset_in
    error = read_error_body(body)
    seconds = _number(str(error.details.get("retryAfter", error.details.get("retry_after", ""))))
    if seconds is not None:
        return max(0.0, seconds)
    reopens_at = read_timestamp(error.message)
    return None if reopens_at is None else max(0.0, reopens_at - now)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _seconds_until(reset: float, now: float) -> float:
    if reset > 1e11:  # milliseconds
        reset /= 1000
    return max(0.0, reset - now) if reset > 1e9 else max(0.0, reset)
