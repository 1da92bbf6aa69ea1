"""How the API writes paths, identifiers, times and numbers."""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timezone

#: Version of the API, as the header ``X-Api-Version`` of every response names it.
API_VERSION = "1.3"
#: Prefix of every path of the API.
API_PREFIX = f"/v{API_VERSION}"


def new_id() -> str:
    """Return a new identifier of 24 hexadecimal digits: the time, then random digits."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def rfc3339(seconds: float) -> str:
    """Format seconds since the epoch: ``2026-09-26T10:29:19.968Z``."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_seconds(value: float) -> int | float:
    """Return a duration as the API sends it: rounded to milliseconds, and 6 rather than 6.0."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded
