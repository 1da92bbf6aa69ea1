"""The emulator's clock, names of new things, and lists of messages used up one by one."""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timezone

from .settings import Settings

__all__ = ["Script", "new_id", "now", "rfc3339"]


def now(settings: Settings) -> float:
    """Return seconds since the epoch, as the emulator sees it."""
    return time.time() + settings.clock_offset_sec


def rfc3339(seconds: float) -> str:
    """Write a time as the API does: ``2026-09-26T10:29:19.968Z``."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """Return an identifier of 24 hexadecimal digits: the time, then chance."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


class Script:
    """Messages of a setting, handed out one after the other; then, and for an empty one, nothing."""

    def __init__(self) -> None:
        self._messages: tuple[str, ...] = ()
        self._taken = 0

    def next(self, messages: tuple[str, ...]) -> str | None:
        """Take the next message. A new list begins at its first."""
        if messages is not self._messages:
            self._messages, self._taken = messages, 0
        if self._taken >= len(messages):
            return None
        self._taken += 1
        return messages[self._taken - 1] or None

    def reset(self) -> None:
        """Begin anew."""
        self._messages, self._taken = (), 0
