"""What the server says about its limits: ``Retry-After``, every family of ``X-Ratelimit-*`` header on record, three
bodies of a 429.

Order of trust for a wait: ``Retry-After``, a reset header, ``details.retryAfter``, a time in the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from .errors import read_error_body

__all__ = ["RateLimitInfo", "read_rate_limits", "read_retry_delay"]

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_PREFIX = b"x-ratelimit-"


@dataclass(frozen=True, slots=True)
class RateLimitInfo:
    """One answer's limit headers.

    Attributes:
        remaining: requests left in the server's window; None = not told.
        reset_in: seconds until it starts anew; None = not told.
        minutes_remaining: media minutes left; None = not told.
    """

    remaining: int | None = None
    reset_in: float | None = None
    minutes_remaining: float | None = None


def read_rate_limits(raw_headers: Iterable[tuple[bytes, bytes]], now: float) -> RateLimitInfo | None:
    """The limit headers of an answer, or None without any.

    Args:
        raw_headers: name and value pairs, as on the wire.
        now: wall clock, epoch seconds; resets are told as such (or, if small, as seconds to go).
    """
    found = {}
    for name, value in raw_headers:
        if name[:12].lower() == _PREFIX:
            found[name[12:].lower().decode("ascii", "replace")] = value.decode("ascii", "replace")
    if not found:
        return None
    # ``X-Ratelimit-Request-Remaining`` (2026), or ``X-Ratelimit-Remaining`` (the single-dimension scheme before).
    remaining = _number(found.get("request-remaining") or found.get("remaining"))
    reset = _number(found.get("request-reset") or found.get("reset"))
    duration = _number(found.get("duration-remaining"))  # seconds (live value 36000 = 600 minutes)
    if reset is None and remaining is None and duration is not None:
        reset = _number(found.get("duration-reset"))
    return RateLimitInfo(
        None if remaining is None else int(remaining),
        None if reset is None else _until(reset, now),
        None if duration is None else duration / 60,
    )


def read_retry_delay(
    retry_after: str | None, raw_headers: Iterable[tuple[bytes, bytes]], body: bytes, now: float
) -> float | None:
    """Seconds a refused request should wait, or None if the server does not say."""
    if retry_after:
        seconds = _number(retry_after)
        if seconds is not None:
            return max(0.0, seconds)
        try:
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
        except ValueError:
            pass
    word = read_rate_limits(raw_headers, now)
    if word is not None and word.reset_in is not None:
        return word.reset_in
    fault = read_error_body(body)
    told = _number(str(fault.details.get("retryAfter", fault.details.get("retry_after", ""))))
    if told is not None:
        return max(0.0, told)
    times = _TIMESTAMP.findall(fault.message)
    moment = _epoch(times[-1]) if times else None
    return None if moment is None else max(0.0, moment - now)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _until(reset: float, now: float) -> float:
    if reset > 1e11:  # milliseconds
        reset /= 1000
    return max(0.0, reset - now) if reset > 1e9 else max(0.0, reset)


def _epoch(timestamp: str) -> float | None:
    text = timestamp.replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(text if len(text) > 19 else text + "+00:00")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
