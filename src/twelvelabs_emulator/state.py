"""What one emulator holds while it runs."""

from __future__ import annotations

from typing import Any

from .faults import FaultLine
from .limits import Limiter
from .log import RequestLog
from .settings import Settings

__all__ = ["State"]


class State:
    """Settings, request log, and (as the emulator grows) everything clients have made on it."""

    def __init__(self, settings: Settings) -> None:
        self._first_settings = settings
        self.settings = settings
        self.log = RequestLog()
        self.limiter = Limiter()
        self.faults = FaultLine()

    def configure(self, **changes: Any) -> None:
        """Change settings; requests already being answered keep the old ones. Raises ``ValueError``."""
        self.settings = self.settings.replace(**changes)

    def reset(self) -> None:
        """Go back to how it was at the start: the first settings, an empty log, no request counted."""
        self.settings = self._first_settings
        self.log.clear()
        self.limiter.reset()
        self.faults.reset()
