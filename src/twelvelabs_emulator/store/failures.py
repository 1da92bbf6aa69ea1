"""Scripted failures: the messages of a setting, used one by one."""

from __future__ import annotations

from collections.abc import Sequence


class FailureScript:
    """Hands out the messages of a list in order; then, and for an empty message, ``None``."""

    def __init__(self) -> None:
        self._messages: Sequence[str] = ()
        self._used = 0

    def next(self, messages: Sequence[str]) -> str | None:
        """Return the next message. Another ``messages`` object starts from its first."""
        if messages is not self._messages:
            self._messages, self._used = messages, 0
        if self._used >= len(messages):
            return None
        self._used += 1
        return messages[self._used - 1] or None
