"""Rate limits as the server reports them: ``Retry-After``, all known families of ``X-Ratelimit-*`` headers, and three
forms of the body of a 429.

Precedence for a wait: ``Retry-After``, a reset header, ``details.retryAfter``, a time in the message. Every number
passes :func:`finite`, and every wait :func:`_wait`: what cannot be right is ignored, and the next source is read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TypeAlias

from .._limits import DAY
from .errors import read_error_body
from .timestamps import read_timestamp

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

# Seconds. The longest documented window is a day, so a server that asks for more is wrong.
LONGEST_WAIT = 2 * DAY
MOST_LEFT = 1e9  # requests or seconds of media; more is no limit
# A ``Date`` is in whole seconds, and its response is some time under way. Clocks that differ by less are equal.
CLOCK_TOLERANCE_SEC = 2.0

_PREFIX = b"x-ratelimit-"


@dataclass(frozen=True, slots=True)
class RateLimitInfo:
    """The rate limit headers of a response. All numbers are finite and 0 or more.

    Attributes:
        remaining: requests left in the server's window; None = not reported.
        reset_in: seconds until the window restarts, two days at most; None = not reported.
        minutes_remaining: media minutes left; None = not reported.
        limit: requests of the server's window; None = not reported.
    """

    remaining: int | None = None
    reset_in: float | None = None
    minutes_remaining: float | None = None
    limit: int | None = None


def read_rate_limits(raw_headers: Headers, now: float) -> RateLimitInfo | None:
    """The rate limit headers of a response, or None if it has none.

    Args:
        raw_headers: name and value pairs, as received.
        now: our clock, epoch seconds. Servers give a reset in epoch seconds, epoch milliseconds or seconds left. An
            epoch time is by the server's clock, which ``Date`` shows.
    """
    found = {}
    for name, value in raw_headers:
        if len(name) > 12 and name[:12].lower() == _PREFIX:
            found[name[12:].lower().decode("ascii", "replace")] = value.decode("ascii", "replace")
    if not found:
        return None
    # ``X-Ratelimit-Request-Remaining`` (2026), or ``X-Ratelimit-Remaining`` (before).
    remaining = _count(found.get("request-remaining") or found.get("remaining"))
    limit = _count(found.get("request-limit") or found.get("limit")) if remaining is not None else None
    reset = finite(found.get("request-reset") or found.get("reset"))
    duration = _count(found.get("duration-remaining"))  # seconds (seen live: 36000, for 600 minutes)
    if reset is None and remaining is None and duration is not None:
        reset = finite(found.get("duration-reset"))
    return RateLimitInfo(
        None if remaining is None else int(remaining),
        None if reset is None else _seconds_until(reset, raw_headers, now),
        None if duration is None else duration / 60,
        None if limit is None else int(limit),
    )


def read_retry_after(raw_headers: Headers, now: float) -> float | None:
    """Seconds to wait by ``Retry-After`` (seconds, or a date), or None without one that can be right.

    Args:
        raw_headers: name and value pairs, as received.
        now: our clock, epoch seconds.
    """
    text = _header(raw_headers, b"retry-after")
    if not text:
        return None
    seconds = finite(text)
    if seconds is None:
        date = _http_date(text)
        seconds = None if date is None else date - _server_clock(raw_headers, now)
    return None if seconds is None else _wait(seconds)


def read_retry_delay(raw_headers: Headers, body: bytes, now: float) -> float | None:
    """Seconds to wait after a 429, or None if the response has no time that can be right.

    Args:
        raw_headers: name and value pairs, as received.
        now: our clock, epoch seconds.
    """
    wait = read_retry_after(raw_headers, now)
    if wait is not None:
        return wait
    info = read_rate_limits(raw_headers, now)
    if info is not None and info.reset_in is not None:
        return info.reset_in
    error = read_error_body(body)
    seconds = finite(error.details.get("retryAfter", error.details.get("retry_after")))
    wait = None if seconds is None else _wait(seconds)
    if wait is not None:
        return wait
    reopens_at = read_timestamp(error.message)
    return None if reopens_at is None else _wait(reopens_at - _server_clock(raw_headers, now))


def finite(found: object) -> float | None:
    """A number from a server, in JSON or as a text; None if it is none, or not finite."""
    if not isinstance(found, (str, int, float)) or isinstance(found, bool):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _count(found: object) -> float | None:
    number = finite(found)
    if number is None or 0 <= number <= MOST_LEFT:
        return number
    return 0.0 if number < 0 else MOST_LEFT


def _wait(seconds: float) -> float | None:
    """A wait; a time in the past is now, and one that is too far off is None."""
    if seconds > LONGEST_WAIT:
        return None
    return seconds if seconds > 0 else 0.0


def _seconds_until(reset: float, raw_headers: Headers, now: float) -> float | None:
    if reset > 1e11:  # milliseconds
        reset /= 1000
    return _wait(reset - _server_clock(raw_headers, now) if reset > 1e9 else reset)


def _server_clock(raw_headers: Headers, now: float) -> float:
    """The server's clock, epoch seconds: by its ``Date`` if that and ours differ, else ours, which has fractions."""
    date = _http_date(_header(raw_headers, b"date") or "")
    return now if date is None or abs(now - date) <= CLOCK_TOLERANCE_SEC else date


@lru_cache(maxsize=8)  # the responses of one second have one date
def _http_date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _header(raw_headers: Headers, wanted: bytes) -> str | None:
    for name, value in raw_headers:
        if len(name) == len(wanted) and name.lower() == wanted:
            return value.decode("latin-1")
    return None
