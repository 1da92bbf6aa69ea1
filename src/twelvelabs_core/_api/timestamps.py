"""Timestamps of the API: RFC 3339, in bodies of tasks and in messages of 429 responses."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:(Z)|([+-]\d\d):?(\d\d))?")


def read_timestamp(text: str) -> float | None:
    """Epoch seconds of the last timestamp in a text; None if there is none. One without an offset is UTC.

    ``datetime.fromisoformat`` reads neither ``Z`` nor fractions of other than 3 or 6 digits on Python 3.10.
    """
    found = _TIMESTAMP.findall(text)
    if not found:
        return None
    seconds, fraction, _, hours, minutes = found[-1]
    try:
        whole = datetime.fromisoformat(f"{seconds}{hours or '+00'}:{minutes or '00'}").timestamp()
    except (ValueError, OverflowError):  # a 13th month
        return None
    return whole + float(fraction or 0)


def read_time(found: Any) -> datetime | None:
    """A timestamp of a response as an aware datetime, UTC; None if it is none."""
    seconds = read_timestamp(found) if isinstance(found, str) else None
    try:
        return None if seconds is None else datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    except OverflowError:  # the last moment of the year 9999
        return None
