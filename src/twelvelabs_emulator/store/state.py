"""What one emulator holds while it runs."""

from __future__ import annotations

from typing import Any

from ..protocol.faults import FaultLine
from ..protocol.rate_limits import Limiter
from ..protocol.request_log import RequestLog
from ..protocol.settings import Settings
from .assets import Assets
from .files import Files
from .tasks import Tasks
from .uploads import Uploads

__all__ = ["State"]


class State:
    """Settings, request log, what has been counted, and everything that clients have made on it."""

    def __init__(self, settings: Settings) -> None:
        self._first_settings = settings
        self.settings = settings
        self.log = RequestLog()
        self.limiter = Limiter()
        self.faults = FaultLine()
        self.files = Files()
        self.assets = Assets()
        self.uploads = Uploads()
        self.tasks = Tasks()

    def configure(self, **changes: Any) -> None:
        """Change settings; requests already being answered keep the old ones. Raises ``ValueError``."""
        self.settings = self.settings.replace(**changes)

    def reset(self) -> None:
        """Go back to how it was at the start: the first settings, an empty log, nothing counted and nothing kept."""
        self.settings = self._first_settings
        self.log.clear()
        self.limiter.reset()
        self.faults.reset()
        self.close()

    def stop(self) -> None:
        """Give up what is being worked on; nobody will ask for it."""
        self.tasks.stop()

    def close(self) -> None:
        """Forget what clients have made, and delete the files."""
        self.tasks.clear()
        self.uploads.clear()
        self.assets.clear()
        self.files.clear()
